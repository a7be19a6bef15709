# SPDX-License-Identifier: Apache-2.0
"""./dev interop http1: our parser of HTTP/1 heads beside those of others, on the same bytes."""

import argparse
import collections
import json
import os
import pathlib
import subprocess

from . import Failed, NotApplicable, building, heads
from .building import say

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "heads"
SKIPPED = 77
PROGRAM = "strata-http1-peer"
BINARIES = ("build/release/bin", "build/dev/bin")
SECONDS = 120
SHOWN = 40


def options_of(arguments, families, name, what, **switches):
    """Of a comparison of cases; `switches` are its own besides, each with its help."""
    parser = argparse.ArgumentParser(prog=f"./dev interop {name}", description=what)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a family or a case: only that")
    parser.add_argument("--list", action="store_true", help="print the families and end")
    for switch, meaning in switches.items():
        parser.add_argument(f"--{switch}", action="store_true", help=meaning)
    parser.add_argument("--show", action="store_true", help="print what came of each case that is named")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/interop" / name, help="folder for logs")
    parser.add_argument("--require-peers", action="store_true", help="a peer that cannot be built is a failure")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(families))
    options.work = options.work.resolve()
    return options


def our_command():
    folders = [pathlib.Path(os.environ["STRATA_BIN"])] if "STRATA_BIN" in os.environ else [ROOT / each for each in BINARIES]
    for folder in folders:
        if os.access(folder / PROGRAM, os.X_OK):
            return [str((folder / PROGRAM).resolve())]
    if "STRATA_BIN" in os.environ:
        raise Failed(f"$STRATA_BIN has no {PROGRAM}")
    if subprocess.run([ROOT / "dev", "build", "release", PROGRAM], check=False).returncode != 0:
        raise Failed(f"{PROGRAM} does not build")
    return [str(ROOT / BINARIES[0] / PROGRAM)]


def readings(name, command, cases):
    """{case: what this program made of it}"""
    lines = "".join(case.line() for case in cases)
    told = subprocess.run(command, input=lines, capture_output=True, text=True, check=False, timeout=SECONDS)
    answers = told.stdout.splitlines()
    if told.returncode != 0 or len(answers) != len(cases):
        raise Failed(f"{name} ended with {told.returncode} after {len(answers)} of {len(cases)} cases: {told.stderr.strip()[-500:]}")
    return {case.name: json.loads(answer) for case, answer in zip(cases, answers)}


def peers(options):
    """{name: command, or the exception that says why there is none}"""
    found = {}
    for name in building.HTTP1_RECIPES:
        try:
            built = building.Build(name, options.work, building.HTTP1_RECIPES).get()
            say(f"{name}: {built.version}")
            found[name] = [str(part) for part in built.command]
        except (Failed, NotApplicable) as why:
            say(f"{name}: {why}")
            found[name] = Failed(str(why)) if options.require_peers else why
    return found


class Comparison:
    """Counts by family, and sentences for what may not be."""

    def __init__(self, cases, listed):
        self.cases = cases
        self.listed = listed
        self.problems = []
        self.ours = collections.defaultdict(collections.Counter)
        self.others = {}

    def add_ours(self, mine):
        for case in self.cases:
            told = heads.summary(mine[case.name])
            self.ours[case.family]["refused" if mine[case.name]["end"] == "refused" else "accepted"] += 1
            if told != case.expected:
                why = mine[case.name]["why"]
                self.problems.append(f"{case.name}: {case.expected} is expected of ours, not {told} {f'({why})' if why else ''}".rstrip())

    def add(self, peer, mine, theirs):
        counts = self.others[peer] = collections.defaultdict(collections.Counter)
        for case in self.cases:
            ours, other = mine[case.name], theirs[case.name]
            found = heads.difference(case.kind, ours, other)
            listed = self.listed.get((case.name, peer))
            if found != (listed.what if listed else None):
                self.problems.append(f"{case.name}, {peer}: {found or 'no difference'}, where "
                                     f"{listed.what if listed else 'nothing'} is listed {other['why'] if found else ''}".rstrip())
                counts[case.family]["FAIL"] += 1
            elif found:
                counts[case.family]["listed"] += 1
            elif ours["end"] == "refused" and heads.is_whole(other):
                counts[case.family]["ours stricter"] += 1
            else:
                counts[case.family]["alike"] += 1

    def text(self):
        words = ("alike", "ours stricter", "listed", "FAIL")
        families = list(dict.fromkeys(case.family for case in self.cases))
        columns = ["cases", "accepted", "refused"] + [word for _ in self.others for word in words]
        rows = []
        for family in [*families, "all"]:
            chosen = families if family == "all" else [family]
            mine = sum((self.ours[each] for each in chosen), collections.Counter())
            numbers = [mine.total(), mine["accepted"], mine["refused"]]
            for counts in self.others.values():
                numbers += [sum(counts[each][word] for each in chosen) for word in words]
            rows.append((family, numbers))
        first = max(len(family) for family, _ in rows)
        group = 2 * len(words) - 2 + sum(map(len, words))
        over = " " * first + "  " + "ours".ljust(len("cases  accepted  refused"))
        lines = [over + "".join("  " + peer.ljust(group) for peer in self.others), "  ".join(["".ljust(first), *columns])]
        lines.append("-" * len(lines[1]))
        for family, numbers in rows:
            cells = [str(number).rjust(len(column)) for number, column in zip(numbers, columns)]
            lines.append("  ".join([family.ljust(first), *cells]))
        return "\n".join(line.rstrip() for line in lines)


