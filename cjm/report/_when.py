"""The section on how soon after a path customers leave, and by when one has to act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from cjm.plot._when import draw_when
from cjm.report._charts import Picture
from cjm.report._names import named, pattern_names
from cjm.report._section import Col, Section, Table, Tables, blank_small, groups, has, table
from cjm.report._text import INTERVAL, NONE, duration, number, p_compared, pattern_words, ratio, ratio_interval

__all__ = ["when"]


def when(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Show how many more leave after a path, day by day, and by when half of them have."""
    if not all(has(tables, name) for name in ("when", "when_excess", "when_stretches")):
        return None
    hide = run.get("hide_below", 10)
    frame = tables["when"].with_columns(pl.col("term").cast(pl.String))
    frame = frame.with_columns(shown=named(pattern_names(tables)))
    enough = frame.filter((pl.col("persons") >= hide) & (pl.col("churned") >= hide))
    if not enough.height:
        said = f"Fewer than {hide} persons left after a path that comes before leaving, so nothing is said of when"
        return Section("when", "How soon to act", f"{said}.", telling=False)
    stretches = _stretches(tables["when_stretches"], hide)
    title, *text = [said for row in enough.iter_rows(named=True) for said in _said(row)]
    text.append(
        "This says when customers leave, not that acting keeps them: only a trial with a group left alone by lot can."
    )
    pictures = tuple(
        _picture(tables["when_excess"], stretches, row, hide, several=enough.height > 1)
        for row in enough.iter_rows(named=True)
    )
    return Section("when", "How soon to act", title, tuple(text), pictures, (_table(enough, stretches, hide),))


def _said(row: Mapping[str, Any]) -> list[str]:
    """Say how many more left, and by when half of them had."""
    more = number(round(row["excess"], 1))
    said = (
        f"Of 100 customers who did {pattern_words(row['shown'], 140)}, {more} more left within "
        f"{duration(row['horizon'])} than would have without it"
    )
    if row["act_by"] is None:
        return [f"{said}, which is not clear of none ({_ends(row)})."]
    day, early, late = (f"{row[name]:.0f}" for name in ("act_by", "act_by_lower", "act_by_upper"))
    return [
        f"{said}; half of them by day {day}.",
        f"Whoever acts later than day {day} ({INTERVAL}{early} to {late}) after the path is late for half of these "
        f"{more} ({_ends(row)}).",
    ]


def _ends(row: Mapping[str, Any]) -> str:
    return f"{INTERVAL}{row['lower']:.1f} to {row['upper']:.1f}"


def _stretches(given: pl.DataFrame, hide: int) -> pl.DataFrame:
    """Blank the figures of stretches of time in which few were seen or few left."""
    frame = given.with_columns(pl.col("term").cast(pl.String))
    for count in ("churned", "persons"):
        frame = blank_small(frame, count, hide, ["expected", "hazard_ratio", "lower", "upper", "p"])
    return frame


def _picture(
    excess: pl.DataFrame, stretches: pl.DataFrame, row: Mapping[str, Any], hide: int, *, several: bool
) -> Picture:
    ours = pl.col("term").cast(pl.String) == row["term"]
    drawn = blank_small(stretches.filter(ours), "churned", hide, ["churned"])
    act_by = None if row["act_by"] is None else (row["act_by"], row["act_by_lower"], row["act_by_upper"])
    name = pattern_words(row["shown"], 140)
    caption = f"{name}: " if several else ""
    caption += (
        "how many more of 100 left by each day after the path than would have without it, with a 95 % band; below it, "
        "how many times as often they left as others at the same time. "
    )
    caption += (
        "Hazard after the path less that of a Cox model of those at the same time since their start who had not "
        "completed it, times the chance to be still there; the band comes from Poisson draws of those who left"
    )
    if row["constant_p"] is not None:
        caption += f"; test that all ratios are the same: {p_compared(row['constant_p'])}"
    return Picture(
        lambda width: draw_when(excess.filter(ours), drawn, act_by, width).bare(),
        f"A curve of the excess of leaving over {duration(row['horizon'])} after the path, and ratios below it.",
        f"{caption[0].upper()}{caption[1:]}.",
    )


def _table(paths: pl.DataFrame, stretches: pl.DataFrame, hide: int) -> Table:
    frame = stretches.join(paths.select("term", "shown"), on="term", how="inner", maintain_order="left")
    rows = frame.select("since", "until", "lower", "upper").iter_rows(named=True)
    said = [(_days(row["since"], row["until"]), ratio_interval(row["lower"], row["upper"])) for row in rows]
    frame = frame.with_columns(
        pl.Series("after", [days for days, _ in said], pl.String),
        pl.Series("interval", [ends for _, ends in said], pl.String),
    )
    columns = [
        Col("shown", "pattern", pattern_words),
        Col("after", "days after it"),
        groups("persons", "persons seen", hide),
        groups("churned", "of them left", hide),
        Col("expected", "expected without it", lambda value: NONE if value is None else f"{value:.1f}", True),
        Col("hazard_ratio", "times as often", ratio, True),
        Col("interval", "95 % interval", str, True),
    ]
    return table("Leaving by time since the path", frame, columns)


def _days(since: float, until: float | None) -> str:
    return f"beyond {since:g}" if until is None else f"{since:g} to {until:g}"
