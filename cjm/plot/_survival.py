"""Curves of those who stayed, with the number at risk below them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from cjm.plot._frames import COUNT, GROUP, NO_ROWS, SHARE, measured
from cjm.plot._picture import WIDTH, Picture, finished, inner_width
from cjm.plot._plane import Plane, share_label, ticks
from cjm.plot._svg import COLOURS, QUIET, Drawing, message, name_text, text
from cjm.plot._words import number, percent, plural, text_width

__all__ = ["draw_curves", "survival_curves"]

_GROUPS = 8
_BODY, _LEFT = 300, 54
_COLUMNS = {"time": SHARE, "at_risk": COUNT, "events": COUNT, "survival": SHARE, "lower": SHARE, "upper": SHARE}


def survival_curves(frame: pl.DataFrame, *, width: int = WIDTH) -> Picture:
    r"""Draw survival curves with their intervals, and how many were at risk when.

    Parameters
    ----------
    frame : polars.DataFrame
        What :func:`cjm.survival_curves` returns, with or without groups, or the ``frame`` of
        :func:`cjm.survival.landmark` and :func:`cjm.survival.simon_makuch` for one path.
    width : int
        Width in pixels.

    Returns
    -------
    Picture
        A step curve a group with a pale band for its interval; below, the persons at risk of each group at the marks of
        the axis. The axis of shares begins at 0 where a curve falls below one half, else higher, which a note says. Of
        more than eight groups the largest.

    Raises
    ------
    ArgumentError
        If the frame lacks a column.

    Examples
    --------
    >>> import polars as pl
    >>> from cjm import plot
    >>> frame = pl.DataFrame({"time": [10.0, 30.0], "at_risk": [80, 40], "events": [20, 10], "survival": [0.75, 0.56],
    ...                       "lower": [0.66, 0.46], "upper": [0.85, 0.69]})
    >>> plot.survival_curves(frame).description
    '56.0\xa0% were still there after 30 days.'
    """
    room = inner_width(width)
    if isinstance(frame, pl.DataFrame) and {"path", "completed"} <= set(frame.columns):
        did = pl.when("completed").then(pl.lit("after ")).otherwise(pl.lit("without "))
        frame = frame.select(pl.concat_str(did, pl.col("path").cast(pl.String)).alias("path"), *_COLUMNS)
    found = measured(frame, "survival_curves", _COLUMNS, ["time"], call="subjects", groups=True)
    rows = found.frame.filter(pl.col("time").is_not_null() & pl.col("survival").is_not_null()).sort(GROUP, "time")
    title = "Who was still there" + (f", by {found.by}" if found.by else "")
    if not rows.height:
        return finished(message(NO_ROWS, room), title, NO_ROWS)
    groups = [group for group in found.groups if group in set(rows[GROUP])]
    if len(groups) > _GROUPS:
        sizes = rows.group_by(GROUP).agg(pl.col("at_risk").max()).sort(["at_risk", GROUP], descending=[True, False])
        kept = set(sizes[GROUP].head(_GROUPS))
        groups = [group for group in groups if group in kept]
    parts = [rows.filter(pl.col(GROUP) == group) for group in groups]
    notes = ["Pale bands: pointwise intervals. Whoever was lost from sight counts up to then (Kaplan-Meier)."]
    if "logrank_p" in frame.columns and frame["logrank_p"].drop_nans().drop_nulls().len():
        p = frame["logrank_p"].drop_nans().drop_nulls()[0]
        said = f"p = {p:.2g}" if p >= 1e-4 else "p below 0.0001"
        notes.append(f"Log-rank test that all groups left at the same rate: {said}.")
    least = float(rows.filter(pl.col(GROUP).is_in(groups)).select(pl.min_horizontal("lower", "survival").min()).item())
    base = 0.0 if least < 0.5 else int(10 * least) / 10
    if base:
        notes.append(f"The axis begins at {percent(base)}, not at zero.")
    if len(found.groups) > len(groups):
        notes.append(f"The {_GROUPS} largest of {number(len(found.groups))} groups.")
    drawing = draw_curves(parts, groups, room, base)
    said = "; ".join(_last(part, group) for part, group in zip(parts, groups, strict=True)) + "."
    return finished(Drawing(drawing.width, drawing.height, drawing.marks, notes), title, said)


def _last(rows: pl.DataFrame, group: str) -> str:
    who = f"{group}: " if group else ""
    time, share = rows.select("time", "survival").row(-1)
    return f"{who}{percent(share)} were still there after {plural(round(time), 'day')}"


def draw_curves(
    parts: Sequence[pl.DataFrame], groups: Sequence[str], width: float, base: float, start: float = 0.0
) -> Drawing:
    """Draw the curves from ``start`` on, their names where they end, and the table of those at risk."""
    last = max(float(part["time"][-1]) for part in parts)
    named = any(groups)
    names = min(max(text_width(group, 11.5) for group in groups) + 12, 0.3 * width) if named else 8
    plane = Plane(_LEFT, width - names, 8, 8 + _BODY, (start, last), (base, 1.0))
    marks_x = ticks(start, last, max(3, int((plane.right - plane.left) / 80)))
    marks = plane.axes(marks_x, ticks(base, 1, 6), y_label=share_label, x_name="days")
    ends: list[float] = []
    for place, (part, group) in enumerate(zip(parts, groups, strict=True)):
        colour = COLOURS[place]
        seen = _thinned(part, 4 * int(width))
        known = seen.drop_nulls(["lower", "upper"]).select("time", "lower", "upper").rows()
        if known:
            marks.append(plane.band([(start, 1.0, 1.0), *known], colour, steps=True))
        points = [(start, 1.0), *seen.select("time", "survival").iter_rows()]
        marks.append(plane.curve(plane.stairs(points), colour))
        if named:
            y = plane.y(points[-1][1]) + 4
            while any(abs(y - other) < 13 for other in ends):
                y += 1 if y < plane.bottom - 8 else -14
            ends.append(y)
            marks.append(name_text(plane.x(points[-1][0]) + 8, y, group, names - 10, size=11.5, fill=colour))
    y = plane.bottom + 52
    marks.append(text(0, y, "At risk", size=11, fill=QUIET))
    for place, (part, group) in enumerate(zip(parts, groups, strict=True)):
        y += 4 if named else 0
        if named:
            y += 13
            marks.append(name_text(0, y, group, width, size=11, fill=COLOURS[place]))
        y += 15
        for tick in marks_x:
            later = part.filter(pl.col("time") >= tick)
            if later.height:
                marks.append(text(plane.x(tick), y, number(later["at_risk"][0]), size=11, anchor="middle"))
    return Drawing(width, y + 6, marks)


def _thinned(part: pl.DataFrame, most: int) -> pl.DataFrame:
    """Keep, of more rows than can be seen, the last of each of ``most`` stretches of time."""
    if part.height <= most:
        return part
    low, high = part["time"][0], part["time"][-1]
    stretch = ((pl.col("time") - low) / (high - low) * most).floor()
    return part.filter(stretch != stretch.shift(-1, fill_value=-1))
