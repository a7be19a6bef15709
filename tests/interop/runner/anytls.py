# SPDX-License-Identifier: Apache-2.0
"""./dev interop anytls: implementations of anytls by others, both ways, through SOCKS5."""

import argparse
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from . import Failed, NotApplicable, building, certificates, table
from .anytls_programs import CLIENT, PEERS, SERVER, Options, Ours
from .anytls_scenarios import SCENARIOS
from .building import say
from .cell import last_words
from .programs import OURS

ROOT = pathlib.Path(__file__).resolve().parents[3]
SKIPPED = 77
BINARIES = ("build/release/bin", "build/dev/bin")


@dataclasses.dataclass
class World:
    folder: pathlib.Path
    certificates: certificates.Certificates


class AnytlsCell:
    """What a scenario works with: it starts servers and clients by what they should do."""

    def __init__(self, world, scenario, pair):
        self.world = world
        self.client, self.server = pair
        self.folder = world.folder / f"{scenario.name}--{self.client.name}--{self.server.name}"
        self._children = []
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def _start(self, program, role, asked, server=()):
        program.demand(**asked)
        name = f"{role}-{len(self._children)}"
        folder = self.folder / name
        folder.mkdir()
        options = Options(certificates=self.world.certificates, folder=folder, server=server, **asked)
        command = program.client_command(options) if role == "client" else program.server_command(options)
        made = program.running(command, self.folder, name)
        self._children.append(made)
        return made

    def start_server(self, **asked):
        return self._start(self.server, "server", asked)

    def start_client(self, server, **asked):
        """Its address is that of its SOCKS5 proxy."""
        return self._start(self.client, "client", asked, server)

    def start_both(self, client=None, server=None):
        """Where the proxy is."""
        self.client.demand(**(client or {}))
        return self.start_client(self.start_server(**(server or {})).address, **(client or {})).address

    def complaints(self):
        return "; ".join(f"{child.stderr.stem}: {said}" for child in self._children if (said := last_words(child.complained())))

    def end(self, passed, keep):
        for child in self._children:
            child.end()
        if passed and not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev interop anytls", description="Talks to implementations of anytls.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a peer or a scenario: only cells with it")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--fast", action="store_true", help="only the quick scenarios")
    parser.add_argument("--among-peers", action="store_true", help="the peers with each other, without our programs")
    parser.add_argument("--keep", action="store_true", help="keep the logs of cells that passed, too")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/interop/anytls", help="folder for logs")
    parser.add_argument("--require-peers", action="store_true", help="a peer that cannot be built is a failure")
    options = parser.parse_args(arguments)
    known = {*PEERS, *(each.name for each in SCENARIOS)}
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"unknown name {unknown[0]}; choose from: {' '.join(sorted(known))}")
    return options


def chosen(options, candidates):
    return [name for name in candidates if name in options.names] or list(candidates)


def show_list():
    print("peers: " + " ".join(PEERS))
    for each in SCENARIOS:
        print(f"  {each.name:16} {each.what}{' [fast]' if each.fast else ''}")


def has_programs(folder):
    return all(os.access(folder / name, os.X_OK) for name in (CLIENT, SERVER))


def our_programs():
    if named := os.environ.get("STRATA_BIN"):
        if not has_programs(pathlib.Path(named)):
            raise NotApplicable(f"$STRATA_BIN has no {CLIENT} and {SERVER}")
        return Ours(OURS, pathlib.Path(named).resolve())
    for folder in BINARIES:
        if has_programs(ROOT / folder):
            return Ours(OURS, ROOT / folder)
    if subprocess.run([ROOT / "dev", "build", "release", CLIENT, SERVER], check=False).returncode != 0:
        raise Failed(f"{CLIENT} and {SERVER} do not build")
    return Ours(OURS, ROOT / BINARIES[0])


def programs(options):
    """{name: Program, or the exception that says why there is none}"""
    found = {}
    if not options.among_peers:
        try:
            found[OURS] = our_programs()
        except (Failed, NotApplicable) as why:
            found[OURS] = why
    for name in chosen(options, PEERS):
        try:
            built = building.Build(name, options.work, building.ANYTLS_RECIPES).get()
            say(f"{name}: {built.version.splitlines()[0]}")
            found[name] = PEERS[name](name, built.command)
        except (Failed, NotApplicable) as why:
            say(f"{name}: {why}")
            found[name] = Failed(str(why)) if options.require_peers else why
    return found


def pairs_of(options, names):
    peers = [name for name in names if name != OURS]
    if options.among_peers:
        return [(client, server) for client in peers for server in peers]
    return [(OURS, OURS)] + [(OURS, peer) for peer in peers] + [(peer, OURS) for peer in peers]


def judge(options, world, scenario, pair):
    for each in pair:
        if isinstance(each, (Failed, NotApplicable)):
            return table.Verdict(table.NONE if isinstance(each, NotApplicable) else table.FAIL, reason=str(each))
    began = time.monotonic()
    cell = AnytlsCell(world, scenario, pair)
    verdict = table.Verdict(table.FAIL, reason="interrupted")
    try:
        scenario.run(cell)
        verdict = table.Verdict(table.PASS, time.monotonic() - began)
    except (Failed, OSError) as why:
        verdict = table.Verdict(table.FAIL, reason=f"{why} [{cell.complaints()}] ({os.path.relpath(cell.folder)})")
    except NotApplicable as why:
        verdict = table.Verdict(table.NONE, reason=str(why))
    finally:
        cell.end(verdict.word != table.FAIL, options.keep)
    return verdict


def run_cells(options, world, found):
    wanted = chosen(options, [each.name for each in SCENARIOS])
    verdicts = {}
    for scenario in SCENARIOS:
        if scenario.name not in wanted or (options.fast and not scenario.fast):
            continue
        for pair in pairs_of(options, found):
            verdict = judge(options, world, scenario, tuple(found[name] for name in pair))
            verdicts[scenario.name, pair] = verdict
            why = verdict.reason if verdict.word == table.FAIL else ""
            say(f"{scenario.name:16} {pair[0]:12} -> {pair[1]:12} {verdict.short()}  {why}".rstrip())
    return verdicts


def run(options):
    """The verdicts, once their table is printed."""
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    found = programs(options)
    world = World(options.work / "cells", certificates.make(options.work / "certificates"))
    verdicts = run_cells(options, world, found)
    print("\n" + table.text(pairs_of(options, found), verdicts) + "\n")
    if notes := table.notes(verdicts):
        print(notes + "\n")
    return verdicts


def main(arguments):
    options = options_of(arguments)
    if options.list:
        show_list()
        return 0
    if shutil.which("openssl") is None:
        say("no openssl program, which makes the certificates: nothing can run")
        return SKIPPED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that children end, too
    verdicts = run(options)
    print(table.closing_line(verdicts))
    words = {verdict.word for verdict in verdicts.values()}
    if table.FAIL in words:
        return 1
    return 0 if table.PASS in words else SKIPPED
