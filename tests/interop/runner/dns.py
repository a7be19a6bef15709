# SPDX-License-Identifier: Apache-2.0
"""./dev interop dns: name servers, DoH servers and their clients by others, both ways."""

import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

from . import Failed, NotApplicable, building, certificates, table
from .building import say
from .cell import Running, Server, describe, last_words
from .programs import OURS, join_address

ROOT = pathlib.Path(__file__).resolve().parents[3]
SKIPPED = 77
BINARIES = ("build/release/bin", "build/dev/bin")
PROGRAMS = ("dns-query", "strata-dns-server")
LIMIT_SECONDS = 30
ECH = "AEX+DQBB8QAgACBl2nj6LhmbUqJJseiydASRUkdmEQGq/u/e5fXDLsFJSAAEAAEAAQASY2xvdWRmbGFyZS1lY2guY29tAAA="
FIRST = f"alpn=h2,h3 port=8443 ipv4hint=192.0.2.9 ech={ECH} ipv6hint=2001:db8::9"
SECOND = "mandatory=alpn,port alpn=h3 no-default-alpn port=444 {other}"
# strata-dns-server has the same, but for big.
ZONE = f"""
interop.test. 300 IN SOA . . 0 0 0 0 60
www.interop.test. 300 IN CNAME host.interop.test.
host.interop.test. 300 IN A 192.0.2.1
host.interop.test. 300 IN AAAA 2001:db8::1
host.interop.test. 300 IN HTTPS 1 . {FIRST}
host.interop.test. 300 IN HTTPS 2 cdn.interop.test. {SECOND.format(other="key667=hello")}
alias.interop.test. 300 IN HTTPS 0 cdn.interop.test.
cdn.interop.test. 300 IN A 192.0.2.2
""" + "".join(f"big.interop.test. 300 IN A 198.51.100.{number}\n" for number in range(120))
# What cdn.interop.test has not is known for a minute.
LEAST_TTL = 60
NONE_THERE = "name has no address"


class DnsCell:
    def __init__(self, folder, world, pair):
        self.folder, self.world = folder, world
        self.client, self.server = pair
        self._children = []
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def start_server(self):
        """Where DNS, and where DoH, and where DoH over HTTP/3 is."""
        made = self.world.certificates
        if self.server == OURS:
            command = [self.world.ours["strata-dns-server"], made.chain, made.key]
        else:
            zone = self.folder / "zone"
            zone.write_text(ZONE, encoding="ascii")
            command = [*self.server_command(), "server", "--zone", zone, "--cert", made.chain, "--key", made.key]
        server = Server(command, self.folder, "server")
        self._children.append(server)
        ports = dict(re.findall(r"^(doh|h3) on (\S+)$", server.said(), re.M))
        return {"dns": join_address(server.address)} | ports

    def server_command(self):
        return self.world.peers[self.server]

    def run(self, command, name="client"):
        """What the program printed, line by line, and how it ended."""
        running = Running(command, self.folder, name)
        self._children.append(running)
        try:
            code = running.child.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"the client had not ended after {LIMIT_SECONDS} s") from None
        return running.said().splitlines(), code, running.complained()

    def expect(self, command, wanted, name="client"):
        said, code, complained = self.run(command, name)
        if code != 0:
            raise Failed(f"the client ended with {describe(code)}: {last_words(complained)}")
        if sorted(said) != sorted(wanted):
            raise Failed(f"it says {sorted(set(said) - set(wanted))} instead of {sorted(set(wanted) - set(said))}")

    def end(self, passed, keep):
        for child in self._children:
            child.end()
        if passed and not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def expected(ttl):
    there = "@ 2001:db8::1 192.0.2.1"
    return ["AAAA 2001:db8::1", "A 192.0.2.1", f"HTTPS 1 host.interop.test. {FIRST} {there}",
            f"HTTPS 2 cdn.interop.test. {SECOND.format(other='key667=hello')} @ 192.0.2.2", f"TTL {ttl}"]


def our_client(cell, ways, ttl):
    query = cell.world.ours["dns-query"]
    cell.expect([query, *ways, "www.interop.test"], expected(ttl))
    cell.expect([query, *ways, "alias.interop.test"],
                ["HTTPS 65535 cdn.interop.test. @ 192.0.2.2", f"TTL {ttl}"], "alias")
    _, code, complained = cell.run([query, *ways, "none.interop.test"], "none")
    if code != 1 or NONE_THERE not in complained:
        raise Failed(f"a name that is not there: {describe(code)}, {last_words(complained)}")


def over_datagrams(cell):
    where = cell.start_server()
    if cell.client == OURS:
        our_client(cell, ["--server", where["dns"]], LEAST_TTL)
    else:
        their_client(cell, ["--connect", where["dns"], "--via", "udp"])


def over_streams(cell):
    where = cell.start_server()
    if cell.client != OURS:
        return their_client(cell, ["--connect", where["dns"], "--via", "tcp"])
    # Too large for a datagram, so that it has to come by TCP; more addresses than are kept.
    said, code, complained = cell.run([cell.world.ours["dns-query"], "--server", where["dns"], "big.interop.test"])
    if code != 0 or len([line for line in said if line.startswith("A 198.51.100.")]) != 64:
        raise Failed(f"{describe(code)}, {len(said)} lines: {last_words(complained)}")
    return None


