# SPDX-License-Identifier: Apache-2.0
"""Which requirement of which document is cited where. tools/requirements is its command."""

DOCUMENTS = ("rfc8999", "rfc9000", "rfc9001", "rfc9002", "rfc9114", "rfc9204")


def title(document):
    return "RFC " + document.removeprefix("rfc")
