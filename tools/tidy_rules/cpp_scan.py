# SPDX-License-Identifier: Apache-2.0
"""Reads C++ as far as the rules need it: includes, type names, functions with their lengths and parameters. No compiler."""

import re
from typing import NamedTuple

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/                                  # comments
      | (?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"   # raw strings
      | "(?:\\.|[^"\\\n])*"                                 # strings
      | (?P<number>\b\d[\w.']*)                             # numbers may hold quotes
      | '(?:\\.|[^'\\\n])+'                                 # characters
    """,
    re.S | re.X,
)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.)*", re.M | re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
TYPE_NAME = re.compile(
    r"\b(?:class|struct|union|concept|enum(?:\s+(?:class|struct))?)\s+(?:\[\[[^\]]*\]\]\s*)?(?:[A-Z][A-Z0-9_]*_API\s+)?"
    r"([A-Za-z_]\w*)|\busing\s+([A-Za-z_]\w*)\s*="
)
NOT_A_NAME = {"requires", "noexcept", "decltype", "alignas", "explicit", "throw", "sizeof", "defined", "__attribute__"}


class Function(NamedTuple):
    name: str
    line: int
    lines: int  # zero for a declaration
    parameters: int


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def blank(text):
    """The text without comments, the contents of literals, and directives; every newline stays where it was."""

    def hide(match):
        found = match.group(0)
        if match.group("number"):
            return found
        newlines = "\n" * found.count("\n")
        return newlines if found[0] == "/" else '""' + newlines

    plain = TOKEN.sub(hide, text)
    return DIRECTIVE.sub(lambda match: "\n" * match.group(0).count("\n"), plain)


def includes(text):
    """Yields (line, bracket, path)."""
    for match in INCLUDE.finditer(text):
        yield line_of(text, match.start(1)), match.group(1), match.group(2)


def type_names(plain):
    for match in TYPE_NAME.finditer(plain):
        name = match.group(1) or match.group(2)
        yield line_of(plain, match.start()), name


def closing(plain, opening):
    """The position of the brace that closes the one at `opening`."""
    depth = 0
    for match in re.compile(r"[{}]").finditer(plain, opening):
        depth += 1 if match.group(0) == "{" else -1
        if depth == 0:
            return match.start()
    return len(plain) - 1


def without_template(head):
    """Takes away `template <...>`, which may hold the words class and typename."""
    while match := re.match(r"\s*template\s*<", head):
        depth = 1
        position = match.end()
        while position < len(head) and depth:
            depth += {"<": 1, ">": -1}.get(head[position], 0)
            position += 1
        head = head[position:]
    return head


def split_head(head):
    """(name, parameter text, what follows) of a function's head, or None when it is no function."""
    head = re.sub(r"operator\s*(<<=?|>>=?|<=>|<=|>=|<|>|->\*?|\(\))", "operator_symbol", head).replace("->", "  ")
    angle = 0
    position = 0
    while position < len(head):
        character = head[position]
        if character == "<":
            angle += 1
        elif character == ">":
            angle = max(0, angle - 1)
        elif character == "=" and angle == 0 and not re.search(r"operator\s*[!=+\-*/%&|^]*$", head[:position]):
            return None
        elif character == "(" and angle == 0:
            end = matching_parenthesis(head, position)
            name = re.search(r"([~\w]+|operator\s*[^\w\s(]+|operator\s*\w+)\s*$", head[:position])
            if name and name.group(1) not in NOT_A_NAME:
                return name.group(1), head[position + 1 : end], head[end + 1 :]
            position = end
        position += 1
    return None


def matching_parenthesis(text, opening):
    depth = 0
    for position in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position
    return len(text)


def count_parameters(text):
    """How many; none for a callback that a C library dictates, which is known by its `void*`."""
    text = text.strip()
    if text in ("", "void") or re.search(r"\bvoid\s*\*", text):
        return 0
    depth = 0
    count = 1
    for character in text.replace("->", "  "):
        if character in "(<{[":
            depth += 1
        elif character in ")>}]":
            depth -= 1
        elif character == "," and depth == 0:
            count += 1
    return count


def kind_of(head):
    """What an opening brace after `head` begins: scope, function, initializer (of a member) or expression."""
    if re.match(r"(inline\s+)?namespace\b|extern\s*\"\"\s*$", head):
        return "scope"
    if re.match(r"(friend\s+|typedef\s+|export\s+)*(class|struct|union|enum)\b", head) and "(" not in re.sub(
        r"alignas\s*\([^)]*\)|__attribute__\s*\(\(.*?\)\)", "", head
    ):
        return "scope"
    parts = split_head(head)
    if parts is None:
        return "expression"
    rest = parts[2]
    if re.search(r"(?<!:):(?!:)", rest) and re.search(r"[\w>]\s*$", rest):
        return "initializer"
    return "function"


def functions(plain):
    """Yields every function of a blanked text: definitions with their length, declarations with length zero."""
    boundary = re.compile(r"[{};()]")
    start = position = 0
    parentheses = 0
    while match := boundary.search(plain, position):
        mark, at = match.group(0), match.start()
        position = at + 1
        if mark in "()":
            parentheses = max(0, parentheses + (1 if mark == "(" else -1))
        elif parentheses:
            continue
        elif mark == "}":
            start = position
        else:
            raw = plain[start:at]
            head = without_template(re.sub(r"^\s*((public|private|protected)\s*:\s*|\[\[[^\]]*\]\]\s*)*", "", raw)).strip()
            first = line_of(plain, start + len(raw) - len(raw.lstrip()))
            if mark == ";":
                yield from declared(head, first)
                start = position
                continue
            kind = kind_of(head)
            if kind == "scope":
                start = position
                continue
            end = closing(plain, at)
            position = end + 1
            if kind == "function":
                name, parameters, _ = split_head(head)
                yield Function(name, first, line_of(plain, end) - first + 1, count_parameters(parameters))
                start = position


def declared(head, line):
    if re.match(r"(using|typedef|static_assert|return|goto|break)\b", head):
        return
    parts = split_head(head)
    if parts:
        yield Function(parts[0], line, 0, count_parameters(parts[1]))
