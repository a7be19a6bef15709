# SPDX-License-Identifier: Apache-2.0
"""The committed extraction: one entry per sentence, and which entries a quote stands for."""

import json
import os
from typing import NamedTuple

from . import DOCUMENTS, specification

FOLDER = "tests/requirements"


class Requirement(NamedTuple):
    id: str  # section, dash, ordinal among the sentences kept for that section and level
    level: str
    text: str

    @property
    def section(self):
        return self.id.partition("-")[0]


class Document:
    """The normative sentences of one RFC, and those of its statements that the tree quotes."""

    def __init__(self, name, entries):
        self.name = name
        self.entries = list(entries)
        self.by_section = {}
        for entry in self.entries:
            self.by_section.setdefault(entry.section, []).append(entry)

    def musts(self):
        return [entry for entry in self.entries if entry.level == "MUST"]

    def quoted(self, section, quote):
        """(the entries that the quote stands for, the piece that stands in no entry or in several)."""
        found = []
        for piece in specification.sentences_of_block(quote):
            entries = self.holding(section, piece)
            if len({entry.text for entry in entries}) != 1:
                return found, piece, entries
            found += entries
        return found, "", []

    def holding(self, section, piece):
        here = self.by_section.get(section, [])
        same = [entry for entry in here if entry.text == piece]
        return same or [entry for entry in here if stands_in(piece, entry.text) and obliges(piece, entry)]


def stands_in(piece, sentence):
    """A quote may end its sentence early, with a full stop of its own."""
    return piece.removesuffix(".") in sentence


def obliges(piece, entry):
    """Of a MUST, the word itself is decisive."""
    return entry.level != "MUST" or specification.level_of(piece) == "MUST"


def file_of(root, document):
    return os.path.join(root, FOLDER, document + ".json")


def load(root):
    documents = {}
    for name in DOCUMENTS:
        with open(file_of(root, name), encoding="utf-8") as file:
            documents[name] = Document(name, (Requirement(*row) for row in json.load(file)["sentences"]))
    return documents


def store(root, document, source):
    """One entry per line, so that a difference reads like one."""
    rows = ",\n".join(json.dumps(list(entry), ensure_ascii=False) for entry in document.entries)
    with open(file_of(root, document.name), "w", encoding="utf-8") as file:
        file.write(f'{{"source": {json.dumps(source)}, "sentences": [\n{rows}\n]}}\n')


def extract(name, text, citations):
    """Statements are no requirements: only those are kept that some citation quotes, to check its words."""
    quotes = {}
    for citation in citations:
        if citation.document == name:
            quotes.setdefault(citation.section, []).extend(specification.sentences_of_block(citation.quote))
    entries, counts = [], {}
    for sentence in specification.sentences(text):
        quoted = any(stands_in(piece, sentence.text) for piece in quotes.get(sentence.section, []))
        if sentence.level or quoted:
            key = sentence.section, sentence.level
            counts[key] = counts.get(key, 0) + 1
            letter = {"MUST": "", "SHOULD": "s", "MAY": "m", "": "t"}[sentence.level]
            entries.append(Requirement(f"{sentence.section}-{letter}{counts[key]}", sentence.level, sentence.text))
    return Document(name, entries)
