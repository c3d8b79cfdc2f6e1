"""Raw files to sorted Parquet by pandas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from _load import NOBODY, serve


def read(files: Path) -> pd.DataFrame:
    """Return the cleaned log of the three files."""
    web = pd.read_parquet(files / "web.parquet")
    web["timestamp"] = web["timestamp"].dt.tz_localize("UTC").dt.as_unit("us")
    text = {"customer": "str", "timestamp": "str"}
    app = pd.read_csv(files / "app.csv", dtype=text, keep_default_na=False, engine="pyarrow")
    app["timestamp"] = pd.to_datetime(app["timestamp"], format="ISO8601", utc=True).dt.as_unit("us")
    call = pd.read_json(files / "call.ndjson", lines=True, dtype={"customer": "str"}, convert_dates=False)
    call["timestamp"] = pd.to_datetime(call["timestamp"], unit="ms", utc=True).dt.as_unit("us")
    log = pd.concat([web, app, call], ignore_index=True)
    log["customer"] = log["customer"].str.strip()
    return log[log["customer"].notna() & ~log["customer"].isin([*NOBODY, "None"])]


def load(files: Path, stored: Path) -> None:
    stored.mkdir()
    log = read(files).sort_values(["customer", "timestamp"], kind="stable", ignore_index=True)
    log["touchpoint"] = log["channel"] + ":" + log["event"]
    first = log["customer"] != log["customer"].shift()
    log["session"] = (first | (log["timestamp"].diff() > pd.Timedelta(minutes=30))).cumsum()
    log.to_parquet(stored / "journeys.parquet", index=False)


def sessions(files: Path, stored: Path, answer: Path) -> None:
    log = pd.read_parquet(stored / "journeys.parquet").groupby(["session", "customer"], sort=False)["timestamp"]
    found = log.agg(["min", "max", "size"]).reset_index("customer")
    found["min"], found["max"] = found["min"].dt.tz_localize(None), found["max"].dt.tz_localize(None)
    found.to_parquet(answer, index=False)


if __name__ == "__main__":
    serve(load, sessions)
