# SPDX-License-Identifier: Apache-2.0
"""The command line: which cells run, and the table of what came out."""

import argparse
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from . import Failed, NotApplicable, anytls, building, certificates, dns, ech, forwarding, http1, mux, proxy, table
from .building import say
from .cell import Cell
from .contents import Contents
from .programs import H3, HQ, OURS, Peer, Strata
from .scenarios import SCENARIOS

ROOT = pathlib.Path(__file__).resolve().parents[3]
SKIPPED = 77
BINARIES = ("build/release/bin", "build/dev/bin")


@dataclasses.dataclass
class World:
    folder: pathlib.Path
    contents: Contents
    certificates: certificates.Certificates


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev interop", description="Talks to QUIC and HTTP/3 implementations of others; "
                                     "`mux ...`: to those of yamux, WebSocket and anytls (`anytls ...`: that alone); `ech ...`: of Encrypted "
                                     "Client Hello; `proxy ...`: clients and servers of SOCKS and HTTP proxies; "
                                     "`http1 ...`: reads heads of HTTP/1 beside others; `forwarding ...`: requests through other "
                                     "proxies and ours; `dns ...`: to name servers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a peer, a scenario, h3 or hq-interop: only cells with it; "
                        "names of one kind add up")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--fast", action="store_true", help="only the quick scenarios")
    parser.add_argument("--among-peers", action="store_true", help="the peers with each other, without our programs")
    parser.add_argument("--keep", action="store_true", help="keep the logs of cells that passed, too")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/interop", help="folder for files and logs")
    parser.add_argument("--require-peers", action="store_true", help="a peer that cannot be built is a failure")
    options = parser.parse_args(arguments)
    known = {*building.RECIPES, *(scenario.name for scenario in SCENARIOS), H3, HQ}
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"unknown name {unknown[0]}; choose from: {' '.join(sorted(known))}")
    return options


def chosen(options, candidates):
    wanted = [name for name in candidates if name in options.names]
    return wanted or list(candidates)


def show_list():
    print("peers:     " + " ".join(building.RECIPES))
    print("protocols: " + " ".join((H3, HQ)))
    print("scenarios:")
    for scenario in SCENARIOS:
        marks = (" [h3 only]" if HQ not in scenario.alpns else "") + (" [fast]" if scenario.fast else "")
        print(f"  {scenario.name:14} {scenario.what}{marks}")


def our_programs():
    """$STRATA_BIN, else what stands in the tree, else it is built."""
    if named := os.environ.get("STRATA_BIN"):
        folder = pathlib.Path(named).resolve()
        if not has_programs(folder):
            raise NotApplicable(f"$STRATA_BIN has no h3-server and h3-client: {folder}")
        return Strata(folder)
    for folder in BINARIES:
        if has_programs(ROOT / folder):
            return Strata(ROOT / folder)
    if subprocess.run([ROOT / "dev", "build", "release", "h3-server", "h3-client"], check=False).returncode != 0:
        raise Failed("h3-server and h3-client do not build")
    return Strata(ROOT / BINARIES[0])


def has_programs(folder):
    return all(os.access(folder / name, os.X_OK) for name in ("h3-server", "h3-client"))


def programs(options, logs):
    """{name: Program, or the exception that says why there is none}"""
    found = {}
    if not options.among_peers:
        try:
            found[OURS] = our_programs()
            say(f"{OURS}: {found[OURS].server.parent}")
        except (Failed, NotApplicable) as why:
            found[OURS] = why
    for name in chosen(options, building.RECIPES):
        try:
            built = building.Build(name, logs).get()
            say(f"{name}: {built.version}")
            found[name] = Peer(name, built)
        except (Failed, NotApplicable) as why:
            found[name] = Failed(str(why)) if options.require_peers else why
            say(f"{name}: {why}")
    return found


def pairs_of(options, names):
    peers = [name for name in names if name != OURS]
    if options.among_peers:
        return [(client, server) for client in peers for server in peers]
    return [(OURS, peer) for peer in peers] + [(peer, OURS) for peer in peers]


def rows_of(options):
    scenarios = chosen(options, [scenario.name for scenario in SCENARIOS])
    protocols = chosen(options, (H3, HQ))
    for scenario in SCENARIOS:
        if scenario.name in scenarios and (scenario.fast or not options.fast):
            for alpn in scenario.alpns:
                if alpn in protocols:
                    yield scenario, alpn


def judge(world, scenario, alpn, pair, keep):
    for each in pair:
        if isinstance(each, NotApplicable):
            return table.Verdict(table.NONE, reason=str(each))
        if isinstance(each, Failed):
            return table.Verdict(table.FAIL, reason=str(each))
    began = time.monotonic()
    cell = Cell(world, scenario, pair, alpn)
    verdict = table.Verdict(table.FAIL, reason="interrupted")
    try:
        scenario.run(cell)
        verdict = table.Verdict(table.PASS, time.monotonic() - began)
    except Failed as why:
        verdict = table.Verdict(table.FAIL, reason=f"{why} ({os.path.relpath(cell.folder)})")
    except NotApplicable as why:
        verdict = table.Verdict(table.NONE, reason=str(why))
    finally:
        cell.end(verdict.word != table.FAIL, keep)
    return verdict


def run_cells(options, world, found):
    verdicts = {}
    for scenario, alpn in rows_of(options):
        world.contents.need(scenario.files)
        row = f"{scenario.name} {alpn}"
        for client, server in pairs_of(options, found):
            verdict = judge(world, scenario, alpn, (found[client], found[server]), options.keep)
            verdicts[row, (client, server)] = verdict
            why = verdict.reason if verdict.word == table.FAIL else ""
            say(f"{row:26} {client:8} -> {server:8} {verdict.short()}  {why}".rstrip())
    return verdicts


def run_muxes(arguments):
    """yamux and WebSocket, then anytls; names choose among them."""
    if "anytls" in arguments:
        return anytls.main([each for each in arguments if each != "anytls"])
    code = mux.main(arguments)
    if mux.SUITE.names() & set(arguments):
        return code
    codes = (code, anytls.main(arguments))
    return 1 if 1 in codes else min(codes)


def main(arguments):
    if arguments[:1] == ["mux"]:
        return run_muxes(arguments[1:])
    if arguments[:1] == ["ech"]:
        return ech.main(arguments[1:])
    if arguments[:1] == ["anytls"]:
        return anytls.main(arguments[1:])
    if arguments[:1] == ["proxy"]:
        return proxy.main(arguments[1:])
    if arguments[:1] == ["forwarding"]:
        return forwarding.main(arguments[1:])
    if arguments[:1] == ["http1"]:
        return http1.main(arguments[1:])
    if arguments[:1] == ["dns"]:
        return dns.main(arguments[1:])
    options = options_of(arguments)
    if options.list:
        show_list()
        return 0
    if shutil.which("openssl") is None:
        say("no openssl program, which makes the certificates: nothing can run")
        return SKIPPED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that children end, too
    folder = options.work.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    found = programs(options, folder)
    world = World(folder / "cells", Contents(folder / "files"), certificates.make(folder / "certificates"))
    verdicts = run_cells(options, world, found)
    print("\n" + table.text(pairs_of(options, found), verdicts) + "\n")
    if notes := table.notes(verdicts):
        print(notes + "\n")
    print(table.closing_line(verdicts))
    words = {verdict.word for verdict in verdicts.values()}
    if table.FAIL in words:
        return 1
    return 0 if table.PASS in words else SKIPPED
