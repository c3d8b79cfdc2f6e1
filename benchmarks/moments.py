"""Three moments in one log: cjm beside DuckDB and Polars, each in its own process; then the kernel, and increments.

The log is that of ``moments_log.py`` in the folder of workloads (``--workloads``): customers with offers, visits,
renewals, handset changes, failed connections, spending and cash machines, among 57 other events.

- ``visit``: a premium customer looks at an offer, visits within 3 days, does not renew within 1 day.
- ``failing``: the third failed connection within 2 hours after a handset change.
- ``broke``: 50 or more spent this month, and then no funds at a cash machine.

Every event that completes a moment is an answer, with the latest start. CPU seconds are those of all threads. The log
is in memory before the clock starts, as a table for the peers and as journeys for cjm; the last rows are cjm from
stored journeys, which are read and checked while the clock runs.

``--large 10`` asks for the three moments in one pass over ten times as many stored events, and nothing else.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[1]
HOUR = 3_600_000_000
DAY = 24 * HOUR
LIMIT = 50.0
QUESTIONS = ("visit", "failing", "broke")
VISIT = "x:offer_view_web[premium = true] -> x:store_visit within 3d -> not x:renew within 1d"
FAILING = "x:handset_change -> 3 x x:conn_fail within 2h"


def make(events: int, workloads: Path, folder: Path, *, part: int = 0) -> None:
    """Write the log as a Parquet file and as stored journeys; no person is in two parts."""
    from cjm.journeys import EventArrays, Journeys, SessionRule
    from cjm.journeys._bucket import MemoryBucket

    sys.path.append(str(workloads))
    log = importlib.import_module("moments_log")
    made = log.make(events, max(events // 100, 1), seed=1 + part)
    known = {number: name.lower() for name, number in log.CODES.items()}
    names = [known.get(number, f"e{number:02d}") for number in range(64)]
    touchpoints = pl.DataFrame({"touchpoint": [f"x:{name}" for name in names], "channel": "x", "event": names})
    order = touchpoints["touchpoint"].arg_sort().to_numpy()
    rank = np.argsort(order).astype(np.int32)
    persons = len(made["off"]) - 1
    person = np.arange(part * persons, (part + 1) * persons, dtype=np.int64)
    code = rank[made["code"]]
    arrays = EventArrays(person, made["off"], made["ts"], code, person, made["off"])
    columns = pl.DataFrame({"value": np.round(made["val"].astype(np.float64), 2), "premium": made["seg"] == 1})
    start, end = int(made["ts"].min()), int(made["ts"].max())
    rule = SessionRule(None)
    bucket = MemoryBucket(arrays, columns)
    Journeys([bucket], touchpoints[order], columns.schema, rule=rule, start=start, end=end).write(folder / "store")
    cents = (columns["value"] * 100).round().cast(pl.Int64)
    raw = {"cust": made["cust"], "ts": made["ts"], "code": made["code"], "premium": columns["premium"], "cents": cents}
    pl.DataFrame(raw).write_parquet(folder / "log.parquet")


def make_large(parts: int, events: int, workloads: Path, folder: Path) -> None:
    """Write many parts as one store, and the moments that are found part by part."""
    import cjm

    stores = []
    for part in range(parts):
        home = folder / str(part)
        home.mkdir()
        make(events, workloads, home, part=part)
        (home / "log.parquet").unlink()
        stores.append(cjm.open_journeys(home / "store"))
    rule, end = stores[0].rule, max(store.end for store in stores)
    buckets = [bucket for store in stores for bucket in store._buckets]
    whole = cjm.Journeys(
        buckets, stores[0].touchpoints, stores[0].schema, rule=rule, start=min(store.start for store in stores), end=end
    )
    whole.write(folder / "store")
    until = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=end)
    pl.concat(three(store, until) for store in stores).write_parquet(folder / "expected.parquet")


def three(journeys: Any, until: datetime | None = None) -> pl.DataFrame:
    """Return the three moments, found in one pass."""
    import cjm

    spent = cjm.Running("spent", "x:spend", value="value")
    patterns = {"visit": VISIT, "failing": FAILING, "broke": f"x:atm_nofunds[spent >= {LIMIT}]"}
    moments = [cjm.Moment(name, pattern) for name, pattern in patterns.items()]
    return cjm.moments.detect(journeys, moments, context=[spent], complete_until=until)


def large(folder: Path, runs: int) -> None:
    """Print what it takes to find the three moments in one pass over stored journeys: open, read, check, match."""
    import cjm

    expected = pl.read_parquet(folder / "expected.parquet").sort("match_id")
    for _ in range(runs):
        cpu, wall = time.process_time(), time.perf_counter()
        found = three(cjm.open_journeys(folder / "store"))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        same = "yes" if found.sort("match_id").equals(expected) else "NO"
        load = Path("/proc/loadavg").read_text().split()[0]
        print(f"| {cpu:.2f} | {wall:.2f} | {peak():.0f} | {found.height:,} | {same} | {load} |", flush=True)


def peak() -> float:
    """Return the highest resident memory of this process so far, MB."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def loaded(folder: Path) -> Any:
    """Return the journeys in memory."""
    import cjm
    from cjm.journeys._bucket import MemoryBucket

    stored = cjm.open_journeys(folder / "store")
    bucket = MemoryBucket(stored.arrays, stored.attributes)
    parts = {name: getattr(stored, name) for name in ("rule", "start", "end")}
    return cjm.Journeys([bucket], stored.touchpoints, stored.schema, **parts)


