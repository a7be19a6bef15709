# SPDX-License-Identifier: Apache-2.0
"""Verdicts, and how they are printed."""

import dataclasses

PASS, FAIL, NONE = "pass", "FAIL", "n/a"


@dataclasses.dataclass(frozen=True)
class Verdict:
    word: str
    seconds: float = 0.0
    reason: str = ""

    def short(self):
        return f"{self.word} {self.seconds:.1f}s" if self.word == PASS else self.word


def text(pairs, verdicts):
    """verdicts: {(row, pair): Verdict}; a pair is (client, server), by name."""
    rows = list(dict.fromkeys(row for row, _ in verdicts))
    first = max(len(row) for row in [*rows, "server"])
    widths = [max(len(name) for name in (*pair, "pass 100.0s")) for pair in pairs]
    lines = ["  ".join([end.ljust(first), *(pair[place].ljust(width) for pair, width in zip(pairs, widths))])
             for place, end in enumerate(("client", "server"))]
    lines.append("-" * len(lines[0]))
    for row in rows:
        cells = [verdicts.get((row, pair)) for pair in pairs]
        words = [(cell.short() if cell else "").ljust(width) for cell, width in zip(cells, widths)]
        lines.append("  ".join([row.ljust(first), *words]))
    return "\n".join(line.rstrip() for line in lines)


def notes(verdicts):
    """Why cells failed, one by one, and why cells did not run, once for each reason."""
    lines = []
    absent = {}
    for (row, (client, server)), verdict in verdicts.items():
        if verdict.word == FAIL:
            lines.append(f"FAIL {row}, {client} -> {server}: {verdict.reason}")
        elif verdict.word == NONE:
            absent.setdefault(verdict.reason, []).append(f"{row}, {client} -> {server}")
    for reason, cells in absent.items():
        lines.append(f"n/a ({reason}): {len(cells)} cells" if len(cells) > 2 else f"n/a ({reason}): {'; '.join(cells)}")
    return "\n".join(lines)


def closing_line(verdicts):
    count = {word: sum(verdict.word == word for verdict in verdicts.values()) for word in (PASS, FAIL, NONE)}
    return f"{count[PASS]} passed, {count[FAIL]} failed, {count[NONE]} skipped"
