"""A log of some persons that is cut into days, for tests of runs over them."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
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
    """Run over what is there, going on from the run before; return how it went."""
    job.run(job.load_config(folder / "cjm.toml"))
    said = json.loads((folder / "out" / "run.json").read_text())["incremental"]
    assert isinstance(said, dict)
    return said


def run_both(folder: Path) -> dict[str, Any]:
    """Do the same, and run anew from nothing.

    Raises AssertionError if one table differs.
    """
    said = run(folder)
    shutil.rmtree(folder / ".full.days", ignore_errors=True)
    job.run(job.load_config(folder / "cjm.toml"), output=folder / "full")
    assert digests(folder / "out" / "tables") == digests(folder / "full" / "tables")
    return said


def second_day(folder: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Run over a first day, put what it left aside, and run over a second; for tests that disturb the second run.

    Returns
    -------
    list of dict
        Hashes of the files of both outputs.
    list of str
        The calls of the second run that changed what is on disk.
    """
    chance = random.Random(1)
    (folder / "cjm.toml").write_text(CONFIGURATION)
    config = job.load_config(folder / "cjm.toml")
    write(folder, "day-1", web_rows(chance, 80), app_rows(chance, 40))
    job.run(config)
    for name in ("out", ".out.days"):
        shutil.copytree(folder / name, folder / "before" / name)
    write(folder, "day-2", web_rows(chance, 10), app_rows(chance, 5))
    outputs = [digests(folder / "out")]
    with one_fault(-1, "before") as calls:
        job.run(config)
    assert json.loads((folder / "out" / "run.json").read_text())["incremental"]["files"] == 2
    return [*outputs, digests(folder / "out")], calls


def before_second_day(folder: Path) -> None:
    """Put everything back as it was before the second run."""
    for name in ("out", ".out.days"):
        shutil.rmtree(folder / name)
        shutil.copytree(folder / "before" / name, folder / name)


def check_second_day(folder: Path, outputs: list[dict[str, str]], what: str) -> None:
    """Raise AssertionError unless the output is one of both, and another run ends as an undisturbed second one."""
    assert digests(folder / "out") in outputs, what
    job.run(job.load_config(folder / "cjm.toml"))
    for name, digest in digests(folder / "out" / "tables").items():
        assert outputs[1][f"tables/{name}"] == digest, (what, name)
    left = sorted(path.name for path in folder.iterdir() if path.name.startswith("."))
    assert left == [".out.days"], left


def days_with_faults(folder: Path, every: int) -> tuple[int, int]:
    """Let a run over a second day fail, then run again; return how many faults there were and how many struck.

    The faults are those of ``small_run.one_fault``: three at each call that changes what is on disk, or only one in
    ``every`` of them.
    """
    outputs, calls = second_day(folder)
    points = [(number, kind) for number in range(len(calls)) for kind in ("before", "torn", "after")][::every]
    struck = 0
    for number, kind in points:
        before_second_day(folder)
        with one_fault(number, kind) as calls:
            try:
                job.run(job.load_config(folder / "cjm.toml"))
            except (RunError, KeyboardInterrupt):
                struck += 1
            else:
                assert len(calls) <= number or kind == "before", f"{kind} at {calls[number]} went unnoticed"
        check_second_day(folder, outputs, f"{kind} at {number} ({calls[-1]})")
    return len(points), struck


def days_and_kill(folder: Path, kills: int, seed: int) -> None:
    """Kill runs over a second day at random times."""
    outputs, _ = second_day(folder)
    chance = random.Random(seed)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    command = [sys.executable, "-m", "cjm.cli", "run", str(folder / "cjm.toml")]
    before_second_day(folder)
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    whole = time.perf_counter() - started
    while kills:
        before_second_day(folder)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        try:
            process.wait(chance.uniform(0.4, 1) * whole)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills -= 1
        check_second_day(folder, outputs, "a kill")
