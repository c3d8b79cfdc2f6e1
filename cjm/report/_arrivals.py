"""Sections on what came in: sources and their quality, stitching, key figures, channels over time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl

from cjm.report._charts import COLOURS, Picture, panels
from cjm.report._section import Col, Section, Tables, counts, groups, has, shares, table, total
from cjm.report._text import (
    INTERVAL,
    clean,
    day,
    duration,
    interval,
    number,
    percent,
    plural,
    short,
    size,
    thing,
    words,
)

__all__ = ["key_figures", "moment", "quality", "rows_frame", "stitching", "timeline"]

_NAME = 60


def quality(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Say what the sources brought, and what was not used."""
    inputs = [dict(item) for item in run.get("inputs", [])]
    sources = tables["sources"] if has(tables, "sources") else None
    found = tables["quality"] if has(tables, "quality") else None
    if not inputs and sources is None and found is None:
        return None
    if sources is not None:
        brought = plural(sources.height, "source")
        rows, aside, doubled = (total(sources, name) for name in ("read", "set_aside", "duplicates"))
    else:
        brought = plural(len(inputs), "input")
        rows = sum(item.get("rows") or 0 for item in inputs)
        aside, doubled = (_rows_with(found, action) for action in ("set aside", "dropped duplicate"))
    title = f"{brought} brought {plural(rows, 'row')}; " if rows else "Of the rows that came in, "
    title += f"{number(aside) if aside else 'none'} {'was' if aside == 1 else 'were'} set aside"
    title += f" ({percent(aside / rows)} of the rows)" if rows and aside else ""
    title += f" and {number(doubled)} dropped as duplicates" if doubled else " and no duplicates were dropped"
    shown = []
    if inputs:
        columns = [
            Col("source", "source"),
            Col("path", "from", _file),
            counts("rows", "rows", bar=True),
            Col("bytes", "size", size, True),
            Col("modified", "last changed", moment),
        ]
        shown.append(table("What came in", rows_frame(inputs, [column.name for column in columns]), columns, open=True))
    if sources is not None:
        columns = [
            Col("source", "source"),
            counts("read", "rows read", bar=True),
            counts("kept", "kept"),
            counts("set_aside", "set aside"),
            counts("duplicates", "duplicates dropped"),
        ]
        shown.append(table("What became of the rows", sources, columns, open=True))
    text = []
    if found is not None:
        columns = [
            Col("source", "source"),
            Col("check", "finding"),
            counts("rows", "rows", bar=True),
            shares("share", "of its rows"),
            Col("example", "example"),
            Col("action", "what was done"),
        ]
        most = found.sort("rows", descending=True, maintain_order=True)
        shown.append(table("What was noticed in the rows", most, columns, open=True))
        top = most.row(0, named=True)
        text.append(
            f"The most frequent finding is “{short(top['check'], _NAME)}” in {short(top['source'], _NAME)}: "
            f"{plural(top['rows'], 'row')} ({percent(top['share'])} of that source), {short(top['action'], _NAME)}."
        )
    else:
        text.append("No check found anything to report in the rows.")
    return Section("quality", "What came in", f"{title}.", tuple(text), (), tuple(shown))


def _rows_with(found: pl.DataFrame | None, action: str) -> int:
    return 0 if found is None else total(found.filter(pl.col("action") == action), "rows")


