"""Answers by pm4py, with its Polars backend (it takes lazy frames)."""

from __future__ import annotations

from typing import Any

import pm4py
import polars as pl
from _common import FUNNEL, serve
from pm4py.algo.filtering.polars.ltl import ltl_checker

CASE, ACTIVITY = "case:concept:name", "concept:name"


def load(path: str, mode: str) -> pl.LazyFrame:
    touchpoint = pl.concat_str("channel", pl.lit(":"), "event")
    log = pl.scan_parquet(path).select("customer", "timestamp", "event", touchpoint=touchpoint)
    return pm4py.format_dataframe(log, case_id="customer", activity_key="touchpoint", timestamp_key="timestamp")


def pairs(counts: dict[tuple[str, str], int], name: str) -> pl.DataFrame:
    sources, targets = zip(*counts, strict=True)
    return pl.DataFrame({"source": sources, "target": targets, name: list(counts.values())})


def transitions(log: pl.LazyFrame, answer: tuple[Any, Any, Any]) -> pl.DataFrame:
    share = pl.col("count") / pl.col("count").sum().over("source")
    return pairs(answer[0], "count").with_columns(share=share)


def reached(log: pl.LazyFrame) -> list[int]:
    """Count the customers who come as far as each step, which takes one call a step."""
    parts = [ltl_checker.eventually_follows(log, FUNNEL[:step]) for step in range(1, len(FUNNEL) + 1)]
    return [part.select(pl.col(CASE).n_unique()).collect().item() for part in parts]


def features(log: pl.LazyFrame) -> pl.DataFrame:
    return pm4py.extract_features_dataframe(
        log, str_ev_attr=["event"], include_case_id=True, count_occurrences=True
    ).collect()


def plain_features(log: pl.LazyFrame, answer: pl.DataFrame) -> pl.DataFrame:
    wide = answer.rename(lambda name: name.removeprefix("event_"))
    return wide.rename({CASE: "customer"})


def variants(log: pl.LazyFrame, answer: dict[tuple[str, ...], int]) -> pl.DataFrame:
    return pl.DataFrame({"path": [">".join(path) for path in answer], "count": list(answer.values())})


QUESTIONS = {
    "build": (None, lambda log, _: log.select(n=pl.len(), persons=pl.col(CASE).n_unique()).collect()),
    "transitions": (pm4py.discover_dfg, transitions),
    "features": (features, plain_features),
    "funnel without limit": (reached, lambda log, answer: pl.DataFrame({"step": range(1, 5), "persons": answer})),
    "variants": (pm4py.get_variants_as_tuples, variants),
    "follows": (pm4py.discover_eventually_follows_graph, lambda log, answer: pairs(answer, "events")),
}
MISSING = {"funnel": "not offered: no time limit", "steps": "not offered: one touchpoint a call, pandas only"}
NOTES = {
    "funnel without limit": "NO: checks each pair of steps by itself",
    "follows": "NO: counts pairs of events, not customers",
}

if __name__ == "__main__":
    tables = {
        name: (call, lambda g, a, plain=plain: plain(g, a).to_arrow()) for name, (call, plain) in QUESTIONS.items()
    }
    serve(load, tables, MISSING, NOTES)