def with_cjm(folder: Path, *, stored: bool = False) -> dict[str, Callable[[], pl.DataFrame]]:
    import cjm

    held = loaded(folder)

    def journeys() -> Any:
        return cjm.open_journeys(folder / "store") if stored else held

    def found(name: str, text: str) -> pl.DataFrame:
        return cjm.find(journeys(), {name: text}, occurrence="all")

    def broke() -> pl.DataFrame:
        spent = cjm.Running("spent", "x:spend", value="value")
        moment = cjm.Moment("broke", f"x:atm_nofunds[spent >= {LIMIT}]")
        return cjm.moments.detect(journeys(), [moment], context=[spent])

    asked = {"visit": lambda: found("v", VISIT), "failing": lambda: found("f", FAILING), "broke": broke}
    columns = ("person", pl.col("start", "end").to_physical())
    return {name: lambda call=call: call().select(*columns) for name, call in asked.items()}


def with_polars(folder: Path) -> dict[str, Callable[[], pl.DataFrame]]:
    log = pl.read_parquet(folder / "log.parquet").with_columns(pl.col("cust").cast(pl.Int64))
    last = int(log["ts"].max())

    def only(code: int, name: str) -> pl.LazyFrame:
        return log.lazy().filter(pl.col("code") == code).select("cust", pl.col("ts").alias(name), pl.col("ts"))

    def before(left: pl.LazyFrame, right: pl.LazyFrame, on: str, **options: Any) -> pl.LazyFrame:
        return left.sort(on).join_asof(
            right.sort("ts"), left_on=on, right_on="ts", by="cust", check_sortedness=False, **options
        )

    def visit() -> pl.DataFrame:
        offers = log.lazy().filter((pl.col("code") == 1) & pl.col("premium"))
        offers = offers.select("cust", pl.col("ts").alias("start"), "ts")
        pairs = before(only(2, "end").drop("ts"), offers, "end", tolerance=3 * DAY).drop("ts", strict=False)
        renewed = before(pairs, only(3, "renew"), "end", strategy="forward", tolerance=DAY, allow_exact_matches=False)
        good = pl.col("start").is_not_null() & pl.col("renew").is_null() & (pl.col("end") + DAY <= last)
        return renewed.filter(good).select(pl.col("cust").alias("person"), "start", "end").collect()

    def failing() -> pl.DataFrame:
        fails = only(5, "end").drop("ts").with_columns(third=pl.col("end").shift(2).over("cust"))
        pairs = before(fails.filter(pl.col("third").is_not_null()), only(4, "start"), "third")
        near = pairs.filter(pl.col("end") - pl.col("start") <= 2 * HOUR)
        return near.select(pl.col("cust").alias("person"), "start", "end").collect()

    def broke() -> pl.DataFrame:
        few = log.lazy().filter(pl.col("code").is_in([6, 7]))
        spent = pl.when(pl.col("code") == 6).then("cents").otherwise(0).cum_sum()
        month = pl.col("ts").cast(pl.Datetime("us")).dt.truncate("1mo")
        hit = few.with_columns(spent=spent.over("cust", month)).filter(code=7).filter(pl.col("spent") >= 100 * LIMIT)
        return hit.select(
            pl.col("cust").alias("person"), pl.col("ts").alias("start"), pl.col("ts").alias("end")
        ).collect()

    return {"visit": visit, "failing": failing, "broke": broke}


