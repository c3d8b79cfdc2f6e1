"""The funnel: a bar a step with its interval, and how it compares with the first step and the one before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from cjm.plot._frames import COUNT, GROUP, HIDDEN, NAME, NO_ROWS, SHARE, SPAN, measured
from cjm.plot._picture import WIDTH, Picture, finished, inner_width
from cjm.plot._svg import COLOURS, INK, PALE, QUIET, Drawing, message, name_text, rect, text, tip
from cjm.plot._words import NONE, PER_CENT, duration, known_as, number, percent, plural, text_width

__all__ = ["draw_funnel", "funnel"]

_GROUPS = 8
_WIDE = 600
_COLUMNS = {
    "step": COUNT,
    "touchpoint": NAME,
    "persons": COUNT,
    "of": COUNT,
    "rate": SHARE,
    "low": SHARE,
    "high": SHARE,
}
_OPTIONAL = {"step_rate": SHARE, "time_p25": SPAN, "time_p50": SPAN, "time_p75": SPAN}
# Head of a column of figures, in two lines, and its width.
_FIGURES = (
    ("persons", "", "persons", 64),
    ("rate", "of the", "first step", 74),
    ("interval", "", "interval", 92),
    ("step_rate", "of the", "step before", 82),
    ("time_p50", "half", "within", 92),
)
Row = dict[str, Any]


def funnel(frame: pl.DataFrame, *, width: int = WIDTH) -> Picture:
    r"""Draw how many persons come how far along the steps.

    Parameters
    ----------
    frame : polars.DataFrame
        What :func:`cjm.funnel` returns, with or without groups.
    width : int
        Width in pixels.

    Returns
    -------
    Picture
        A bar a row: the share of the persons at step 1, with its interval as a thin line, and beside it the persons,
        the share of the step before and the median time since it. Groups stand under each other at every step; of
        more than eight the largest.

    Raises
    ------
    ArgumentError
        If the frame lacks a column.

    Examples
    --------
    >>> import polars as pl
    >>> from cjm import plot
    >>> frame = pl.DataFrame({"step": [1, 2], "touchpoint": ["web:cart", "web:paid"], "persons": [80, 20],
    ...                       "of": [80, 80], "rate": [1.0, 0.25], "low": [0.95, 0.17], "high": [1.0, 0.35]})
    >>> plot.funnel(frame).description
    '20 of 80 persons (25.0\xa0%) came as far as web:paid.'
    """
    room = inner_width(width)
    found = measured(
        frame,
        "funnel",
        _COLUMNS,
        ["step"],
        optional=_OPTIONAL,
        call='journeys, ["web:product", "web:cart"]',
        groups=True,
    )
    rows = found.frame
    if not rows.height:
        return finished(message(NO_ROWS, room), "Funnel", NO_ROWS)
    groups = found.groups
    if len(groups) > _GROUPS:
        sizes = rows.group_by(GROUP).agg(pl.col("of").max()).sort(["of", GROUP], descending=[True, False])
        kept = set(sizes[GROUP].head(_GROUPS))
        groups = [group for group in groups if group in kept]
    drawing = draw_funnel(rows, room, groups)
    notes = ["Bars: share of the persons at step 1. Thin lines: interval of that share."]
    if len(found.groups) > len(groups):
        notes.append(f"The {_GROUPS} largest of {number(len(found.groups))} groups.")
    masked = rows.filter(pl.col(GROUP).is_in(groups))["persons"].null_count()
    if masked:
        notes.append(f"{plural(masked, 'figure')} {HIDDEN}: too few persons.")
    said = "; ".join(_last(rows.filter(pl.col(GROUP) == group), group) for group in groups) + "."
    group = groups[0] if len(groups) == 1 else ""
    title = f"Funnel of {plural(rows['step'].n_unique(), 'step')}"
    return finished(Drawing(drawing.width, drawing.height, drawing.marks, notes), title, said, group=group)


def _last(rows: pl.DataFrame, group: str) -> str:
    row = rows.sort("step").row(-1, named=True)
    who = f"{group}: " if group else ""
    if row["persons"] is None:
        return f"{who}{HIDDEN}"
    return (
        f"{who}{number(row['persons'])} of {number(row['of'])} persons ({percent(row['rate'])}) "
        f"came as far as {known_as(row['touchpoint'])}"
    )


def draw_funnel(rows: pl.DataFrame, width: float, groups: Sequence[str], *, hidden: str = HIDDEN) -> Drawing:
    """Draw the steps below each other, and at each step the groups; a figure that is null reads ``hidden``."""
    steps = rows.sort("step", maintain_order=True).partition_by("step", maintain_order=True)
    draw = _wide if width >= _WIDE else _narrow
    blocks = []
    for step in steps:
        by_group = {row[GROUP]: row for row in step.iter_rows(named=True)}
        blocks.append([(group, by_group[group]) for group in groups if group in by_group])
    return draw([block for block in blocks if block], width, groups, hidden)


def _wide(blocks: list[list[tuple[str, Row]]], width: float, groups: Sequence[str], hidden: str) -> Drawing:
    first = blocks[0][0][1]
    figures = [figure for figure in _FIGURES if figure[0] == "interval" or figure[0] in first]
    x = width
    ends: list[float] = []
    for *_, room in reversed(figures):
        ends.insert(0, x)
        x -= room
    left = min(max(text_width(group, 11.5) for group in groups), 0.2 * width) + 10 if len(groups) > 1 else 0
    bar = x - left - 8
    marks, y = [], 26.0
    for (_, above, below, _), end in zip(figures, ends, strict=True):
        marks += [
            text(end, 12, above, size=11, fill=QUIET, anchor="end"),
            text(end, 25, below, size=11, fill=QUIET, anchor="end"),
        ]
    tall = 18 if len(groups) == 1 else 15
    for block in blocks:
        y += 18
        marks.append(name_text(0, y, _title(block[0][1]), x - 12, size=12.5))
        y += 6
        for group, row in block:
            if left:
                marks.append(name_text(0, y + tall - 3.5, group, left - 8, size=11.5, fill=QUIET))
            marks += _bar(row, left, y, bar, tall, COLOURS[groups.index(group)], hidden)
            for (name, *_), end in zip(figures, ends, strict=True):
                weight = "600" if name == "rate" else None
                marks.append(text(end, y + tall - 4.5, _figure(row, name, hidden), anchor="end", weight=weight))
            y += tall + 5
        y += 6
    return Drawing(width, y + 2, marks)


def _narrow(blocks: list[list[tuple[str, Row]]], width: float, groups: Sequence[str], hidden: str) -> Drawing:
    marks, y = [], 0.0
    for block in blocks:
        several = len(groups) > 1
        if several:
            y += 16
            marks.append(name_text(0, y, _title(block[0][1]), width, size=12.5))
        for group, row in block:
            y += 16
            figures = _reached(row, hidden)
            room = width - text_width(figures, 13) - 12
            name, look = (group, {"size": 11.5, "fill": QUIET}) if several else (_title(row), {"size": 12.5})
            marks.append(name_text(0, y, name, room, **look))
            marks.append(text(width, y, figures, size=12.5, anchor="end", weight="600"))
            y += 5
            marks += _bar(row, 0, y, width, 13, COLOURS[groups.index(group)], hidden)
            y += 13
            since = _since(row)
            if since:
                y += 14
                marks.append(text(0, y, since, size=11, fill=QUIET))
            y += 4
        y += 8
    return Drawing(width, y, marks)


def _title(row: Row) -> str:
    return f"{row['step']}. {known_as(row['touchpoint'])}"


def _bar(row: Row, x: float, y: float, width: float, tall: float, colour: str, hidden: str) -> list[str]:
    share, low, high = (
        None if row[name] is None else min(max(row[name], 0.0), 1.0) for name in ("rate", "low", "high")
    )
    marks = [rect(x, y, width, tall, PALE, rx="1.5")]
    if share is None:
        return [*marks, text(x + 6, y + tall - 4.5, hidden if row["persons"] is None else NONE, size=11, fill=QUIET)]
    marks.append(rect(x, y, width * share, tall, colour, tip(_said(row, hidden)), rx="1.5"))
    # An interval of less than three pixels cannot be told from the end of the bar.
    if low is not None and high is not None and width * (high - low) >= 3:
        marks.append(
            rect(x + width * low, y + tall / 2 - 1.5, width * (high - low), 3, INK, stroke="#fff", stroke_width="1")
        )
    return marks


def _figure(row: Row, name: str, hidden: str) -> str:
    value = None if name == "interval" else row[name]
    if name == "persons":
        return hidden if value is None else number(value)
    if name == "interval":
        return _interval(row)
    return duration(value) if name == "time_p50" else percent(value)


def _interval(row: Row) -> str:
    if row["low"] is None or row["high"] is None:
        return NONE
    return f"{percent(row['low']).removesuffix(PER_CENT)} to {percent(row['high'])}"


def _reached(row: Row, hidden: str) -> str:
    return hidden if row["persons"] is None else f"{number(row['persons'])} · {percent(row['rate'])}"


def _since(row: Row) -> str:
    """Say how a step compares with the one before."""
    said = [f"{percent(row['step_rate'])} of the step before"] if row.get("step_rate") is not None else []
    if isinstance(row.get("time_p50"), timedelta):
        said.append(f"half within {duration(row['time_p50'])}")
    return ", ".join(said)


def _said(row: Row, hidden: str) -> str:
    said = [f"{_title(row)}: {_reached(row, hidden)}", f"interval {_interval(row)}", _since(row)]
    quarters = row.get("time_p25"), row.get("time_p75")
    if all(isinstance(quarter, timedelta) for quarter in quarters):
        said.append(f"a quarter within {duration(quarters[0])}, three quarters within {duration(quarters[1])}")
    return ". ".join(filter(None, said))
