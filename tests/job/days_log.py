"""A log of some persons that is cut into days, for tests of runs over them."""

from __future__ import annotations

import json
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from small_run import digests

from cjm import job

CONFIGURATION = """
[output]
dir = "out"

[sources.web]
path = "web/*.csv"
time = "at"
event = "page"
ids = {customer = "customer", cookie = "cookie"}
event_id = "id"
on_error = "set aside"

[sources.app]
path = "app"
time = "at"
event = "screen"
ids = {customer = "customer", device = "device"}
value = "amount"

[mining]
min_support = 0.2
max_length = 2
"""

PAGES = ("home", "cart", "help", "pay", "żółw")


def row(chance: random.Random, number: int) -> dict[str, object]:
    """Return an event: times tie often, some ids are missing or no ids, some rows are there twice."""
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=10 * chance.randrange(300))
    customer = chance.choice([None, None, "c1", "c2", "c3", "c4", "null"])
    return {
        "id": f"e{number if chance.random() < 0.9 else chance.randrange(number + 1)}",
        "at": at.isoformat() if chance.random() < 0.95 else "soon",
        "page": chance.choice(PAGES),
        "cookie": f"k{chance.randrange(6)}" if chance.random() < 0.9 else None,
        "customer": customer,
    }


def app_row(chance: random.Random) -> dict[str, object]:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=10 * chance.randrange(300))
    return {
        "at": at,
        "screen": chance.choice(PAGES[:3]),
        "device": f"d{chance.randrange(5)}",
        "customer": chance.choice([None, "c1", "c2", "c3", "c5"]),
        "amount": chance.choice([None, 1.5, 2.0]),
        "plan": chance.choice([None, "gold", "blue"]),
    }


def write_web(folder: Path, name: str, rows: list[dict[str, object]]) -> None:
    schema = dict.fromkeys(("id", "at", "page", "cookie", "customer"), pl.String)
    (folder / "web").mkdir(exist_ok=True)
    pl.DataFrame(rows, schema=schema).write_csv(folder / "web" / f"{name}.csv")


def write_app(folder: Path, name: str, rows: list[dict[str, object]]) -> None:
    schema = {
        "at": pl.Datetime("us", "UTC"), "screen": pl.String, "device": pl.String, "customer": pl.String,
        "amount": pl.Float64, "plan": pl.String,
    }  # fmt: skip
    (folder / "app").mkdir(exist_ok=True)
    pl.DataFrame(rows, schema=schema).write_parquet(folder / "app" / f"{name}.parquet")


def run(folder: Path) -> dict[str, object]:
    """Run on what is there, and anew from nothing; return what the first said of how it went.

    Raises AssertionError if one table differs.
    """
    config = job.load_config(folder / "cjm.toml")
    job.run(config)
    shutil.rmtree(folder / ".full.days", ignore_errors=True)
    job.run(config, output=folder / "full")
    ours, theirs = digests(folder / "out" / "tables"), digests(folder / "full" / "tables")
    assert [name for name in theirs if ours.get(name) != theirs[name]] == []
    assert ours.keys() == theirs.keys()
    said = json.loads((folder / "out" / "run.json").read_text())["incremental"]
    assert isinstance(said, dict)
    return said
