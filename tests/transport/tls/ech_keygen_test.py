#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""examples/ech-keygen: what it writes, what it prints, and what it refuses. Its one argument is the program."""

import base64
import os
import re
import stat
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "ech-keygen"


def run(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False)


def part(pem, label):
    found = re.search(rf"-----BEGIN {label}-----\n(.*?)-----END {label}-----", pem, re.S)
    return base64.b64decode(found.group(1)) if found else None


class Keygen(unittest.TestCase):
    def setUp(self):
        if "OpenSSL 4" in run("public.test").stderr:
            self.skipTest("this TLS library has no ECH")

    def test_key_and_record(self):
        done = run("public.test", "--for", "hidden.test", "--max-name", "40")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIsNotNone(part(done.stdout, "PRIVATE KEY"))
        self.assertLess(done.stdout.index("PRIVATE KEY"), done.stdout.index("ECHCONFIG"))
        record = done.stdout.splitlines()[-1]
        found = re.fullmatch(r'hidden\.test\. 3600 IN HTTPS 1 \. alpn="h2,http/1\.1" ech="([A-Za-z0-9+/=]+)"', record)
        self.assertIsNotNone(found, record)
        self.assertEqual(base64.b64decode(found.group(1), validate=True), part(done.stdout, "ECHCONFIG"))
        shown = run("--show", found.group(1))
        self.assertRegex(shown.stdout, r"version 0xfe0d, id \d+, DHKEM\(X25519\), HKDF-SHA256/AES-128-GCM, public name public\.test\n")

    def test_another_port_has_a_name_of_its_own(self):
        record = run("public.test", "--port", "8443", "--ttl", "60", "--alpn", "h2").stdout.splitlines()[-1]
        self.assertTrue(record.startswith('_8443._https.public.test. 60 IN HTTPS 1 . alpn="h2" ech="'), record)

    def test_the_file_is_private_and_never_written_over(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "ech.pem")
            done = run("public.test", "--out", path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("PRIVATE KEY", done.stdout)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            with open(path, encoding="ascii") as file:
                before = file.read()
            self.assertIsNotNone(part(before, "ECHCONFIG"))
            again = run("public.test", "--out", path)
            self.assertEqual(again.returncode, 1)
            self.assertIn("File exists", again.stderr)
            with open(path, encoding="ascii") as file:
                self.assertEqual(file.read(), before)

    def test_what_makes_no_sense_is_refused(self):
        for words in ([], ["--out"], ["a.test", "b.test"], ["--what"], ["a.test", "--port", "65536"],
                      ["a.test", "--max-name", "256"], ["a.test", "--show", "AAAA"]):
            self.assertEqual(run(*words).returncode, 2, words)
        for words in (["127.0.0.1"], ["a..b"], ["--show", "hello"]):
            done = run(*words)
            self.assertEqual(done.returncode, 1, words)
            self.assertTrue(done.stderr.startswith("ech-keygen: "), done.stderr)


if __name__ == "__main__":
    unittest.main()
