#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which test replays which known attack: a table made of the tags in tests/ and of tests/hostile/catalogue.md.

--check instead says what does not fit, and fails then."""

import argparse
import dataclasses
import pathlib
import re
import sys

LEAST = 120
ID = re.compile(r"(?:[QHTRPWYA]\d{2}|H3SPEC-[TH]\d{2})$")
IN_TITLE = re.compile(r"(?<![A-Za-z0-9-])(?:[QHTPWYA]\d{2}|H3SPEC-[TH]\d{2})(?!\d)")
ROW = re.compile(r"\|\s*([A-Z][A-Z0-9-]*\d{2})\s*\|\s*(.*?)\s*\|\s*(.*?)\s*\|$")
CASE = re.compile(r"\bTEST_CASE\(\s*((?:\"(?:[^\"\\]|\\.)*\"\s*)+)(?:,\s*((?:\"(?:[^\"\\]|\\.)*\"\s*)+))?\)")
SCRIPT = re.compile(r"^# attack (\S+): (.+)$", re.M)
TAG = re.compile(r"\[([^\]]+)\]")


@dataclasses.dataclass
class Case:
    title: str
    path: str
    line: int
    ids: list
    tagged: bool


@dataclasses.dataclass
class Attack:
    text: str
    reason: str


def joined(literals):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals or ""))


def cases_of(path, name):
    text = path.read_text()
    line_at = lambda place: text.count("\n", 0, place) + 1
    if path.suffix == ".py":
        for match in SCRIPT.finditer(text):
            yield Case(match.group(2), name, line_at(match.start()), [match.group(1)], True)
        return
    for match in CASE.finditer(text):
        title, tags = joined(match.group(1)), TAG.findall(joined(match.group(2)))
        yield Case(title, name, line_at(match.start()), [tag for tag in tags if ID.match(tag)], "attack" in tags)


def read_cases(root):
    found = []
    for path in sorted((root / "tests").rglob("*_test.*")):
        if path.suffix in (".cpp", ".py"):
            found += cases_of(path, path.relative_to(root).as_posix())
    return found


def read_catalogue(path):
    rows, problems = {}, []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not (match := ROW.match(line)):
            continue
        if match.group(1) in rows:
            problems.append(f"{path.name}:{number}: {match.group(1)} stands there twice")
        rows[match.group(1)] = Attack(match.group(2), match.group(3))
    return rows, problems


def check(catalogue, cases):
    for case in cases:
        where = f"{case.path}:{case.line}"
        if case.ids and not case.tagged:
            yield f"{where}: has the ids {' '.join(case.ids)} but not the tag [attack]"
        if case.tagged and not case.ids:
            yield f"{where}: has the tag [attack] but no id of the catalogue"
        for missing in set(IN_TITLE.findall(case.title)) - set(case.ids):
            yield f"{where}: the title says {missing}, the tags do not"
        for unknown in set(case.ids) - set(catalogue):
            yield f"{where}: {unknown} is not in the catalogue"
    tested = {each for case in cases for each in case.ids}
    for name, attack in catalogue.items():
        if name not in tested and not attack.reason:
            yield f"{name} has neither a test nor a reason in the catalogue"
        if name in tested and attack.reason:
            yield f"{name} is tested: its reason in the catalogue is out of date"
    if len(tested) < LEAST:
        yield f"{len(tested)} attacks are tested, {LEAST} are wanted"


def print_table(catalogue, cases):
    width = max(map(len, catalogue))
    for name, attack in catalogue.items():
        if attack.reason:
            print(f"{name:{width}}  -  {attack.text}: {attack.reason}")
        for case in cases:
            if name in case.ids:
                print(f"{name:{width}}  {case.title}  {case.path}:{case.line}")
    tested = {each for case in cases for each in case.ids} & set(catalogue)
    print(f"{len(tested)} attacks of {len(catalogue)} are tested, by {sum(1 for case in cases if case.ids)} cases")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="say what does not fit")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    options = parser.parse_args()
    catalogue, problems = read_catalogue(options.root / "tests/hostile/catalogue.md")
    cases = read_cases(options.root)
    if not options.check:
        print_table(catalogue, cases)
        return 0
    problems += check(catalogue, cases)
    print("\n".join(problems) or "every attack of the catalogue has a test or a reason")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
