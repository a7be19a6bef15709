#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The half of the demo that goes through a tunnel, on a small file, with the programs of $STRATA_BIN; and that it notices what it is there for."""

import hashlib
import os
import pathlib
import sys
import tempfile
import types
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import demo_tunnel  # noqa: E402
from runner import Failed, ech_keys  # noqa: E402
from runner.doh import HTTPS  # noqa: E402

CONTENT = bytes(range(256)) * 4000
NO_ECH = "ech-keygen: ech-keygen: Encrypted Client Hello needs OpenSSL 4"


def hello(name):
    named = b"\0\0" + (len(name) + 5).to_bytes(2, "big") + (len(name) + 3).to_bytes(2, "big") + b"\0" + len(name).to_bytes(2, "big") + name
    extensions = b"\0\x2b\0\3\2\3\4" + named
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0" + len(extensions).to_bytes(2, "big") + extensions
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"\x16\3\1" + len(message).to_bytes(2, "big") + message + b"more"


class Verdicts(unittest.TestCase):
    def run_of(self, folder, tunnel, dns=(b"dns.test",), asked=((demo_tunnel.HIDDEN, HTTPS),)):
        done = demo_tunnel.Run.__new__(demo_tunnel.Run)
        done.path, done.without = pathlib.Path(folder) / "file", ""
        done.path.write_bytes(b"content")
        done.tap, done.resolver_tap = (types.SimpleNamespace(connections=[], answers=list(seen)) for seen in (tunnel, dns))
        done.names = [demo_tunnel.server_name(each) for each in tunnel]
        done.resolver = types.SimpleNamespace(asked=list(asked))
        return done.wrong(hashlib.sha256(b"content").digest())

    def test_what_must_not_be(self):
        good = hello(b"public.test")
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.run_of(folder, [good]), "")
            self.assertIn("was seen", self.run_of(folder, [good + b"hidden.test"]))
            self.assertIn("was seen", self.run_of(folder, [good], dns=[b"hidden.test"]))
            self.assertIn("does not name", self.run_of(folder, [hello(b"hidden.test")]))
            self.assertIn("was not asked", self.run_of(folder, [good], asked=()))
            self.assertIn("did not pass", self.run_of(folder, [b""]))

    def test_the_name_in_a_client_hello(self):
        self.assertEqual(demo_tunnel.server_name(hello(b"public.test")), "public.test")
        for seen in (b"", b"GET / HTTP/1.1\r\n\r\n", hello(b"x")[:5]):
            self.assertEqual(demo_tunnel.server_name(seen), "")


@unittest.skipUnless("STRATA_BIN" in os.environ, "no programs")
class Whole(unittest.TestCase):
    def fetched(self):
        with tempfile.TemporaryDirectory() as folder:
            site = pathlib.Path(folder) / "site"
            site.mkdir()
            (site / "file").write_bytes(CONTENT)
            done = demo_tunnel.run(folder, os.environ["STRATA_BIN"], site, "file")
            self.assertEqual(done.wrong(hashlib.sha256(CONTENT).digest()), "")
            self.assertIn("changed", done.wrong(hashlib.sha256(b"other").digest()))
            return done, dict(done.rows())

    def test_the_name_is_hidden(self):
        done, rows = self.fetched()
        if done.without:
            self.skipTest(done.without)
        self.assertEqual(set(done.names), {demo_tunnel.PUBLIC})
        self.assertEqual(rows[f"times that {demo_tunnel.HIDDEN} is in them"], "0")

    def test_without_ech_it_says_so(self):
        with mock.patch.object(ech_keys, "_made_by", side_effect=Failed(NO_ECH)):
            done, rows = self.fetched()
        self.assertEqual(done.without, "Encrypted Client Hello needs OpenSSL 4")
        self.assertEqual(rows["named to everybody in its ClientHello"], demo_tunnel.HIDDEN)

    def test_a_client_of_ours_where_there_is_no_curl(self):
        with mock.patch.object(demo_tunnel.shutil, "which", return_value=None):
            done, _ = self.fetched()
        self.assertIn("no curl", done.by)


if __name__ == "__main__":
    unittest.main()
