# SPDX-License-Identifier: Apache-2.0
"""What cannot work is refused when a project is configured, or at the latest linked, with a sentence that says why."""

import os
import re
import shutil

import consumers
from workshop import Failure

COMPLETE_LIBSSL = "int SSL_set_quic_tls_cbs(void) { return 1; }\n"


def built_openssl(shop):
    """(oldest that fits, first that does not)"""
    major, minor = shop["openssl_version"].split(".")[:2]
    return f"{major}.{minor}", int(major) + 1


def make_openssl(shop, version, libssl="int SSL_new(void) { return 1; }\n"):
    """Another OpenSSL, as far as a configure step looks at it."""
    root = shop.path("openssl-" + version + ("" if "quic" in libssl else "-without-quic"))
    include, lib = os.path.join(root, "include", "openssl"), os.path.join(root, "lib")
    os.makedirs(include)
    os.makedirs(os.path.join(lib, "pkgconfig"))
    write(include, "ssl.h", "#pragma once\n")
    write(include, "crypto.h", "#pragma once\n")
    write(include, "opensslv.h", f'# define OPENSSL_VERSION_STR "{version}"\n')
    for name, code in (("ssl", libssl), ("crypto", "int CRYPTO_zalloc(void) { return 0; }\n")):
        source = write(root, name + ".c", code)
        shop.run("gcc", "-c", "-fPIC", source, "-o", os.path.join(root, name + ".o"))
        shop.run("ar", "rcs", os.path.join(lib, f"lib{name}.a"), os.path.join(root, name + ".o"))
        write(os.path.join(lib, "pkgconfig"), f"lib{name}.pc",
              f"Name: {name}\nDescription: another\nVersion: {version}\nLibs: -L{lib} -l{name}\nCflags: -I{root}/include\n")
    return root


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def asking(shop, build, prefix, code="", **cache):
    """Configures a project that asks for one library of `prefix`."""
    folder = shop.path(build + "-project")
    os.makedirs(folder)
    write(folder, "CMakeLists.txt", "cmake_minimum_required(VERSION 3.25)\nproject(asking LANGUAGES CXX)\n"
          + (code or "find_package(strata CONFIG REQUIRED COMPONENTS h3)\n"))
    return shop.configure(folder, "gcc", build + "-build", CMAKE_PREFIX_PATH=shop.prefix_path(prefix), **cache)


def other_openssl(shop):
    floor, next_major = built_openssl(shop)
    built = f"was built against OpenSSL {shop['openssl_version']} and needs >= {floor}, < {next_major}; "
    prefix = shop.installed("static")
    for version in ("3.0.19", f"{next_major}.0.0"):
        other = make_openssl(shop, version, COMPLETE_LIBSSL)
        sentence = f"{built}this project resolved OpenSSL::SSL to '{version}'"
        shop.refused(sentence, *asking(shop, version, prefix, OPENSSL_ROOT_DIR=other))
        # The project had found it for something else: the targets stay that one's, whatever is found afterwards.
        before = (f"set(OPENSSL_ROOT_DIR {other})\nfind_package(OpenSSL REQUIRED)\nset(OPENSSL_ROOT_DIR {shop.openssl('static')})\n"
                  "foreach(found OPENSSL_INCLUDE_DIR OPENSSL_SSL_LIBRARY OPENSSL_CRYPTO_LIBRARY)\n  unset(${found} CACHE)\nendforeach()\n")
        shop.refused(sentence, *asking(shop, version + "-before", prefix, before + "find_package(strata-quic CONFIG REQUIRED)\n"))
        where = consumers.pkg_config_path(shop, prefix, other)
        shop.refused(f"'libssl {'>=' if version == '3.0.19' else '<'} {floor if version == '3.0.19' else next_major}'",
                     "pkg-config", "--static", "--cflags", "--libs", "--print-errors", "strata-h3", env=where)
    without = make_openssl(shop, shop["openssl_version"])
    shop.refused("needs the QUIC TLS callbacks of OpenSSL; the libssl that this project resolved has none",
                 *asking(shop, "no-callbacks", prefix, OPENSSL_ROOT_DIR=without))
    optional = "find_package(strata CONFIG COMPONENTS h3)\nif(strata_FOUND)\n  message(FATAL_ERROR found)\nendif()\n"
    shop.expect("and needs", shop.run(*asking(shop, "optional", prefix, optional, OPENSSL_ROOT_DIR=shop.path("openssl-3.0.19"))))
    system = shop.attempt("pkg-config", "--modversion", "libssl")[1].strip()
    if shop["openssl"] and re.fullmatch(r"3\.[0-4]\.\d+", system):
        # The commonest mistake: nothing was said, and the system has an old one.
        shop.refused(f"{built}this project resolved OpenSSL::SSL to '{system}'", *asking(shop, "system", prefix))
    build_on_other_openssl(shop, without)


def build_on_other_openssl(shop, without):
    """The libraries themselves refuse it as well."""
    tree = ["-DSTRATA_BUILD_TESTS=OFF", "-DSTRATA_BUILD_EXAMPLES=OFF"]
    configure = shop.configure(shop.source, "gcc", "tree", CMAKE_PREFIX_PATH=shop.prefix_path(), OPENSSL_ROOT_DIR=without)
    shop.refused("has no QUIC TLS callbacks; 3.5.2 or later is needed", *configure, *tree)
    if shop["openssl"]:
        configure = shop.configure(shop.source, "gcc", "tree-shared", CMAKE_PREFIX_PATH=shop.prefix_path(),
                                   OPENSSL_ROOT_DIR=shop.openssl("static"), BUILD_SHARED_LIBS="ON")
        shop.refused("Shared libraries of strata need a shared OpenSSL, and this one is an archive", *configure, *tree)


