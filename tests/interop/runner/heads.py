# SPDX-License-Identifier: Apache-2.0
"""Heads of HTTP/1 as data, and what two readers of the same bytes must agree on."""

import dataclasses
import re

ESCAPE = re.compile(r"\\(?:([rnt\\])|x([0-9a-f]{2})|\{(\d+)\*([^}]*)\}|\(([a-z]+)\)|(.|$))")
PLAIN = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}
EXCHANGES = ("plain", "head", "connect", "upgrade")


class Malformed(Exception):
    """A file of this suite is not in order, and where."""


@dataclasses.dataclass(frozen=True)
class Case:
    family: str
    name: str
    kind: str
    exchange: str
    expected: str
    octets: bytes

    def line(self):
        return f"{self.kind} {self.exchange} {self.octets.hex()}\n"


def octets_of(text, words):
    made, at = b"", 0
    for found in ESCAPE.finditer(text):
        made += text[at:found.start()].encode("ascii")
        at = found.end()
        letter, digits, count, repeated, word, wrong = found.groups()
        if wrong is not None or (word and word not in words):
            raise Malformed(f"no such escape: {found.group()}")
        if letter:
            made += PLAIN[letter]
        elif digits:
            made += bytes.fromhex(digits)
        else:
            made += int(count) * octets_of(repeated, words) if count else words[word]
    return made + text[at:].encode("ascii")


def read_cases(path, change=str, words=()):
    """[Case] in the order of the file, every line changed before it is read."""
    cases, words, family = [], dict(words), ""
    for number, line in enumerate(path.read_text(encoding="ascii").split("\n"), 1):
        try:
            line = change(line)
            if line.startswith("#") or not line:
                continue
            if line.startswith("let "):
                name, _, text = line[4:].partition(" = ")
                words[name] = octets_of(text, words)
            elif line.startswith("[") and line.endswith("]"):
                family = line[1:-1]
            else:
                cases.append(case_of(family, line, words))
        except (Malformed, UnicodeEncodeError) as why:
            raise Malformed(f"{path.name}:{number}: {why}") from None
    names = [case.name for case in cases]
    if twice := {name for name in names if names.count(name) > 1}:
        raise Malformed(f"{path.name}: twice: {' '.join(sorted(twice))}")
    return cases


def case_of(family, line, words):
    fields = line.split(" ", 3)
    if len(fields) != 4:
        raise Malformed("a case is: name, kind, what comes out, bytes")
    name, kind, expected, text = fields
    kind, _, exchange = kind.partition("/")
    if kind not in ("request", "response") or (exchange or "plain") not in EXCHANGES:
        raise Malformed(f"no such kind: {fields[1]}")
    return Case(family, name, kind, exchange or "plain", expected, octets_of(text, words))


@dataclasses.dataclass(frozen=True)
class Listed:
    """A difference that may be, and why."""

    what: str
    reason: str


def read_differences(path):
    """({(case, peer): Listed}, {reason: sentence})"""
    listed, reasons = {}, {}
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        if line.startswith("#") or not line:
            continue
        if line.startswith("reason "):
            name, _, sentence = line[7:].partition(": ")
            reasons[name] = sentence
            continue
        fields = line.split()
        if len(fields) != 4 or fields[3] not in reasons or (fields[0], fields[1]) in listed:
            raise Malformed(f"{path.name}:{number}: not `case peer difference reason`, once, its reason above")
        listed[fields[0], fields[1]] = Listed(fields[2], fields[3])
    return listed, reasons


def summary(reading):
    """What a reading came to, as cases.txt has it."""
    complete = sum(message["complete"] for message in reading["messages"])
    return f"{complete}:{reading['status'] if reading['end'] == 'refused' else reading['end']}"


def is_whole(reading):
    """Nothing was refused and nothing is missing."""
    return reading["end"] in ("clean", "closed", "tunnel") and all(message["complete"] for message in reading["messages"])


def framing_of(message):
    length = int(message["length"])
    nothing = message["body"] == "none" or (message["body"] == "length" and length == 0)
    return ("none", 0) if nothing else (message["body"], length)


def fields_of(message):
    return [(bytes.fromhex(name).lower(), value) for name, value in message["fields"]]


START = {"request": ("method", "target", "version"), "response": ("status", "reason", "version")}


def head_difference(kind, ours, theirs):
    for name, mine, other in zip(START[kind], ours["start"], theirs["start"]):
        if mine != other:
            return name
    if fields_of(ours) != fields_of(theirs):
        return "fields"
    return "framing" if framing_of(ours) != framing_of(theirs) else None


def body_difference(ours, theirs, refused):
    """Of a message whose heads are alike."""
    if ours["complete"] != theirs["complete"] or refused:
        return "refuses-body" if refused else "waits" if ours["complete"] else "goes-on"
    for name in ("content", "ends", "persistent") if ours["complete"] else ("content",):
        if ours[name] != theirs[name]:
            return name
    return None


def difference(kind, ours, theirs):
    """The first thing that we accept and the other reads differently, or None. What we refuse may be anything to the other."""
    for index, mine in enumerate(ours["messages"]):
        if index >= len(theirs["messages"]):
            return "refuses" if theirs["end"] == "refused" else "waits"
        other = theirs["messages"][index]
        if found := head_difference(kind, mine, other):
            return found
        last = index == len(ours["messages"]) - 1
        if last and not mine["complete"] and ours["end"] == "refused":
            return None
        refused = theirs["end"] == "refused" and not other["complete"]
        if found := body_difference(mine, other, refused):
            return found
    behind = len(theirs["messages"]) > len(ours["messages"])
    return "goes-on" if behind and ours["end"] in ("clean", "waiting") else None
