# SPDX-License-Identifier: Apache-2.0
"""Measures programs beside each other: ours, and those of other implementations. A timing is never a test."""


class Failed(Exception):
    """A program that was to be measured did not do its work."""
