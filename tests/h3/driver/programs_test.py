#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""programs_test.py H3-SERVER H3-CLIENT ECH-KEYGEN: the example programs from the outside, exit codes and files."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

SERVER, CLIENT, KEYGEN = sys.argv[1:4]
LARGE = 30_000_000


def run(*arguments, check=True, **options):
    done = subprocess.run([CLIENT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=100,
                          check=False, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"h3-client ended with {done.returncode}: {done.stderr.decode()}")
    return done


class Programs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="strata-programs-")
        self.site = os.path.join(self.folder.name, "site")
        self.saved = os.path.join(self.folder.name, "saved")
        os.mkdir(self.site)
        os.mkdir(self.saved)
        self.large = os.urandom(1_000_000) * (LARGE // 1_000_000)
        self.put("hello.txt", b"hello\n")
        self.put("large.bin", self.large)
        self.server = None
        self.start()

    def tearDown(self):
        self.stop()
        self.folder.cleanup()

    def put(self, name, content):
        with open(os.path.join(self.site, name), "wb") as out:
            out.write(content)

    def start(self, *options):
        self.server = subprocess.Popen([SERVER, self.site, "--listen", "127.0.0.1:0", *options],
                                       stdout=subprocess.PIPE, text=True)
        self.hash = None
        for line in self.server.stdout:
            self.hash = self.hash or re.search("certificate SHA-256 ([0-9a-f]{64})", line)
            found = re.search("listening on (https://.*)", line)
            if found:
                self.base = found.group(1)
                return
        raise AssertionError("the server did not start")

    def stop(self):
        if self.server is None:
            return
        self.server.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.wait(timeout=40), 0)
        self.server.stdout.close()
        self.server = None

    def saved_file(self, name):
        with open(os.path.join(self.saved, name), "rb") as file:
            return file.read()

    def test_a_file_to_standard_output_and_its_head(self):
        self.assertIsNotNone(self.hash)
        self.assertEqual(run("-s", "-k", self.base + "/hello.txt").stdout, b"hello\n")
        head = run("-s", "-k", "-I", self.base + "/hello.txt").stdout.decode()
        self.assertIn(":status: 200", head)
        self.assertIn("content-length: 6", head)

    def test_files_are_saved_under_their_names(self):
        run("-s", "-k", "--remote-name-all", "--output-dir", self.saved, self.base + "/hello.txt", self.base + "/large.bin")
        self.assertEqual(self.saved_file("hello.txt"), b"hello\n")
        self.assertEqual(self.saved_file("large.bin"), self.large)
        self.assertEqual(sorted(os.listdir(self.saved)), ["hello.txt", "large.bin"])

    def test_two_thousand_urls_over_one_connection(self):
        done = run("-s", "-k", "-w", "json", "-o", "/dev/null", *[f"{self.base}/hello.txt?{i}" for i in range(2000)])
        self.assertEqual(done.stdout.count(b"hello\n"), 1999)
        self.assertIn(b'"urls":2000,"failed":0', done.stdout)

    def test_hq_interop(self):
        target = os.path.join(self.saved, "large")
        run("-s", "-k", "--alpn", "hq-interop", "-o", target, self.base + "/large.bin")
        self.assertEqual(self.saved_file("large"), self.large)

    def test_retry_and_new_reno(self):
        self.stop()
        self.start("--retry", "--cc", "new_reno")
        self.assertEqual(run("-s", "-k", "--cc", "new_reno", self.base + "/hello.txt").stdout, b"hello\n")

    def test_a_server_that_is_asked_to_end_finishes_downloads(self):
        target = os.path.join(self.saved, "large")
        client = subprocess.Popen([CLIENT, "-s", "-k", "-o", target, self.base + "/large.bin"])
        while not os.listdir(self.saved):
            self.assertIsNone(client.poll())
        self.stop()
        self.assertEqual(client.wait(timeout=60), 0)
        self.assertEqual(self.saved_file("large"), self.large)

    def fetch_huge(self, *options):
        self.put("huge.bin", b"")
        os.truncate(os.path.join(self.site, "huge.bin"), 20_000_000_000)
        return subprocess.Popen([CLIENT, "-s", "-k", *options, "-o", os.path.join(self.saved, "huge"), self.base + "/huge.bin"],
                                stderr=subprocess.DEVNULL)

    def test_a_time_limit_leaves_no_file_behind(self):
        self.assertEqual(self.fetch_huge("-m", "1").wait(timeout=60), 28)
        self.assertEqual(os.listdir(self.saved), [])

    def test_a_server_that_stops_leaves_no_file_behind(self):
        client = self.fetch_huge()
        while not os.listdir(self.saved):
            self.assertIsNone(client.poll())
        self.server.send_signal(signal.SIGTERM)
        with self.assertRaises(subprocess.TimeoutExpired):
            self.server.wait(timeout=0.5)
        self.stop()
        self.assertEqual(client.wait(timeout=60), 56)
        self.assertEqual(os.listdir(self.saved), [])

    def test_traces(self):
        traces = os.path.join(self.folder.name, "traces")
        run("-s", "-k", "--qlog", traces, self.base + "/hello.txt")
        self.assertEqual(len(os.listdir(traces)), 1)

    def ech_key(self, name):
        path = os.path.join(self.folder.name, name)
        made = subprocess.run([KEYGEN, "public.test", "--out", path], capture_output=True, text=True, timeout=60, check=False)
        if "OpenSSL 4" in made.stderr:
            self.skipTest("this TLS library has no ECH")
        self.assertEqual(made.returncode, 0, made.stderr)
        return path, re.search('ech="([^"]+)"', made.stdout).group(1)

    def fetch_hidden(self, *options):
        """By the name that is hidden; (exit code, what became of ECH, whether at a second attempt)."""
        port = self.base.rsplit(":", 1)[1]
        done = run("-s", "--cacert", self.certificate, "--connect-to", f"127.0.0.1:{port}", "-w", "json", *options,
                   "https://hidden.test/hello.txt", check=False)
        figures = json.loads(done.stdout.splitlines()[-1])
        if done.returncode == 0:
            self.assertEqual(done.stdout.splitlines()[0], b"hello")
        return done.returncode, figures["ech"], figures["ech_retried"]

    def test_encrypted_client_hello(self):
        (current, record), (stale, stale_record) = self.ech_key("current.pem"), self.ech_key("stale.pem")
        self.certificate = os.path.join(self.folder.name, "certificate.pem")
        keys = os.path.join(self.folder.name, "keys.pem")
        shutil.copy(current, keys)
        self.stop()
        self.start("--name", "hidden.test", "--name", "public.test", "--write-cert", self.certificate, "--ech-key", keys)
        self.assertEqual(self.fetch_hidden("--ech", record), (0, "accepted", False))
        self.assertEqual(self.fetch_hidden("--ech", current), (0, "accepted", False))
        self.assertEqual(self.fetch_hidden("--ech", stale_record), (0, "accepted", True))
        hq = ("--alpn", "hq-interop")
        self.assertEqual(self.fetch_hidden(*hq, "--ech", record), (0, "accepted", False))
        self.assertEqual(self.fetch_hidden(*hq, "--ech", stale_record), (0, "accepted", True))
        self.assertEqual(self.fetch_hidden(*hq, "-k", "--ech", stale_record)[:2], (101, "failed"))
        self.assertEqual(self.fetch_hidden("--ech-grease"), (0, "GREASE", False))
        self.assertEqual(self.fetch_hidden(), (0, "not tried", False))
        # Without a proof of who it is a server cannot name other keys.
        self.assertEqual(self.fetch_hidden("-k", "--ech", stale_record)[:2], (101, "failed"))
        # The file changes; what is wrong in it changes nothing.
        for content, said in ((stale, "read certificates and keys again"), ("/dev/null", None)):
            shutil.copy(content, keys)
            self.server.send_signal(signal.SIGHUP)
            if said:
                self.assertIn(said, self.server.stdout.readline())
            self.assertEqual(self.fetch_hidden("--ech", stale_record), (0, "accepted", False))
        self.stop()
        self.start("--name", "hidden.test", "--name", "public.test", "--write-cert", self.certificate)
        self.assertEqual(self.fetch_hidden("--ech", record), (101, "rejected", False))
        self.assertEqual(self.fetch_hidden("--ech", record, "--ech-secure-disable"), (0, "rejected", False))
        self.assertEqual(self.fetch_hidden(*hq, "--ech", record), (101, "rejected", False))
        self.assertEqual(self.fetch_hidden(*hq, "--ech", record, "--ech-secure-disable"), (0, "rejected", False))

    def test_ech_that_cannot_be_offered_is_refused_in_words(self):
        for words in (["--ech", "nonsense!"], ["--ech", ""]):
            done = run("-k", *words, self.base + "/hello.txt", check=False)
            self.assertEqual(done.returncode, 35)
            self.assertRegex(done.stderr.decode(), "ECHConfigList|OpenSSL 4")

    def test_exit_codes(self):
        codes = {
            22: ["-k", "-f", self.base + "/missing"],
            60: [self.base + "/hello.txt"],
            6: ["-k", "https://does-not-exist.invalid/"],
            2: ["--no-such-option", self.base],
            23: ["-k", "-o", "/nonexistent/file", self.base + "/hello.txt"],
        }
        for code, arguments in codes.items():
            with self.subTest(code=code):
                done = run("-s", *arguments, check=False)
                self.assertEqual(done.returncode, code, done.stderr.decode())
        self.assertEqual(run("-s", "-k", self.base + "/missing").stdout, b"404\n")

    def test_nobody_there_is_7(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            url = f"https://127.0.0.1:{mute.getsockname()[1]}/"
            self.assertEqual(run("-s", "-k", "--connect-timeout", "0.5", url, check=False).returncode, 7)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]], verbosity=2)
