"""The section on who came back, by the time of the first visit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

from cjm.plot._retention import draw_retention
from cjm.report._charts import WIDE, Picture
from cjm.report._section import (
    Col,
    Section,
    Tables,
    blank_small,
    counts,
    groups,
    has,
    shares,
    table,
    total,
    with_bounds,
)
from cjm.report._text import (
    capital,
    data_start,
    day,
    duration,
    not_before,
    number,
    part,
    plural,
    short,
)

__all__ = ["retention"]

_GROUPS, _PERIODS, _PERIODS_NARROW = 16, 12, 6


def retention(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Say who came back, by the time of the first visit."""
    if not has(tables, "retention"):
        return None
    hide = run.get("hide_below", 10)
    start = data_start(run)
    frame = tables["retention"].sort(["cohort", "period"])
    if not (frame["of"] >= hide).any():
        said = f"Every group of first visitors has fewer than {hide} persons, so none is shown"
        return Section("retention", "Who came back", f"{said}.", telling=False)
    later = frame.filter(pl.col("period") > 0)
    if later.height:
        pooled = later.filter(pl.col("period") == pl.col("period").min())
        back = part(total(pooled, "persons"), total(pooled, "of"), "persons", hide)
        title = f"{capital(back)} came back {_when(frame['cohort'], pooled['period'][0])}"
    else:
        title = f"{plural(frame['cohort'].n_unique(), 'group')} of first visitors, not yet followed for a whole period"
    for count in ("persons", "of"):
        frame = blank_small(frame, count, hide, ["rate", "low", "high"])
    frame = with_bounds(frame, "low", "high")
    frame = frame.with_columns(pl.when(pl.col("of") >= hide).then("persons").alias("persons"))
    columns = [
        Col("cohort", "first seen", lambda value: _label(value, start)),
        counts("period", "period"),
        groups("persons", "persons", hide),
        groups("of", "of", hide),
        shares("rate", "share"),
        Col("interval", "95 % interval", str, True, look="w"),
    ]
    shown = (table("Groups of first visitors", frame, columns),)
    return Section("retention", "Who came back", f"{title}.", (), _picture(frame, start, hide), shown)


def _picture(frame: pl.DataFrame, start: date | None, hide: int) -> tuple[Picture, ...]:
    """Draw the latest groups, from the first to the last of which anything can be seen."""
    # In the first period everybody is there; what comes after is worth a picture.
    drawn = frame.filter((pl.col("period") > 0) & (pl.col("period") <= _PERIODS))
    known = drawn.filter(pl.col("rate") > 0)
    if not known.height:
        return ()
    between = pl.col("cohort").is_between(known["cohort"].min(), known["cohort"].max())
    cohorts = drawn.filter(between)["cohort"].unique().sort()
    latest = cohorts.tail(_GROUPS)
    cells = drawn.filter(pl.col("cohort").is_in(latest.implode()))
    for count in ("persons", "of"):
        cells = blank_small(cells, count, hide, [count])
    caption = f"Per cent of each group seen again; darker is more; hidden: fewer than {hide}."
    if cohorts.len() > _GROUPS or frame["period"].max() > _PERIODS:  # type: ignore[operator]
        caption += f" The latest {_GROUPS} groups and first {_PERIODS} periods at most."
    caption += f" On a narrow screen, {_PERIODS_NARROW} periods."
    alt = f"A square a group of first visitors and period, for {plural(latest.len(), 'group')}."

    def draw(width: int) -> str:
        shown = cells if width == WIDE else cells.filter(pl.col("period") <= _PERIODS_NARROW)
        return draw_retention(shown, width, lambda cohort: _label(cohort, start)).bare()

    return (Picture(draw, alt, caption),)


def _when(cohorts: pl.Series, period: int) -> str:
    """Say which period is meant, and how long periods are if their starts tell."""
    later = "in the period after their first" if period == 1 else f"in period {number(period)} after their first"
    starts = cohorts.unique().sort()
    if not starts.dtype.is_temporal() or starts.len() < 2:
        return later
    return f"{later} (periods of {duration(min(starts.diff().drop_nulls().to_list()))})"


def _label(cohort: Any, start: date | None) -> str:
    """Return the name of a group; a period that began before the data is named by where they begin."""
    if isinstance(cohort, (str, int)):
        return short(cohort, 16)
    since = not_before(cohort, start)
    return day(since) if since is cohort else f"from {day(since)}"
