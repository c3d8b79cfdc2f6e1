"""Decisions: all persons at once, and one person looked up, against the stored table and against the file.

Call: python benchmarks/decide.py [--persons 1000000] [--runs 3] [--lookups 20000]

Everybody has one of three moments; three actions, consent by purpose and channel, open tickets,
earlier contacts.
Printed are the median wall and CPU seconds of deciding, storing and opening, the peak memory of the process, and for
look-ups the 50th and 99th percentile of the time of one, in this process (the table in memory), and by a scan of the
file with Polars and with DuckDB, as a system without cjm would do it. The answers are compared. A plain-Python decision
for some of the persons is the check that the answer is right.
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import cjm
from cjm.moments import Action, Budget, open_decisions, write_decisions

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
MOMENTS = ["offer, no renewal", "third failure", "no funds after high spending"]
ACTIONS = [
    Action("retention call", "call", (MOMENTS[0],), "2d", purpose="marketing", eligible="premium", cost=4),
    Action("service call", "call", (MOMENTS[1],), "4h", cost=3, despite=("open ticket",)),
    Action("offer by mail", "email", (MOMENTS[0], MOMENTS[2]), "7d", purpose="marketing", cost=0.1),
]
BUDGETS = [Budget(2, "7d"), Budget(1, "14d", channel="call")]


def tables(persons: int, seed: int = 1) -> dict[str, pl.DataFrame]:
    """Return what a decision looks at: one match a person, two consents, some tickets, three contacts a person."""
    rng = np.random.default_rng(seed)
    person = np.sort(rng.choice(1 << 62, persons, replace=False))

    def ago(count: int, days: float) -> pl.Series:
        us = (rng.random(count) * days * 86_400e6).astype(np.int64)
        return pl.Series([NOW]).cast(pl.Datetime("us", "UTC")).dt.epoch("us")[0] - pl.Series(us)

    def times(column: pl.Series) -> pl.Series:
        return column.cast(pl.Datetime("us", "UTC"))

    twice = np.concatenate([person, person])
    with_ticket = person[rng.random(persons) < 0.05]
    several = rng.choice(person, persons * 3)
    return {
        "matches": pl.DataFrame(
            {"moment": pl.Series(MOMENTS).gather(rng.integers(0, 3, persons)), "person": person,
             "end": times(ago(persons, 5))}
        ),
        "persons": pl.DataFrame(
            {"person": person, "value": np.round(rng.lognormal(4, 1, persons), 2), "premium": rng.random(persons) < 0.3}
        ),
        "effects": pl.DataFrame(
            {"moment": [MOMENTS[0], MOMENTS[1], MOMENTS[0], MOMENTS[2]],
             "action": ["retention call", "service call", "offer by mail", "offer by mail"],
             "effect": [0.05, 0.06, 0.02, 0.01], "basis": "assumed for this benchmark"}
        ),
        "consent": pl.DataFrame(
            {"person": twice, "purpose": "marketing", "channel": np.repeat(["call", "email"], persons),
             "given": rng.random(2 * persons) < 0.8, "from": times(ago(2 * persons, 300)),
             "to": pl.Series([None] * (2 * persons), dtype=pl.Datetime("us", "UTC"))}
        ),
        "suppressions": pl.DataFrame(
            {"person": with_ticket, "reason": "open ticket", "from": times(ago(len(with_ticket), 9)),
             "to": pl.Series([None] * len(with_ticket), dtype=pl.Datetime("us", "UTC"))}
        ),
        "contacts": pl.DataFrame(
            {"person": several, "time": times(ago(len(several), 30)),
             "channel": pl.Series(["call", "email"]).gather(rng.integers(0, 2, len(several)))}
        ),
    }  # fmt: skip


def decided(given: dict[str, pl.DataFrame], **more: Any) -> pl.DataFrame:
    """Decide for everybody."""
    rest = {name: table for name, table in given.items() if name != "matches"}
    return cjm.decide(given["matches"], ACTIONS, at=NOW, budgets=BUDGETS, holdout=0.1, **rest, **more)


def by_hand(given: dict[str, pl.DataFrame], chosen: list[int]) -> list[tuple[int, str]]:
    """Return what to do for some persons, told row by row: the best action that nothing speaks against."""
    rows = {name: table.filter(pl.col("person").is_in(chosen)).rows(named=True)
            for name, table in given.items() if name != "effects"}  # fmt: skip
    effects = {(moment, action): effect for moment, action, effect, _ in given["effects"].iter_rows()}
    found = []
    for about in rows["persons"]:
        who = about["person"]
        mine = {name: [row for row in table if row["person"] == who] for name, table in rows.items()}
        options = []
        for match in mine["matches"]:
            for action in ACTIONS:
                worth = effects.get((match["moment"], action.name), 0.0) * about["value"] - action.cost
                days = {"2d": 2.0, "4h": 4 / 24, "7d": 7.0}[str(action.within)]
                said = [row["given"] for row in mine["consent"] if row["channel"] == action.channel]
                recent = [row for row in mine["contacts"] if NOW - row["time"] < timedelta(days=7)]
                calls = [row for row in mine["contacts"]
                         if row["channel"] == "call" and NOW - row["time"] < timedelta(days=14)]  # fmt: skip
                if (
                    match["moment"] in action.moments
                    and NOW - match["end"] <= timedelta(days=days)
                    and (action.eligible is None or about["premium"])
                    and (action.purpose is None or (said and all(said)))
                    and (not mine["suppressions"] or "open ticket" in action.despite)
                    and len(recent) < 2
                    and (action.channel != "call" or not calls)
                    and worth > 0
                ):
                    options.append((worth, action.name))
        found.append((who, max(options)[1] if options else "nothing"))
    return sorted(found)


def median_of(call: Callable[[], Any], runs: int) -> tuple[Any, float, float]:
    """Return the last answer and the median wall and CPU seconds."""
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        answer = call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return answer, statistics.median(walls), statistics.median(cpus)


def per_call(call: Callable[[int], Any], persons: list[int]) -> tuple[float, float]:
    """Return the 50th and 99th percentile of the milliseconds of one call."""
    took = []
    for person in persons:
        since = time.perf_counter_ns()
        call(person)
        took.append(time.perf_counter_ns() - since)
    low, high = np.percentile(took, [50, 99]) / 1e6
    return float(low), float(high)


def cold(path: Path, person: int) -> float:
    """Return the seconds of a process that starts, looks one person up, and ends."""
    code = f"import cjm; t = cjm.moments.open_decisions({str(path)!r}); assert cjm.decide(t, person={person}).height"
    since = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - since


def main() -> None:
    """Decide, store, look up; print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=float, default=1e6)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--lookups", type=int, default=20_000)
    asked = parser.parse_args()
    count = int(asked.persons)
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}, "
          f"polars {version('polars')}, {count:,} persons\n")  # fmt: skip
    given = tables(count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("| what | wall s | CPU s |\n|---|--:|--:|")
    options, wall, cpu = median_of(lambda: decided(given), asked.runs)
    print(f"| decide: {options.height:,} options | {wall:.2f} | {cpu:.2f} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "decisions.parquet"
        _, wall, cpu = median_of(lambda: write_decisions(options, path), asked.runs)
        print(f"| store: {path.stat().st_size / 1e6:.0f} MB | {wall:.2f} | {cpu:.2f} |")
        table, wall, cpu = median_of(lambda: open_decisions(path), asked.runs)
        print(f"| open | {wall:.2f} | {cpu:.2f} |")
        some = np.random.default_rng(2).choice(given["persons"]["person"].to_numpy(), asked.lookups).tolist()
        print(f"| start a process, open, look one up | {cold(path, some[0]):.2f} | |")
        print(f"\nmemory: tables {before:.0f} MB, with decide {peak:.0f} MB\n")
        print("| one person | ms p50 | ms p99 | same answer |\n|---|--:|--:|---|")

        def scan(person: int) -> pl.DataFrame:
            return pl.scan_parquet(path).filter(pl.col("person") == person).collect()

        ways = {"cjm.decide(table, person=...)": (lambda person: cjm.decide(table, person=person), some)}
        ways["polars: scan of the file"] = (scan, some[:200])
        try:
            import duckdb

            database = duckdb.connect()
            database.execute("set timezone = 'UTC'")
            query = f"select * from read_parquet('{path}') where person = "
            ways["duckdb: query on the file"] = (
                lambda person: pl.from_arrow(database.sql(f"{query}{person}").to_arrow_table()),
                some[:200],
            )
        except ImportError:
            pass
        ways["cjm.decide(matches, ..., person=...), decided anew"] = (
            lambda person: decided(given, person=person),
            some[:30],
        )
        for name, (call, persons) in ways.items():
            low, high = per_call(call, persons)
            same = all(
                call(person).cast(dict(table.frame.schema)).equals(table.rows_of(person)) for person in persons[:20]
            )
            print(f"| {name} | {low:.3f} | {high:.3f} | {'yes' if same else 'NO'} |")
    checked = some[:300]
    first = options.filter(pl.col("rank") == 1).select("person", "action")
    told = pl.DataFrame({"person": sorted(set(checked))}).join(first, on="person", how="left").fill_null("nothing")
    print(f"\nbest action as told row by row for {told.height} persons: {by_hand(given, checked) == told.rows()}")


if __name__ == "__main__":
    main()
