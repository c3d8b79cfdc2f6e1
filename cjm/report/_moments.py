"""The section on the moments found: how often, among how many, in which weeks; never whose."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import polars as pl

from cjm.report._charts import Picture, small_bars
from cjm.report._decisions import decisions
from cjm.report._section import Col, Section, Tables, blank_small, counts, groups, has, spans, table
from cjm.report._text import (
    day,
    number,
    pattern_words,
    persons,
    plural,
    short,
)

__all__ = ["moments"]

_NAME = 60


def moments(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Count the moments found, in all and over time; never say whose they are."""
    if not has(tables, "moments"):
        return None
    hide = run.get("hide_below", 10)
    frame = tables["moments"].with_columns(pl.col("moment").cast(pl.String))
    ways = [pl.col(name).cast(pl.String).first().alias(name) for name in ("pattern", "action") if name in frame.columns]
    median = [pl.col("span").median().alias("span")] if "span" in frame.columns else []
    by_moment = (
        frame.group_by("moment", maintain_order=True)
        .agg(
            pl.len().alias("found"),
            pl.col("person").n_unique().alias("persons"),
            pl.col("end").max().alias("last"),
            *median,
            *ways,
        )
        .sort(["found", "moment"], descending=[True, False])
    )
    top = by_moment.row(0, named=True)
    everybody = frame["person"].n_unique()
    single = by_moment.height == 1
    which = short(top["moment"], _NAME) if single else plural(by_moment.height, "moment")
    found = f"{which} {'was' if single else 'were'} found"
    often = f" {_times(frame.height)}" if everybody >= hide else ""
    title = f"{found}{often} among {persons(everybody, hide)} persons"
    if not single and top["persons"] >= hide:
        title += f"; {short(top['moment'], _NAME)} most often, {_times(top['found'])}"
    # Over more than a year a week holds too few to be shown.
    reach = frame.select(pl.col("end").max() - pl.col("end").min()).item()
    unit, every = ("week", "1w") if reach <= timedelta(days=400) else ("month", "1mo")
    since = pl.col("end").dt.truncate(every)
    spans_found = (
        frame.group_by("moment", since.alias("since"), since.dt.offset_by(every).alias("until"))
        .agg(pl.len().alias("found"), pl.col("person").n_unique().alias("persons"))
        .sort("since")
    )
    panels = []
    for row in by_moment.head(8).iter_rows(named=True):
        found_then = spans_found.filter(pl.col("moment") == row["moment"]).iter_rows(named=True)
        figures = (
            f"{number(row['found'])} times, {number(row['persons'])} persons"
            if row["persons"] >= hide
            else f"{persons(row['persons'], hide)} persons"
        )
        panels.append((pattern_words(row["moment"], 90), figures, [_bar(item, hide) for item in found_then]))
    picture = Picture(
        small_bars(panels, key="moments"),
        f"Bars by {unit} for {plural(len(panels), 'moment')}.",
        f"Times found, by {unit} of completion, all on one scale. "
        f"A pale bar stands for fewer than {hide} persons, whatever its number."
        + (f" The 8 most frequent of {by_moment.height} moments." if by_moment.height > 8 else ""),
    )
    columns = [
        Col("moment", "moment"),
        Col("pattern", "pattern", pattern_words),
        counts("found", "times", bar=True),
        groups("persons", "persons", hide),
        spans("span", "half take up to"),
        Col("last", "last", day),
        Col("action", "action"),
    ]
    safe = blank_small(by_moment, "persons", hide, ["found", "span", "last"])
    decided, said = decisions(tables, hide)
    return Section(
        "moments",
        "Moments found",
        f"{title}.",
        (),
        (picture,),
        (table("The moments found", safe, columns), *decided),
        said,
    )


def _bar(item: Mapping[str, Any], hide: int) -> dict[str, Any]:
    start, end = (item[name].replace(tzinfo=None).isoformat() + "Z" for name in ("since", "until"))
    small = item["persons"] < hide
    return {"x": start, "x2": end, "y": hide if small else item["found"], "zero": 0, "small": small}


def _times(count: int) -> str:
    return "once" if count == 1 else f"{number(count)} times"
