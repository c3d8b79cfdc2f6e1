"""The section on the channels over time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from cjm.plot._axes import period_name
from cjm.plot._svg import COLOURS
from cjm.plot._timeline import Curve, Panel, draw_panels, is_in_panel, largest, local, points_of
from cjm.plot._words import known_as
from cjm.report._charts import Picture
from cjm.report._section import Col, Section, Tables, blank_small, counts, groups, has, shares, table, total
from cjm.report._text import data_start, day, not_before, number, percent, plural, short

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
    unit = period_name([local(when) for when in by_period["period"]])
    start = data_start(run)
    top_name, top_events = by_channel.row(0)
    peak = by_period.sort(["events", "period"], descending=[True, False]).row(0)
    share = percent(top_events / whole if whole else None)
    title = f"Of {plural(whole, 'event')}, {short(top_name, _NAME)} carried {number(top_events)} ({share})"
    if by_period.height > 1:
        since = not_before(peak[0], start)
        began = f"began on {day(since)}" if since is peak[0] else f"was the first, from {day(since)},"
        title += f"; the busiest {unit} {began} with {plural(peak[1], 'event')}"
    shown = largest(frame, "channel", len(COLOURS))
    periods = sorted({local(when) for when in by_period["period"]})
    panels = [
        _panel(frame, name, shown, colour, periods, whole, hide) for name, colour in zip(shown, COLOURS, strict=False)
    ]
    picture = Picture(
        lambda width: draw_panels(panels, width).bare(),
        f"Events and persons a {unit} for {plural(len(shown), 'channel')}, one panel each.",
        f"Events (filled) and persons (dashed) a {unit}, each channel on its own scale from zero. "
        f"Gaps: fewer than {hide} persons. The first and the last {unit} may be cut by the period of the data.",
    )
    cells = frame.sort(["period", "events", "channel"], descending=[True, True, False])
    cells = blank_small(cells, "persons", hide, ["events"]) if "persons" in cells.columns else cells
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


def _panel(
    frame: pl.DataFrame, name: str, shown: list[str], colour: str, periods: list[datetime], whole: int, hide: int
) -> Panel:
    """Return the lines of a channel; persons of several channels together are not known."""
    one = frame.filter(is_in_panel("channel", name, shown))
    events = total(one, "events")
    counted = "persons" in frame.columns
    one = blank_small(one, "persons", hide, ["events", "persons"]) if counted else one
    curves = [Curve("events", points_of(one, "events", periods), colour, filled=True)]
    if one["channel"].n_unique() == 1 and counted:
        curves.append(Curve("persons", points_of(one, "persons", periods), colour, dashed=True))
    return Panel(known_as(name), f"{plural(events, 'event')} ({percent(events / whole if whole else None)})", curves)
