# SPDX-License-Identifier: Apache-2.0
"""Figures: one JSON line for each, appended to build/bench.jsonl."""

import dataclasses
import json
import statistics
import time

HIGHER, LOWER = "higher", "lower"


@dataclasses.dataclass(frozen=True)
class Figure:
    """`ours` and `theirs` in `unit`; `limit` is what the machine does without a protocol, or what the figure must not pass."""

    bench: str
    case: str
    unit: str
    ours: float | None = None
    peer: str = ""
    peer_version: str = ""
    theirs: float | None = None
    limit: float | None = None
    better: str = HIGHER
    goal: float | None = None
    """What `ratio` has to reach; for a figure without a peer, what `ours` must not exceed."""
    others: float = 0.0
    """Cores that the rest of the machine used meanwhile."""

    @property
    def ratio(self):
        """How many times better ours is: above 1 is good, whatever the unit."""
        if not self.theirs or not self.ours:
            return None
        return self.ours / self.theirs if self.better == HIGHER else self.theirs / self.ours

    @property
    def reached(self):
        """None where there is no goal or nothing to compare with."""
        if self.goal is None:
            return None
        if not self.peer:
            return self.ours <= self.goal if self.better == LOWER else self.ours >= self.goal
        return None if self.ratio is None else self.ratio >= self.goal

    def line(self, stamp):
        members = {"bench": self.bench, "case": self.case, "ours": rounded(self.ours), "unit": self.unit, "peer": self.peer,
                   "peer_version": self.peer_version, "theirs": rounded(self.theirs), "ratio": rounded(self.ratio),
                   "limit": rounded(self.limit), "better": self.better, "goal": self.goal, "others": rounded(self.others)}
        return json.dumps(members | stamp)


def rounded(value):
    return None if value is None else float(f"{value:.5g}")


def stamp(machine, commit):
    return {"when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine, "commit": commit}


def append(path, figures, mark):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for figure in figures:
            file.write(figure.line(mark) + "\n")


def read(path):
    """The members of each line; a line that was cut off is left out."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def median(values):
    return statistics.median(values) if values else None