def one_library(shop, kind):
    """Each library is an install component; a package whose siblings are not there says so."""
    openssl = {"OPENSSL_ROOT_DIR": shop.openssl(kind)} if kind == "static" else {}
    alone = shop.path("alone")
    consumers.install(shop, kind, alone, "--component", "strata-transport")
    include = os.path.join(alone, "include", "strata")
    others = [name for name in (os.listdir(include) if os.path.isdir(include) else ["nothing"]) if name != "transport"]
    if others or not os.path.exists(os.path.join(alone, "share", "doc", "strata-transport", "LICENSE")):
        raise Failure(f"the component strata-transport has too much or too little: {others}")
    shop.run(*asking(shop, "transport", alone, "find_package(strata-transport 0.1 CONFIG REQUIRED)\n", **openssl))

    quic = shop.path("quic")
    consumers.install(shop, kind, quic, "--component", "strata-quic")
    ask_quic = "find_package(strata-quic CONFIG REQUIRED)\n"
    shop.refused("strata-quic needs strata-transport 0.1.0 exactly, which was not found",
                 *asking(shop, "quic-alone", quic, ask_quic, **openssl))
    # Two prefixes, as a package of each library has.
    both = shop.prefix_path(quic, alone)
    shop.run(*asking(shop, "quic", quic, f"set(CMAKE_PREFIX_PATH \"{both}\")\n" + ask_quic + uses("quic"), **openssl))
    # The umbrella has what is there, and says what is not.
    part = shop.path("part")
    for component in ("strata", "strata-transport"):
        shop.run(shop["cmake"], "--install", shop.build_folder(kind), "--prefix", part, "--component", component)
    shop.run(*asking(shop, "umbrella", part, "find_package(strata CONFIG REQUIRED)\n" + uses("transport"), **openssl))
    shop.refused("strata's component 'h3' is not installed here", *asking(shop, "umbrella-h3", part, **openssl))
    shop.refused("strata has no component 'smtp'; it has: transport;quic;mux;h3;proxy",
                 *asking(shop, "umbrella-smtp", part, "find_package(strata CONFIG REQUIRED COMPONENTS smtp)\n", **openssl))
    other_version(shop, kind, openssl)


def uses(library):
    return f"if(NOT TARGET strata::{library})\n  message(FATAL_ERROR \"no target strata::{library}\")\nendif()\n"


def other_version(shop, kind, openssl):
    """Siblings of other versions do not fit before 1.0."""
    mixed = shop.path("mixed")
    shutil.copytree(shop.installed(kind), mixed, symlinks=True)
    folder = os.path.join(consumers.library_folder(mixed), "cmake", "strata-transport")
    path = os.path.join(folder, "strata-transport-config-version.cmake")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    write(folder, "strata-transport-config-version.cmake", text.replace('"0.1.0"', '"0.1.1"'))
    shop.refused("strata-h3 needs strata-transport 0.1.0 exactly", *asking(shop, "mixed", mixed, **openssl))


def make_asio(shop):
    """Asio of another version, which is as good as any other layout."""
    folder = shop.path("other-asio")
    shutil.copytree(os.path.join(shop["asio_folder"], "asio"), os.path.join(folder, "include", "asio"))
    shutil.copy(os.path.join(shop["asio_folder"], "asio.hpp"), os.path.join(folder, "include"))
    header = os.path.join(folder, "include", "asio", "version.hpp")
    with open(header, encoding="utf-8") as file:
        text = file.read()
    number = re.search(r"#define ASIO_VERSION (\d+)", text).group(1)
    other = str(int(number) + 1)
    write(os.path.dirname(header), "version.hpp", text.replace(f"ASIO_VERSION {number}", f"ASIO_VERSION {other}"))
    version = f"{int(other) // 100000}.{int(other) // 100 % 1000}.{int(other) % 100}"
    consumers.make_asio_pc(folder, version, os.path.join(folder, "include"))
    return folder, version, other


def other_asio(shop, kind):
    folder, version, number = make_asio(shop)
    openssl = {"OPENSSL_ROOT_DIR": shop.openssl(kind)} if kind == "static" else {}
    prefix = shop.installed(kind)
    shop.refused(f"was built with Asio {shop['asio_version']} and needs exactly that; this project resolved asio::asio to '{version}'",
                 *asking(shop, "asio", prefix, asio_ROOT=folder, **openssl))
    where = consumers.pkg_config_path(shop, prefix, shop.openssl(kind))
    shop.refused(f"'asio = {shop['asio_version']}'", "pkg-config", "--cflags", "--print-errors", "strata-h3",
                 env={"PKG_CONFIG_PATH": folder + ":" + where["PKG_CONFIG_PATH"]})

    # Whoever asks neither gets it from the linker: an include is enough.
    cflags, libs = consumers.pkg_config_flags(shop, kind, "strata-h3")
    for header in ("transport/stream.hpp", "quic/endpoint.hpp", "h3/client.hpp"):
        name = header.replace("/", "-")
        source = write(shop.folder, name + ".cpp", f"#include <strata/{header}>\nint main() {{}}\n")
        consumers.compile_with(shop, "gcc", source, name, (cflags, libs))
        consumers.compile_only(shop, "gcc", source, name, [f"-I{folder}/include", *cflags])
        shop.refused(f"built_with_asio_{number}", shop["gcc"], shop.path(name + ".o"), "-o", shop.path(name), *libs)
