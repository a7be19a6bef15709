# SPDX-License-Identifier: Apache-2.0
"""Every file is in its place: licence line, include guard, in a CMake list, changelog and version agree."""

import fnmatch
import os.path
import re

from . import Finding

LICENCE = "SPDX-License-Identifier: Apache-2.0"
LICENSED = (".hpp", ".cpp", ".cmake", ".py", ".sh", "CMakeLists.txt")
BUILT = re.compile(r"(lib\w+/src|tests|examples)/.*\.cpp$")


def check(tree):
    for path in tree.text_files():
        text = tree.text(path)
        if (path.endswith(LICENSED) or text.startswith("#!")) and LICENCE not in "\n".join(text.splitlines()[:3]):
            yield Finding(path, 1, "licence", "no licence line", f"begin with: {LICENCE}")
        if path.endswith(".hpp") and "#pragma once" not in text:
            yield Finding(path, 1, "guard", "no #pragma once", "write it below the licence line")
        if BUILT.match(path) and not is_listed(tree, path):
            yield Finding(path, 1, "unlisted", "in no CMakeLists.txt, so it is never built", "add it to target_sources of its folder")
    yield from check_versions(tree)


def is_listed(tree, path):
    """The nearest CMakeLists.txt upwards names it, or a pattern that it matches."""
    folder = os.path.dirname(path)
    while True:
        lists = os.path.join(folder, "CMakeLists.txt") if folder else "CMakeLists.txt"
        if lists in tree.files:
            words = re.findall(r"[\w./*+${}-]+", re.sub(r"#[^\n]*", "", tree.text(lists)))
            relative = os.path.relpath(path, folder)
            return any(fnmatch.fnmatch(relative, word.rsplit("}/", 1)[-1]) for word in words)
        if not folder:
            return False
        folder = os.path.dirname(folder)


def check_versions(tree):
    for path in tree.files:
        if not (match := re.match(r"lib(\w+)/CMakeLists\.txt$", path)):
            continue
        version = re.search(r"\bVERSION\s+(\d+\.\d+\.\d+)", tree.text(path))
        changelog = f"lib{match.group(1)}/CHANGELOG.md"
        if changelog not in tree.files:
            yield Finding(path, 1, "changelog", f"there is no {changelog}", "begin one")
            continue
        head = re.search(r"^## \[?(\d+\.\d+\.\d+)", tree.text(changelog), re.M)
        if not version or not head or version.group(1) != head.group(1):
            yield Finding(changelog, 1, "changelog", f"its newest version is {head.group(1) if head else 'none'}, "
                          f"CMake's is {version.group(1) if version else 'none'}", "make them agree")
