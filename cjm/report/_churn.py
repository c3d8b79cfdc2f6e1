"""The section on patterns before leaving: how often, how soon after, and what unlinked identifiers may hide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from cjm.plot._hazards import draw_hazards
from cjm.report._charts import Picture
from cjm.report._names import named, pattern_names
from cjm.report._section import Col, Section, Table, Tables, blank_small, groups, has, small, spans, table
from cjm.report._silences import other_silences
from cjm.report._text import (
    INTERVAL,
    NONE,
    capital,
    duration,
    number,
    p_value,
    pattern_words,
    persons,
    plural,
    ratio,
    ratio_digits,
    ratio_interval,
    roughly,
)

__all__ = ["hazards"]

_DRAWN = 12
_SURE = 0.05
_LEAST_EVENTS = 5
_SAID = 3
_SCREENED = 25


def hazards(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Show patterns before leaving, with hazard ratios and intervals."""
    if not has(tables, "hazards"):
        return None
    hide = run.get("hide_below", 10)
    names = pattern_names(tables)
    frame = _terms(tables["hazards"], names, hide)
    enough = frame.filter(pl.col("usable") & ~pl.col("few"))
    patterns = frame.filter("is_pattern")
    clear = enough.filter(pl.col("is_pattern") & ((pl.col("lower") > 1) | (pl.col("upper") < 1)))
    if "q" in frame.columns:
        clear = clear.filter(pl.col("q").fill_null(0) < _SURE)
    text = []
    if clear.height:
        lead = clear.row(0, named=True)
        title = f"Customers who did {pattern_words(lead['shown'], 140)} left {_times_as_often(lead)}"
        after = f"{persons(lead['exposed'], hide)} persons were seen after it"
        text.append(f"{after}, {persons(lead['events'], hide)} of them left.{_how_soon(tables, lead['term'], run)}")
        if patterns.height > 1:
            stand = "stands" if clear.height == 1 else "stand"
            text.append(
                f"In all, {number(clear.height)} of {plural(patterns.height, 'pattern')} {stand} clear of 1 "
                "after adjusting for how many were tried (q below 0.05)."
            )
    elif patterns.height:
        if patterns.height == 1:
            title = "The one path tried did not clearly tell apart those who left from those who stayed"
        else:
            title = f"None of {number(patterns.height)} paths clearly told apart those who left from those who stayed"
        nearest = enough.filter("is_pattern")
        if nearest.height:
            row = nearest.row(0, named=True)
            text.append(f"Nearest came {pattern_words(row['shown'], 140)}: who did it left {_times_as_often(row)}.")
    else:
        title = f"No path was tried, only {plural(frame.height, 'covariate')}"
    text.append(
        "“2 times as often” compares persons who had the pattern behind them with others at risk at the same point "
        "who had not. It says what came before leaving, not why anybody left."
    )
    leading = pl.concat([clear, enough.filter("is_pattern")])
    said, silences = other_silences(tables, names, leading["term"].to_list(), hide, _LEAST_EVENTS)
    text += said
    mixed = patterns.height < frame.height
    drawn = enough.head(_DRAWN).sort("hazard_ratio", descending=True)
    picture = _forest(drawn, enough.height, hide, mixed=mixed, silence=bool(run.get("gap_days")))
    scenarios, hidden = _hidden(tables, frame, hide)
    lists = [*_screen_table(tables, hide), *_soon_table(tables, names, hide), *silences, *hidden]
    shown = [_table(frame, hide, mixed=mixed), *lists]
    return Section("patterns", "Patterns before leaving", f"{title}.", tuple(text), picture, tuple(shown), scenarios)


def _terms(given: pl.DataFrame, names: Mapping[str, str], hide: int) -> pl.DataFrame:
    """Add what a term is and whether enough persons stand behind it; what stands out most comes first."""
    frame = given.with_columns(pl.col("term").cast(pl.String)).with_columns(
        shown=named(names),
        is_pattern=pl.col("term").is_in(list(names)),
        usable=pl.all_horizontal(
            pl.col("hazard_ratio", "lower", "upper").is_finite().fill_null(False) & (pl.col("hazard_ratio") > 0)
        )
        & (pl.col("lower") > 0),
        few=((pl.col("exposed") < hide) | (pl.col("events") < _LEAST_EVENTS)).fill_null(False),
    )
    return frame.sort([pl.col("z").abs(), "term"], descending=[True, False], nulls_last=True)


