# SPDX-License-Identifier: Apache-2.0
"""One self-contained page of charts from the JSON lines: the latest figure of each case, and how ours went over time."""

import html

from . import record
from .table import number

BAR, GAP, LABEL, WIDTH, VALUE = 18, 6, 190, 760, 110
COLOURS = {"ours": "#1a6fb5", "theirs": "#9aa5b1", "limit": "#d98e04"}
STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --quiet: #5b6675; --paper: #fff; --line: #d8dee6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --quiet: #9aa5b1; --paper: #12161c; --line: #2c3540; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 860px; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); } h3 { margin: 1.2rem 0 .2rem; font-size: 1rem; }
p, td, th { color: var(--quiet); } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg { width: 100%; height: auto; }
table { border-collapse: collapse; } td, th { padding: .15rem .8rem .15rem 0; text-align: left; font-variant-numeric: tabular-nums; }
.yes { color: #1d8a4a; } .no { color: #c4443c; }
"""


def latest(lines):
    """{(bench, case): {peer: line}} of the newest line of each; lines stand in the order of time."""
    found = {}
    for line in lines:
        found.setdefault((line["bench"], line["case"]), {})[line["peer"]] = line
    return found


def bars(of_case):
    """[(label, value, kind)]: ours once, then each peer, then the limit."""
    lines = list(of_case.values())
    newest = max(lines, key=lambda line: line["when"])
    rows = [("strata", newest["ours"], "ours")]
    rows += [(peer, line["theirs"], "theirs") for peer, line in of_case.items() if peer and line["theirs"] is not None]
    if newest.get("limit") is not None:
        rows.append(("limit of this machine", newest["limit"], "limit"))
    return rows


def bar_chart(rows, unit):
    most = max((abs(value) for _, value, _ in rows if value is not None), default=0) or 1
    height = len(rows) * (BAR + GAP)
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img">']
    for place, (label, value, kind) in enumerate(rows):
        top = place * (BAR + GAP)
        long = max(1.0, (WIDTH - LABEL - VALUE) * abs(value or 0) / most)
        parts.append(f'<text x="{LABEL - 8}" y="{top + BAR - 5}" text-anchor="end">{html.escape(label)}</text>'
                     f'<rect x="{LABEL}" y="{top}" width="{long:.1f}" height="{BAR}" rx="2" fill="{COLOURS[kind]}"/>'
                     f'<text x="{LABEL + long + 6:.1f}" y="{top + BAR - 5}">{number(value)} {html.escape(unit)}</text>')
    return "".join(parts) + "</svg>"


def history_chart(values):
    """Ours from run to run; nothing for fewer than three."""
    if len(values) < 3:
        return ""
    most, height, long = max(values) or 1, 60, WIDTH - LABEL - VALUE
    points = " ".join(f"{LABEL + long * place / (len(values) - 1):.1f},{height - 4 - (height - 8) * value / most:.1f}"
                      for place, value in enumerate(values))
    return (f'<svg viewBox="0 0 {WIDTH} {height}" role="img"><text x="{LABEL - 8}" y="{height - 6}" text-anchor="end">ours, run by run</text>'
            f'<polyline points="{points}" fill="none" stroke="{COLOURS["ours"]}" stroke-width="2"/></svg>')


def history(lines, bench, case):
    """One value for each run in which the case was measured."""
    runs = {line["when"]: line["ours"] for line in lines if (line["bench"], line["case"]) == (bench, case)}
    return [runs[when] for when in sorted(runs)]


def goal_rows(cases):
    for (bench, case), of_case in cases.items():
        for peer, line in of_case.items():
            if line.get("goal") is None:
                continue
            figure = record.Figure(bench, case, line["unit"], line["ours"], peer, theirs=line["theirs"], better=line["better"], goal=line["goal"])
            value = f"{number(figure.ratio)}x {peer}" if peer else f"{number(line['ours'])} {line['unit']}"
            sign = ">=" if peer or line["better"] == record.HIGHER else "<="
            word = {True: "reached", False: "not yet", None: "-"}[figure.reached]
            kind = {True: "yes", False: "no", None: ""}[figure.reached]
            yield (f'<tr><td>{html.escape(bench)}</td><td>{html.escape(case)}</td><td>{html.escape(value)}</td>'
                   f'<td>{html.escape(sign)} {number(line["goal"])}</td><td class="{kind}">{word}</td></tr>')


def page(lines):
    cases = latest(lines)
    newest = max(lines, key=lambda line: line["when"])
    versions = sorted({line["peer_version"] for line in lines if line["peer_version"]})
    parts = [f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Strata benches</title><style>{STYLE}</style><h1>Strata benches</h1>'
             f'<p>{html.escape(newest["machine"])}. Last run {newest["when"]}, tree {html.escape(newest["commit"])}. Beside: '
             f'{html.escape(", ".join(versions) or "nobody")}.</p><h2>What was to be reached</h2>'
             "<table><tr><th>bench<th>case<th>figure<th>goal<th></tr>", *goal_rows(cases), "</table>"]
    bench = None
    for (name, case), of_case in cases.items():
        if name != bench:
            bench = name
            parts.append(f"<h2>{html.escape(name)}</h2>")
        unit = next(iter(of_case.values()))["unit"]
        better = next(iter(of_case.values()))["better"]
        busy = max(line.get("others") or 0 for line in of_case.values())
        note = f" The machine was busy: others used {busy:.2f} of a core." if busy > 0.1 else ""
        parts.append(f"<h3>{html.escape(case)}</h3><p>{html.escape(unit)}, {better} is better.{note}</p>")
        parts.append(bar_chart(bars(of_case), unit) + history_chart(history(lines, name, case)))
    return "\n".join(parts) + "</html>\n"


def write(work):
    """The page beside bench.jsonl, or None when nothing has been measured."""
    lines = record.read(work / "bench.jsonl")
    if not lines:
        return None
    path = work / "bench.html"
    path.write_text(page(lines), encoding="utf-8")
    return path
