#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/requirements reads specifications and citations as they are meant, and finds what is wrong with them."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
from traceability import citation, coverage, requirement, specification  # noqa: E402

SOURCE = """---
title: "A document that MUST NOT be read here"
--- abstract
It MUST NOT be read either.

--- middle

# Words

The key words "MUST", "MUST NOT" are to be interpreted.  Nothing follows.

# Streams {#streams}

## Opening

A sender MUST
open *one* stream (see {{limits}}), e.g. `A` or {{Section 4.1 of QUIC-TLS}}.  It MAY wait.
An opener that waits
has time:

* Items MUST be
  counted, and are REQUIRED to be few.

~~~
drawings MUST NOT count
~~~

### Limits {#limits}

| what | rule |
|:-----|:-----|
| one  | Cells MUST count. |

--- back

# Further

## Inside

Appendices MUST be lettered; see {{!RFC2119}}.

# Acknowledgments
{:numbered="false"}

Friends MUST be thanked.
"""


class Specifications(unittest.TestCase):
    def test_sentences_have_their_section_level_and_plain_words(self):
        found = [(one.section, one.level, one.text) for one in specification.sentences(SOURCE)]
        self.assertEqual(found, [
            ("1", "", "Nothing follows."),
            ("2.1", "MUST", "A sender MUST open one stream (see Section 2.1.1), e.g. A or Section 4.1 of [QUIC-TLS]."),
            ("2.1", "MAY", "It MAY wait."),
            ("2.1", "", "An opener that waits has time:"),
            ("2.1", "MUST", "Items MUST be counted, and are REQUIRED to be few."),
            ("2.1.1", "", "what"),
            ("2.1.1", "", "rule"),
            ("2.1.1", "", "one"),
            ("2.1.1", "MUST", "Cells MUST count."),
            ("A.1", "MUST", "Appendices MUST be lettered; see [RFC2119]."),
        ])


def cited(section, *lines, path="libquic/a.cpp"):
    text = f"int a;\n//= RFC 9000 section {section}\n" + "".join(f"  //# {line}\n" for line in lines) + "int b;\n"
    return list(citation.citations_of(path, text))


class Citations(unittest.TestCase):
    def test_wrapped_lines_are_one_quote(self):
        self.assertEqual(cited("2.1", "A sender MUST", "open one"),
                         [citation.Citation("libquic/a.cpp", 2, "rfc9000", "2.1", "A sender MUST open one")])

    def test_a_remark_of_duvet_is_passed_over(self):
        found = list(citation.citations_of("tests/a.cpp", "//= RFC 9000 section 1\n//= type=test\n//# words\n"))
        self.assertEqual([(one.quote, one.at_test) for one in found], [("words", True)])

    def test_citations_follow_each_other(self):
        text = "//= RFC 9000 section 1\n//# one\n//= RFC 9002 section A.2\n//# two\n"
        self.assertEqual([(one.document, one.section, one.quote) for one in citation.citations_of("a.cpp", text)],
                         [("rfc9000", "1", "one"), ("rfc9002", "A.2", "two")])


class Quotes(unittest.TestCase):
    def setUp(self):
        self.document = requirement.extract("rfc9000", SOURCE, cited("2.1", "An opener that waits"))

    def ids(self, section, quote):
        entries, piece, _ = self.document.quoted(section, quote)
        return [entry.id for entry in entries], piece

    def test_only_statements_that_are_quoted_are_kept(self):
        self.assertEqual([entry.id for entry in self.document.entries], ["2.1-1", "2.1-m1", "2.1-t1", "2.1-2", "2.1.1-1", "A.1-1"])

    def test_a_piece_or_several_sentences_stand_for_theirs(self):
        self.assertEqual(self.ids("2.1", "MUST open one stream"), (["2.1-1"], ""))
        self.assertEqual(self.ids("2.1", "A sender MUST open one stream (see Section 2.1.1), e.g. A or Section 4.1 of [QUIC-TLS]. It MAY wait."), (["2.1-1", "2.1-m1"], ""))
        self.assertEqual(self.ids("A.1", "Appendices MUST be lettered."), (["A.1-1"], ""))

    def test_wrong_words_and_wrong_sections_are_noticed(self):
        self.assertEqual(self.ids("2.1", "MUST open two streams")[1], "MUST open two streams")
        self.assertEqual(self.ids("2.2", "MUST open one stream")[1], "MUST open one stream")
        self.assertEqual(self.ids("2.1", "MUST")[1], "MUST")
        self.assertEqual(self.ids("2.1", "open one stream")[1], "open one stream")


class Coverages(unittest.TestCase):
    def problems(self, citations, exceptions="", floors=""):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, requirement.FOLDER))
            for path, text in ((coverage.EXCEPTIONS, exceptions), (coverage.FLOORS, floors)):
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write("# head\n" + text)
            covered = coverage.Coverage({"rfc9000": requirement.extract("rfc9000", SOURCE, [])}, citations, root)
            self.row = covered.row(covered.documents["rfc9000"])
            return covered.problems + list(covered.check_floors())

    def test_the_row_counts_code_tests_and_both(self):
        both = cited("2.1", "MUST open one") + cited("2.1", "A sender MUST", path="tests/a.cpp") + cited("A.1", "Appendices MUST be")
        self.assertEqual(self.problems(both, "rfc9000 | 2.1.1-1 | out of scope: cells | there are none\n"), [])
        self.assertEqual(self.row, {"MUSTs": 4, "excepted": 1, "in scope": 3, "code": 2, "test": 1, "both": 1, "code only": 0})

    def test_a_floor_is_held_to_the_percent(self):
        both = cited("2.1", "MUST open one") + cited("2.1", "A sender MUST", path="tests/a.cpp")
        self.assertEqual(self.problems(both, floors="rfc9000 | 25\n"), [])
        self.assertEqual(len(self.problems(both, floors="rfc9000 | 26\n")), 1)

    def test_wrong_citations_are_problems(self):
        for wrong in (cited("2.1", "MUST open two"), cited("2.1"), cited("two", "MUST open one")):
            self.assertEqual(len(self.problems(wrong)), 1)

    def test_exceptions_need_a_class_a_reason_and_to_be_needed(self):
        for wrong in ("rfc9000 | 2.1-1 | out of scope: x |\n", "rfc9000 | 2.1-1 | boring | a reason\n", "rfc9000 | 2.1-1 | out of scope | a reason\n",
                      "rfc9000 | 9.9-1 | out of scope: x | a reason\n", "rfc9000 | 2.1-1 2.1-1 | out of scope: x | a reason\n"):
            self.assertEqual(len(self.problems([], wrong)), 1, wrong)
        both = cited("2.1", "MUST open one") + cited("2.1", "A sender MUST", path="tests/a.cpp")
        self.assertEqual(len(self.problems(both, "rfc9000 | 2.1-1 | out of scope: x | a reason\n")), 1)

    def test_what_cannot_be_tested_must_be_cited_at_the_code(self):
        line = "rfc9000 | 2.1-1 | not testable from outside | nobody sees it\n"
        self.assertEqual(len(self.problems([], line)), 1)
        self.assertEqual(self.problems(cited("2.1", "MUST open one"), line), [])
        self.assertEqual((self.row["in scope"], self.row["code only"]), (3, 1))


if __name__ == "__main__":
    unittest.main()
