"""Sequences by cjm, on one thread unless the environment says otherwise (CJM_BENCHMARK_THREADS)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import polars as pl
from _mining import Pattern, serve

import cjm
from cjm.journeys import Journeys, journeys_from_frame

THREADS = int(os.environ.get("CJM_BENCHMARK_THREADS", "1"))


def load(rows: list[list[int]]) -> tuple[Journeys, bool]:
    lists = pl.DataFrame({"event": rows}, schema={"event": pl.List(pl.Int64)}).with_row_index("person")
    events = lists.filter(pl.col("event").list.len() > 0).explode("event").with_row_index("time")
    together = bool((events["event"] < 0).any())
    if together:
        events = events.with_columns(time=(pl.col("event") < 0).cum_sum()).filter(pl.col("event") >= 0)
    frame = events.select(
        pl.col("person").cast(pl.Int64),
        (pl.col("time").cast(pl.Int64) * 1_000_000).cast(pl.Datetime("us", "UTC")),
        channel=pl.lit("c"),
        event=pl.col("event").cast(pl.String),
    )
    return journeys_from_frame(frame, gap=1_800_000_000), together


def mine(given: tuple[Journeys, bool], min_count: int) -> pl.DataFrame:
    journeys, together = given
    return cjm.mine_sequences(journeys, min_support=min_count, simultaneous=together, threads=THREADS)


def patterns(found: pl.DataFrame) -> Iterator[Pattern]:
    for pattern, count in found.select("pattern", "persons").iter_rows():
        yield count, [[int(name.removeprefix("c:")) for name in step.split(" & ")] for step in pattern]


if __name__ == "__main__":
    serve(load, mine, patterns)
