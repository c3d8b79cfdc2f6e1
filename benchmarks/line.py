"""The whole line, and its kernels beside the libraries that people would use for the same question.

Call: python benchmarks/line.py [--persons 20000] [--runs 3]

Every timed call runs in a fresh process, after one call on a small world that compiles kernels and imports libraries.
Printed are the median wall and CPU seconds of the call alone, the ratio of CPU seconds to ours, the peak memory of the
process (which holds the simulated world too), and whether the answers are equal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import polars as pl

import cjm
from cjm.datasets import simulate

MINING = {"min_support": 0.05, "max_length": 3}


def prepared(persons: int) -> dict[str, Any]:
    """Return what the timed calls start from."""
    world = simulate(persons, days=180, seed=11)
    log = world.log
    log.frame.head(0).collect()
    people = cjm.stitch(log)
    journeys = cjm.build_journeys(log, people)
    customers = people.with_person(world.persons, "customer").select("person", "premium", "entry")
    subjects = cjm.subjects(journeys, cjm.Churn.event("account:cancelled"), persons=customers)
    return {"world": world, "log": log, "people": people, "journeys": journeys, "subjects": subjects}


def digest(frame: pl.DataFrame) -> str:
    """Return a hash of the rows, whatever their order."""
    rows = sorted(json.dumps(row, default=str) for row in frame.rows())
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:12]


def risk_rows(given: dict[str, Any]) -> pl.DataFrame:
    """Return (start, stop] rows with the risk path as a time-varying covariate."""
    first = cjm.find(given["journeys"], {"risk": "web:view_offer -> store:visit within 3d"}, occurrence="first")
    frame = given["subjects"].frame.join(first.select("person", done="end"), on="person", how="left")
    day = 86_400_000_000
    rows = frame.select(
        "person",
        pl.col("premium").cast(pl.Float64),
        start=(pl.col("entry") - pl.col("entry").min()).dt.total_microseconds() / day,
        stop=(pl.col("exit") - pl.col("entry").min()).dt.total_microseconds() / day,
        done=(pl.col("done") - pl.col("entry").min()).dt.total_microseconds() / day,
        event="churned",
    )
    split = pl.col("done").is_not_null() & (pl.col("done") > pl.col("start")) & (pl.col("done") < pl.col("stop"))
    before = rows.filter(split).with_columns(stop="done", event=pl.lit(False), risk=pl.lit(0.0))
    after = rows.filter(split).with_columns(start="done", risk=pl.lit(1.0))
    whole = rows.filter(~split).with_columns(risk=(pl.col("done") <= pl.col("start")).fill_null(False).cast(pl.Float64))
    columns = ["person", "start", "stop", "event", "premium", "risk"]
    return pl.concat([part.select(columns) for part in (before, after, whole)]).sort("person", "start")


def lifelines_cox(given: dict[str, Any]) -> str:
    """Fit the same model with lifelines."""
    from lifelines import CoxTimeVaryingFitter

    table = given["rows"].with_columns(pl.col("event").cast(pl.Int64)).to_pandas()
    fitted = CoxTimeVaryingFitter().fit(table, id_col="person", start_col="start", stop_col="stop", event_col="event")
    return str([round(float(fitted.params_[name]), 6) for name in ("premium", "risk")])


def our_cox(given: dict[str, Any]) -> str:
    """Fit the model with cjm."""
    fitted = cjm.survival.cox(
        given["rows"], start="start", stop="stop", event="event", covariates=["premium", "risk"], cluster=None
    )
    return str([round(float(value), 6) for value in fitted.coef])


def duckdb_transitions(given: dict[str, Any]) -> str:
    """Count what follows what with SQL."""
    import duckdb

    events = given["events"]  # noqa: F841
    counted = duckdb.sql(
        """
        select touchpoint as source, target, count(*) as count from (
            select touchpoint, lead(touchpoint) over (partition by person order by row) as target from events
        ) where target is not null group by all
        """
    ).pl()
    return digest(counted.select("source", "target", pl.col("count").cast(pl.Int64)))


CALLS: dict[str, dict[str, Callable[[dict[str, Any]], Any]]] = {
    "scan_events": {"cjm": lambda g: digest(cjm.scan_events(g["world"].sources).counts())},
    "stitch": {"cjm": lambda g: cjm.stitch(g["log"]).map.height},
    "build_journeys": {"cjm": lambda g: len(cjm.build_journeys(g["log"], g["people"]).arrays.time)},
    "transitions": {
        "cjm": lambda g: digest(cjm.transitions(g["journeys"]).select("source", "target", "count")),
        "duckdb": duckdb_transitions,
    },
    "mine_sequences": {
        "cjm": lambda g: digest(cjm.mine_sequences(g["journeys"], **MINING)),
        "prefixspan": lambda g: digest(cjm.mine_sequences(g["journeys"], engine="prefixspan", **MINING)),
    },
    "mine_itemsets": {
        "cjm": lambda g: digest(cjm.mine_itemsets(g["journeys"], by="person", **MINING)),
        "mlxtend": lambda g: digest(cjm.mine_itemsets(g["journeys"], by="person", engine="mlxtend", **MINING)),
    },
    "cox": {"cjm": our_cox, "lifelines": lifelines_cox},
}


def measure(name: str, engine: str, persons: int) -> dict[str, Any]:
    """Time one call in this process."""
    for size in (300, persons):  # the first compiles and imports
        given = prepared(size)
        given["rows"] = risk_rows(given)
        given["events"] = given["journeys"].frame.select("person", "touchpoint").collect().with_row_index("row")
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            answer = CALLS[name][engine](given)
        except Exception:
            if size == persons:
                raise
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": wall, "cpu": cpu, "memory": memory, "answer": str(answer), "events": given["events"].height}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", nargs=2)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(*given.one, given.persons)))
        return
    versions = ", ".join(f"{name} {version(name)}" for name in ("polars", "numba", "duckdb", "lifelines", "mlxtend"))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}, {versions}")
    print(f"{given.persons:,} customers, median of {given.runs} runs\n")
    print("| call | by | wall s | CPU s | CPU / ours | peak MB | same answer |\n|---|---|--:|--:|--:|--:|---|")
    for name, engines in CALLS.items():
        ours: dict[str, Any] = {}
        for engine in engines:
            command = [sys.executable, __file__, "--persons", str(given.persons), "--one", name, engine]
            runs = [
                json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                for _ in range(given.runs)
            ]
            found = {key: statistics.median(run[key] for run in runs) for key in ("wall", "cpu", "memory")}
            found["answer"] = runs[0]["answer"]
            ours = ours or found
            same = "" if found is ours else ("yes" if found["answer"] == ours["answer"] else "NO")
            ratio = found["cpu"] / ours["cpu"]
            cells = [
                name,
                engine,
                f"{found['wall']:.3f}",
                f"{found['cpu']:.3f}",
                f"{ratio:.1f}",
                f"{found['memory']:.0f}",
            ]
            print(f"| {' | '.join([*cells, same])} |", flush=True)


if __name__ == "__main__":
    main()
