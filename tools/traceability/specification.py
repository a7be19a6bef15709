# SPDX-License-Identifier: Apache-2.0
"""Reads a working group's source of an RFC (Markdown) into numbered sections of plain sentences."""

import re
from typing import NamedTuple

HEADING = re.compile(r"^(#+)\s+(.*?)\s*(?:\{#([\w-]+)\})?\s*(\{:numbered=\"false\"\})?$")
ATTRIBUTES = re.compile(r"^\s*\{:.*\}\s*$")
ITEM = re.compile(r"^\s*(?:[*+-]|\d+\.|:)\s+")
REFERENCE = re.compile(r"\{\{([^{}]+)\}\}")
INLINE_REFERENCE = re.compile(r"Section \[?\"[^\"]*\"\]?\(#([\w-]+)\)\{:\s*section=\"([\d.]+)\"[^}]*\}", re.S)
BOILERPLATE = re.compile(r'^The key words "MUST"')
SENTENCE_END = re.compile(r"(?<=[.?!])[)\"]*\s+(?=[A-Z\"(\[0-9_`*])")
ABBREVIATION = re.compile(r"(?:\be\.g|\bi\.e|\betc|\bvs|\bcf)\.$")

# The strongest word decides; a sentence without any is a statement.
LEVELS = (
    ("MUST", re.compile(r"\b(?:MUST|SHALL|REQUIRED)\b")),
    ("SHOULD", re.compile(r"\b(?:SHOULD|(?:NOT )?RECOMMENDED)\b")),
    ("MAY", re.compile(r"\b(?:MAY|OPTIONAL)\b")),
)


class Sentence(NamedTuple):
    section: str
    level: str  # MUST, SHOULD, MAY, or "" for a statement
    text: str


def level_of(text):
    return next((level for level, words in LEVELS if words.search(text)), "")


def plain(text):
    """One line, without the marks of Markdown, so that quotes compare wherever they were wrapped."""
    text = re.sub(r"\\([\[\]_*|`\\])", r"\1", text)
    text = re.sub(r"`([^`]*)`", r"\1", text)
    text = re.sub(r"(?<!\w)(\*\*?|__?)(?=\S)(.+?)(?<=\S)\1(?!\w)", r"\2", text, flags=re.S)
    return re.sub(r"\s+", " ", text).strip()


class Numbering:
    """Counts headings the way the published document numbers them: 1, 1.1, ..., appendices A, A.1."""

    def __init__(self):
        self.parts = []
        self.appendix = False

    def begin_appendices(self):
        self.parts = []
        self.appendix = True

    def next(self, depth):
        self.parts = (self.parts + [0] * depth)[:depth]
        self.parts[depth - 1] += 1
        first = chr(ord("A") + self.parts[0] - 1) if self.appendix else str(self.parts[0])
        return ".".join([first, *map(str, self.parts[1:])])


def body(text):
    """The lines after `--- middle`, without front matter and comments."""
    text = text.partition("\n--- middle\n")[2]
    return re.sub(r"<!--.*?-->", "", text, flags=re.S).splitlines()


def sections(text):
    """Yields (number, anchor, lines) of each numbered section."""
    numbering = Numbering()
    number, anchor, lines = "", "", []
    fenced = False
    for line in body(text):
        if re.match(r"\s*(~~~|```)", line):
            fenced = not fenced
        heading = None if fenced else HEADING.match(line)
        if line.startswith("--- back"):
            numbering.begin_appendices()
        elif heading:
            if number:
                yield number, anchor, lines
            lines = []
            unnumbered = heading.group(4) or heading.group(2) in ("Acknowledgments", "Contributors")
            number = "" if unnumbered else numbering.next(len(heading.group(1)))
            anchor = heading.group(3) or re.sub(r"\W+", "-", heading.group(2).lower())
        else:
            lines.append(line)
    if number:
        yield number, anchor, lines


def blocks(lines):
    """Paragraphs, list items and table cells; drawings and code are left out."""
    block, fenced = [], False
    for line in [*lines, ""]:
        fence = re.match(r"\s*(~~~|```)", line)
        if fence or fenced or not line.strip() or ATTRIBUTES.match(line) or ITEM.match(line) or "|" in line:
            if block:
                yield " ".join(block)
            block = []
        if fence:
            fenced = not fenced
        elif fenced or ATTRIBUTES.match(line) or re.match(r"\s*\|?[\s:=-]*(\|[\s:=-]*)+$", line):
            continue
        elif "|" in line:
            yield from (cell for cell in line.split("|") if cell.strip())
        elif line.strip():
            block.append(ITEM.sub("", line, count=1).strip())


def sentences_of_block(text):
    start = 0
    for match in SENTENCE_END.finditer(text):
        if not ABBREVIATION.search(text[: match.start()]):
            yield text[start : match.end()].strip()
            start = match.end()
    if text[start:].strip():
        yield text[start:].strip()


def reference_resolver(anchors):
    def resolve(match):
        target = match.group(1).lstrip("!?<").partition("=")[0]
        if target in anchors:
            return f"Section {anchors[target]}"
        if part := re.match(r"(Sections? .*) of (\S+)$", target):
            return f"{part.group(1)} of [{part.group(2).lstrip('!?<')}]"
        return f"[{target}]"

    return lambda text: REFERENCE.sub(resolve, INLINE_REFERENCE.sub(r"Section \2 of [\1]", text))


def sentences(text):
    """Yields every sentence of the document, in order."""
    found = list(sections(text))
    resolve = reference_resolver({anchor: number for number, anchor, _ in found})
    for number, _, lines in found:
        for block in blocks(lines):
            for sentence in sentences_of_block(plain(resolve(block))):
                if not BOILERPLATE.match(sentence):
                    yield Sentence(number, level_of(sentence), sentence)
