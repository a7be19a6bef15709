# SPDX-License-Identifier: Apache-2.0
"""The rules of the house. Each module has a function check(tree) that yields findings."""

from typing import NamedTuple


class Finding(NamedTuple):
    path: str
    line: int
    rule: str
    what: str
    remedy: str
    fatal: bool = True
    subject: str = ""  # the name an exception may be written for
