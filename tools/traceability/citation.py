# SPDX-License-Identifier: Apache-2.0
"""Finds the citations of a tree: `//= RFC 9000 section 13.2.1`, then the quoted words on lines that begin with `//# `."""

import os
import re
from typing import NamedTuple

from . import specification

FOLDERS = ("libtransport", "libquic", "libmux", "libh3", "tests")
HEAD = re.compile(r"^\s*//=\s*(.*?)\s*$")
TARGET = re.compile(r"^RFC (\d{4}) section ([\dA-Z]+(?:\.\d+)*)$")
QUOTE = re.compile(r"^\s*//#\s?(.*)$")
REMARK = re.compile(r"^type=test$")  # duvet writes it at tests; here the folder says it


class Citation(NamedTuple):
    path: str
    line: int
    document: str  # "rfc9000"; empty when the head is malformed
    section: str
    quote: str

    @property
    def at_test(self):
        return self.path.startswith("tests/")


def citations_of(path, text):
    head, quoted = None, []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        quote = QUOTE.match(line)
        if quote and head:
            quoted.append(quote.group(1))
            continue
        begin = HEAD.match(line)
        if begin and REMARK.match(begin.group(1)):
            continue
        if head:
            yield finished(path, head, quoted)
        head, quoted = ((number, begin.group(1)), []) if begin else (None, [])


def finished(path, head, quoted):
    line, words = head
    target = TARGET.match(words)
    document = "rfc" + target.group(1) if target else ""
    return Citation(path, line, document, target.group(2) if target else words, specification.plain("\n".join(quoted)))


def of_tree(root):
    """Every citation of the libraries and the tests, in the order of paths and lines."""
    for folder in FOLDERS:
        for parent, folders, names in os.walk(os.path.join(root, folder)):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".hpp", ".cpp")):
                    path = os.path.join(parent, name)
                    with open(path, encoding="utf-8") as file:
                        yield from citations_of(os.path.relpath(path, root), file.read())
