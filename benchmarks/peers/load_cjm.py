"""Raw files to stored journeys by cjm."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from _load import serve

import cjm


def load(files: Path, stored: Path) -> None:
    meaning = {"event": "event", "channel": "channel", "ids": {"customer": "customer"}, "value": "revenue"}
    log = cjm.scan_events(
        {
            "web": cjm.Source(files / "web.parquet", time="timestamp", **meaning),
            "app": cjm.Source(files / "app.csv", time="timestamp", **meaning),
            "call": cjm.Source(files / "call.ndjson", time="timestamp", time_format="ms", **meaning),
        }
    )
    cjm.build_journeys(log, person="customer", gap="30m").write(stored)


def sessions(files: Path, stored: Path, answer: Path) -> None:
    customers = pl.concat(
        [
            pl.read_parquet(files / "web.parquet", columns=["customer"]),
            pl.read_csv(files / "app.csv", columns=["customer"], infer_schema=False),
            pl.read_ndjson(files / "call.ndjson").select("customer"),
        ]
    )
    customers = customers.select(pl.col("customer").str.strip_chars().unique()).drop_nulls()
    customers = customers.with_columns(cjm.person_numbers(customers["customer"], "customer"))
    frame = cjm.open_journeys(stored).sessions.collect().join(customers, on="person")
    frame.select("customer", "start", "end", "events").write_parquet(answer)


if __name__ == "__main__":
    serve(load, sessions)
