# SPDX-License-Identifier: Apache-2.0
"""A table of its own within ./dev interop: `mux`, `ech`. Which programs and scenarios it has, it is told."""

import argparse
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from . import Failed, NotApplicable, building, table
from .building import say
from .cell import UNSUPPORTED, Running, Server, describe, last_words
from .programs import OURS

ROOT = pathlib.Path(__file__).resolve().parents[3]
SKIPPED = 77
BINARIES = ("build/release/bin", "build/dev/bin")


class Program:
    def __init__(self, name, command):
        self.name = name
        self.command = [*command]


@dataclasses.dataclass(frozen=True)
class Suite:
    name: str
    what: str
    recipes: dict
    """{protocol: {peer: recipe}}"""
    scenarios: tuple
    """Each has name, what, protocol, fast, limit and run(cell)."""
    binaries: tuple
    """Our programs' files."""
    ours: Callable
    """(folder of binaries, protocol) -> a Program."""
    cell: Callable
    """(folder, scenario, pair) -> a Cell of the suite."""
    program: type = Program
    """What a peer is."""
    only_clients: frozenset = frozenset()
    """Peers that are no servers, and protocols in which none is."""
    only_servers: frozenset = frozenset()
    """And those that are no clients."""
    with_ourselves: frozenset = frozenset()
    """Protocols in which our own client meets our own server, too."""

    def main(self, arguments):
        options = self._options_of(arguments)
        if options.list:
            self._show_list()
            return 0
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that children end, too
        options.work = options.work.resolve()
        options.work.mkdir(parents=True, exist_ok=True)
        folder = None
        if not options.among_peers:
            try:
                folder = self._our_folder()
            except (Failed, NotApplicable) as why:
                folder = why
        verdicts = {}
        for protocol in chosen(options, self.recipes):
            verdicts |= self._run_protocol(options, protocol, folder)
        print(table.closing_line(verdicts))
        words = {verdict.word for verdict in verdicts.values()}
        if table.FAIL in words:
            return 1
        return 0 if table.PASS in words else SKIPPED

    def _peers(self):
        return {name for recipes in self.recipes.values() for name in recipes}

    def names(self):
        return {*self.recipes, *self._peers(), *(each.name for each in self.scenarios)}

    def _options_of(self, arguments):
        parser = argparse.ArgumentParser(prog=f"./dev interop {self.name}", description=self.what)
        parser.add_argument("names", nargs="*", metavar="NAME", help="a peer, a scenario or a protocol: only cells with it")
        parser.add_argument("--list", action="store_true", help="print the names and end")
        parser.add_argument("--fast", action="store_true", help="only the quick scenarios")
        parser.add_argument("--among-peers", action="store_true", help="the peers with each other, without our program")
        parser.add_argument("--keep", action="store_true", help="keep the logs of cells that passed, too")
        parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/interop" / self.name, help="folder for logs")
        parser.add_argument("--require-peers", action="store_true", help="a peer that cannot be built is a failure")
        options = parser.parse_args(arguments)
        known = self.names()
        if self.with_ourselves:
            known.add(OURS)
        if unknown := [name for name in options.names if name not in known]:
            parser.error(f"unknown name {unknown[0]}; choose from: {' '.join(sorted(known))}")
        return options

    def _show_list(self):
        for protocol, recipes in self.recipes.items():
            print(f"{protocol}: {' '.join(recipes)}")
            for each in self.scenarios:
                if each.protocol == protocol:
                    print(f"  {each.name:14} {each.what}{' [fast]' if each.fast else ''}")

    def _our_folder(self):
        named = os.environ.get("STRATA_BIN")
        for folder in [pathlib.Path(named)] if named else [ROOT / each for each in BINARIES]:
            if all(os.access(folder / each, os.X_OK) for each in self.binaries):
                return folder.resolve()
        programs = ", ".join(self.binaries)
        if named:
            raise NotApplicable(f"$STRATA_BIN lacks one of {programs}")
        if subprocess.run([ROOT / "dev", "build", "release", *self.binaries], check=False).returncode != 0:
            raise Failed(f"{programs} do not build")
        return ROOT / BINARIES[0]

    def _run_protocol(self, options, protocol, folder):
        """The table of one protocol, printed; its verdicts."""
        recipes = self.recipes[protocol]
        named = [name for name in options.names if name in self._peers() or name == OURS]
        names = [name for name in recipes if not named or name in named]
        scenarios = [each for each in self.scenarios if each.protocol == protocol and (each.fast or not options.fast)]
        picked = {each.name for each in self.scenarios} & set(options.names)
        scenarios = [each for each in scenarios if not picked or each.name in picked]
        ourselves = protocol in self.with_ourselves and not options.among_peers and (not named or OURS in named)
        if not (names or ourselves) or not scenarios:
            return {}
        found = {name: self._peer(name, recipes, options) for name in names}
        found[OURS] = folder if isinstance(folder, Exception) or folder is None else self.ours(folder, protocol)
        pairs = [(OURS, OURS)] if ourselves else []
        pairs += [(OURS, name) for name in names] + [(name, OURS) for name in names]
        if options.among_peers:
            pairs = [(client, server) for client in names for server in names]
        if protocol in self.only_clients | self.only_servers:
            pairs = [pair for pair in pairs if pair[protocol in self.only_clients] == OURS]
        pairs = [(client, server) for client, server in pairs if server not in self.only_clients and client not in self.only_servers]
        verdicts = {}
        for scenario in scenarios:
            for pair in pairs:
                verdict = self._judge(options, scenario, tuple(found[name] for name in pair))
                verdicts[f"{scenario.name} {protocol}", pair] = verdict
                why = verdict.reason if verdict.word == table.FAIL else ""
                say(f"{scenario.name:14} {pair[0]:15} -> {pair[1]:15} {verdict.short()}  {why}".rstrip())
        print("\n" + table.text(pairs, verdicts) + "\n")
        if notes := table.notes(verdicts):
            print(notes + "\n")
        return verdicts

    def _peer(self, name, recipes, options):
        try:
            built = building.Build(name, options.work, recipes).get()
            say(f"{name}: {built.version}")
            return self.program(name, built.command)
        except (Failed, NotApplicable) as why:
            say(f"{name}: {why}")
            return Failed(str(why)) if options.require_peers else why

    def _judge(self, options, scenario, pair):
        for each in pair:
            if isinstance(each, (Failed, NotApplicable)):
                return table.Verdict(table.NONE if isinstance(each, NotApplicable) else table.FAIL, reason=str(each))
        began = time.monotonic()
        cell = self.cell(options.work / "cells", scenario, pair)
        verdict = table.Verdict(table.FAIL, reason="interrupted")
        try:
            scenario.run(cell)
            verdict = table.Verdict(table.PASS, time.monotonic() - began)
        except (Failed, OSError) as why:  # a connection that is reset in the middle is a failure, too
            verdict = table.Verdict(table.FAIL, reason=f"{why} ({os.path.relpath(cell.folder)})")
        except NotApplicable as why:
            verdict = table.Verdict(table.NONE, reason=str(why))
        finally:
            cell.end(verdict.word != table.FAIL, options.keep)
        return verdict


