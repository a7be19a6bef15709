# SPDX-License-Identifier: Apache-2.0
"""Tables for the terminal."""


def number(value):
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def text(head, rows):
    """Columns as wide as their widest cell; the first one is left-aligned."""
    cells = [[str(name) for name in head], *[[number(value) for value in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                       for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in cells]
    return "\n".join([lines[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *lines[1:]])


def verdict(figure):
    """One line about a figure that has a goal."""
    word = {True: "reached", False: "NOT YET", None: "nothing to compare with"}[figure.reached]
    against = f"{number(figure.ratio)}x {figure.peer}" if figure.peer else f"{number(figure.ours)} {figure.unit}"
    goal = f">= {number(figure.goal)}x" if figure.peer else f"{'<=' if figure.better == 'lower' else '>='} {number(figure.goal)}"
    return f"{word:8} {figure.case}: {against} (goal {goal})"
