#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""readme_code.py README FOLDER: writes every block that begins with ```cpp NAME as FOLDER/NAME.cpp and prints the paths.

A block without a name is prose. A block that did not change is not written again, so nothing is compiled for nothing.
"""

import os
import re
import sys

BLOCK = re.compile(r"^```cpp (\w+)\n(.*?)^```$", re.M | re.S)


def programs(text):
    """Yields (name, code)."""
    seen = set()
    for match in BLOCK.finditer(text):
        name, code = match.groups()
        if name in seen:
            raise SystemExit(f"readme_code: two blocks are named '{name}': give each its own name")
        seen.add(name)
        yield name, code


def write(path, content):
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            if file.read() == content:
                return
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)


def main(readme, folder):
    os.makedirs(folder, exist_ok=True)
    with open(readme, encoding="utf-8") as file:
        text = file.read()
    for name, code in programs(text):
        path = os.path.join(folder, name + ".cpp")
        write(path, code)
        print(path)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2])
