"""Sections on what came in: sources and their quality, stitching."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from cjm.report._section import (
    Col,
    Section,
    Table,
    Tables,
    blank_small,
    counts,
    groups,
    has,
    shares,
    small,
    table,
    total,
)
from cjm.report._text import (
    day,
    number,
    percent,
    persons,
    plural,
    short,
    size,
    time_of,
    words,
)

__all__ = ["moment", "quality", "rows_frame", "stitching"]

_NAME = 60
_MEASURES = {
    "events_own": "Known customer on the event",
    "events_link": "Given to the customer by linked identifiers",
    "events_live": "Given to the customer seen before on the device or cookie",
    "events_replay": "Given to the customer seen later on the device or cookie",
    "events_anonymous": "Left anonymous",
    "events_shared": "Left anonymous: too many customers on the device or cookie",
    "events_erased": "Left anonymous: the customer was erased",
    "events_unidentified": "Left out: no identifier",
    "events_never_known": "On a device or cookie that no customer was ever seen on",
    "events_known_before": "Customer known without stitching",
    "events_known_after": "Customer known with stitching",
    "events_known_later": "Customer not known yet when it happened",
    "events_before_registration": "Before the first event under the customer's own identifier",
}
_LEFT_OUT = ("events_link", "events_erased", "events_unidentified")


def quality(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Say what the sources brought, and what was not used."""
    inputs = [dict(item) for item in run.get("inputs", [])]
    sources = tables["sources"] if has(tables, "sources") else None
    found = tables.get("quality")
    if not inputs and sources is None and not has(tables, "quality"):
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
    if found is not None and found.height:
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
    elif found is not None:
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
        summary = tables["identity_summary"].filter(
            ~(pl.col("measure").is_in(_LEFT_OUT) & (pl.col("count") == 0)).fill_null(False)
        )
        if run.get("events") and run.get("persons"):
            title = f"{plural(run['events'], 'event')} belong to {plural(run['persons'], 'person')} after stitching"
        else:
            top = summary.row(0, named=True)
            title = f"Stitching: {short(top['measure'], _NAME)} {number(top['count'])}"
        columns = [
            Col("measure", "measure", _measure),
            Col("count", "count", str, True),
            shares("share", "share"),
            Col("meaning", "what it means"),
        ]
        shown.append(table("Stitching in figures", _without_few(summary, hide), columns, open=True))
        if has(tables, "identity_sizes"):
            shown.append(_sizes(tables["identity_sizes"], hide))
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
            f"The rule met most often is “{words(top['rule'])}” ({number(top['cases'])} of {number(cases)}): "
            f"{short(top['decision'], 120)}."
        )
        columns = [
            Col("rule", "rule", words),
            Col("kind", "kind of identifier"),
            counts("cases", "identifiers", bar=True),
            groups("persons", "persons", hide),
            counts("events", "events"),
            Col("decision", "decision"),
        ]
        shown.append(
            table(
                "Where rules kept persons apart (a person may be counted in several cases)",
                blank_small(by_rule, "persons", hide, ["events"]),
                columns,
            )
        )
    return Section("stitching", "Stitching", f"{title}.", tuple(text), (), tuple(shown))


def _without_few(summary: pl.DataFrame, hide: int) -> pl.DataFrame:
    """Return the counts as text; where one of the two kinds of persons is a few, neither is told."""
    kinds = pl.col("measure").is_in(["persons_known", "persons_anonymous"])
    few = summary.filter(kinds & small("count", hide)).height > 0
    said = [
        persons(count, hide) if measure.startswith("persons") else number(count)
        for measure, count in summary.select("measure", "count").iter_rows()
    ]
    told = pl.when(~(kinds & few))
    return summary.with_columns(
        told.then(pl.Series("count", said, pl.String)).otherwise(pl.lit(f"fewer than {hide} of one kind")),
        told.then("share").alias("share"),
    )


def _sizes(sizes: pl.DataFrame, hide: int) -> Table:
    """Return a bar for each number of identifiers; bars of few persons are of one length, and their events hidden."""
    few = pl.col("persons").is_between(1, hide - 1)
    rows = sizes.sort("identifiers").select(
        "identifiers",
        persons=pl.when(few).then(hide - 1).otherwise("persons"),
        share=pl.when(~few).then(pl.col("events") / pl.col("events").sum()),
    )
    columns = [
        counts("identifiers", "identifiers"),
        Col("persons", "persons with so many", lambda count: persons(count, hide), True, True),
        shares("share", "of the events"),
    ]
    return table("How many identifiers persons have", rows, columns)


def _measure(name: Any) -> str:
    return _MEASURES.get(name) or words(name)


def rows_frame(rows: list[dict[str, Any]], names: list[str]) -> pl.DataFrame:
    """Build the frame of the columns that the rows have; a column with mixed types becomes text."""
    known = [name for name in names if any(row.get(name) is not None for row in rows)]
    return pl.DataFrame([pl.Series(name, [row.get(name) for row in rows], strict=False) for name in known])


def moment(value: Any, *, hour: bool = True) -> str:
    """Return a time given as text or as a datetime, without fractions of a second, or only its day."""
    when = time_of(value)
    return short(value, 40) if when is None and value is not None else day(when, hour=hour)


def _file(path: Any) -> str:
    """Return the name of a file without its folders: where it lies is nobody's business who reads the page."""
    return short(re.split(r"[\\/]", str(path))[-1], 80)
