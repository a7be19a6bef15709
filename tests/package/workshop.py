# SPDX-License-Identifier: Apache-2.0
"""Where a package test works: its folder, the installed packages, and how programs are run there."""

import json
import os
import shutil
import subprocess
import time

# What a test returns that could not run.
SKIPPED = 77
SLOPPINESS = "pch_defines,time_macros,include_file_mtime,include_file_ctime"


# Joined sources compile in half the time. One by one they are compiled by every other build.
UNITY = ("-DCMAKE_UNITY_BUILD=ON", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=12")


class Failure(Exception):
    """What was expected, and what was found."""


class Skip(Exception):
    """Why this machine cannot run the test."""


class Workshop:
    def __init__(self, settings, name):
        with open(settings, encoding="utf-8") as file:
            self.settings = json.load(file)
        self.source = self.settings["source"]
        self.libraries = self.settings["libraries"].split(";")
        self.here = os.path.join(self.source, "tests", "package")
        # Folders keep their names from run to run, so that ccache knows what is compiled in them.
        self.folder = os.path.join(self.source, "build", "package-tests", name)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)

    def __getitem__(self, key):
        return self.settings[key]

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def build_folder(self, kind):
        return os.path.join(self.source, "build", f"package-{kind}")

    def installed(self, kind):
        return os.path.join(self.build_folder(kind), "installed")

    def openssl(self, kind):
        """The prefix of the OpenSSL of static or shared packages; empty for the system's."""
        prefix = self.settings["openssl"]
        if not prefix or kind == "static":
            return prefix
        if not os.path.isdir(prefix + "-shared"):
            raise Failure(f"there is no {prefix}-shared, the OpenSSL of shared libraries: run ./dev deps --packages")
        return prefix + "-shared"

    def compiler(self, name):
        if not self.settings[name] or self.settings[name].endswith("NOTFOUND"):
            raise Failure("clang++-19 is not installed: run ./dev deps --packages, then configure again")
        return self.settings[name]

    def prefix_path(self, *more):
        return ";".join([*more, *filter(None, self.settings["prefixes"])])

    def environment(self, more=None):
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith(("STRATA_", "CMAKE_", "PKG_CONFIG", "CONAN_", "OPENSSL_")) and name != "LD_LIBRARY_PATH"}
        return {**clean, "CCACHE_SLOPPINESS": SLOPPINESS, "LC_ALL": "C", **(more or {})}

    def run(self, *command, env=None, cwd=None, seconds=None):
        """Runs it and returns what it printed; when it fails, that is the failure."""
        code, output = self.attempt(*command, env=env, cwd=cwd, seconds=seconds)
        if code != 0:
            print(output)
            raise Failure(f"exit code {code} of: {' '.join(command)}")
        return output

    def attempt(self, *command, env=None, cwd=None, seconds=None):
        began = time.monotonic()
        try:
            done = subprocess.run(command, cwd=cwd or self.folder, env=self.environment(env), check=False, text=True, errors="replace",
                                  timeout=seconds, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"after {seconds} s this still ran: {' '.join(command)}") from late
        print(f"{time.monotonic() - began:6.1f} s  {' '.join(command)[:200]}", flush=True)
        return done.returncode, done.stdout

    def build(self, folder):
        return self.run(self["cmake"], "--build", folder, "--parallel", str(os.cpu_count() or 2))

    def refused(self, sentence, *command, env=None):
        """Runs what must fail and say so; CMake breaks its lines anywhere."""
        code, output = self.attempt(*command, env=env)
        if code == 0:
            raise Failure(f"this should have been refused ({sentence}): {' '.join(command)}")
        if sentence not in " ".join(output.split()):
            print(output)
            raise Failure(f"it failed without saying: {sentence}")

    def configure(self, project, compiler="gcc", build="build", **cache):
        """The command that configures a consumer's project."""
        command = [self["cmake"], "-S", project, "-B", self.path(build), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                   "-DCMAKE_CXX_FLAGS_RELEASE=-O0", f"-DCMAKE_CXX_COMPILER={self.compiler(compiler)}",
                   *UNITY]
        if self["ccache"]:
            command.append(f"-DCMAKE_CXX_COMPILER_LAUNCHER={self['ccache']}")
        return [*command, *(f"-D{name}={value}" for name, value in cache.items())]

    def expect(self, text, output):
        if text not in output:
            raise Failure(f"expected '{text}' in:\n{output}")
        print("    " + next(line for line in output.splitlines() if text in line).strip(), flush=True)
