"""The retention triangle: which share of each cohort came back, period by period."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

import polars as pl

from cjm.plot._axes import period_name
from cjm.plot._frames import COUNT, HIDDEN, NO_ROWS, SHARE, _Kind, measured
from cjm.plot._heat import Cell, Grid, draw_grid
from cjm.plot._picture import WIDTH, Picture, finished, inner_width
from cjm.plot._svg import Drawing, message
from cjm.plot._words import day, known_as, number, percent, plural

__all__ = ["draw_retention", "retention"]

_COHORTS, _PERIODS = 60, 60
# Cohorts are mostly times, but a user may name them.
COHORT = _Kind("a time, a number or text", lambda kind: not kind.is_nested(), lambda column: column)


def retention(frame: pl.DataFrame, *, width: int = WIDTH) -> Picture:
    """Draw a heat map of cohorts and the periods since their first.

    Parameters
    ----------
    frame : polars.DataFrame
        What :func:`cjm.retention` returns.
    width : int
        Width in pixels.

    Returns
    -------
    Picture
        A square a row, darker for a higher rate; the rate is written in it in per cent where there is room. The
        latest 60 cohorts and the first 60 periods at most, which a note says.

    Raises
    ------
    ArgumentError
        If the frame lacks a column or holds several groups.

    Examples
    --------
    >>> import polars as pl
    >>> from datetime import date
    >>> from cjm import plot
    >>> frame = pl.DataFrame({"cohort": [date(2025, 1, 6)] * 2, "period": [0, 1], "persons": [50, 20],
    ...                       "of": [50, 50], "rate": [1.0, 0.4]})
    >>> plot.retention(frame).title
    'Who came back, by the time of the first visit'
    """
    room = inner_width(width)
    columns = {"cohort": COHORT, "period": COUNT, "persons": COUNT, "of": COUNT, "rate": SHARE}
    found = measured(frame, "retention", columns, ["cohort", "period"])
    rows, group = found.frame.sort("cohort", "period"), found.groups[0]
    title = "Who came back, by the time of the first visit"
    if not rows.height:
        return finished(message(NO_ROWS, room), title, NO_ROWS, group=group)
    cohorts = rows["cohort"].unique().sort()
    latest = cohorts.tail(_COHORTS)
    drawn = rows.filter(pl.col("cohort").is_in(latest.implode(), nulls_equal=True) & (pl.col("period") < _PERIODS))
    starts = [when for when in cohorts if isinstance(when, date)]
    unit = period_name([_moment(when) for when in starts])
    clock = any(when.time() != time() for when in starts if isinstance(when, datetime))
    drawing = draw_retention(drawn, room, lambda cohort: _label(cohort, clock=clock), unit=unit)
    notes = [f"Per cent of each group seen in each {unit}; {unit} 0 is that of the first visit."]
    if cohorts.len() > latest.len() or drawn.height < rows.height:
        notes.append(
            f"The latest {plural(latest.len(), 'group')} of {number(cohorts.len())}, "
            f"and the first {_PERIODS} periods at most."
        )
    masked = drawn["rate"].null_count()
    if masked:
        notes.append(f"{plural(masked, 'figure')} {HIDDEN}: too few persons.")
    description = f"A square for each of {plural(latest.len(), 'group')} of first visitors and each {unit} since."
    return finished(Drawing(drawing.width, drawing.height, drawing.marks, notes), title, description, group=group)


def draw_retention(rows: pl.DataFrame, width: float, label: Callable[[Any], str], *, unit: str = "period") -> Drawing:
    """Draw ``cohort, period, persons, of, rate``, one line a cohort in the order given."""
    cohorts = rows["cohort"].unique(maintain_order=True).to_list()
    line_of = {cohort: index for index, cohort in enumerate(cohorts)}
    first, last = int(rows["period"].min()), int(rows["period"].max())  # type: ignore[arg-type]
    sizes = dict(rows.select("cohort", "of").iter_rows())
    cells = [
        Cell(period - first, line_of[cohort], rate, _said(label(cohort), unit, period, persons, rate))
        for cohort, period, persons, rate in rows.select("cohort", "period", "persons", "rate").iter_rows()
    ]
    # In the first period everybody is there: it does not set the scale.
    known = rows.drop_nulls("rate")
    later = known.filter(pl.col("period") > 0)
    grid = Grid(
        [label(cohort) for cohort in cohorts],
        [str(period) for period in range(first, last + 1)],
        cells,
        f"{unit}s since the first",
        sizes=[HIDDEN if sizes[cohort] is None else number(sizes[cohort]) for cohort in cohorts],
        size_title="persons",
        top=max([*(later if later.height else known)["rate"], 0.01]),
    )
    return draw_grid(grid, width)


def _said(cohort: str, unit: str, period: int, persons: int | None, rate: float | None) -> str:
    figures = HIDDEN if persons is None or rate is None else f"{number(persons)} ({percent(rate)})"
    return f"{cohort}, {unit} {period}: {figures}"


def _label(cohort: Any, *, clock: bool) -> str:
    return day(cohort, hour=clock) if isinstance(cohort, date) else known_as("(none)" if cohort is None else cohort)


def _moment(when: date) -> datetime:
    return when.replace(tzinfo=None) if isinstance(when, datetime) else datetime.combine(when, time())
