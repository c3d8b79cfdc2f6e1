"""What hazard ratios would be if another silence counted as leaving; shown with the patterns before leaving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from cjm.report._names import named
from cjm.report._section import Col, Table, Tables, groups, has, shares, spans, table
from cjm.report._text import duration, pattern_words, ratio, ratio_interval

__all__ = ["other_silences"]


def other_silences(
    tables: Tables, names: Mapping[str, str], terms: Sequence[str], hide: int, least: int
) -> tuple[list[str], list[Table]]:
    """Say what the ratio of the first of ``terms`` would be, and list all; too few are blank."""
    if not has(tables, "sensitivity"):
        return [], []
    frame = tables["sensitivity"].with_columns(pl.col("term").cast(pl.String)).sort("term", "gap", maintain_order=True)
    few = ((pl.col("exposed") < hide) | (pl.col("events") < least)).fill_null(True)
    figures = ("hazard_ratio", "lower", "upper")
    frame = frame.with_columns(*(pl.when(~few).then(pl.col(name).fill_nan(None)).alias(name) for name in figures))
    ends = [ratio_interval(low, high) for low, high in frame.select("lower", "upper").iter_rows()]
    frame = frame.with_columns(pl.Series("interval", ends, pl.String), shown=named(names))
    lead = next((term for term in terms if term in set(frame["term"])), None)
    said = [
        f"{ratio(row['hazard_ratio'])} at {duration(row['gap'])}"
        for row in frame.filter(pl.col("term") == lead).drop_nulls("hazard_ratio").iter_rows(named=True)
    ]
    text = []
    if lead is not None and len(said) > 1:
        name = pattern_words(names.get(lead, lead), 140)
        text = [f"For {name}, the ratio hangs on how long a silence counts as leaving: {', '.join(said)}."]
    columns = [
        Col("shown", "pattern or covariate", pattern_words),
        spans("gap", "silence"),
        groups("churned", "persons who left", hide),
        shares("false_churn", "silences that ended in a return"),
        Col("hazard_ratio", "times as often", ratio, True),
        Col("interval", "95 % interval", str, True),
    ]
    return text, [table("If another silence counted as leaving", frame, columns)]