class SuiteCell:
    """What a scenario works with: one client, one server, and a folder."""

    def __init__(self, folder, scenario, pair):
        self.scenario = scenario
        self.client, self.server = pair
        self.folder = folder / f"{scenario.protocol}-{scenario.name}--{self.client.name}--{self.server.name}"
        self._children = []
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def start(self, command):
        """A server, which must say where it listens."""
        self._server = Server(command, self.folder, "server")
        self._children.append(self._server)
        return self._server

    def finish(self, command):
        """A client that has ended, and how."""
        client = Running(command, self.folder, f"client-{len(self._children)}")
        self._children.append(client)
        try:
            code = client.child.wait(self.scenario.limit)
        except subprocess.TimeoutExpired:
            self.blame_server()
            raise Failed(f"the client had not ended after {self.scenario.limit:.0f} s") from None
        if code == UNSUPPORTED:
            raise NotApplicable(f"{self.client.name}: {last_words(client.complained()).removeprefix('unsupported: ')}")
        return client, code

    def blame_server(self):
        """A server that cannot do what was asked for ends, and its client fails for nothing."""
        try:
            code = self._server.child.wait(0.2)
        except subprocess.TimeoutExpired:
            return
        said = last_words(self._server.complained())
        if code == UNSUPPORTED:
            raise NotApplicable(f"{self.server.name}: {said.removeprefix('unsupported: ')}") from None
        raise Failed(f"the server ended by itself with {describe(code)}: {said}") from None

    def end(self, passed, keep):
        for child in self._children:
            child.end()
        if passed and not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def chosen(options, candidates):
    return [name for name in candidates if name in options.names] or list(candidates)