def _times_as_often(row: Mapping[str, Any]) -> str:
    digits = ratio_digits(row["lower"])
    bounds = ratio_interval(row["lower"], row["upper"], digits)
    return f"{ratio(row['hazard_ratio'], digits)} times as often ({INTERVAL}{bounds})"


def _forest(drawn: pl.DataFrame, total: int, hide: int, *, mixed: bool, silence: bool) -> tuple[Picture, ...]:
    if not drawn.height:
        return ()
    sure = (pl.col("lower") > 1) | (pl.col("upper") < 1)
    if "q" in drawn.columns:
        sure &= pl.col("q").fill_null(0) < _SURE
    rows = drawn.with_columns(
        pl.Series("term", [pattern_words(name, 90) for name in drawn["shown"]], pl.String),
        *(pl.when(~small(name, hide)).then(name).alias(name) for name in ("exposed", "events")),
        sure=sure,
    ).to_dicts()
    caption = "How many times as often churn comes with it as without it at the same time, and a 95 % interval, on a "
    caption += "logarithmic axis; persons who had it, and how many of them left after it. "
    caption += "Grey where not clear (interval around 1, or q of 0.05 or more). "
    caption += (
        "Hazard ratios of the chance that an event is the last before the silence, among events with the same number."
        if silence
        else "Hazard ratios of a proportional hazards model in which a path counts from its completion on."
    )
    if mixed:
        caption += " Covariates: yes against no, a level against the level left out, a number per unit."
    caption += f" The {len(rows)} of {total} that stand out most." if total > len(rows) else ""
    kinds = ("pattern or covariate", "patterns and covariates") if mixed else ("pattern", "patterns")
    return (
        Picture(
            lambda width: draw_hazards(rows, width).bare(),
            f"Points with intervals for {plural(len(rows), *kinds)}.",
            caption,
        ),
    )


def _table(frame: pl.DataFrame, hide: int, *, mixed: bool) -> Table:
    """List all terms; figures that stand on too few persons are not shown."""
    said = [
        "too few" if few else ratio_interval(low, high, ratio_digits(low))
        for few, low, high in frame.select("few", "lower", "upper").iter_rows()
    ]
    measured = [name for name in ("hazard_ratio", "p", "q") if name in frame.columns]
    safe = frame.with_columns(
        pl.Series("interval", said, pl.String),
        *(pl.when("few").then(None).otherwise(pl.col(name)).alias(name) for name in measured),
    )
    columns = [
        Col("shown", "pattern or covariate" if mixed else "pattern", pattern_words),
        Col("hazard_ratio", "times as often", ratio, True),
        Col("interval", "95 % interval", str, True),
        Col("p", "p", p_value, True),
        Col("q", "q", p_value, True),
        *([Col("tested_on", "measured on")] if _parted(frame) else []),
        groups("exposed", "persons with it", hide),
        groups("events", "of them left", hide),
    ]
    caption = "Hazard ratios of leaving"
    if frame["few"].any():
        caption += f" (too few: fewer than {hide} persons with it, or fewer than {_LEAST_EVENTS} of them left)"
    return table(caption, safe, columns)


def _parted(frame: pl.DataFrame) -> bool:
    """Say whether some terms were measured on a part of the persons only."""
    return "tested_on" in frame.columns and bool((frame["tested_on"] != "everyone").any())


def _how_soon(tables: Tables, term: str, run: Mapping[str, Any]) -> str:
    """Say how soon after a path those who left did so, if they are many enough."""
    if not has(tables, "lead_time"):
        return ""
    found = tables["lead_time"].filter(
        (pl.col("term").cast(pl.String) == term) & (pl.col("left") >= run.get("hide_below", 10))
    )
    if not found.height or found["p50"][0] is None:
        return ""
    row = found.row(0, named=True)
    quarter = f" (a quarter within {roughly(row['p25'])})" if row["p25"] is not None else ""
    silence = f", the silence of {duration(float(run['gap_days']))} included" if run.get("gap_days") else ""
    return (
        f" Of the {number(row['left'])} who left after it, half did so within {roughly(row['p50'])}{quarter}{silence}."
    )


