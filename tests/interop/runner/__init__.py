# SPDX-License-Identifier: Apache-2.0
"""Drives scenarios over pairs of programs, each a client and a server over QUIC."""


class Failed(Exception):
    """A cell ran and what had to hold did not."""


class NotApplicable(Exception):
    """A cell could not run, and why."""
