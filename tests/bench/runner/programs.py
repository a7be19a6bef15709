# SPDX-License-Identifier: Apache-2.0
"""Starts the programs that are measured. What they take and print stands in README.md."""

import contextlib
import dataclasses
import json
import subprocess
import time

from . import Failed

OURS = "strata"
CLIENT_PATIENCE = 60.0
END_PATIENCE = 5.0


@dataclasses.dataclass(frozen=True)
class Program:
    """One implementation in one manner of running it."""

    name: str
    version: str
    command: tuple
    h3_command: tuple = ()
    flags: tuple = ()

    def server(self, settings, mode="server"):
        return Server(self._base(mode), [mode, *settings.server_flags(), *self.flags])

    def client(self, mode, server, settings, **options):
        """The figures that a client ends with. An option's name is its flag."""
        command = [*self._base(mode), *self._client_words(mode, server, settings, options)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CLIENT_PATIENCE,
                              stdin=subprocess.DEVNULL)
        return figures_of(done.stdout, done.returncode, f"{self.name} {mode}: {done.stderr.strip()[-300:]}")

    def steps(self, server, settings, **options):
        """A client that does one step for each line it is given."""
        return Steered([*self._base("hold"), *self._client_words("hold", server, settings, options)])

    def _base(self, mode):
        return list(self.h3_command or self.command) if mode in ("server-h3", "requests", "body") else list(self.command)

    def _client_words(self, mode, server, settings, options):
        words = [mode, "--connect", server.address, *settings.flags(), *self.flags]
        for name, value in options.items():
            words += [f"--{name.replace('_', '-')}", str(value)]
        return words


@dataclasses.dataclass(frozen=True)
class Settings:
    """What all programs are given alike."""

    certificate: str
    key: str
    datagram: int = 1452
    group: str = "X25519"
    window: int = 16 << 20
    socket_buffer: int = 4 << 20

    def flags(self):
        return ["--group", self.group, "--datagram", str(self.datagram), "--window", str(self.window),
                "--socket-buffer", str(self.socket_buffer)]

    def server_flags(self):
        return ["--cert", self.certificate, "--key", self.key, *self.flags()]


def figures_of(output, code, complaint):
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if code != 0 or not lines:
        raise Failed(complaint)
    return json.loads(lines[-1])


class Steered:
    """A child that answers each line of its input with a line of figures."""

    def __init__(self, command):
        self.command = command
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line=""):
        try:
            self.child.stdin.write(line + "\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            pass  # the empty answer below tells
        answer = self.child.stdout.readline()
        if not answer.startswith("{"):
            raise Failed(f"{self.command[0]} {self.command[1]}: no answer, exit code {self.child.poll()}")
        return json.loads(answer)

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.close()
        try:
            self.child.wait(END_PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.child.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Server(Steered):
    def __init__(self, base, words):
        super().__init__([*base, *words])
        first = self.child.stdout.readline()
        if not first.startswith("listening on "):
            self.end()
            raise Failed(f"{' '.join(map(str, self.command[:2]))} does not listen: {first.strip()}")
        self.address = first.split()[-1]

    def ask_until(self, condition, patience=1.0):
        """Figures for which the condition holds, or the last ones."""
        end = time.monotonic() + patience
        while True:
            figures = self.ask()
            if condition(figures) or time.monotonic() > end:
                return figures
            time.sleep(0.005)


def cpu(figures):
    return figures["cpu_user"] + figures["cpu_system"]


def difference(later, earlier):
    """What was used in between; peaks and what is held now are the later ones."""
    held = ("peak_kib", "resident_kib", "heap_bytes", "open")
    return {name: value if name in held else value - earlier.get(name, 0) for name, value in later.items()}
