"""Sections on leaving: patterns that come before it, and what those who left and those who stayed had in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from cjm.report._charts import Picture, forest
from cjm.report._section import Col, Section, Tables, counts, groups, has, shares, table
from cjm.report._text import (
    INTERVAL,
    number,
    p_value,
    part,
    path,
    pattern_words,
    percent,
    persons,
    plural,
    ratio,
    ratio_digits,
    ratio_interval,
    short,
)

__all__ = ["contrast", "hazards"]

_NAME = 60
_DRAWN = 12
_SURE = 0.05


def hazards(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Show patterns before leaving, with hazard ratios and intervals."""
    if not has(tables, "hazards"):
        return None
    hide = run.get("hide_below", 10)
    frame = tables["hazards"].with_columns(pl.col("term").cast(pl.String))
    names = _pattern_names(tables)
    frame = frame.with_columns(
        shown=pl.col("term").replace_strict(names, default=pl.col("term"), return_dtype=pl.String),
        is_pattern=pl.col("term").is_in(list(names)),
        usable=pl.all_horizontal(
            pl.col("hazard_ratio", "lower", "upper").is_finite().fill_null(False) & (pl.col("hazard_ratio") > 0)
        )
        & (pl.col("lower") > 0),
    ).sort([pl.col("z").abs(), "term"], descending=[True, False], nulls_last=True)
    drawn = frame.filter(pl.col("usable"))
    clear = drawn.filter((pl.col("lower") > 1) | (pl.col("upper") < 1))
    if "q" in frame.columns:
        clear = clear.filter(pl.col("q").fill_null(0) < _SURE)
    # A pattern is what the page is about; a covariate leads only where no pattern stands out.
    lead = clear.sort("is_pattern", descending=True, maintain_order=True)
    title = (
        hazard_sentence(lead.row(0, named=True))
        if lead.height
        else (
            f"None of {plural(frame.height, 'pattern or covariate', 'patterns and covariates')} "
            "clearly told apart those who left from those who stayed"
        )
    )
    text = []
    if lead.height:
        top = lead.row(0, named=True)
        text.append(
            f"{persons(top['exposed'], hide)} persons were seen after it, {persons(top['events'], hide)} of them left. "
            f"In all, {number(clear.height)} of {plural(frame.height, 'term')} stand clear of 1 "
            "after adjusting for how many were tried (q below 0.05)."
        )
    text.append(
        "“2 times as often” compares persons who had the pattern behind them with others at risk at the same point "
        "who had not. It says what came before leaving, not why anybody left."
    )
    picture = _forest(drawn.head(_DRAWN).sort("hazard_ratio", descending=True), drawn.height)
    columns = [
        Col("shown", "pattern or covariate", pattern_words),
        Col("hazard_ratio", "times as often", ratio, True),
        Col("lower", "95 % low", ratio, True),
        Col("upper", "95 % high", ratio, True),
        Col("p", "p", p_value, True),
        Col("q", "q", p_value, True),
        Col("tested_on", "measured on"),
        groups("exposed", "persons with it", hide),
        groups("events", "of them left", hide),
    ]
    shown = [table("Hazard ratios of leaving", frame, columns)]
    after: tuple[str, ...] = ()
    if has(tables, "dilution"):
        dilution = tables["dilution"].with_columns(
            shown=pl.col("term")
            .cast(pl.String)
            .replace_strict(names, default=pl.col("term").cast(pl.String), return_dtype=pl.String)
        )
        if "sentence" in dilution.columns:
            after = tuple(short(said, 500) for said in dilution["sentence"].drop_nulls().head(5))
        columns = [
            Col("shown", "pattern", pattern_words),
            Col("hazard_ratio", "as seen", ratio, True),
            groups("exposed", "persons with it", hide),
            groups("hidden_max", "at most hidden", hide),
            Col("hazard_ratio_corrected", "if all of them were customers without it", ratio, True),
        ]
        shown.append(table("How much could steps that were never linked to a customer hide?", dilution, columns))
    return Section("patterns", "Patterns before leaving", f"{title}.", tuple(text), picture, tuple(shown), after)