def show(case, told):
    print(f"{case.name}: {case.kind} {case.exchange} {case.octets[:300]!r}")
    for name, reading in told.items():
        print(f"  {name}: {heads.summary(reading)} {reading['why']}".rstrip())
        for message in reading["messages"]:
            plain = [bytes.fromhex(part) if len(part) > 3 else part for part in message["start"]]
            fields = [(bytes.fromhex(one), bytes.fromhex(other)[:80]) for one, other in message["fields"][:12]]
            print(f"    {plain} {fields} {message['body']} {message['length']} {bytes.fromhex(message['content'])[:80]!r} "
                  f"complete={message['complete']} ends={message.get('ends')} persistent={message['persistent']}")


def chosen_cases(options, cases):
    known = {case.family for case in cases} | {case.name for case in cases}
    if unknown := [name for name in options.names if name not in known]:
        raise Failed(f"no family or case is named {unknown[0]}; --list prints the families")
    return [case for case in cases if not options.names or {case.name, case.family} & set(options.names)]


def compare(options, cases):
    listed, reasons = heads.read_differences(FOLDER / "differences.txt")
    unknown = {name for name, _ in listed} - {case.name for case in cases}
    cases = chosen_cases(options, cases)
    comparison = Comparison(cases, listed)
    comparison.problems += [f"differences.txt names {name}, which is no case" for name in sorted(unknown)]
    comparison.problems += [f"differences.txt has a reason nobody gives: {name}"
                            for name in reasons if name not in {each.reason for each in listed.values()}]
    told = {"ours": readings("ours", our_command(), cases)}
    comparison.add_ours(told["ours"])
    absent = {}
    for name, command in peers(options).items():
        if isinstance(command, Failed):
            comparison.problems.append(str(command))
        elif isinstance(command, NotApplicable):
            absent[name] = command
        else:
            told[name] = readings(name, command, cases)
            comparison.add(name, told["ours"], told[name])
    if options.show:
        for case in cases[:SHOWN]:
            show(case, {name: reading[case.name] for name, reading in told.items()})
    report(comparison, listed, reasons, absent)
    if comparison.problems:
        return 1
    return 0 if comparison.others else SKIPPED


def report(comparison, listed, reasons, absent):
    print("\n" + comparison.text() + "\n")
    names = {case.name for case in comparison.cases}
    for reason, sentence in reasons.items():
        found = [(name, peer) for (name, peer), each in listed.items() if each.reason == reason and name in names]
        if found:
            print(f"listed, {len(found)}: {sentence}")
    for problem in comparison.problems[:SHOWN]:
        print(f"FAIL {problem}")
    if len(comparison.problems) > SHOWN:
        print(f"FAIL and {len(comparison.problems) - SHOWN} more")
    for name, why in absent.items():
        print(f"n/a {name}: {why}")
    print(f"{len(comparison.cases)} cases, {len(comparison.problems)} failures")


def main(arguments):
    try:
        cases = heads.read_cases(FOLDER / "cases.txt")
        options = options_of(arguments, dict.fromkeys(case.family for case in cases), "http1",
                             "Reads the same heads with our parser and those of others, and compares what each makes of them.")
        if options.list:
            return 0
        options.work.mkdir(parents=True, exist_ok=True)
        return compare(options, cases)
    except (Failed, heads.Malformed) as why:
        say(str(why))
        return 1
