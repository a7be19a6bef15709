#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The programs of a README are found by their names, and nothing else is."""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import readme_code  # noqa: E402


class Programs(unittest.TestCase):
    def test_named_blocks_are_programs(self):
        text = "# A\n```cpp client\nint main() {}\n```\ntext\n```cpp server\nint main() { return 1; }\n```\n"
        self.assertEqual(list(readme_code.programs(text)), [("client", "int main() {}\n"), ("server", "int main() { return 1; }\n")])

    def test_other_blocks_are_prose(self):
        self.assertEqual(list(readme_code.programs("```cpp\nx();\n```\n```sh\n./dev test\n```\n")), [])

    def test_a_name_is_used_once(self):
        with self.assertRaises(SystemExit):
            list(readme_code.programs("```cpp a\n```\n```cpp a\n```\n"))


if __name__ == "__main__":
    unittest.main()
