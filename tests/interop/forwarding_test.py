#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The comparison of ./dev interop forwarding sees what it is there for, and its files are in order; no proxy is started."""

import dataclasses
import pathlib
import socket
import sys
import threading
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from runner import forwarded_responses, forwarding, heads  # noqa: E402
from runner.origin import Origin, Request, Visit, path_of, visit  # noqa: E402

ONE, TWO = Request("GET", "/a", b""), Request("POST", "/b", b"hello")


def seen(*requests, statuses=(200,)):
    return Visit(list(statuses), list(requests), [])


class Differences(unittest.TestCase):
    def test_of_what_two_origins_saw(self):
        for ours, theirs, what in (([ONE, TWO], [ONE, TWO], None), ([ONE], [ONE, TWO], "stricter"), ([], [ONE], "stricter"),
                                   ([ONE, TWO], [ONE], "lenient"), ([ONE], [], "lenient"), ([ONE], [TWO], "otherwise"),
                                   ([TWO], [dataclasses.replace(TWO, content=b"hell")], "otherwise"),
                                   ([ONE], [dataclasses.replace(ONE, path="/")], "otherwise")):
            self.assertEqual(forwarding.difference(seen(*ours), seen(*theirs)), what)


class Counting(unittest.TestCase):
    CASE = heads.Case("targets", "name", "request", "plain", "1:clean", b"GET")
    READING = {"messages": [{"start": [b"GET".hex(), b"http://a/a".hex(), "1.1"], "complete": True, "content": ""}], "end": "clean",
               "status": 0, "why": ""}

    def problems(self, found, reading=READING, case=CASE):
        comparison = forwarding.Comparison([case], {})
        comparison.add_ours({"name": found}, {"name": reading})
        return len(comparison.problems)

    def test_the_origin_sees_what_was_meant(self):
        self.assertEqual(self.problems(seen(ONE)), 0)
        self.assertEqual(self.problems(seen()), 1)
        self.assertEqual(self.problems(seen(ONE, ONE)), 1)
        self.assertEqual(self.problems(seen(dataclasses.replace(ONE, content=b"x"))), 1)
        refused = {"messages": [], "end": "refused", "status": 431, "why": ""}
        self.assertEqual(self.problems(seen(statuses=[431]), refused), 0)
        self.assertEqual(self.problems(seen(statuses=[400]), refused), 1)

    def test_of_our_own_cases_it_is_written(self):
        case = dataclasses.replace(self.CASE, family=forwarding.OWN + "x", expected="200,400:GET/a,POST/b=hello", octets=b"X-End: 1")
        marked = [dataclasses.replace(each, fields=(("x-end", "1"),)) for each in (ONE, TWO)]
        self.assertEqual(self.problems(seen(*marked, statuses=(200, 400)), case=case), 0)
        self.assertEqual(self.problems(seen(*marked, statuses=(200, 200)), case=case), 1)
        self.assertEqual(self.problems(seen(marked[0], TWO, statuses=(200, 400)), case=case), 1)
        for name in ("x-hop-a", "te", "upgrade", "proxy-authorization"):
            other = dataclasses.replace(marked[1], fields=(("x-end", "1"), (name, "1")))
            self.assertEqual(self.problems(seen(marked[0], other, statuses=(200, 400)), case=case), 1)

    def test_a_difference_is_listed_or_a_problem(self):
        for ours, theirs, listed, problems in ((ONE, TWO, None, 1), (ONE, TWO, "otherwise", 0), (ONE, ONE, "otherwise", 1), (ONE, ONE, None, 0)):
            known = {("name", "peer"): heads.Listed(listed, "why")} if listed else {}
            comparison = forwarding.Comparison([self.CASE], known)
            comparison.add("peer", {"name": seen(ours)}, {"name": seen(theirs)})
            self.assertEqual(len(comparison.problems), problems)


class Responses(unittest.TestCase):
    HELLO, OTHER, BAD = (200, b"hello"), (200, b"hell"), (502, b"no")

    def test_differences_between_what_two_clients_got(self):
        for ours, theirs, what in (([self.HELLO], [self.HELLO], None), ([], [self.BAD], None), ([self.BAD], [self.HELLO], "stricter"),
                                   ([self.HELLO], [], "lenient"), ([self.HELLO], [self.OTHER], "otherwise")):
            self.assertEqual(forwarding.difference(ours, theirs), what)

    def test_the_client_gets_what_was_meant_and_nobody_else_does(self):
        case = heads.Case("x", "name", "response", "plain", "1:clean", b"")
        message = {"start": ["200", "", "1.1"], "complete": True, "content": b"hello".hex()}
        good = {"messages": [message], "end": "clean", "why": ""}
        half = {"messages": [message | {"complete": False}], "end": "refused", "why": ""}
        for meant, got, problems in ((good, [self.HELLO], 0), (good, [self.HELLO, forwarded_responses.LAST], 0), (good, [], 1),
                                     (good, [self.OTHER], 1), (good, [self.HELLO, self.HELLO], 1), (half, [], 0), (half, [self.BAD], 0),
                                     (half, [self.HELLO], 1), (half, [self.BAD, self.HELLO], 1)):
            self.assertEqual(len(list(forwarded_responses.wrong(case, meant, got))), problems)


class Files(unittest.TestCase):
    def test_cases_and_differences_are_in_order(self):
        cases = forwarding.read_cases()
        own = [case for case in cases if forwarding.is_own(case)]
        self.assertGreater(len(own), 100)
        self.assertGreater(len(cases), 700)
        self.assertEqual(len({case.name for case in cases}), len(cases))
        listed, reasons = heads.read_differences(forwarding.FOLDER / "differences.txt")
        self.assertLessEqual({name for name, _ in listed}, {case.name for case in cases})
        self.assertEqual({each.reason for each in listed.values()}, set(reasons))
        for case in own:
            self.assertRegex(case.expected, r"^(\d{3}(,\d{3})*)?:(-|[A-Za-z]+[/*]\S*)$", case.name)


class Origins(unittest.TestCase):
    def test_paths(self):
        for target, path in (("/a", "/a"), ("http://b:1/a?c", "/a?c"), ("HTTP://b", "/"), ("http://b?c", "/?c"), ("*", "*")):
            self.assertEqual(path_of(target), path)

    def test_requests_are_read_and_noted(self):
        origin = Origin()
        octets = (b"GET /a HTTP/1.1\r\n\r\nPOST http://x/b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
                  b"PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: 1\r\n\r\nHEAD /d HTTP/1.1\r\n\r\nnonsense\r\n\r\n")
        found = visit(("127.0.0.1", origin.port), origin, octets)
        self.assertEqual([str(each) for each in found.seen], ["GET/a", "POST/b=hello", "PUT/c=abc", "HEAD/d"])
        self.assertEqual(found.statuses, [200] * 4)
        self.assertEqual(found.carriers[0][0], octets)
        self.assertEqual(visit(("127.0.0.1", origin.port), origin, b"GET /e HTTP/1.1\r\n\r\nx\r\n\r\n").seen, [Request("GET", "/e", b"")])
        origin.close()

    def test_who_gets_no_answer_ends_its_side(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            def serve():
                made, _ = listening.accept()
                with made:
                    while made.recv(100):
                        pass
                    made.sendall(b"HTTP/1.1 408 late\r\n\r\n")
            threading.Thread(target=serve, daemon=True).start()
            origin = Origin()
            self.assertEqual(visit(listening.getsockname(), origin, b"GET").statuses, [408])
            origin.close()


if __name__ == "__main__":
    unittest.main()
