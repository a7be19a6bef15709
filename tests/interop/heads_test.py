#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The comparison of ./dev interop http1 sees what it is there for, and its files are in order; no reader is started."""

import copy
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from runner import heads, http1  # noqa: E402


def message(**changes):
    return {"start": [b"POST".hex(), b"/".hex(), "1.1"], "fields": [[b"Host".hex(), b"a".hex()]], "body": "length", "length": 2,
            "persistent": True, "content": b"ok".hex(), "complete": True, "ends": 40} | changes


def reading(*messages, end="clean", status=0):
    return {"messages": list(messages), "end": end, "status": status, "why": ""}


REFUSED = reading(end="refused", status=400)


class Differences(unittest.TestCase):
    def test_none_between_equals(self):
        two = reading(message(), message(ends=80))
        self.assertIsNone(heads.difference("request", two, copy.deepcopy(two)))

    def test_each_part_of_a_message(self):
        for what, changed in (("method", {"start": [b"GET".hex(), b"/".hex(), "1.1"]}), ("target", {"start": [b"POST".hex(), b"/b".hex(), "1.1"]}),
                              ("version", {"start": [b"POST".hex(), b"/".hex(), "1.0"]}), ("fields", {"fields": []}),
                              ("fields", {"fields": [[b"Host".hex(), b"b".hex()]]}), ("framing", {"body": "chunked"}), ("framing", {"length": 3}),
                              ("content", {"content": b"no".hex()}), ("ends", {"ends": 41}), ("persistent", {"persistent": False}),
                              ("waits", {"complete": False})):
            self.assertEqual(heads.difference("request", reading(message()), reading(message(**changed))), what)

    def test_what_they_refuse_and_we_accept(self):
        self.assertEqual(heads.difference("request", reading(message()), REFUSED), "refuses")
        half = reading(message(complete=False), end="refused", status=400)
        self.assertEqual(heads.difference("request", reading(message()), half), "refuses-body")

    def test_what_we_refuse_may_be_anything(self):
        for other in (REFUSED, reading(message()), reading(message(length=7))):
            self.assertIsNone(heads.difference("request", REFUSED, other))

    def test_a_head_that_we_gave_on_counts_although_its_body_is_refused(self):
        ours = reading(message(complete=False), end="refused", status=400)
        self.assertEqual(heads.difference("request", ours, reading(message(length=3))), "framing")
        self.assertIsNone(heads.difference("request", ours, reading(message())))

    def test_a_message_that_they_see_where_we_wait(self):
        self.assertEqual(heads.difference("request", reading(end="waiting"), reading(message())), "goes-on")
        self.assertEqual(heads.difference("request", reading(message(complete=False), end="waiting"), reading(message())), "goes-on")

    def test_names_are_compared_without_case_and_no_body_is_one_of_length_0(self):
        other = message(fields=[[b"host".hex(), b"a".hex()]])
        self.assertIsNone(heads.difference("request", reading(message()), reading(other)))
        none, empty = message(body="none", length=0, content=""), message(length="0", content="")
        self.assertIsNone(heads.difference("request", reading(none), reading(empty)))


class Escapes(unittest.TestCase):
    def test_octets(self):
        words = {"next": b"GET"}
        for text, octets in ((r"a\r\n\t\\", b"a\r\n\t\\"), (r"\x00\xff", b"\0\xff"), (r"\{3*ab}c", b"abababc"), (r"\{2*\r\n}", b"\r\n\r\n"),
                             (r"\(next) /", b"GET /"), (r"\\x41", b"\\x41")):
            self.assertEqual(heads.octets_of(text, words), octets)

    def test_what_is_no_escape(self):
        for text in (r"\q", r"\x4", r"\(nobody)", "\\"):
            with self.assertRaises(heads.Malformed):
                heads.octets_of(text, {})


class Files(unittest.TestCase):
    def test_cases_and_differences_are_in_order(self):
        cases = heads.read_cases(http1.FOLDER / "cases.txt")
        self.assertGreater(len(cases), 1000)
        listed, reasons = heads.read_differences(http1.FOLDER / "differences.txt")
        self.assertLessEqual({name for name, _ in listed}, {case.name for case in cases})
        self.assertEqual({each.reason for each in listed.values()}, set(reasons))
        for case in cases:
            self.assertRegex(case.expected, r"^\d+:(clean|waiting|closed|tunnel|\d{3})$", case.name)

    def test_a_line_that_is_not_in_order(self):
        for text in ("name request 1:clean", "name reply 1:clean x", "a request 1:clean x\na request 1:clean x"):
            with tempfile.TemporaryDirectory() as folder, self.assertRaises(heads.Malformed):
                path = pathlib.Path(folder) / "cases.txt"
                path.write_text(text, encoding="ascii")
                heads.read_cases(path)


class Counting(unittest.TestCase):
    def test_unlisted_stale_and_unexpected_are_problems(self):
        case = heads.Case("family", "name", "request", "plain", "1:clean", b"")
        mine, theirs = {"name": reading(message())}, {"name": REFUSED}
        listed = {("name", "peer"): heads.Listed("refuses", "why")}
        for known, other, problems in (({}, theirs, 1), (listed, theirs, 0), (listed, mine, 1), ({}, mine, 0)):
            comparison = http1.Comparison([case], known)
            comparison.add_ours(mine)
            comparison.add("peer", mine, other)
            self.assertEqual(len(comparison.problems), problems)
            self.assertIn("family", comparison.text())
        comparison = http1.Comparison([case], {})
        comparison.add_ours(theirs)
        self.assertEqual(len(comparison.problems), 1)


if __name__ == "__main__":
    unittest.main()