def over_https(cell, *more):
    where = cell.start_server()
    roots = cell.world.certificates.authority
    if cell.client != OURS:
        via = "get" if "--get" in more else "post"
        return their_client(cell, ["--connect", where["doh"], "--via", via, "--cacert", roots])
    at = where["h3" if "3" in more else "doh"]
    # The server says that its answers are a second old.
    return our_client(cell, ["--doh", certificates.AUTHORITY, "--at", at, "--roots", roots, *more], LEAST_TTL - 1)


def their_client(cell, ways):
    def records(name, kind):
        said, code, complained = cell.run([*cell.world.peers[cell.client], "client", *ways, name, kind], f"{name}-{kind}")
        if code != 0:
            raise Failed(f"{name} {kind}: {describe(code)}: {last_words(complained)}")
        # The library writes the key without a value with an equals sign.
        return [" ".join(line.replace('"', "").replace("no-default-alpn= ", "no-default-alpn ").split()) for line in said]

    def check(name, kind, *wanted):
        if (said := records(name, kind)) != list(wanted):
            raise Failed(f"{name} {kind}: {said} instead of {list(wanted)}")

    alias = "www.interop.test. 300 IN CNAME host.interop.test."
    check("www.interop.test", "A", "NOERROR", alias, "host.interop.test. 300 IN A 192.0.2.1")
    check("www.interop.test", "AAAA", "NOERROR", alias, "host.interop.test. 300 IN AAAA 2001:db8::1")
    check("host.interop.test", "HTTPS", "NOERROR", f"host.interop.test. 300 IN HTTPS 1 . {FIRST}",
          f"host.interop.test. 300 IN HTTPS 2 cdn.interop.test. {SECOND.format(other='key667=hello')}")
    check("alias.interop.test", "HTTPS", "NOERROR", "alias.interop.test. 300 IN HTTPS 0 cdn.interop.test.")
    check("none.interop.test", "A", "NXDOMAIN")


def over_http3(cell):
    if cell.server == OURS:
        raise NotApplicable("the DoH server of the tests speaks HTTP/3 in tests/h3/driver")
    over_https(cell, "--http", "3")


SCENARIOS = {
    "udp": over_datagrams,
    "tcp": over_streams,
    "doh-post": lambda cell: over_https(cell, "--http", "1.1"),
    "doh-get": lambda cell: over_https(cell, "--http", "1.1", "--get"),
    "doh-h3": over_http3,
}


class World:
    def __init__(self, options):
        self.certificates = certificates.make(options.work / "certificates")
        self.ours, self.peers = {}, {}


def our_programs():
    folders = [pathlib.Path(os.environ["STRATA_BIN"])] if "STRATA_BIN" in os.environ else [ROOT / each for each in BINARIES]
    for folder in folders:
        if all(os.access(folder / each, os.X_OK) for each in PROGRAMS):
            return {each: (folder / each).resolve() for each in PROGRAMS}
    if "STRATA_BIN" in os.environ:
        raise NotApplicable(f"$STRATA_BIN has not all of {' '.join(PROGRAMS)}")
    if subprocess.run([ROOT / "dev", "build", "release", *PROGRAMS], check=False).returncode != 0:
        raise Failed("our programs do not build")
    return {each: ROOT / BINARIES[0] / each for each in PROGRAMS}


def judge(world, name, pair, options):
    began = time.monotonic()
    cell = DnsCell(options.work / "cells" / f"{name}--{pair[0]}--{pair[1]}", world, pair)
    verdict = table.Verdict(table.FAIL, reason="interrupted")
    try:
        SCENARIOS[name](cell)
        verdict = table.Verdict(table.PASS, time.monotonic() - began)
    except Failed as why:
        verdict = table.Verdict(table.FAIL, reason=f"{why} ({os.path.relpath(cell.folder)})")
    except NotApplicable as why:
        verdict = table.Verdict(table.NONE, reason=str(why))
    finally:
        cell.end(verdict.word != table.FAIL, options.keep)
    return verdict


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev interop dns", description="Talks to name servers and DoH servers of others.")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *SCENARIOS], help="a scenario")
    parser.add_argument("--list", action="store_true", help="print the scenarios and end")
    parser.add_argument("--keep", action="store_true", help="keep the logs of cells that passed, too")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/interop/dns", help="folder for logs")
    parser.add_argument("--require-peers", action="store_true", help="a peer that cannot be built is a failure")
    return parser.parse_args(arguments)


def main(arguments):
    options = options_of(arguments)
    if options.list:
        print(" ".join(SCENARIOS))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that children end, too
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    world = World(options)
    try:
        world.ours = our_programs()
        for name in building.DNS_RECIPES:
            built = building.Build(name, options.work, building.DNS_RECIPES).get()
            say(f"{name}: {built.version}")
            world.peers[name] = built.command
    except (Failed, NotApplicable) as why:
        say(str(why))
        return 1 if isinstance(why, Failed) or options.require_peers else SKIPPED
    pairs = [pair for name in world.peers for pair in ((OURS, name), (name, OURS))]
    verdicts = {}
    for name in options.names or SCENARIOS:
        for pair in pairs:
            verdicts[name, pair] = judge(world, name, pair, options)
            why = verdicts[name, pair].reason if verdicts[name, pair].word == table.FAIL else ""
            say(f"{name:10} {pair[0]:10} -> {pair[1]:10} {verdicts[name, pair].short()}  {why}".rstrip())
    print("\n" + table.text(pairs, verdicts) + "\n")
    if notes := table.notes(verdicts):
        print(notes + "\n")
    print(table.closing_line(verdicts))
    return 1 if any(verdict.word == table.FAIL for verdict in verdicts.values()) else 0
