"""The section on what those who left and those who stayed had in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from cjm.report._charts import Picture, forest, tone
from cjm.report._section import (
    Col,
    Section,
    Tables,
    blank_small,
    groups,
    has,
    shares,
    small,
    table,
    with_bounds,
)
from cjm.report._text import capital, number, p_value, part, path, percent, persons, plural

__all__ = ["contrast"]

_DRAWN = 12
_SURE = 0.05


def contrast(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Show sequences by their share among those who left and those who stayed."""
    if not has(tables, "contrast"):
        return None
    hide = run.get("hide_below", 10)
    frame = tables["contrast"]
    left, stayed = frame.select(pl.max("of_true", "of_false")).row(0)
    if min(left, stayed) < hide:
        title = f"{capital(persons(left, hide))} who left and {persons(stayed, hide)} who stayed are too few to compare"
        return Section("contrast", "Who left, who stayed", f"{title}.", telling=False)
    key = "q" if "q" in frame.columns else "p"
    frame = frame.sort(
        [key, pl.col("difference").abs()], descending=[False, True], nulls_last=True, maintain_order=True
    )
    # A handful on one side is neither shown nor called clear: the figures would give its size away.
    seen = frame.filter(~small("n_true", hide) & ~small("n_false", hide))
    clear = seen.filter((pl.col(key) < _SURE) & ((pl.col("lower") > 0) | (pl.col("upper") < 0)))
    if clear.height:
        top = clear.row(0, named=True)
        title = (
            f"{path(top['pattern'], 140)} was seen among "
            f"{part(top['n_true'], top['of_true'], 'customers who left', hide)} and "
            f"{part(top['n_false'], top['of_false'], 'customers who stayed', hide)}"
        )
    else:
        title = f"None of {plural(frame.height, 'sequence')} was clearly more or less frequent among those who left"
    text = (
        f"Compared are {number(left)} who left and {number(stayed)} who stayed. "
        f"{number(clear.height)} of {plural(frame.height, 'sequence')} "
        f"{'differs' if clear.height == 1 else 'differ'} at {key} below 0.05"
        + (", adjusted for how many were tried." if key == "q" else "."),
    )
    drawn = (
        seen.drop_nulls(["difference", "lower", "upper"])
        .head(_DRAWN)
        .sort("difference", descending=True, maintain_order=True)
    )
    rows = [
        {
            "name": path(row["pattern"], 90),
            "value": 100 * row["difference"],
            "low": 100 * row["lower"],
            "high": 100 * row["upper"],
            "tone": tone(row["lower"], row["upper"], 0, row[key]),
            "text": f"{percent(row['rate_true'])} v {percent(row['rate_false'])}",
        }
        for row in drawn.iter_rows(named=True)
    ]
    draw = forest(rows, rule=0, log=False, key="contrast", axis="percentage points more often among those who left")
    caption = (
        "Share among those who left, less the share among those who stayed, with 95 % intervals; beside it both. "
        f"Grey where not clear (interval around 0, or {key} of 0.05 or more)."
    )
    picture = (Picture(draw, f"Points with intervals for {plural(len(rows), 'sequence')}.", caption),) if rows else ()
    caption += f" Sequences of fewer than {hide} on either side are left out." if seen.height < frame.height else ""
    for count, share in (("n_true", "rate_true"), ("n_false", "rate_false")):
        frame = blank_small(frame, count, hide, [share, "difference", "lower", "upper", "q"])
    frame = with_bounds(frame, "lower", "upper")
    columns = [
        Col("pattern", "sequence", path),
        groups("n_true", "left, with it", hide),
        shares("rate_true", "share"),
        groups("n_false", "stayed, with it", hide),
        shares("rate_false", "share"),
        shares("difference", "difference"),
        Col("interval", "95 % interval", str, True, look="w"),
        Col("q", "q", p_value, True),
    ]
    return Section(
        "contrast",
        "Who left, who stayed",
        f"{title}.",
        text,
        picture,
        (table("Sequences among those who left and stayed", frame, columns),),
    )
