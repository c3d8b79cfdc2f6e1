"""The forest of paths: hazard ratios with intervals, and how many persons stand behind each."""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from typing import Any

import polars as pl

from cjm.plot._frames import COUNT, HIDDEN, NAME, NO_ROWS, SHARE, measured
from cjm.plot._picture import WIDTH, Picture, finished, inner_width
from cjm.plot._plane import log_ticks, plain
from cjm.plot._svg import COLOURS, GREY, GRID, QUIET, Drawing, line, message, name_text, tag, text, tip
from cjm.plot._words import NONE, known_as, number, plural, text_width

__all__ = ["draw_hazards", "hazards"]

_ROWS, _TALL, _SURE = 30, 24, 0.05
_LEAST, _MOST = 0.1, 10.0
_FIGURES = [("ratio", 132), ("persons", 66), ("churned", 66)]
_COLUMNS = {"term": NAME, "hazard_ratio": SHARE, "lower": SHARE, "upper": SHARE, "exposed": COUNT, "events": COUNT}
Row = dict[str, Any]


def hazards(frame: pl.DataFrame, *, width: int = WIDTH) -> Picture:
    """Draw hazard ratios with their intervals on a logarithmic axis, strongest first.

    Parameters
    ----------
    frame : polars.DataFrame
        ``PathHazard(...).fit(...).summary``, or what :func:`cjm.survival.screen` returns.
    width : int
        Width in pixels.

    Returns
    -------
    Picture
        A point and a line a term, with the persons who had it and those of them who churned meanwhile; grey where it is
        not clear (interval around 1, or ``q`` of 0.05 or more). The 30 with the clearest ratio at most; an arrow where
        an interval goes beyond the axis.

    Raises
    ------
    ArgumentError
        If the frame lacks a column.

    Examples
    --------
    >>> import polars as pl
    >>> from cjm import plot
    >>> frame = pl.DataFrame({"term": ["risk"], "hazard_ratio": [2.8], "lower": [2.2], "upper": [3.5],
    ...                       "q": [0.001], "exposed": [600], "events": [120]})
    >>> plot.hazards(frame).description
    '1 of 1 term is clear of 1; strongest: risk, 2.80 times as often (2.20 to 3.50).'
    """
    room = inner_width(width)
    found = measured(frame, "hazards", _COLUMNS, ["term"], optional={"coef": SHARE, "q": SHARE}, call="model")
    title = "How much more often churn follows"
    if not found.frame.height:
        return finished(message(NO_ROWS, room), title, NO_ROWS)
    rows = found.frame
    if "q" not in rows.columns:
        rows = rows.with_columns(q=pl.lit(None, dtype=pl.Float64))
    sure = ((pl.col("lower") > 1) | (pl.col("upper") < 1)) & (pl.col("q").fill_null(0) < _SURE)
    bound = pl.max_horizontal(pl.col("lower").log(), -pl.col("upper").log())
    known = pl.all_horizontal(pl.col("hazard_ratio", "lower", "upper").is_finite().fill_null(False))
    rows = rows.with_columns(sure=sure.fill_null(False), __known=known, __bound=bound.fill_nan(None))
    rows = rows.sort(["__known", "__bound", "term"], descending=[True, True, False], nulls_last=True)
    shown = rows.head(_ROWS)
    order = shown.with_columns(pl.when("__known").then("hazard_ratio").alias("hazard_ratio"))
    drawing = draw_hazards(order.sort("hazard_ratio", descending=True, nulls_last=True).iter_rows(named=True), room)
    notes = [
        "Times as often as without it, with intervals, on a logarithmic axis. Grey: not clear of 1. Persons: how many "
        "had it while at risk; churned: how many of them did so after it."
    ]
    if rows.height > shown.height:
        notes.append(f"The {_ROWS} clearest of {number(rows.height)}.")
    if not rows["__known"].all():
        notes.append(f"{plural(int((~rows['__known']).sum()), 'term')} without an estimate: nobody had it, or all did.")
    clear = rows.filter("sure")
    said = f"{clear.height} of {plural(rows.height, 'term')} {'is' if clear.height == 1 else 'are'} clear of 1"
    lead = rows.row(0, named=True)
    if lead["__known"]:
        said += (
            f"; strongest: {known_as(lead['term'])}, {_ratio(lead['hazard_ratio'])} times as often ({_interval(lead)})"
        )
    return finished(Drawing(drawing.width, drawing.height, drawing.marks, notes), title, f"{said}.")


