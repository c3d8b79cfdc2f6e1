"""Predicted against observed, in groups of like risk."""

from __future__ import annotations

import polars as pl

from cjm.plot._frames import COUNT, NO_ROWS, SHARE, measured
from cjm.plot._picture import WIDTH, Picture, finished, inner_width
from cjm.plot._plane import Plane, share_label, ticks
from cjm.plot._svg import COLOURS, QUIET, Drawing, line, message, tag, text, tip
from cjm.plot._words import number, percent, plural

__all__ = ["calibration", "draw_calibration"]

_LEFT, _MOST = 54, 480
_COLUMNS = {
    "group": COUNT,
    "persons": COUNT,
    "predicted": SHARE,
    "churned": COUNT,
    "observed": SHARE,
    "lower": SHARE,
    "upper": SHARE,
}


def calibration(frame: pl.DataFrame, *, width: int = WIDTH) -> Picture:
    r"""Draw the predicted risk of each group against what happened to it.

    Parameters
    ----------
    frame : polars.DataFrame
        ``validate(...).calibration``.
    width : int
        Width in pixels.

    Returns
    -------
    Picture
        A point a group with the interval of what was observed. On the line, predictions came true; above it, more
        churned than was predicted.

    Raises
    ------
    ArgumentError
        If the frame lacks a column.

    Examples
    --------
    >>> import polars as pl
    >>> from cjm import plot
    >>> frame = pl.DataFrame({"group": [1, 2], "persons": [100, 100], "predicted": [0.1, 0.3], "churned": [9, 35],
    ...                       "observed": [0.09, 0.35], "lower": [0.04, 0.26], "upper": [0.16, 0.45]})
    >>> plot.calibration(frame).description
    'The predicted risk lies within the interval of what was observed in 2 of 2 groups.'
    """
    room = inner_width(width)
    found = measured(frame, "calibration", _COLUMNS, ["group"], call="frame, ...")
    title = "Did predicted risks come true?"
    rows = found.frame.drop_nulls(["predicted", "observed"]).sort("predicted")
    if not rows.height:
        return finished(message(NO_ROWS, room), title, NO_ROWS)
    drawing = draw_calibration(rows, room)
    notes = [
        "Points on the dashed line came true; above it more churned than was predicted, below it fewer. Lines: "
        "intervals of what was observed.",
        f"{number(int(rows['persons'].sum()))} persons in {plural(rows.height, 'group')} of like risk.",
    ]
    inside = rows.filter(pl.col("predicted").is_between("lower", "upper")).height
    groups = plural(rows.height, "group")
    said = f"The predicted risk lies within the interval of what was observed in {inside} of {groups}."
    return finished(Drawing(drawing.width, drawing.height, drawing.marks, notes), title, said)


def draw_calibration(rows: pl.DataFrame, width: float) -> Drawing:
    """Draw ``group, persons, predicted, observed, lower, upper``."""
    top = float(rows.select(pl.max_horizontal("predicted", "observed", "upper").max()).item()) * 1.05 or 0.01
    side = min(width - _LEFT - 10, _MOST)
    plane = Plane(_LEFT, _LEFT + side, 24, 24 + side * 0.75, (0.0, top), (0.0, top))
    at = ticks(0, top, 6)
    marks = [text(0, 12, "observed", size=11, fill=QUIET)]
    marks += plane.axes(at, at, x_label=share_label, y_label=share_label, x_name="predicted")
    marks.append(line(plane.left, plane.bottom, plane.right, plane.top, "#9aa1a8", stroke_dasharray="4 3"))
    for row in rows.iter_rows(named=True):
        if row["lower"] is not None and row["upper"] is not None:
            marks.append(plane.whisker(row["predicted"], row["lower"], row["upper"]))
        words = (
            f"group {row['group']}: {plural(row['persons'], 'person')}, predicted {percent(row['predicted'])}, "
            f"observed {percent(row['observed'])} ({percent(row['lower'])} to {percent(row['upper'])})"
        )
        x, y = plane.x(row["predicted"]), plane.y(row["observed"])
        marks.append(tag("circle", tip(words), cx=x, cy=y, r=4.5, fill=COLOURS[0], stroke="#fff", stroke_width="1"))
    return Drawing(width, plane.bottom + 40, marks)