def stitching(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Say how identifiers became persons."""
    if not has(tables, "identity_summary") and not has(tables, "conflicts"):
        return None
    hide = run.get("hide_below", 10)
    shown, text, title = [], [], ""
    if has(tables, "identity_summary"):
        summary = tables["identity_summary"]
        if run.get("events") and run.get("persons"):
            title = f"{plural(run['events'], 'event')} belong to {plural(run['persons'], 'person')} after stitching"
        else:
            top = summary.row(0, named=True)
            title = f"Stitching: {short(top['measure'], _NAME)} {number(top['count'])}"
        columns = [
            Col("measure", "measure", words),
            counts("count", "count"),
            shares("share", "share"),
            Col("meaning", "what it means"),
        ]
        shown.append(table("Stitching in figures", summary, columns, open=True))
    if has(tables, "conflicts"):
        by_rule = (
            tables["conflicts"]
            .group_by("rule", "kind", "decision")
            .agg(pl.len().alias("cases"), pl.col("persons").sum(), pl.col("events").sum())
            .sort(["cases", "rule", "kind", "decision"], descending=[True, False, False, False], nulls_last=True)
        )
        cases, rules = total(by_rule, "cases"), by_rule["rule"].n_unique()
        which = "a rule" if rules == 1 else f"one of {number(rules)} rules"
        said = f"{plural(cases, 'identifier')} met {which} that keeps persons apart"
        title = f"{title}; {said}" if title else said
        top = by_rule.row(0, named=True)
        text.append(
            f"The rule met most often is “{short(top['rule'], _NAME)}” ({number(top['cases'])} of {number(cases)}): "
            f"{short(top['decision'], 120)}."
        )
        columns = [
            Col("rule", "rule"),
            Col("kind", "kind of identifier"),
            counts("cases", "identifiers", bar=True),
            groups("persons", "persons", hide),
            counts("events", "events"),
            Col("decision", "decision"),
        ]
        shown.append(
            table("Where rules kept persons apart (a person may be counted in several cases)", by_rule, columns)
        )
    return Section("stitching", "Stitching", f"{title}.", tuple(text), (), tuple(shown))


def key_figures(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """List the key figures, each with what it is a share of."""
    if not has(tables, "kpis"):
        return None
    frame = tables["kpis"]
    units = frame["unit"].to_list() if "unit" in frame.columns else [None] * frame.height
    rates = {index for index, unit in enumerate(units) if _is_share(unit)}
    shown = frame.with_columns(
        pl.Series(
            "value", [_figure(value, unit) for value, unit in zip(frame["value"], units, strict=True)], pl.String
        ),
        pl.Series(
            "interval",
            [
                "–"
                if low is None or high is None
                else interval(low, high).removeprefix(INTERVAL)
                if index in rates
                else f"{number(low)} to {number(high)}"
                for index, (low, high) in enumerate(zip(_column(frame, "low"), _column(frame, "high"), strict=True))
            ],
            pl.String,
        ),
    )
    first = shown.row(min(rates, default=0), named=True)
    raw = frame.row(min(rates, default=0), named=True)
    title = f"{words(first['kpi'])}: {first['value']}"
    if rates and raw.get("denominator"):
        said = interval(raw.get("low"), raw.get("high"))
        title += f" ({number(raw['numerator'])} of {number(raw['denominator'])}{f'; {said}' if said else ''})"
    columns = [
        Col("kpi", "key figure", words),
        Col("value", "value", str, True),
        counts("numerator", "counted"),
        counts("denominator", "of"),
        Col("interval", "95 % interval", str, True),
    ]
    return Section("kpis", "Key figures", f"{title}.", (), (), (table("Key figures", shown, columns, open=True),))


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
    top_name, top_events = by_channel.row(0)
    peak = by_period.sort(["events", "period"], descending=[True, False]).row(0)
    share = percent(top_events / whole if whole else None)
    title = f"Of {plural(whole, 'event')}, {short(top_name, _NAME)} carried {number(top_events)} ({share})"
    if by_period.height > 1:
        title += f"; the busiest {unit} began on {day(peak[0])} with {plural(peak[1], 'event')}"
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
        Col("period", f"{unit} from", day),
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


def rows_frame(rows: list[dict[str, Any]], names: list[str]) -> pl.DataFrame:
    """Build the frame of the columns that the rows have; a column with mixed types becomes text."""
    known = [name for name in names if any(row.get(name) is not None for row in rows)]
    return pl.DataFrame([pl.Series(name, [row.get(name) for row in rows], strict=False) for name in known])


def _column(frame: pl.DataFrame, name: str) -> list[Any]:
    return frame[name].to_list() if name in frame.columns else [None] * frame.height


def _is_share(unit: Any) -> bool:
    return str(unit).lower() in {"share", "rate", "%", "percent", "proportion", "fraction"}


def _figure(value: Any, unit: Any) -> str:
    if _is_share(unit):
        return percent(value)
    if isinstance(value, timedelta) or str(unit).lower() in {"day", "days"}:
        return duration(value)
    seconds = {"seconds": 1, "s": 1, "minutes": 60, "min": 60, "hours": 3600, "h": 3600}.get(str(unit).lower())
    if seconds and value is not None:
        return duration(timedelta(seconds=value * seconds))
    return thing(value)


def moment(value: Any, *, hour: bool = True) -> str:
    """Return a time given as text or as a datetime, without fractions of a second, or only its day."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return short(value, 40)
    return day(value, hour=hour)


def _file(path: Any) -> str:
    """Return the name of a file without its folders: where it lies is nobody's business who reads the page."""
    return short(re.split(r"[\\/]", str(path))[-1], 80)
