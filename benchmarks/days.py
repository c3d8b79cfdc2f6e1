"""A log of many days and one day more: a run that goes on from the former one, and one over everything.

Call: python benchmarks/days.py [--events 1e6 1e7] [--share 0.001 0.01 0.1] [--csv] [--folder /tmp/somewhere]

The log is in two files, ordered by time; the second has the last share of the events. A visitor has one to three
cookies, and on a third of the visits the customer is known. One process runs over the first file, then over both, then
over both with nothing kept. Printed are the CPU seconds (user and system, all threads) of each step of the last two
with its tables, whether these are the same byte by byte, and the CPU seconds of the parts of these steps.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import numba
import polars as pl
from _log import make_log

import cjm
import cjm.progress
from cjm import job
from cjm.events import arrived, open_kept
from cjm.identity import grown
from cjm.job._load import declared_log
from cjm.journeys import journeys_again

CONFIGURATION = """
[output]
dir = "out"

[sources.web]
path = "log/*"
time = "timestamp"
time_zone = "UTC"
event = "event"
channel = "channel"
value = "revenue"
ids = {customer = "customer", cookie = "cookie"}

[mining]
min_support = 0.5
max_length = 2
"""
Found = TypeVar("Found")
STEPS = ("load", "stitch", "journeys", "measure", "mine")


def write_files(events: int, share: float, folder: Path, *, csv: bool) -> None:
    """Write the two files, as CSV or Parquet; the new one not yet among the log's."""
    (folder / "log").mkdir()
    log = make_log(events)
    hour = pl.col("timestamp").dt.truncate("1h").dt.epoch("s")
    visit = (pl.col("customer") + hour.cast(pl.String)).hash(1)
    log = log.with_columns(
        cookie=pl.format("k{}-{}", pl.col("customer"), visit % (pl.col("customer").hash(2) % 3 + 1)),
        customer=pl.when(visit % 3 == 0).then("customer"),
    )
    cut = events - int(share * events)
    for part, path in ((log[:cut], folder / "log" / "history"), (log[cut:], folder / "new")):
        part.write_csv(path.with_suffix(".csv")) if csv else part.write_parquet(path.with_suffix(".parquet"))
    (folder / "cjm.toml").write_text(CONFIGURATION)


def digests(folder: Path) -> dict[str, str]:
    """Return a hash of each table."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.parquet"))}


def run(folder: Path, output: str) -> dict[str, object]:
    """Run and return what it says of itself."""
    out = job.run(job.load_config(folder / "cjm.toml"), output=folder / output)
    return json.loads((out / "run.json").read_text())


def timed(call: Callable[[], Found]) -> tuple[float, Found]:
    """Return the CPU seconds of a call and what it returns."""
    started = time.process_time()
    found = call()
    return time.process_time() - started, found


def parts(folder: Path, former: Path) -> dict[str, tuple[float, float]]:
    """Return the CPU seconds of finding persons and of sorting: of all events, and of what is new; and of the state."""
    log = declared_log(job.load_config(folder / "cjm.toml"))
    open_kept(log, folder / ".out.days" / "load" / "events")
    find, people = timed(lambda: cjm.stitch(log))
    sort, _ = timed(lambda: cjm.build_journeys(log, people))
    opened, before = timed(lambda: cjm.open_identities(former / "stitch" / "people"))
    more = arrived(log, folder / ".out.days" / "load" / "events")
    find_more, (people, persons) = timed(lambda: grown(before, log, more))
    stored = cjm.open_journeys(former / "journeys" / "store")
    sort_more, journeys = timed(lambda: journeys_again(stored, log, people, touched=pl.Series(persons)))
    assert journeys is not None
    written, _ = timed(lambda: (people.write(folder / "people"), journeys.write(folder / "journeys")))
    return {
        "finding persons": (find, find_more),
        "sorting": (sort, sort_more),
        "reading identities back": (0.0, opened),
        "writing identities and journeys": (written, written),
    }


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=float, nargs="+", default=[1e6])
    parser.add_argument("--share", type=float, nargs="+", default=[0.01], help="of the events, in the new file")
    parser.add_argument("--csv", action="store_true", help="files are CSV instead of Parquet")
    parser.add_argument("--folder", type=Path, default=None, help="where the files go (and are deleted)")
    given = parser.parse_args()
    cjm.progress.time = SimpleNamespace(perf_counter=time.process_time)  # steps in CPU seconds
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}")
    print(f"polars {pl.__version__}, numba {numba.__version__}")
    sizes = [(int(events), share) for events in given.events for share in given.share]
    for events, share in ((20_000, 0.01), *sizes):  # the first compiles
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            folder = Path(name)
            write_files(events, share, folder, csv=given.csv)
            run(folder, "out")
            shutil.copytree(folder / ".out.days", folder / "former")
            (new,) = folder.glob("new.*")
            shutil.move(new, folder / "log" / new.name)
            more, whole = run(folder, "out"), run(folder, "whole")
            same = digests(folder / "out" / "tables") == digests(folder / "whole" / "tables")
            print(f"\n{events:,} events, {share:.1%} of them new: {more['incremental']} of {more['persons']:,} persons")
            print(f"tables the same: {'yes' if same else 'NO'}\n")
            print("| step | whole, CPU s | going on, CPU s | ratio |\n|---|--:|--:|--:|")
            costs = [{step["step"]: step["seconds"] for step in one["steps"]} for one in (whole, more)]
            for step in STEPS:
                a, b = (cost[step] for cost in costs)
                print(f"| {step} | {a:.2f} | {b:.2f} | {a / b:.1f} |", flush=True)
            for part, (a, b) in parts(folder, folder / "former").items():
                print(f"| {part} | {a:.2f} | {b:.2f} | {a / b:.1f} |", flush=True)


if __name__ == "__main__":
    main()