def with_duckdb(folder: Path) -> dict[str, Callable[[], pl.DataFrame]]:
    import duckdb

    base = duckdb.connect()
    base.execute(f"create table log as select * from '{folder / 'log.parquet'}'")
    asked = {
        "visit": f"""select v.cust::bigint person, o.ts as "start", v.ts as "end"
            from (select * from log where code = 2) v
            asof join (select * from log where code = 1 and premium) o on v.cust = o.cust and v.ts > o.ts
            asof left join (select * from log where code = 3) r on v.cust = r.cust and v.ts < r.ts
            where v.ts - o.ts <= {3 * DAY} and v.ts + {DAY} <= (select max(ts) from log)
            and (r.ts is null or r.ts - v.ts > {DAY})""",
        "failing": f"""select f.cust::bigint person, h.ts as "start", f.ts as "end"
            from (select cust, ts, lag(ts, 2) over (partition by cust order by ts) third from log where code = 5) f
            asof join (select * from log where code = 4) h on f.cust = h.cust and f.third > h.ts
            where f.third is not null and f.ts - h.ts <= {2 * HOUR}""",
        "broke": f"""select cust::bigint person, ts as "start", ts as "end" from (
            select *, sum(case when code = 6 then cents else 0 end) over (
                partition by cust, date_trunc('month', make_timestamp(ts)) order by ts) spent
            from log where code in (6, 7)) where code = 7 and spent >= {100 * LIMIT}""",
    }
    return {name: lambda text=text: base.sql(text).pl() for name, text in asked.items()}


PEERS = {
    "cjm": with_cjm,
    "DuckDB": with_duckdb,
    "Polars": with_polars,
    "cjm, stored": partial(with_cjm, stored=True),
}


def ask(peer: str, folder: Path, runs: int) -> None:
    """Print what each question took, and keep the answers."""
    for name, call in PEERS[peer](folder).items():
        call()
        taken = []
        for _ in range(runs):
            cpu, wall = time.process_time(), time.perf_counter()
            answer = call()
            taken.append((time.process_time() - cpu, time.perf_counter() - wall))
        cpu, wall = (statistics.median(part) for part in zip(*taken, strict=True))
        answer.cast(pl.Int64).sort("person", "end").write_parquet(folder / f"{peer}-{name}.parquet")
        print(json.dumps({"name": name, "cpu": cpu, "wall": wall, "peak": peak(), "rows": answer.height}), flush=True)


def ninety_nine() -> dict[str, str]:
    """Return the three moments with 33 limits each; the third without its sum, with a step that follows."""
    many = {}
    for k in range(33):
        many[f"v{k}"] = VISIT.replace("3d", f"{1 + k % 7}d").replace("1d", f"{1 + k % 3}d")
        many[f"f{k}"] = FAILING.replace("2h", f"{1 + k % 9}h")
        many[f"b{k}"] = f"x:atm_nofunds -> x:e{8 + k:02d} within 1h"
    return many


def drawn() -> dict[str, str]:
    """Return ninety-nine patterns of three of the other touchpoints, drawn at random."""
    rng = np.random.default_rng(5)
    steps = [rng.choice(np.arange(8, 64), 3) for _ in range(99)]
    return {f"r{k}": f"x:e{a:02d} -> x:e{b:02d} within 3d -> x:e{c:02d} within 1d" for k, (a, b, c) in enumerate(steps)}


def kernel(folder: Path, runs: int) -> None:
    """Print events a core-second of the kernel alone, on one thread, over events that are in memory as letters."""
    import cjm
    from cjm.matching import Compiler, compile_patterns, named_patterns, run, tables_of

    journeys = cjm.open_journeys(folder / "store")
    arrays = journeys.arrays
    asked = {
        "three": {"visit": VISIT, "failing": FAILING, "broke": "x:atm_nofunds[value >= 0]"},
        "ninety-nine": ninety_nine(),
        "ninety-nine random": drawn(),
    }
    for title, texts in asked.items():
        patterns = named_patterns(texts)
        program = compile_patterns(list(patterns), tables_of(patterns), Compiler(journeys))
        letters = program.letters(arrays.code, 0, len(arrays.code))
        taken = []
        for _ in range(runs + 1):
            cpu = time.process_time()
            persons = (0, len(arrays.person))
            run(program, letters, arrays.offsets, arrays.time, persons, mode="non_overlapping", known_to=journeys.end)
            taken.append(time.process_time() - cpu)
        print(f"kernel, {title} moments: {len(arrays.time) / min(taken[1:]) / 1e6:.0f} million events a core-second")


