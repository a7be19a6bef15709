# SPDX-License-Identifier: Apache-2.0
"""./dev interop mux: implementations of yamux and WebSocket by others, both ways."""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from . import Failed, NotApplicable, building, table
from .building import say
from .cell import UNSUPPORTED, Running, Server, describe, last_words
from .mux_scenarios import SCENARIOS, WEBSOCKET, YAMUX
from .programs import OURS, join_address

ROOT = pathlib.Path(__file__).resolve().parents[3]
SKIPPED = 77
PROGRAM = "strata-mux-peer"
BINARIES = ("build/release/bin", "build/dev/bin")
RECIPES = {YAMUX: building.YAMUX_RECIPES, WEBSOCKET: building.WEBSOCKET_RECIPES}
# What a library cannot do on the wire though its program ends in order.
SILENT_AT_THE_END = {"go-yamux": "sends a go away only with a code other than 0"}


class MuxProgram:
    def __init__(self, name, command):
        self.name = name
        self.command = command


class MuxCell:
    """What a scenario works with: README.md has what the programs take and print."""

    def __init__(self, folder, scenario, pair):
        self.scenario = scenario
        self.client, self.server = pair
        self.folder = folder / f"{scenario.protocol}-{scenario.name}--{self.client.name}--{self.server.name}"
        self._children = []
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def _command(self, program, mode, options):
        protocol = ["--protocol", self.scenario.protocol] if program.name == OURS else []
        return [*program.command, mode, *protocol, *options]

    def start_server(self, *options):
        command = self._command(self.server, "server", ["--listen", "127.0.0.1:0", *options])
        self._server = Server(command, self.folder, "server")
        self._children.append(self._server)
        return self._server

    def run_client(self, address, *options):
        command = self._command(self.client, "client", ["--connect", join_address(address), *options, self.scenario.name])
        client = Running(command, self.folder, "client")
        self._children.append(client)
        try:
            code = client.child.wait(self.scenario.limit)
        except subprocess.TimeoutExpired:
            self._blame_server()
            raise Failed(f"the client had not ended after {self.scenario.limit:.0f} s") from None
        if code == UNSUPPORTED:
            raise NotApplicable(f"{self.client.name}: {last_words(client.complained()).removeprefix('unsupported: ')}")
        if code != 0:
            self._blame_server()
            raise Failed(f"the client ended with {describe(code)}: {last_words(client.complained())}")

    def _blame_server(self):
        """A server that cannot do what was asked for ends, and its client fails for nothing."""
        try:
            code = self._server.child.wait(0.2)
        except subprocess.TimeoutExpired:
            return
        said = last_words(self._server.complained())
        if code == UNSUPPORTED:
            raise NotApplicable(f"{self.server.name}: {said.removeprefix('unsupported: ')}") from None
        raise Failed(f"the server ended by itself with {describe(code)}: {said}") from None

    @staticmethod
    def check_go_away(program, codes):
        if codes != [0] and not (program.name in SILENT_AT_THE_END and not codes):
            raise Failed(f"{program.name} said that it goes with {codes}, not [0]")

    def end(self, passed, keep):
        for child in self._children:
            child.end()
        if passed and not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev interop mux", description="Talks to implementations of yamux and WebSocket.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a peer, a scenario or a protocol: only cells with it")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--fast", action="store_true", help="only the quick scenarios")
    parser.add_argument("--among-peers", action="store_true", help="the peers with each other, without our program")
    parser.add_argument("--keep", action="store_true", help="keep the logs of cells that passed, too")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/interop/mux", help="folder for logs")
    parser.add_argument("--require-peers", action="store_true", help="a peer that cannot be built is a failure")
    options = parser.parse_args(arguments)
    peers = {name for recipes in RECIPES.values() for name in recipes}
    known = {*RECIPES, *peers, *(each.name for each in SCENARIOS)}
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"unknown name {unknown[0]}; choose from: {' '.join(sorted(known))}")
    return options


def chosen(options, candidates):
    return [name for name in candidates if name in options.names] or list(candidates)


