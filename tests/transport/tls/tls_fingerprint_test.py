#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/tls-fingerprint computes what it says, and says what differs. Its one argument is examples/tls-fingerprint."""

import importlib.machinery
import importlib.util
import os
import sys
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "tls-fingerprint"
loader = importlib.machinery.SourceFileLoader("fingerprint", os.path.join(ROOT, "tools", "tls-fingerprint"))
fingerprint = importlib.util.module_from_spec(importlib.util.spec_from_loader("fingerprint", loader))
loader.exec_module(fingerprint)


class Fingerprints(unittest.TestCase):
    def test_recorded_values_are_those_of_the_recorded_lists(self):
        recorded = fingerprint.read_recorded()
        self.assertGreaterEqual(len(recorded), 2)
        for each in recorded:
            self.assertEqual(fingerprint.ja3(each), each["ja3"], each["name"])
            self.assertEqual(fingerprint.ja4(each), each["ja4"], each["name"])
            self.assertTrue(each["source"])

    def test_ours_is_read_and_compared(self):
        firefox = fingerprint.read_recorded()[0]
        plain, why = fingerprint.hello_of(PROGRAM, ["default"])
        self.assertIsNotNone(plain, why)
        self.assertTrue(fingerprint.ja4(plain).startswith("t13d03"), fingerprint.ja4(plain))
        ours, why = fingerprint.hello_of(PROGRAM, ["browser"])
        self.assertIsNotNone(ours, why)
        for same in ("groups", "supported_version", "alpn", "version"):
            self.assertEqual(ours[same], firefox[same], same)
        self.assertEqual(ours["suites"], firefox["suites"])
        # All but those with SHA-1.
        self.assertEqual(ours["signatures"], firefox["signatures"][:-2])
        self.assertEqual(fingerprint.ja4(ours).split("_")[1], firefox["ja4"].split("_")[1])
        said = "\n".join(fingerprint.differences(ours, firefox))
        # What OpenSSL does not have is not passed over.
        for missing in ("delegated_credentials", "record_size_limit"):
            self.assertIn(missing, said)
        self.assertNotIn("groups", said.replace("supported_groups", ""))
        self.assertNotEqual(fingerprint.ja3(ours), firefox["ja3"])
        self.assertEqual(list(fingerprint.differences(firefox, firefox)), [])

    def test_grease_is_left_out(self):
        self.assertTrue(all(fingerprint.is_grease(each) for each in (0x0a0a, 0x1a1a, 0xfafa)))
        self.assertFalse(any(fingerprint.is_grease(each) for each in (0x0a1a, 0x1301, 0xfe0d, 0x0a0b)))

    def test_damage_is_said(self):
        for message in (b"", b"\x02\x00\x00\x00", b"\x01\x00\x00\x05abc"):
            with self.assertRaises(ValueError):
                fingerprint.parse(message)


if __name__ == "__main__":
    unittest.main()
