# SPDX-License-Identifier: Apache-2.0
"""Strangers' projects that use the packages as they are meant to be used."""

import os
import shlex
import shutil
import subprocess
import sys

from workshop import UNITY, Failure

# What the embedding example of each library prints.
EXAMPLES = {
    "transport-echo": "echo: hello, transport 0.",
    "quic-echo": "echo: hello, QUIC, by echo",
    "mux-echo": "echo: hello, yamux",
    "h3-hello": "200: you asked for /hello",
    "socks-proxy": "connected through the proxy to 127.0.0.1:",
}


def build(shop, kind):
    """What the other tests use: all libraries, installed into one prefix which is moved then."""
    folder = shop.build_folder(kind)
    shop.run(shop["cmake"], "-S", shop.source, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
             "-DCMAKE_CXX_FLAGS_RELEASE=-O1", f"-DCMAKE_CXX_COMPILER={shop.compiler('gcc')}", "-DSTRATA_BUILD_TESTS=OFF",
             "-DSTRATA_BUILD_EXAMPLES=OFF", *UNITY,
             f"-DBUILD_SHARED_LIBS={'ON' if kind == 'shared' else 'OFF'}", f"-DCMAKE_PREFIX_PATH={shop.prefix_path()}",
             f"-DOPENSSL_ROOT_DIR={shop.openssl(kind)}")
    shop.build(folder)
    install(shop, kind, shop.installed(kind))


def install(shop, kind, prefix, *options):
    """A package must not remember where it was installed first."""
    first = os.path.join(shop.folder, "first")
    for old in (first, prefix):
        shutil.rmtree(old, ignore_errors=True)
    shop.run(shop["cmake"], "--install", shop.build_folder(kind), "--prefix", first, *options)
    os.rename(first, prefix)


def find_package(shop, kind, compiler):
    shop.run(*shop.configure(os.path.join(shop.here, "consumer"), compiler, CMAKE_PREFIX_PATH=shop.prefix_path(shop.installed(kind)),
                             OPENSSL_ROOT_DIR=shop.openssl(kind) if kind == "static" else "", EXAMPLES=";".join(EXAMPLES),
                             STRATA_EXAMPLES=os.path.join(shop.source, "examples")))
    shop.build(shop.path("build"))
    for name, expected in EXAMPLES.items():
        shop.expect(expected, shop.run(shop.path("build", name), seconds=60))


def pkg_config_path(shop, prefix, openssl):
    """For pkg-config: the packages, and what they stand on outside the system."""
    folders = [make_asio_pc(shop.path("asio"), shop["asio_version"], shop["asio_folder"])]
    for root in filter(None, [prefix, openssl]):
        folders += [os.path.join(root, "lib", "pkgconfig"), os.path.join(root, "lib", triplet(shop), "pkgconfig")]
    return {"PKG_CONFIG_PATH": ":".join(folders)}


def make_asio_pc(folder, version, include):
    """The one in a Debian package that was unpacked elsewhere still says /usr."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "asio.pc"), "w", encoding="utf-8") as file:
        file.write(f"Name: asio\nDescription: Asio\nVersion: {version}\nCflags: -I{include}\n")
    return folder


def triplet(shop):
    return subprocess.run([shop["gcc"], "-print-multiarch"], check=True, capture_output=True, text=True).stdout.strip()


def library_folder(prefix):
    for folder, _, files in os.walk(prefix):
        if any(name.startswith("libstrata-transport.") for name in files):
            return folder
    raise Failure(f"there is no libstrata-transport in {prefix}")


def pkg_config_flags(shop, kind, module):
    where = pkg_config_path(shop, shop.installed(kind), shop.openssl(kind) if kind == "static" else "")
    static = ["--static"] if kind == "static" else []
    ask = ["pkg-config", *static]
    return (shlex.split(shop.run(*ask, "--cflags", module, env=where)), shlex.split(shop.run(*ask, "--libs", module, env=where)))


def compile_only(shop, compiler, source, program, cflags):
    """On its own, so that ccache knows it."""
    launcher = [shop["ccache"]] if shop["ccache"] else []
    shop.run(*launcher, shop.compiler(compiler), *cflags, "-c", source, "-o", shop.path(program + ".o"))


def compile_with(shop, compiler, source, program, flags):
    cflags, libs = flags
    compile_only(shop, compiler, source, program, cflags)
    shop.run(shop.compiler(compiler), shop.path(program + ".o"), "-o", shop.path(program), *libs)


def pkg_config(shop, kind, compiler):
    source = os.path.join(shop.source, "examples", "h3-hello", "main.cpp")
    compile_with(shop, compiler, source, "program", pkg_config_flags(shop, kind, "strata-h3"))
    folder = {"LD_LIBRARY_PATH": library_folder(shop.installed(kind))}
    shop.expect(EXAMPLES["h3-hello"], shop.run(shop.path("program"), env=folder, seconds=60))


def subdirectory(shop, kind, compiler):
    """The whole tree within a stranger's; one library of it is built."""
    shop.run(*shop.configure(os.path.join(shop.here, "subdirectory"), compiler, CMAKE_PREFIX_PATH=shop.prefix_path(),
                             OPENSSL_ROOT_DIR=shop.openssl(kind), BUILD_SHARED_LIBS="ON" if kind == "shared" else "OFF",
                             STRATA_TREE=shop.source,
                             # ccache knows nothing that Clang compiled with a precompiled header.
                             CMAKE_DISABLE_PRECOMPILE_HEADERS="ON" if compiler == "clang" else "OFF"))
    shop.build(shop.path("build"))
    shop.expect(EXAMPLES["transport-echo"], shop.run(shop.path("build", "transport-echo"), seconds=60))


def readme(shop):
    """The code that the libraries' README.md show, on the installed package."""
    extractor = os.path.join(shop.source, "tools", "readme_code.py")
    programs = []
    for library in shop.libraries:
        text = os.path.join(shop.source, f"lib{library}", "README.md")
        programs += shop.run(sys.executable, "-B", extractor, text, shop.path("programs")).split()
        if not any(os.path.basename(program).startswith(library + "_") for program in programs):
            raise Failure(f"{text} shows no program: a block that begins with ```cpp {library}_NAME")
    for program in programs:
        name = os.path.basename(program)[:-len(".cpp")]
        compile_with(shop, "gcc", program, name, pkg_config_flags(shop, "static", "strata-" + name.split("_")[0]))
