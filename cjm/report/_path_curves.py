"""The section on those with and without a path, followed from a landmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from cjm.plot._survival import draw_curves
from cjm.report._charts import Picture
from cjm.report._names import named, pattern_names
from cjm.report._section import Col, Section, Tables, groups, has, table
from cjm.report._survival import ends_where, floor_of, least, round_days, state_at
from cjm.report._text import bounds, p_compared, p_value, pattern_words, percent

__all__ = ["path_curves"]

_WITH, _WITHOUT = "with it", "without it"


def path_curves(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Draw curves of those who had done a path by the landmark and of those who had not."""
    if not all(has(tables, name) for name in ("path_curves", "path_tests")):
        return None
    hide = run.get("hide_below", 10)
    frame = (
        tables["path_curves"]
        .with_columns(pl.col("term").cast(pl.String), pl.col("lower", "upper").fill_nan(None))
        .with_columns(pl.when("completed").then(pl.lit(_WITH)).otherwise(pl.lit(_WITHOUT)).alias("group"))
        .sort("term", "group", "time")
        .with_columns(least=least(hide, "term"))
    )
    seen = frame.filter(pl.col("at_risk") >= pl.col("least"))
    both = seen.group_by("term").agg(pl.col("group").n_unique()).filter(pl.col("group") == 2)["term"]
    tests = tables["path_tests"].with_columns(pl.col("term").cast(pl.String))
    tests = tests.with_columns(shown=named(pattern_names(tables))).filter(pl.col("term").is_in(both.implode()))
    if not tests.height:
        few = f"Of every path too few had done it by the landmark (fewer than {hide}) to follow them."
        return Section("path_curves", "With and without the path", few, telling=False)
    said: list[str] = []
    pictures: list[Picture] = []
    rows: list[dict[str, Any]] = []
    for test in tests.iter_rows(named=True):
        ours = seen.filter(pl.col("term") == test["term"])
        until = round_days(test["landmark"], min(ours.group_by("group").agg(pl.col("time").max())["time"].to_list()))
        states = {group: state_at(ours, group, until[-1]) for group in (_WITH, _WITHOUT)}
        said.append(_said(test, states, until[-1], first=not said))
        pictures.append(_picture(ours, test, hide, first=not pictures, several=tests.height > 1))
        rows += [_row(test, group, ours, states[group], until[-1]) for group in (_WITH, _WITHOUT)]
    columns = [
        Col("shown", "pattern", pattern_words),
        Col("group", "by the landmark"),
        groups("persons", "persons then", hide),
        Col("day", "still customers on day", lambda value: f"{value:g}", True),
        Col("stayed", "share", percent, True),
        Col("interval", "95 % interval", str, True, look="w"),
        Col("p", "p", p_value, True),
    ]
    text = (
        *said[1:],
        "Only customers still there on that day are compared, by what they had done until then: of all, those who "
        "stay longer have more time for a path, which would make any path look good.",
    )
    shown = table("Those with and without each path", pl.DataFrame(rows, infer_schema_length=None), columns)
    return Section("path_curves", "With and without the path", said[0], text, tuple(pictures), (shown,))


def _said(test: Mapping[str, Any], states: Mapping[str, dict[str, Any]], until: float, *, first: bool) -> str:
    day = f"{test['landmark']:g}"
    there = f"customers still there on day {day}" if first else "these customers"
    with_it, without = (percent(states[group]["survival"]) for group in (_WITH, _WITHOUT))
    name = pattern_words(test["shown"], 140)
    return (
        f"Of {there}, {with_it} of those who had done {name} by then still were on day {until:g}, "
        f"and {without} of those who had not."
    )


def _picture(ours: pl.DataFrame, test: Mapping[str, Any], hide: int, *, first: bool, several: bool) -> Picture:
    parts = [ours.filter(pl.col("group") == group) for group in (_WITHOUT, _WITH)]
    low = floor_of(ours)
    caption = [f"{pattern_words(test['shown'], 140)}."] if several else []
    if first:
        caption.append(
            "Share still customers by days since the start, and below it how many were at risk. Kaplan-Meier curves "
            f"with 95 % bands from a landmark, day {test['landmark']:g}: who completes the path later stays where they "
            f"are. {ends_where(hide)}"
        )
    if test["p"] is not None:
        caption.append(f"Log-rank test of both: {p_compared(test['p'])}.")
    if low > 0:
        caption.append(f"The vertical axis starts at {percent(low)}.")
    return Picture(
        lambda width: draw_curves(parts, [_WITHOUT, _WITH], width, low, test["landmark"]).bare(),
        "Falling step curves of those with and without the path.",
        " ".join(caption),
    )


def _row(
    test: Mapping[str, Any], group: str, ours: pl.DataFrame, state: Mapping[str, Any], until: float
) -> dict[str, Any]:
    return {
        "shown": test["shown"],
        "group": group,
        "persons": ours.filter(pl.col("group") == group)["at_risk"].max(),
        "day": until,
        "stayed": state["survival"],
        "interval": bounds(state["lower"], state["upper"]),
        "p": test["p"] if group == _WITH else None,
    }
