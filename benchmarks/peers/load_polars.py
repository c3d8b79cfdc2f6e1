"""Raw files to sorted Parquet by Polars, as most would write it: lazy, one sort, sessions by window functions."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from _load import NOBODY, serve

UTC = pl.Datetime("us", "UTC")


def load(files: Path, stored: Path) -> None:
    stored.mkdir()
    web = pl.scan_parquet(files / "web.parquet").with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))
    app = pl.scan_csv(files / "app.csv", schema_overrides={"customer": pl.String, "timestamp": pl.String}).with_columns(
        pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC")
    )
    call = pl.scan_ndjson(files / "call.ndjson").with_columns((pl.col("timestamp") * 1000).cast(UTC))
    pause = pl.col("timestamp").diff().over("customer") > pl.duration(minutes=30)
    frame = (
        pl.concat([web, app, call])
        .with_columns(pl.col("customer").str.strip_chars())
        .filter(~pl.col("customer").is_in(NOBODY) & pl.col("customer").is_not_null())
        .with_columns(touchpoint=pl.concat_str("channel", pl.lit(":"), "event"))
        .sort("customer", "timestamp", maintain_order=True)
        .with_columns(session=pause.fill_null(False).cum_sum().over("customer"))
    )
    frame.collect().write_parquet(stored / "journeys.parquet")


def sessions(files: Path, stored: Path, answer: Path) -> None:
    frame = pl.read_parquet(stored / "journeys.parquet").group_by("customer", "session")
    time = pl.col("timestamp")
    frame.agg(start=time.min(), end=time.max(), events=pl.len()).drop("session").write_parquet(answer)


if __name__ == "__main__":
    serve(load, sessions)
