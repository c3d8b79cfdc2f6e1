"""A log of some persons that is cut into days, for tests of runs over them."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from small_run import digests, one_fault

from cjm import job
from cjm.errors import RunError

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
START = datetime(2026, 1, 1, tzinfo=UTC)
WEB = dict.fromkeys(("id", "at", "page", "cookie", "customer"), pl.String)
APP = {
    "at": pl.Datetime("us", "UTC"), "screen": pl.String, "device": pl.String, "customer": pl.String,
    "amount": pl.Float64, "plan": pl.String,
}  # fmt: skip

Row = dict[str, Any]


def web_rows(chance: random.Random, rows: int) -> list[Row]:
    """Return visits: times tie often, some rows are there twice, and some lack an identifier or a time."""
    found = []
    for _ in range(rows):
        at = START + timedelta(minutes=10 * chance.randrange(300))
        found.append(
            {
                "id": f"e{chance.randrange(400)}",
                "at": at.isoformat() if chance.random() < 0.95 else "soon",
                "page": chance.choice(PAGES),
                "cookie": f"k{chance.randrange(12)}" if chance.random() < 0.9 else None,
                "customer": chance.choice([None, None, None, "c1", "c2", "c3", "c4", "null"]),
            }
        )
    return found


def app_rows(chance: random.Random, rows: int) -> list[Row]:
    """Return the same of an app, with a value and an attribute."""
    return [
        {
            "at": START + timedelta(minutes=10 * chance.randrange(300)),
            "screen": chance.choice(PAGES[:3]),
            "device": f"d{chance.randrange(8)}",
            "customer": chance.choice([None, None, "c1", "c2", "c3", "c5"]),
            "amount": chance.choice([None, 1.5, 2.0]),
            "plan": chance.choice([None, "gold", "blue"]),
        }
        for _ in range(rows)
    ]


def write(folder: Path, day: str, web: list[Row] | None = None, app: list[Row] | None = None) -> None:
    """Write the files of a day."""
    for name in ("web", "app"):
        (folder / name).mkdir(exist_ok=True)
    if web is not None:
        pl.DataFrame(web, schema=WEB).write_csv(folder / "web" / f"{day}.csv")
    if app is not None:
        pl.DataFrame(app, schema=APP).write_parquet(folder / "app" / f"{day}.parquet")


def run(folder: Path) -> dict[str, Any]:
    """Run over what is there, going on from the run before, and anew from nothing; return how the first went.

    Raises AssertionError if one table differs.
    """
    config = job.load_config(folder / "cjm.toml")
    job.run(config)
    shutil.rmtree(folder / ".full.days", ignore_errors=True)
    job.run(config, output=folder / "full")
    assert digests(folder / "out" / "tables") == digests(folder / "full" / "tables")
    said = json.loads((folder / "out" / "run.json").read_text())["incremental"]
    assert isinstance(said, dict)
    return said


def days_with_faults(folder: Path, points: Iterable[tuple[int, str]]) -> int:
    """Let a run over a second day fail at each of the points, then run again; return how many of them struck.

    Raises AssertionError if the output is neither the former nor the new one, or if a table of the second run differs
    from those of an undisturbed one.
    """
    chance = random.Random(1)
    (folder / "cjm.toml").write_text(CONFIGURATION)
    config = job.load_config(folder / "cjm.toml")
    write(folder, "day-1", web_rows(chance, 80), app_rows(chance, 40))
    job.run(config)
    for name in ("out", ".out.days"):
        shutil.copytree(folder / name, folder / "before" / name)
    write(folder, "day-2", web_rows(chance, 10), app_rows(chance, 5))
    former = digests(folder / "out")
    job.run(config)
    new, tables = digests(folder / "out"), digests(folder / "out" / "tables")
    assert json.loads((folder / "out" / "run.json").read_text())["incremental"]["files"] == 2
    struck = 0
    for number, kind in points:
        for name in ("out", ".out.days"):
            shutil.rmtree(folder / name)
            shutil.copytree(folder / "before" / name, folder / name)
        with one_fault(number, kind) as calls:
            try:
                job.run(config)
            except (RunError, KeyboardInterrupt):
                struck += 1
            else:
                assert len(calls) <= number or kind == "before", f"{kind} at {calls[number]} went unnoticed"
        assert digests(folder / "out") in (former, new), f"{kind} at {number} ({calls[-1]})"
        job.run(config)
        assert digests(folder / "out" / "tables") == tables, f"{kind} at {number} ({calls[-1]}), then again"
        left = sorted(path.name for path in folder.iterdir() if path.name.startswith("."))
        assert left == [".out.days"], left
    return struck
