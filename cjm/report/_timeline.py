"""The section on the channels over time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl

from cjm.report._charts import COLOURS, Picture, panels
from cjm.report._section import Col, Section, Tables, counts, groups, has, shares, table, total
from cjm.report._text import clean, data_start, day, not_before, number, percent, plural, short

__all__ = ["timeline"]

_NAME = 60


def timeline(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Draw the channels over time."""
    if not has(tables, "timeline"):
        return None
    hide = run.get("hide_below", 10)
    frame = (
        tables["timeline"].with_columns(pl.col("channel").cast(pl.String).fill_null("(none)")).sort("period", "channel")
    )
    by_channel = (
        frame.group_by("channel").agg(pl.col("events").sum()).sort(["events", "channel"], descending=[True, False])
    )
    by_period = frame.group_by("period").agg(pl.col("events").sum()).sort("period")
    whole = total(by_channel, "events")
    unit = _unit(by_period["period"].to_list())
    start = data_start(run)
    top_name, top_events = by_channel.row(0)
    peak = by_period.sort(["events", "period"], descending=[True, False]).row(0)
    share = percent(top_events / whole if whole else None)
    title = f"Of {plural(whole, 'event')}, {short(top_name, _NAME)} carried {number(top_events)} ({share})"
    if by_period.height > 1:
        since = not_before(peak[0], start)
        began = f"began on {day(since)}" if since is peak[0] else f"was the first, from {day(since)},"
        title += f"; the busiest {unit} {began} with {plural(peak[1], 'event')}"
    names = by_channel["channel"].to_list()
    shown = names if len(names) <= 8 else [*names[:7], "(other)"]
    folded = (
        frame.with_columns(
            pl.when(pl.col("channel").is_in(shown)).then("channel").otherwise(pl.lit("(other)")).alias("channel")
        )
        .group_by("period", "channel")
        .agg(pl.col("events").sum())
    )
    # A period in which a channel is silent is a zero, not a gap that the line jumps over.
    grid = by_period.select("period").join(pl.DataFrame({"channel": shown}), how="cross")
    points = grid.join(folded, on=["period", "channel"], how="left", maintain_order="left").with_columns(
        pl.col("events").fill_null(0)
    )
    areas = []
    for name in shown:
        one = points.filter(pl.col("channel") == name)
        events = total(one, "events")
        rows = [{"x": _iso(when), "y": count} for when, count in one.select("period", "events").iter_rows()]
        areas.append((clean(name), f"{plural(events, 'event')} ({percent(events / whole if whole else None)})", rows))
    picture = Picture(
        panels(areas, COLOURS[: len(areas)], key="timeline"),
        f"Events a {unit} for {plural(len(shown), 'channel')}, one panel each.",
        f"Events a {unit}, each channel on its own scale from zero. "
        f"The first and the last {unit} may be cut by the period of the data.",
    )
    cells = frame.sort(["period", "events", "channel"], descending=[True, True, False])
    columns = [
        Col("period", f"{unit} from", lambda period: day(not_before(period, start))),
        Col("channel", "channel"),
        counts("events", "events", bar=True),
        groups("persons", "persons", hide),
    ]
    totals = by_channel.with_columns(share=pl.col("events") / max(whole, 1))
    total_columns = [Col("channel", "channel"), counts("events", "events", bar=True), shares("share", "share")]
    return Section(
        "timeline",
        "Channels over time",
        f"{title}.",
        (),
        (picture,),
        (
            table("Channels in all", totals, total_columns, open=True),
            table(f"Channels by {unit}, latest first", cells, columns),
        ),
    )


def _unit(periods: list[datetime]) -> str:
    """Name the distance of the periods; a single period is a period."""
    if len(periods) < 2:
        return "period"
    least = min(later - earlier for earlier, later in pairwise(periods))
    for name, longest in (
        ("hour", timedelta(hours=2)),
        ("day", timedelta(days=2)),
        ("week", timedelta(days=8)),
        ("month", timedelta(days=32)),
    ):
        if least < longest:
            return name
    return "period"


def _iso(when: datetime) -> str:
    return when.replace(tzinfo=None).isoformat() + "Z"
