# SPDX-License-Identifier: Apache-2.0
"""What the libraries promise to those who are linked with them: names, versions, and what they keep for themselves."""

import glob
import os
import re

import consumers
from workshop import Failure

# Names of templates and inline functions of Asio and the standard library, which whoever includes them emits.
FOREIGN = re.compile(r"_Z(?:T[VTIShc]|GV|TW|TH)?Z*(?:N[KVRO]*)?(?:4asio|S[tabsiod]|9__gnu_cxx|10__cxxabiv1)|_ZN?K?St|DW\.ref\.|__")
SYMBOL = re.compile(r"^[0-9a-f]* +([A-Zuvw]) (\S+?)(?:@.*)?$")
WEAK = "VWuvw"


def abi(shop, *options):
    for library in shop.libraries:
        exports(shop, library, "--write" in options)
        shared_object(shop, library)
        archive(shop, library)
    headers_name_asio(shop)


def symbols(shop, *command, kinds_left_out=""):
    found = set()
    for line in shop.run("nm", *command).splitlines():
        match = SYMBOL.match(line)
        if match and match.group(1) not in kinds_left_out and not FOREIGN.match(match.group(2)):
            found.add(match.group(2))
    return found


def readable(shop, names):
    path = shop.path("names")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(sorted(names)) + "\n")
    return sorted(set(shop.run("sh", "-c", f"c++filt <{path}").splitlines()))


def library_path(shop, kind, name):
    return os.path.join(consumers.library_folder(shop.installed(kind)), name)


def exports(shop, library, anew):
    """A list that changes is a change of the interface: it is seen in review, and belongs into the changelog."""
    names = readable(shop, symbols(shop, "-D", "--defined-only", library_path(shop, "shared", f"libstrata-{library}.so")))
    committed = os.path.join(shop.here, "exports", f"strata-{library}.txt")
    if anew:
        with open(committed, "w", encoding="utf-8") as file:
            file.write("\n".join(names) + "\n")
    with open(committed, encoding="utf-8") as file:
        expected = file.read().splitlines()
    gone, new = sorted(set(expected) - set(names)), sorted(set(names) - set(expected))
    if gone or new:
        raise Failure(f"strata-{library} exports something else than {committed} says.\n"
                      + "".join(f"  gone: {name}\n" for name in gone) + "".join(f"  new:  {name}\n" for name in new)
                      + "If that is meant: tests/package/run.py build/dev/tests/package/settings.json abi --write, and CHANGELOG.md.")
    own = f"strata::{library}::v0::"
    foreign = [name for name in names if own not in name]
    if foreign:
        raise Failure(f"strata-{library} exports names outside of {own}: {foreign}")
    print(f"    strata-{library} exports {len(names)} names, as committed")


def shared_object(shop, library):
    path = library_path(shop, "shared", f"libstrata-{library}.so")
    with open(os.path.join(shop.source, f"lib{library}", "CMakeLists.txt"), encoding="utf-8") as file:
        version = re.search(r"^project\(\S+ VERSION (\S+)", file.read(), re.M).group(1)
    soname = f"libstrata-{library}.so." + ".".join(version.split(".")[:2])
    dynamic = shop.run("readelf", "-d", path)
    shop.expect(f"Library soname: [{soname}]", re.search(r"Library soname.*", dynamic).group(0))
    if os.path.basename(os.path.realpath(path)) != f"libstrata-{library}.so.{version}":
        raise Failure(f"{path} leads to {os.path.realpath(path)}, not to the version {version}")
    needed = re.findall(r"Shared library: \[(.*)\]", dynamic)
    for wanted in {"transport": ["libssl.so", "libcrypto.so"], "quic": ["libssl.so", "libstrata-transport.so.0.1"],
                   "mux": ["libstrata-transport.so.0.1"],
                   "proxy": ["libstrata-mux.so.0.1", "libstrata-transport.so.0.1"],
                   "h3": ["libstrata-quic.so.0.1", "libstrata-transport.so.0.1"]}[library]:
        if not any(name.startswith(wanted) for name in needed):
            raise Failure(f"{path} does not need {wanted}, but {needed}: it has OpenSSL or a sibling in itself")
    runpath = re.search(r"(?:RUNPATH|RPATH).*\[(.*)\]", dynamic)
    if not runpath or not runpath.group(1).startswith("$ORIGIN") or shop.build_folder("shared") in runpath.group(1):
        raise Failure(f"{path} looks for its siblings in {runpath and runpath.group(1)}, not beside itself")
    inside = [name for name in shop.run("nm", "--defined-only", path).split() if name in ("SSL_new", "EVP_DigestInit_ex")]
    if inside:
        raise Failure(f"{path} has a copy of OpenSSL in itself: {inside}")


def archive(shop, library):
    """An archive has no hidden names: each strong one outside of our namespaces may collide with the program's."""
    names = symbols(shop, "-g", "--defined-only", library_path(shop, "static", f"libstrata-{library}.a"), kinds_left_out=WEAK)
    outside = [name for name in readable(shop, names) if f"strata::{library}::" not in name]
    if outside:
        raise Failure(f"libstrata-{library}.a defines names outside of strata::{library}: {outside[:20]}")


def headers_name_asio(shop):
    """A public header with Asio in it leads to asio_version.hpp, or a mismatch would be no link error."""
    include = os.path.join(shop.installed("static"), "include")
    lists = {}
    for path in glob.glob(include + "/strata/**/*.hpp", recursive=True):
        with open(path, encoding="utf-8") as file:
            lists[os.path.relpath(path, include)] = re.findall(r'^#include [<"]([^>"]+)', file.read(), re.M)
    for header in sorted(lists):
        reached, waiting = set(), [header]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += lists.get(name, [])
        uses_asio = any(name == "asio.hpp" or name.startswith("asio/") for name in reached - {"asio/version.hpp"})
        if uses_asio and "strata/transport/asio_version.hpp" not in reached:
            raise Failure(f"{header} shows Asio and does not lead to strata/transport/asio_version.hpp: include that")