def draw_hazards(given: Iterable[Row], width: float) -> Drawing:
    """Draw ``term, hazard_ratio, lower, upper, exposed, events, sure``, one line a term in the order given.

    A name that is longer than its room stands above its line, and so do all names on a narrow page.
    """
    rows = [{**row, "term": known_as(row["term"])} for row in given]
    known = [row for row in rows if row["hazard_ratio"] is not None]
    figures = _FIGURES if width >= 600 else [("ratio", 116)]
    right = width - sum(size for _, size in figures) - 12
    beside = width >= 600 and all(text_width(row["term"], 12) <= 0.34 * width - 12 for row in rows)
    left = 0.34 * width if beside else 6.0
    low = min([max(row["lower"], _LEAST) for row in known] + [0.8]) / 1.1
    high = max([min(row["upper"], _MOST) for row in known] + [1.25]) * 1.1
    tall = _TALL if beside else _TALL + 16
    bottom = 22 + tall * len(rows)

    def x_of(value: float) -> float:
        return left + (right - left) * (log(value) - log(low)) / (log(high) - log(low))

    marks = []
    for tick in log_ticks(low, high):
        marks.append(line(x_of(tick), 20, x_of(tick), bottom, "#9aa1a8" if tick == 1 else GRID))
        marks.append(text(x_of(tick), bottom + 15, plain(tick), size=11, fill=QUIET, anchor="middle"))
    end = width
    for name, size in reversed(figures):
        marks.append(text(end, 13, name, size=11, fill=QUIET, anchor="end"))
        end -= size
    for place, row in enumerate(rows):
        y = 22 + tall * place + tall / 2 + (0 if beside else 8)
        there = row["hazard_ratio"] is not None
        at, room = (4, left - 12) if beside else (-12, width)
        marks.append(name_text(0, y + at, row["term"], room, size=12, halo=not beside))
        said = {
            "ratio": f"{_ratio(row['hazard_ratio'])} ({_interval(row)})" if there else "no estimate",
            "persons": HIDDEN if row["exposed"] is None else number(row["exposed"]),
            "churned": HIDDEN if row["events"] is None else number(row["events"]),
        }
        end = width
        for name, size in reversed(figures):
            marks.append(text(end, y + 4, said[name], size=12, anchor="end", weight="600" if name == "ratio" else None))
            end -= size
        if there:
            marks += _mark(row, y, low, high, x_of)
    return Drawing(width, bottom + 20, marks)


def _mark(row: Row, y: float, low: float, high: float, x_of: Any) -> list[str]:
    colour = (COLOURS[1] if row["hazard_ratio"] > 1 else COLOURS[0]) if row["sure"] else GREY
    ends = [x_of(min(max(row[name], low), high)) for name in ("lower", "upper")]
    marks = [line(ends[0], y, ends[1], y, colour, stroke_width="2")]
    if row["lower"] < low:
        marks.append(tag("path", d=f"M{ends[0]:.1f},{y:.1f}l6,-4v8Z", fill=colour))
    if row["upper"] > high:
        marks.append(tag("path", d=f"M{ends[1]:.1f},{y:.1f}l-6,-4v8Z", fill=colour))
    words = f"{row['term']}: {_ratio(row['hazard_ratio'])} times as often ({_interval(row)})"
    middle = x_of(min(max(row["hazard_ratio"], low), high))
    marks.append(tag("circle", tip(words), cx=middle, cy=y, r=4.5, fill=colour, stroke="#fff", stroke_width="1"))
    return marks


def _ratio(value: float) -> str:
    return NONE if value is None else f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else ">100"


def _interval(row: Row) -> str:
    return f"{_ratio(row['lower'])} to {_ratio(row['upper'])}"
