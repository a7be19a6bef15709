#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the rules of the house as a test: prints `file:line: rule: what: what to do`, fails when a rule is broken.

tidy.py [FOLDER]: checks that tree instead of this one. Exceptions stand in tools/tidy_exceptions.txt, each with its reason.
"""

import fnmatch
import os
import subprocess
import sys

from tidy_rules import Finding, budgets, cpp_scan, files, layers, names

BINARY = (".bin", ".png", ".der", ".pcap", ".gz", ".crate", ".qlog")


class Tree:
    """The files of a checkout, tracked or about to be."""

    def __init__(self, root):
        self.root = root
        self.files = sorted(self._listed())
        self._texts = {}
        self._plain = {}

    def _listed(self):
        listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                 cwd=self.root, capture_output=True, check=False)
        if listing.returncode == 0:
            found = {name for name in listing.stdout.decode().split("\0") if name}
        else:
            found = {os.path.relpath(os.path.join(folder, name), self.root)
                     for folder, _, names_ in os.walk(self.root) if "/build" not in folder and "/." not in folder for name in names_}
        return {name for name in found if os.path.isfile(os.path.join(self.root, name))}

    def text(self, path):
        if path not in self._texts:
            with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
                self._texts[path] = file.read()
        return self._texts[path]

    def plain(self, path):
        if path not in self._plain:
            self._plain[path] = cpp_scan.blank(self.text(path))
        return self._plain[path]

    def cpp_files(self):
        return [path for path in self.files if path.endswith((".hpp", ".cpp"))]

    def text_files(self):
        return [path for path in self.files if not path.endswith(BINARY) and not path.startswith("tests/fuzz/corpus/")]


class Exceptions:
    """Lines `rule | path pattern | name or * | reason`. One that excuses nothing is warned about."""

    def __init__(self, tree):
        self.path = "tools/tidy_exceptions.txt"
        self.entries = []
        self.broken = []
        if self.path not in tree.files:
            return
        for number, line in enumerate(tree.text(self.path).splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            fields = [field.strip() for field in line.split("|")]
            if len(fields) == 4 and all(fields):
                self.entries.append([number, *fields, False])
            else:
                self.broken.append(Finding(self.path, number, "exception", "not `rule | path | name | reason`", "write all four"))

    def excuses(self, finding):
        for entry in self.entries:
            _, rule, path, subject, _, _ = entry
            if rule == finding.rule and fnmatch.fnmatch(finding.path, path) and fnmatch.fnmatch(finding.subject, subject):
                entry[5] = True
                return True
        return False

    def problems(self):
        yield from self.broken
        for number, rule, path, _, _, used in self.entries:
            if not used:
                yield Finding(self.path, number, "exception", f"excuses nothing any more ({rule}, {path})", "remove the line", fatal=False)


def findings_of(root):
    tree = Tree(root)
    exceptions = Exceptions(tree)
    for module in (layers, budgets, names, files):
        for finding in module.check(tree):
            if not exceptions.excuses(finding):
                yield finding
    yield from exceptions.problems()


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = sorted(findings_of(root))
    for finding in found:
        mark = "" if finding.fatal else "warning: "
        print(f"{finding.path}:{finding.line}: {mark}{finding.rule}: {finding.what}: {finding.remedy}")
    fatal = sum(finding.fatal for finding in found)
    print(f"tidy: {fatal} broken rules, {len(found) - fatal} warnings")
    return 1 if fatal else 0


if __name__ == "__main__":
    sys.exit(main())
