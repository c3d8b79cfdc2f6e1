"""Raw files to an event stream with sessions by retentioneering 5, stored as Parquet; pandas reads the files."""

from __future__ import annotations

import os

os.environ["RETENTIONEERING_NO_TRACK"] = "1"  # before the import: no usage data from here

from pathlib import Path

import pandas as pd
from _load import serve
from load_pandas import read
from retentioneering import Eventstream

SCHEMA = {
    "path_cols": ["customer"],
    "event_col": "touchpoint",
    "timestamp_col": "timestamp",
    "custom_cols": ["revenue"],
}


def load(files: Path, stored: Path) -> None:
    stored.mkdir()
    log = read(files)
    log["timestamp"] = log["timestamp"].dt.tz_localize(None)
    log["touchpoint"] = (log["channel"] + ":" + log["event"]).astype("category")
    stream = Eventstream(log.drop(columns=["channel", "event"]), SCHEMA).split_sessions(timeout="30m")
    stream.df.to_parquet(stored / "journeys.parquet", index=False)


def sessions(files: Path, stored: Path, answer: Path) -> None:
    log = pd.read_parquet(stored / "journeys.parquet")
    log = log[~log["touchpoint"].isin(["path_start", "path_end"])]
    found = log.groupby(["customer", "session_id"], sort=False, observed=True)["timestamp"].agg(["min", "max", "size"])
    found.reset_index("customer").to_parquet(answer, index=False)


if __name__ == "__main__":
    serve(load, sessions)