def _screen_table(tables: Tables, hide: int) -> tuple[Table, ...]:
    """List the mined paths that stand out most among all that were screened."""
    if not has(tables, "screen"):
        return ()
    frame = tables["screen"].filter((pl.col("exposed") >= hide) & (pl.col("observed") >= _LEAST_EVENTS))
    if not frame.height:
        return ()
    first = frame.head(_SCREENED).with_columns(
        pl.col("term").str.strip_prefix("mined: ").str.replace_all(" → ", " then ")
    )
    said = [
        NONE if low is None else ratio_interval(low, high, ratio_digits(low))
        for low, high in first.select("lower", "upper").iter_rows()
    ]
    first = first.with_columns(pl.Series("interval", said, pl.String))
    columns = [
        Col("term", "pattern", pattern_words),
        Col("hazard_ratio", "times as often", ratio, True),
        Col("interval", "95 % interval", str, True),
        Col("p", "p", p_value, True),
        Col("q", "q", p_value, True),
        groups("exposed", "persons with it", hide),
        groups("observed", "of them left", hide),
        Col("expected", "of them expected", lambda value: f"{value:,.1f}", True),
    ]
    family = number(int(tables["screen"]["family"][0]))
    caption = f"{family} mined paths were screened on everyone: the {number(first.height)} that stand out most"
    return (table(caption, first, columns),)


def _soon_table(tables: Tables, names: Mapping[str, str], hide: int) -> tuple[Table, ...]:
    if not has(tables, "lead_time"):
        return ()
    frame = tables["lead_time"].with_columns(pl.col("term").cast(pl.String)).with_columns(shown=named(names))
    columns = [
        Col("shown", "pattern", pattern_words),
        groups("left", "left after it", hide),
        spans("p25", "a quarter of them within"),
        spans("p50", "half within"),
        spans("p75", "three quarters within"),
    ]
    return (table("How soon after the path", blank_small(frame, "left", hide, ["p25", "p50", "p75"]), columns),)


def _hidden(tables: Tables, terms: pl.DataFrame, hide: int) -> tuple[tuple[str, ...], tuple[Table, ...]]:
    """Say what ratios would be if everybody who cannot be linked were a customer who went the path."""
    if not has(tables, "dilution"):
        return (), ()
    known = terms.filter(~pl.col("few")).select("term", "shown")
    scenario = tables["dilution"].with_columns(pl.col("term").cast(pl.String)).drop_nulls("hazard_ratio")
    frame = known.join(scenario, on="term", maintain_order="left")
    if not frame.height:
        return (), ()
    frame = frame.with_columns(pl.Series("then", [_then(row) for row in frame.iter_rows(named=True)], pl.String))
    columns = [
        Col("shown", "pattern", pattern_words),
        Col("hazard_ratio", "as seen", ratio, True),
        groups("exposed", "persons with it", hide),
        groups("hidden_max", "anonymous persons with a step of it", hide),
        Col("then", "ratio if all of them were customers who went the whole path", str, True),
    ]
    shown = table("What may identifiers that were never linked hide?", frame, columns)
    return tuple(_scenario(row, hide) for row in frame.head(_SAID).iter_rows(named=True)), (shown,)


def _then(row: Mapping[str, Any]) -> str:
    if not row["hidden_max"]:
        return NONE
    return "any" if row["hazard_ratio_corrected"] is None else ratio(row["hazard_ratio_corrected"])


def _scenario(row: Mapping[str, Any], hide: int) -> str:
    name, seen, then = pattern_words(row["shown"], 140), ratio(row["hazard_ratio"]), _then(row)
    if not row["hidden_max"]:
        return f"{name}: no anonymous person did a step of this path."
    if then == "any":
        what = "the ratio could be of any size"
    elif then == seen:
        what = f"the ratio would hardly change ({seen})"
    else:
        what = f"a ratio of about {then} would show as {seen}"
    who = "person" if row["hidden_max"] == 1 >= hide else "persons"
    return (
        f"{name}: {capital(persons(row['hidden_max'], hide))} anonymous {who} did a step of this path on identifiers "
        "that nobody could link to a customer in time. If all of them were customers who went the whole path unseen, "
        f"{what}."
    )
