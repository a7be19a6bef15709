# SPDX-License-Identifier: Apache-2.0
"""Who may include whom (ARCHITECTURE.md): the layers, the cores, the third parties, the public headers."""

import re

from . import Finding, cpp_scan

# What each library may include besides itself.
BELOW = {
    "transport": set(),
    "quic": {"transport"},
    "h3": {"transport", "quic"},
    "mux": {"transport"},
    "p2p": {"transport", "quic", "mux", "h3"},
    "proxy": {"transport", "mux", "h3"},
}
# h3's core takes (stream id, bytes, fin) and gives the same back; only its driver knows quic.
BELOW_CORE = {"h3": {"transport"}}

THIRD_PARTIES = ("asio", "openssl", "spdlog", "fmt", "google/protobuf")
OPENSSL_ROOMS = (
    "libtransport/src/tls/",
    "libquic/src/core/crypto/",
    "libp2p/src/core/identity/",
    "libp2p/src/core/security/",
    "libmux/src/core/anytls/",
)
# tls.hpp: the TLS configuration that an application makes and quic's crypto room reads; target.hpp: a value, which what is dialled has.
CORE_MAY_INCLUDE = re.compile(r"core/|(export|version|fwd|tls|target)\.hpp$")
SYSTEM_FILES = re.compile(r"/(udp_socket|tcp_splice)_\w+\.[ch]pp$|/export\.hpp$")

FORBIDDEN_IN_CORE = [
    (re.compile(r"\b\w+_clock::now\s*\("), "reads a clock", "take `now` as a parameter"),
    (re.compile(r"\bstd::random_device\b|\bstd::mt19937|\bs?rand\s*\("), "has a randomness of its own", "take a random_source&"),
    (re.compile(r"\bstd::(cout|cerr|clog)\b|\b(f|v|vf)?printf\s*\("), "writes a log", "report by an observer, outside the core"),
    (re.compile(r"\bstd::getenv\b|\bgetenv\s*\("), "reads the environment", "take a configuration value"),
]
SYSTEM_CONDITION = re.compile(r"^[ \t]*#[ \t]*(?:el)?if.*\b(__linux__|_WIN32|__APPLE__|__FreeBSD__|__unix__)\b", re.M)


class Place:
    """Where a file stands: its library, and which side of it."""

    def __init__(self, path):
        self.path = path
        match = re.match(r"lib(\w+)/(include|src)/", path) or re.match(r"(tests)/(\w+)/", path)
        self.library = match.group(1) if match else ""
        self.is_test = self.library == "tests"
        if self.is_test:
            self.library = match.group(2)
        self.is_library = bool(match) and not self.is_test
        self.is_public = self.is_library and match.group(2) == "include"
        self.is_core = self.is_library and ("/src/core/" in path or "/include/strata/%s/core/" % self.library in path)


def third_party(included):
    for party in THIRD_PARTIES:
        if included == party or included.startswith((party + "/", party + ".h")):
            return party
    return None


def check(tree):
    for path in tree.cpp_files():
        place = Place(path)
        text = tree.text(path)
        for line, bracket, included in cpp_scan.includes(text):
            for what, remedy in include_problems(place, bracket, included):
                yield Finding(path, line, "include", what, remedy, subject=included)
        if place.is_library:
            yield from check_code(tree, place)


def include_problems(place, bracket, included):
    party = third_party(included)
    if place.is_library and party:
        yield from third_party_problems(place, party)
    if not place.is_library and not (place.is_test and place.library in BELOW):
        return
    strata = re.match(r"strata/(\w+)/(.*)", included)
    if strata:
        yield from layer_problems(place, strata.group(1), strata.group(2))
    elif place.is_public and bracket == '"':
        yield f'a public header includes the private "{included}"', "include only strata/... there; hide the rest behind a pimpl"
    elif place.is_core and re.match(r"(driver|observers)/", included):
        yield f'a core includes "{included}"', "a core decides, a driver does: turn the dependency around"


def third_party_problems(place, party):
    if place.is_public and party != "asio":
        yield f"a public header includes {party}", "keep it in a .cpp file; forward-declare or hide it behind a pimpl"
    elif place.is_core and party == "openssl" and not place.path.startswith(OPENSSL_ROOMS):
        yield "openssl in a core room that is not for it", "go through libtransport/src/tls or quic's crypto room"
    elif place.is_core and party != "openssl":
        yield f"a core includes {party}", "cores know bytes and time only; do it in src/driver"


def layer_problems(place, library, rest):
    allowed = BELOW[place.library]
    if place.is_core:
        allowed = BELOW_CORE.get(place.library, allowed)
    if library != place.library and library not in allowed:
        if library not in BELOW:
            return
        who = f"lib{place.library}'s core" if place.is_core else f"lib{place.library}"
        yield f"{who} may not include strata/{library}", f"it may include: {', '.join(sorted(allowed)) or 'nothing below it'}"
    if place.is_core and not CORE_MAY_INCLUDE.match(rest):
        yield f"a core includes strata/{library}/{rest}", "a core includes only core/ headers, tls.hpp and target.hpp"


def check_code(tree, place):
    plain = tree.plain(place.path)
    if place.is_core:
        for pattern, what, remedy in FORBIDDEN_IN_CORE:
            for match in pattern.finditer(plain):
                yield Finding(place.path, cpp_scan.line_of(plain, match.start()), "core", f"a core {what}", remedy)
    if not SYSTEM_FILES.search(place.path):
        for match in SYSTEM_CONDITION.finditer(tree.text(place.path)):
            line = cpp_scan.line_of(tree.text(place.path), match.start(1))
            yield Finding(place.path, line, "system", f"asks for the system ({match.group(1)})",
                          "put what differs into a file of its own, as udp_socket_<system>.cpp")
