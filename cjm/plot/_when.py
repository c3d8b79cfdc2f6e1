"""Excess churn by time since a path, and by when one must act."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cjm.plot._frames import HIDDEN
from cjm.plot._picture import WIDTH, Picture, finished, inner_width
from cjm.plot._plane import Plane, log_ticks, ticks
from cjm.plot._svg import COLOURS, GREY, INK, QUIET, Drawing, line, rect, tag, text, tip
from cjm.plot._words import known_as, number

if TYPE_CHECKING:
    from cjm.survival import When

__all__ = ["draw_when", "when"]

_BODY, _BETWEEN, _RATIOS, _LEFT = 220, 56, 130, 46


def when(result: When, *, width: int = WIDTH) -> Picture:
    """Draw how many more churn after a path, day by day, and how the hazard compares in each stretch of time.

    Parameters
    ----------
    result : When
        What :func:`cjm.survival.when` returns.
    width : int
        Width in pixels.

    Returns
    -------
    Picture
        Above, of 100 persons with the path, how many more have churned by each day than would have without it, with an
        interval and, where the excess is clear, the day by which half of it has happened. Below, the hazard ratio of
        each stretch of time with its interval.

    Examples
    --------
    >>> from cjm import plot
    >>> from cjm.survival import when
    >>> from cjm.survival._example import example, example_journeys
    >>> found = when(example(), example_journeys(), {"help": "web:offer -> web:help"}, horizon="40d", every="40d")
    >>> plot.when(found).title
    'Churn after help'
    """
    room = inner_width(width)
    interval = result.act_by_interval
    act_by = None if result.act_by is None or interval is None else (result.act_by, *interval)
    drawing = draw_when(result.excess, result.frame, act_by, room)
    notes = [
        f"{number(result.persons)} persons completed the path while at risk. Compared with persons at the same time "
        "since time zero who had not; follow-up that ended early is made up for.",
        "A description of when churn comes. Whether acting would prevent it takes a randomised holdout.",
    ]
    if act_by is None:
        notes.insert(1, "The excess is not clearly above zero, so there is no day to act by.")
    day, low, excess, high = result.excess.select("day", "lower", "excess", "upper").row(-1)
    said = f"After {day:g} days {excess:.1f} more of 100 have churned ({low:.1f} to {high:.1f})"
    if act_by is not None:
        said += f", half of them by day {act_by[0]:.0f}"
    drawn = Drawing(drawing.width, drawing.height, drawing.marks, notes)
    return finished(drawn, f"Churn after {known_as(result.path)}", f"{said}.")


def draw_when(
    excess: pl.DataFrame, stretches: pl.DataFrame, act_by: tuple[float, float, float] | None, width: float
) -> Drawing:
    """Draw ``day, excess, lower, upper`` with the day to act by and its interval; below it the stretches."""
    days, low, more, high = (excess[name].to_list() for name in ("day", "lower", "excess", "upper"))
    horizon = days[-1]
    bottom, top = min(0.0, *low), max(0.5, *high)
    plane = Plane(_LEFT, width - 10, 22, 22 + _BODY, (0.0, horizon), (bottom, top))
    x_ticks = ticks(0, horizon, max(3, int(width / 90)))
    marks = [text(0, 12, "More churned, of 100 persons with the path", size=12, weight="600")]
    marks += plane.axes(x_ticks, ticks(bottom, top, 6), strong=0.0)
    marks.append(plane.band(list(zip(days, low, high, strict=True)), COLOURS[1], steps=False))
    path = "M" + "L".join(f"{plane.x(x):.1f},{plane.y(y):.1f}" for x, y in zip(days, more, strict=True))
    marks.append(plane.curve(path, COLOURS[1]))
    if act_by is not None:
        marks += _act_by(plane, *act_by)
    below = plane.bottom + _BETWEEN
    marks += _ratios(stretches, plane, below, x_ticks)
    return Drawing(width, below + _RATIOS + 40, marks)


def _act_by(plane: Plane, day: float, early: float, late: float) -> list[str]:
    left, at, right = (plane.x(value) for value in (early, day, late))
    words = f"act by day {day:.0f} ({early:.0f} to {late:.0f})"
    near_end = at > (plane.left + plane.right) / 2
    return [
        rect(left, plane.top, right - left, plane.bottom - plane.top, COLOURS[0], fill_opacity="0.08"),
        line(at, plane.top, at, plane.bottom, COLOURS[0], stroke_width="1.6"),
        text(at - 6 if near_end else at + 6, plane.top + 12, words, fill=COLOURS[0], weight="600",
             anchor="end" if near_end else None, halo=True),
        text(at - 6 if near_end else at + 6, plane.top + 26, "half of the excess has happened", size=11, fill=QUIET,
             anchor="end" if near_end else None, halo=True),
    ]  # fmt: skip


def _ratios(stretches: pl.DataFrame, above: Plane, top: float, x_ticks: list[float]) -> list[str]:
    """Draw ``since, until, persons, churned, hazard_ratio, lower, upper``: the stretches within the horizon."""
    rows = stretches.filter(pl.col("until").is_not_null())
    known = rows.drop_nulls(["hazard_ratio", "lower", "upper"])
    ends = [*known["lower"].clip(0.1, 10), *known["upper"].clip(0.1, 10), 0.8, 1.25]
    shown = (min(ends) / 1.1, max(ends) * 1.1)
    plane = Plane(above.left, above.right, top, top + _RATIOS, above.x_range, shown, log=True)
    marks = [text(0, plane.top - 14, "Times as often as without the path", size=12, weight="600")]
    marks += plane.axes(x_ticks, log_ticks(*plane.y_range), x_name="days since the path", strong=1.0)
    for row in rows.iter_rows(named=True):
        middle = (row["since"] + row["until"]) / 2
        figures = f"{number(row['churned'])} churned of {number(row['persons'])} persons"
        words = f"day {row['since']:g} to {row['until']:g}: {figures}"
        if row["hazard_ratio"] is None:
            said = HIDDEN if row["churned"] is None else "none churned" if row["persons"] else "nobody"
            marks.append(text(plane.x(middle), plane.bottom - 6, said, size=10.5, fill=QUIET, anchor="middle"))
            continue
        colour = GREY if row["lower"] <= 1 <= row["upper"] else COLOURS[1] if row["hazard_ratio"] > 1 else COLOURS[0]
        words += f", {row['hazard_ratio']:.2f} times as often ({row['lower']:.2f} to {row['upper']:.2f})"
        marks.append(line(plane.x(row["since"]) + 2, plane.y(row["hazard_ratio"]), plane.x(row["until"]) - 2,
                          plane.y(row["hazard_ratio"]), colour, stroke_width="2"))  # fmt: skip
        marks.append(plane.whisker(middle, row["lower"], row["upper"]))
        marks.append(tag("circle", tip(words), cx=plane.x(middle), cy=plane.y(row["hazard_ratio"]), r=4.5, fill=colour,
                         stroke=INK, stroke_width="0.5"))  # fmt: skip
    return marks