def hazard_sentence(row: Mapping[str, Any]) -> str:
    """Say one hazard ratio in words, with its interval."""
    digits = ratio_digits(row["lower"])
    bounds = ratio_interval(row["lower"], row["upper"], digits)
    said = f"left {ratio(row['hazard_ratio'], digits)} times as often ({INTERVAL}{bounds})"
    name = pattern_words(row["shown"], 140)
    return f"Customers who did {name} {said}" if row["is_pattern"] else f"Per unit of {name}, customers {said}"


def _pattern_names(tables: Tables) -> dict[str, str]:
    if not has(tables, "hazards_patterns"):
        return {}
    return dict(tables["hazards_patterns"].select(pl.col("term", "pattern").cast(pl.String)).drop_nulls().iter_rows())


def _forest(drawn: pl.DataFrame, total: int) -> tuple[Picture, ...]:
    if not drawn.height:
        return ()
    rows = []
    for row in drawn.iter_rows(named=True):
        digits = ratio_digits(row["lower"])
        rows.append(
            {
                "name": pattern_words(row["shown"], 90),
                "value": row["hazard_ratio"],
                "low": max(row["lower"], 0.01),
                "high": min(row["upper"], 100.0),
                "tone": _tone(row["lower"], row["upper"], 1, row.get("q")),
                "text": f"{ratio(row['hazard_ratio'], digits)} ({ratio_interval(row['lower'], row['upper'], digits)})",
            }
        )
    caption = "Times as often as without it, with 95 % intervals, on a log scale. "
    caption += "Grey where not clear (interval around 1, or q of 0.05 or more)."
    caption += f" The {len(rows)} of {total} that stand out most." if total > len(rows) else ""
    draw = forest(rows, rule=1, log=True, key="hazards", axis="left … times as often")
    return (
        Picture(
            draw,
            f"Points with intervals for {plural(len(rows), 'pattern or covariate', 'patterns and covariates')}.",
            caption,
        ),
    )


def _tone(low: float, high: float, rule: float, q: float | None) -> str:
    """Say on which side of the rule an interval lies, if it does so after adjusting for how many were tried."""
    if q is not None and not q < _SURE:
        return "open"
    return "more" if low > rule else "less" if high < rule else "open"


def contrast(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Show sequences by their share among those who left and those who stayed."""
    if not has(tables, "contrast"):
        return None
    hide = run.get("hide_below", 10)
    frame = tables["contrast"]
    key = "q" if "q" in frame.columns else "p"
    frame = frame.sort(
        [key, pl.col("difference").abs()], descending=[False, True], nulls_last=True, maintain_order=True
    )
    clear = frame.filter((pl.col(key) < _SURE) & ((pl.col("lower") > 0) | (pl.col("upper") < 0)))
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
        f"{number(clear.height)} of {plural(frame.height, 'sequence')} differ at {key} below 0.05"
        + (", adjusted for how many were tried." if key == "q" else "."),
    )
    drawn = (
        frame.drop_nulls(["difference", "lower", "upper"])
        .head(_DRAWN)
        .sort("difference", descending=True, maintain_order=True)
    )
    rows = [
        {
            "name": path(row["pattern"], 90),
            "value": 100 * row["difference"],
            "low": 100 * row["lower"],
            "high": 100 * row["upper"],
            "tone": _tone(row["lower"], row["upper"], 0, row[key]),
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
    columns = [
        Col("pattern", "sequence", path),
        groups("n_true", "left, with it", hide),
        counts("of_true", "left"),
        shares("rate_true", "share"),
        groups("n_false", "stayed, with it", hide),
        counts("of_false", "stayed"),
        shares("rate_false", "share"),
        shares("difference", "difference"),
        shares("lower", "95 % low"),
        shares("upper", "95 % high"),
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