def increments(persons: int, batches: int, events: int) -> None:
    """Print how long batches take with a state that holds ``persons``."""
    import cjm

    rng = np.random.default_rng(1)
    watch = cjm.Watch(
        [
            cjm.Moment("visit", "x:offer -> x:visit within 3d -> not x:renew within 1d"),
            cjm.Moment("failing", "x:handset -> 3 x x:fail within 2h"),
            cjm.Moment("broke", "x:atm[spent >= 50]", once_per="30d"),
        ],
        context=[cjm.Running("spent", "x:spend", value="value")],
    )

    def batch(size: int, start: int, length: int, who: np.ndarray) -> pl.DataFrame:
        names = pl.Series(["offer", "visit", "renew", "handset", "fail", "spend", "atm", "other"])
        share = [0.2, 0.05, 0.05, 0.05, 0.05, 0.3, 0.05, 0.25]
        at = pl.Series(start + np.sort(rng.integers(0, length, size))).cast(pl.Datetime("us", "UTC"))
        return pl.DataFrame(
            {
                "person": who,
                "time": at,
                "channel": "x",
                "event": names.gather(rng.choice(8, size, p=share)),
                "value": rng.integers(1, 50, size) / 1.0,
            }
        )

    ids = rng.integers(0, 1 << 62, persons)
    clock = 1_767_312_000_000_000
    _, state = watch.update(batch(persons, clock, HOUR, ids))
    print(f"state: {state.layers.persons:,} persons")
    with tempfile.TemporaryDirectory() as folder:
        state.save(folder)
        taken, saved, cpus = [], [], []
        for _ in range(batches):
            clock += HOUR // 10
            given = batch(events, clock, HOUR // 10, rng.choice(ids, events))
            begun, cpu = time.perf_counter(), time.process_time()
            _, state = watch.update(given, state)
            taken.append(1000 * (time.perf_counter() - begun))
            cpus.append(1000 * (time.process_time() - cpu))
            state.save(folder)
            saved.append(1000 * (time.perf_counter() - begun))
    for title, values in (("in memory", taken), ("in memory, CPU time", cpus), ("and saved", saved)):
        p50, p99 = np.percentile(values, [50, 99])
        print(
            f"increment of {events:,} events, {title}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, largest {max(values):.0f} ms"
        )


def main() -> None:
    """Make the log, ask everybody, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=float, default=1e7)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--persons", type=float, default=1e6, help="persons in the state for increments; 0: none")
    parser.add_argument("--workloads", type=Path, default=ROOT.parent / "shared" / "workloads")
    parser.add_argument("--large", type=int, default=0, help="so many times the events, stored; nothing else then")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peer == "large":
        large(given.folder, given.runs)
        return
    if given.peer:
        ask(given.peer, given.folder, given.runs)
        return
    print(f"{platform.machine()}, Python {platform.python_version()}, {int(given.events):,} events\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.large:
            make_large(given.large, int(given.events), given.workloads, folder)
            print("| CPU s | wall s | peak MB | matches | same as part by part | load |\n|--:|--:|--:|--:|---|--:|")
            command = [sys.executable, __file__, "--peer", "large", "--folder", name, "--runs", str(given.runs)]
            subprocess.run(command, check=True)
            return
        make(int(given.events), given.workloads, folder)
        print("| moment | by | CPU s | wall s | peak MB | matches | same answer |\n|---|---|--:|--:|--:|--:|---|")
        for peer in PEERS:
            command = [sys.executable, __file__, "--peer", peer, "--folder", name, "--runs", str(given.runs)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            for line in map(json.loads, told.splitlines()):
                ours, theirs = (pl.read_parquet(folder / f"{who}-{line['name']}.parquet") for who in ("cjm", peer))
                same = "" if peer == "cjm" else "yes" if ours.equals(theirs) else "NO"
                figures = f"{line['cpu']:.2f} | {line['wall']:.2f} | {line['peak']:.0f} | {line['rows']:,}"
                print(f"| {line['name']} | {peer} | {figures} | {same} |", flush=True)
        print(flush=True)
        kernel(folder, given.runs)
    if given.persons:
        increments(int(given.persons), 300, 1_000)


if __name__ == "__main__":
    main()
