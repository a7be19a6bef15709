# SPDX-License-Identifier: Apache-2.0
"""Which MUST is cited where, which is excepted and why, and what is wrong with a citation."""

import os

from . import title
from .requirement import FOLDER

NOT_BUILT = "out of scope"
NO_RULE = "not a rule for implementations"
APPLICATION = "obligation of the application"
UNTESTABLE = "not testable from outside"  # only the test is excused: the code must carry the citation
EXCEPTIONS = os.path.join(FOLDER, "exceptions.txt")
FLOORS = os.path.join(FOLDER, "floors.txt")


class Problem(Exception):
    """`path:line: what: what to do`."""


def rows_of(root, path, fields):
    """Lines `a | b | ...`; empty lines and those that begin with # are prose."""
    with open(os.path.join(root, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip() and not line.startswith("#"):
                row = [field.strip() for field in line.split("|")]
                if len(row) != fields or not all(row):
                    raise Problem(f"{path}:{number}: not {fields} fields that are all filled: see the head of the file")
                yield number, *row


class Coverage:
    def __init__(self, documents, citations, root):
        self.documents = documents
        self.root = root
        self.at_code, self.at_test = {}, {}
        self.exceptions = {}
        self.problems = []
        for citation in citations:
            self._count(citation)
        try:
            self._read_exceptions()
        except Problem as problem:
            self.problems.append(str(problem))

    def _count(self, citation):
        where = f"{citation.path}:{citation.line}"
        document = self.documents.get(citation.document)
        if not citation.document:
            self.problems.append(f"{where}: '{citation.section}' names no section: write `//= RFC 9000 section 13.2.1`")
        elif document is None:
            self.problems.append(f"{where}: {title(citation.document)} has no data: extract it")
        elif not citation.quote:
            self.problems.append(f"{where}: quotes nothing: write the requirement on lines that begin with `//# `")
        else:
            entries, piece, several = document.quoted(citation.section, citation.quote)
            if piece:
                what = f"stands in {len(several)} sentences of" if several else "does not stand in"
                self.problems.append(f"{where}: '{piece}' {what} {title(document.name)} section {citation.section}: quote the decisive words "
                                     "exactly; for a statement without MUST, SHOULD or MAY run tools/requirements extract")
            table = self.at_test if citation.at_test else self.at_code
            for entry in entries:
                table.setdefault((document.name, entry.id), []).append(where)

    def _read_exceptions(self):
        for number, document, ids, kind, reason in rows_of(self.root, EXCEPTIONS, 4):
            where = f"{EXCEPTIONS}:{number}"
            group = kind.partition(":")[0]
            known = {entry.id for entry in self.documents[document].musts()} if document in self.documents else set()
            if group not in (NOT_BUILT, NO_RULE, APPLICATION, UNTESTABLE) or (group == NOT_BUILT and group == kind):
                self.problems.append(f"{where}: '{kind}' is no class of reasons: see the head of the file")
            for identifier in ids.split():
                key = document, identifier
                if identifier not in known:
                    self.problems.append(f"{where}: {document} has no MUST {identifier}")
                elif key in self.exceptions:
                    self.problems.append(f"{where}: {document} {identifier} is excepted twice")
                else:
                    self.exceptions[key] = group, kind, reason
                    self._check_exception(where, key, group)

    def _check_exception(self, where, key, group):
        name = " ".join(key)
        if key in self.at_code and key in self.at_test:
            self.problems.append(f"{where}: {name} is cited at code and test: remove the exception")
        if group == UNTESTABLE and key not in self.at_code:
            self.problems.append(f"{where}: {name} is excepted from tests only: cite it at the code")

    def in_scope(self, document):
        return [entry for entry in document.musts() if (document.name, entry.id) not in self.exceptions]

    def check_floors(self):
        for number, document, floor in rows_of(self.root, FLOORS, 2):
            row = self.row(self.documents[document])
            if row["both"] * 100 < float(floor) * row["in scope"]:
                yield (f"{FLOORS}:{number}: {title(document)}: {row['both']} of {row['in scope']} MUSTs in scope are cited at code and "
                       f"test, under the floor of {floor} %: see tools/requirements --missing {document}")

    def row(self, document):
        scope = self.in_scope(document)
        code = [entry for entry in scope if (document.name, entry.id) in self.at_code]
        test = [entry for entry in scope if (document.name, entry.id) in self.at_test]
        total = len(document.musts())
        return {
            "MUSTs": total,
            "excepted": total - len(scope),
            "in scope": len(scope),
            "code": len(code),
            "test": len(test),
            "both": len(set(code) & set(test)),
            "code only": sum(key[0] == document.name and exception[0] == UNTESTABLE for key, exception in self.exceptions.items()),
        }
