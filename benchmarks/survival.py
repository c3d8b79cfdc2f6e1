"""Cox models beside lifelines and SurPyval; a screen of thousands of paths; rows cut from journeys.

Call: python benchmarks/survival.py [--sizes 1e5x10 1e6x50] [--runs 3] [--only cjm] [--screen] [--tables]

Customers have about 2.4 rows each on a daily clock; most terms are paths that switch on once, one in ten is a number.
Every peer is a process that fits a small file once, which compiles and imports, then the file itself. Printed are the
median CPU seconds (all threads) and wall seconds of the call alone, the highest resident memory during it less what was
there before, and how far coefficients and errors are from ours. A peer that takes more than 300 s did not finish.
``--screen`` times 5,000 paths on a million persons from their 13 million completions on; ``--tables`` the cutting of
(start, stop] rows from a million persons of 12 events.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from journeys import interpreter, watch

HERE = Path(__file__).parent
PEERS = {"cjm": "cox_with_cjm", "lifelines": "cox_with_lifelines", "surpyval": "cox_with_surpyval"}
DAY = 86_400_000_000


def make_rows(rows: int, terms: int, seed: int = 7) -> pl.DataFrame:
    """Return (start, stop] rows of customers whose paths switch on at up to four random days."""
    rng = np.random.default_rng(seed)
    persons, numbers = int(rows / 2.4) + 1000, max(2, terms // 10)
    paths = terms - numbers
    effect = rng.normal(size=terms) * 0.4
    fixed = rng.normal(size=(persons, numbers))
    days = np.ceil(np.sort(rng.uniform(1, 364, (persons, 4)), axis=1))
    which = rng.integers(0, paths, (persons, 4))
    end = np.ceil(rng.uniform(60, 365, persons))
    edges = np.concatenate((np.zeros((persons, 1)), days, np.full((persons, 1), 365.0)), axis=1)
    done = np.zeros((persons, paths))
    alive = np.ones(persons, dtype=bool)
    parts: list[tuple[Any, ...]] = []
    for j in range(5):
        if j:
            done[np.arange(persons), which[:, j - 1]] = 1
        start, stop = edges[:, j], np.minimum(edges[:, j + 1], end)
        hazard = np.exp(np.clip(fixed @ effect[:numbers] + done @ effect[numbers:], -4, 4)) / 400
        quits = np.ceil(start + rng.exponential(1, persons) / hazard)
        inside = alive & (stop > start)
        event = inside & (quits <= stop)
        stop = np.where(event, quits, stop)
        kept = np.flatnonzero(inside & (stop > start))
        parts.append((kept, start[kept], stop[kept], event[kept], np.hstack((fixed[kept], done[kept]))))
        alive &= ~event & (end > edges[:, j + 1])
    who = np.concatenate([part[0] for part in parts])
    order = np.argsort(who, kind="stable")[:rows]
    start, stop, event, x = (np.concatenate([part[k] for part in parts])[order] for k in range(1, 5))
    columns = {f"x{j}": np.ascontiguousarray(x[:, j]) for j in range(terms)}
    return pl.DataFrame({"id": who[order], "start": start, "stop": stop, "event": event, **columns})


def fits(size: str, given: argparse.Namespace, folder: Path) -> None:
    """Print the table of one size."""
    rows, terms = (int(float(part)) for part in size.split("x"))
    files = folder / f"{size}.parquet", folder / f"small-{terms}.parquet"
    frame = make_rows(rows, terms)
    frame.write_parquet(files[0])
    make_rows(20_000, terms, seed=1).write_parquet(files[1])
    print(f"\n{frame.height:,} rows, {terms} terms, {int(frame['event'].sum()):,} events, daily clock, Efron\n")
    del frame
    print("| by | CPU s | wall s | extra MB | CPU / ours | largest difference of coef | of se |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    ours: dict[str, Any] = {}
    for peer, script in PEERS.items():
        if given.only and peer not in given.only:
            continue
        command = [str(interpreter(script, given.envs)), str(HERE / "peers" / f"{script}.py"), *map(str, files)]
        told, why = watch([*command, str(given.runs)], folder / f"{peer}.jsonl")
        if why or not told:
            print(f"| {peer} | {why or 'no answer'} | | | | | |", flush=True)
            continue
        cost = told[-1]
        ours = ours or cost
        apart = [np.abs(np.array(cost[name]) - np.array(ours[name])).max() for name in ("coef", "se")]
        cells = [
            f"{cost['cpu']:.2f}",
            f"{cost['wall']:.2f}",
            f"{cost['extra']:.0f}",
            f"{cost['cpu'] / ours['cpu']:.1f}",
        ]
        print(f"| {' | '.join([peer, *cells, *(f'{value:.1e}' for value in apart)])} |", flush=True)


def once(name: str, call: Any) -> Any:
    """Run a call three times, print the best CPU and wall seconds, and return its result."""
    costs = []
    for _ in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        found = call()
        costs.append((time.process_time() - cpu, time.perf_counter() - wall))
    print(f"| {name} | {min(cost[0] for cost in costs):.3f} | {min(cost[1] for cost in costs):.3f} |", flush=True)
    return found


def screens() -> None:
    """Print the times of a screen from completions on, and of the resampling."""
    from cjm.contracts import TIME
    from cjm.survival import Churn, Subjects
    from cjm.survival._screen_tables import Entries, time_tables

    rng = np.random.default_rng(1)
    persons, paths, entries = 1_000_000, 5_000, 13_000_000
    leave, end = rng.exponential(900, persons) + 0.01, rng.uniform(30, 365, persons)
    days = np.ceil(np.minimum(leave, end))
    frame = pl.DataFrame(
        {"person": np.arange(persons), "entry": pl.Series(np.zeros(persons, dtype=np.int64)).cast(TIME),
         "exit": pl.Series((days * DAY).astype(np.int64)).cast(TIME), "duration": days, "churned": leave < end,
         "entry_days": np.zeros(persons)}
    )  # fmt: skip
    subjects = Subjects(frame, Churn.event("account:cancelled"), 365 * DAY, (), pl.DataFrame())
    share = np.arange(1, paths + 1) ** -0.6
    counts = np.minimum(share / share.sum() * entries, persons // 2).astype(int)
    completions = [
        (
            str(j),
            np.sort(rng.integers(0, persons, count, dtype=np.int32)),
            np.ceil(rng.uniform(0, 365, count)).astype(np.int64) * DAY,
        )
        for j, count in enumerate(counts)
    ]
    collected = Entries.collect(completions)
    nobody = np.zeros(persons, dtype=np.int64)
    print(f"\n{paths:,} paths, {persons:,} persons, {len(collected.subject):,} completions, daily clock\n")
    print("| step | CPU s | wall s |\n|---|--:|--:|")
    tables = once("persons at risk", lambda: time_tables(subjects, nobody))
    placed = once("completions to event times", lambda: tables.place(collected))
    found = once("screen", lambda: tables.screen(placed))
    once("max-t, 100 draws", lambda: tables.max_t(placed, np.abs(found.z), 100, 0))


def rows_of_journeys() -> None:
    """Print the times of cutting rows from journeys."""
    import cjm
    from cjm.contracts import TIME
    from cjm.journeys import journeys_from_frame

    rng = np.random.default_rng(2)
    persons, each = 1_000_000, 12
    days = np.sort(rng.uniform(0, 300, (persons, each)), axis=1)
    events = rng.choice(["a", "b", "c", "d", "e", "f", "g", "quit"], (persons, each), p=[*[0.14] * 7, 0.02])
    frame = pl.DataFrame(
        {"person": np.repeat(np.arange(persons), each),
         "time": pl.Series((days.ravel() * DAY).astype(np.int64)).cast(TIME), "event": events.ravel()}
    ).with_columns(channel=pl.lit("web"))  # fmt: skip
    journeys = journeys_from_frame(frame, gap=DAY)
    subjects = cjm.subjects(journeys, cjm.Churn.event("web:quit"))
    paths = {
        f"p{j}": f"web:{one} -> web:{two} within 7d" for j, (one, two) in enumerate(["ab", "cd", "ef", "ga", "bc"])
    }
    print(f"\n{persons:,} persons of {each} events, {len(paths)} paths\n\n| rows | CPU s | wall s |\n|---|--:|--:|")
    spells = once("spell_table", lambda: cjm.survival.spell_table(subjects, journeys, paths))
    print(f"| (rows: {spells.height:,}) | | |")
    once("landmark_table", lambda: cjm.survival.landmark_table(subjects, journeys, paths, at="90d", horizon="30d"))
    once("period_table, 30d", lambda: cjm.survival.period_table(subjects, journeys, paths, every="30d"))
    quiet = cjm.subjects(journeys, cjm.Churn.inactive("60d"))
    once("event_table", lambda: cjm.survival.event_table(quiet, journeys, paths))


def main() -> None:
    """Ask everybody, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", default=["1e5x10", "1e6x50"])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[], choices=list(PEERS))
    parser.add_argument("--screen", action="store_true")
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--envs", type=Path, default=Path(tempfile.gettempdir()) / "cjm-benchmarks" / "envs")
    given = parser.parse_args()
    given.envs = given.envs.resolve()
    cores = len(os.sched_getaffinity(0))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {cores} cores, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as folder:
        for size in given.sizes:
            fits(size, given, Path(folder))
    if given.screen:
        screens()
    if given.tables:
        rows_of_journeys()


if __name__ == "__main__":
    main()