def show_list():
    for protocol, recipes in RECIPES.items():
        print(f"{protocol}: {' '.join(recipes)}")
        for each in SCENARIOS:
            if each.protocol == protocol:
                print(f"  {each.name:14} {each.what}{' [fast]' if each.fast else ''}")


def our_program():
    folders = [pathlib.Path(os.environ["STRATA_BIN"])] if "STRATA_BIN" in os.environ else [ROOT / each for each in BINARIES]
    for folder in folders:
        if os.access(folder / PROGRAM, os.X_OK):
            return MuxProgram(OURS, [(folder / PROGRAM).resolve()])
    if "STRATA_BIN" in os.environ:
        raise NotApplicable(f"$STRATA_BIN has no {PROGRAM}")
    if subprocess.run([ROOT / "dev", "build", "release", PROGRAM], check=False).returncode != 0:
        raise Failed(f"{PROGRAM} does not build")
    return MuxProgram(OURS, [ROOT / BINARIES[0] / PROGRAM])


def peer(name, recipes, options):
    try:
        built = building.Build(name, options.work, recipes).get()
        say(f"{name}: {built.version}")
        return MuxProgram(name, built.command)
    except (Failed, NotApplicable) as why:
        say(f"{name}: {why}")
        return Failed(str(why)) if options.require_peers else why


def judge(options, scenario, pair):
    for each in pair:
        if isinstance(each, (Failed, NotApplicable)):
            return table.Verdict(table.NONE if isinstance(each, NotApplicable) else table.FAIL, reason=str(each))
    began = time.monotonic()
    cell = MuxCell(options.work / "cells", scenario, pair)
    verdict = table.Verdict(table.FAIL, reason="interrupted")
    try:
        scenario.run(cell)
        verdict = table.Verdict(table.PASS, time.monotonic() - began)
    except Failed as why:
        verdict = table.Verdict(table.FAIL, reason=f"{why} ({os.path.relpath(cell.folder)})")
    except NotApplicable as why:
        verdict = table.Verdict(table.NONE, reason=str(why))
    finally:
        cell.end(verdict.word != table.FAIL, options.keep)
    return verdict


def run_protocol(options, protocol, ours):
    """The table of one protocol, printed; its verdicts."""
    named = [name for recipes in RECIPES.values() for name in recipes if name in options.names]
    names = [name for name in RECIPES[protocol] if not named or name in named]
    scenarios = [each for each in SCENARIOS if each.protocol == protocol and (each.fast or not options.fast)]
    picked = {each.name for each in SCENARIOS} & set(options.names)
    scenarios = [each for each in scenarios if not picked or each.name in picked]
    if not names or not scenarios:
        return {}
    found = {name: peer(name, RECIPES[protocol], options) for name in names} | {OURS: ours}
    pairs = [(OURS, name) for name in names] + [(name, OURS) for name in names]
    if options.among_peers:
        pairs = [(client, server) for client in names for server in names]
    verdicts = {}
    for scenario in scenarios:
        for pair in pairs:
            verdict = judge(options, scenario, tuple(found[name] for name in pair))
            verdicts[f"{scenario.name} {protocol}", pair] = verdict
            why = verdict.reason if verdict.word == table.FAIL else ""
            say(f"{scenario.name:14} {pair[0]:15} -> {pair[1]:15} {verdict.short()}  {why}".rstrip())
    print("\n" + table.text(pairs, verdicts) + "\n")
    if notes := table.notes(verdicts):
        print(notes + "\n")
    return verdicts


def main(arguments):
    options = options_of(arguments)
    if options.list:
        show_list()
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that children end, too
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    ours = None
    if not options.among_peers:
        try:
            ours = our_program()
        except (Failed, NotApplicable) as why:
            ours = why
    verdicts = {}
    for protocol in chosen(options, RECIPES):
        verdicts |= run_protocol(options, protocol, ours)
    print(table.closing_line(verdicts))
    words = {verdict.word for verdict in verdicts.values()}
    if table.FAIL in words:
        return 1
    return 0 if table.PASS in words else SKIPPED
