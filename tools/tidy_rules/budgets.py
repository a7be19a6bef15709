# SPDX-License-Identifier: Apache-2.0
"""How large a room may grow: files, functions, parameters, columns. Citations of specifications cost nothing."""

import re

from . import Finding, cpp_scan

FILE_AIM, FILE_LIMIT = 500, 800
FUNCTION_LIMIT = 70
PARAMETER_LIMIT = 4
COLUMN_LIMIT = 100
CITATION = re.compile(r"\s*//[=#]")


def check(tree):
    for path in tree.cpp_files():
        text = tree.text(path)
        lines = text.splitlines()
        cited = [number for number, line in enumerate(lines, 1) if CITATION.match(line)]
        yield from check_file_size(path, len(lines) - len(cited))
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMN_LIMIT and "#include" not in line and not line.lstrip().startswith("//#"):
                yield Finding(path, number, "columns", f"{len(line)} columns", f"break the line at {COLUMN_LIMIT}; ./dev format does most")
        for function in cpp_scan.functions(tree.plain(path)):
            inside = sum(function.line <= number < function.line + function.lines for number in cited)
            yield from check_function(path, function._replace(lines=function.lines - inside))


def check_file_size(path, lines):
    if lines > FILE_LIMIT:
        yield Finding(path, lines, "file-size", f"{lines} lines, {FILE_LIMIT} at most", "give a concept in it a file of its own")
    elif lines > FILE_AIM:
        yield Finding(path, lines, "file-size", f"{lines} lines, {FILE_AIM} aimed at", "which concept in it wants a file of its own?", fatal=False)


def check_function(path, function):
    if function.lines > FUNCTION_LIMIT:
        yield Finding(path, function.line, "function-size", f"{function.name} has {function.lines} lines, {FUNCTION_LIMIT} at most",
                      "name its steps and make them functions", subject=function.name)
    if function.parameters > PARAMETER_LIMIT and not function.name.isupper():
        yield Finding(path, function.line, "parameters", f"{function.name} has {function.parameters} parameters, {PARAMETER_LIMIT} at most",
                      "put what belongs together into an options struct", subject=function.name)
