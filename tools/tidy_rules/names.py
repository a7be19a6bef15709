# SPDX-License-Identifier: Apache-2.0
"""Words that say nothing, as names of files and types; marks of unfinished work; paths of somebody's machine."""

import re

from . import Finding, cpp_scan

BANNED = {"manager", "helper", "helpers", "util", "utils", "utility", "common", "misc", "info", "information"}
# Fine in front (data_frame, process_id), empty as what a name is about (frame_data).
BANNED_LAST = {"data", "process"}
NAMED_ROOTS = re.compile(r"(lib\w+|tests|examples|tools|cmake)/")
FOREIGN = re.compile(r"tests/(vectors|fuzz/corpus)/")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(\(#\d+\))?")
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(?:work|root|home/[a-z]\w*|Users/\w+)/[\w.]")


def banned_word(name):
    parts = re.split(r"[_\-.\s]+", name.lower())
    for part in parts:
        if part in BANNED:
            return part
    return parts[-1] if parts[-1] in BANNED_LAST else None


def check(tree):
    for path in tree.files:
        if NAMED_ROOTS.match(path) and not FOREIGN.match(path):
            stem = path.rsplit("/", 1)[1].split(".")[0]
            if word := banned_word(stem):
                yield Finding(path, 1, "name", f"the file name says '{word}'", "name it after the main type in it", subject=stem)
    for path in tree.cpp_files():
        for line, name in cpp_scan.type_names(tree.plain(path)):
            if word := banned_word(name):
                yield Finding(path, line, "name", f"the type name {name} says '{word}'", "use the RFC's word for what it is", subject=name)
    for path in tree.text_files():
        if not FOREIGN.match(path):
            yield from check_text(path, tree.text(path))


def check_text(path, text):
    for match in UNFINISHED.finditer(text):
        if match.group(1) != "TODO" or not match.group(2):
            yield Finding(path, cpp_scan.line_of(text, match.start()), "unfinished", f"{match.group(1)} without an issue",
                          "finish it, or write TODO(#number)")
    for match in MACHINE_PATH.finditer(text):
        yield Finding(path, cpp_scan.line_of(text, match.start()), "machine-path", f"a path of one machine: {match.group(0)}...",
                      "use a path relative to the tree")
