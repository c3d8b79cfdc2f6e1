"""Raw files to stored journeys, beside Polars by hand, DuckDB SQL, pandas and retentioneering.

Call: python benchmarks/load.py [--events 1e6 4e6] [--runs 3] [--only cjm polars]

Three seeded files of one log, as three systems would deliver them: ``web.parquet`` (times of a time type),
``app.csv`` (ISO 8601 text) and ``call.ndjson`` (epoch milliseconds). Identifiers have blanks around them, and one row
in fifty has ``(not set)``, ``null``, zeros or nothing in place of one; these rows are left out. Everybody reads the
files, makes times UTC and identifiers text, puts customers' events in order of time, cuts sessions at pauses of more
than 30 minutes, and writes Parquet ordered by customer and time. A process does that once on a little log, which
imports and compiles, then on the log. Printed are the median CPU seconds (user and system, all threads) and wall
seconds of the call, the CPU seconds of the first call, the highest resident memory of the process during the calls,
and whether the sessions (customer, start, end, events) are the same row for row. cjm alone counts what it left out
and why, and checks quotes, row lengths and encodings; its stored journeys have a hash of each file.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from _log import make_log
from journeys import HERE, Peer, digest, interpreter, versions, watch

PEERS = {
    "cjm": ("load_cjm", "with_cjm"),
    "polars by hand": ("load_polars", "with_cjm"),
    "duckdb": ("load_duckdb", "with_duckdb"),
    "duckdb, one thread": ("load_duckdb", "with_duckdb"),
    "pandas": ("load_pandas", "with_retentioneering"),
    "retentioneering": ("load_retentioneering", "with_retentioneering"),
}
NOBODY = ["(not set)", "null", "0000", None]


def write_files(events: int, folder: Path) -> None:
    """Write the three files."""
    folder.mkdir(parents=True)
    log = make_log(events).with_row_index("row")
    nobody = pl.col("row") % 50 == 7
    which = pl.col("row") // 50 % len(NOBODY)
    text = pl.lit(pl.Series(NOBODY, dtype=pl.String)).gather(which)
    blanks = pl.when(pl.col("row") % 3 == 0).then(pl.concat_str(pl.lit(" "), "customer", pl.lit(" ")))
    log = log.with_columns(customer=pl.when(nobody).then(text).otherwise(blanks.otherwise("customer")))
    part = pl.col("channel").is_in(["app", "call_center"])
    columns = ["customer", "timestamp", "event", "channel", "revenue"]
    log.filter(~part).select(columns).write_parquet(folder / "web.parquet")
    iso = log.filter(channel="app").with_columns(pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    iso.select(columns).write_csv(folder / "app.csv")
    ms = pl.col("timestamp").dt.epoch("ms").alias("timestamp")
    log.filter(channel="call_center").with_columns(ms).select(columns).write_ndjson(folder / "call.ndjson")


def ask(name: str, files: Path, out: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Return what a peer's call took, or why there is no answer."""
    script, env = PEERS[name]
    out.mkdir(parents=True)
    python = str(interpreter(env, given.envs))
    mode = "one thread" if "one thread" in name else ""
    command = [python, str(HERE / "peers" / f"{script}.py"), str(files), str(out), str(given.runs), mode]
    lines, why = watch(command, out / "told.jsonl")
    return {"missing": why} if why is not None else lines[-1]


def main() -> None:
    """Make the files, ask everybody, print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=float, nargs="+", default=[1e6, 4e6])
    parser.add_argument("--runs", type=int, default=3, help="calls; the median counts")
    parser.add_argument("--only", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--envs", type=Path, default=Path(tempfile.gettempdir()) / "cjm-benchmarks" / "envs")
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {cores} cores, Python {platform.python_version()}")
    scripts = dict.fromkeys(PEERS[name][1] for name in given.only)
    print(versions([Peer(script, script) for script in scripts], given.envs))
    for events in map(int, given.events):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            write_files(events, root / "log")
            write_files(20_000, root / "small")
            sizes = ", ".join(
                f"{path.name} {path.stat().st_size / 1e6:.0f} MB" for path in sorted((root / "log").iterdir())
            )
            print(f"\n{events:,} events ({sizes}), median of up to {given.runs} runs\n")
            print("| by | CPU s | first | wall s | peak MB | CPU / ours | same sessions |")
            print("|---|--:|--:|--:|--:|--:|---|", flush=True)
            ours: dict[str, Any] = {}
            expected = ""
            for name in given.only:
                found = ask(name, root, root / name, given)
                if "missing" in found:
                    print(f"| {name} | | | | | | {found['missing']} |", flush=True)
                    continue
                answer = digest(root / name / "sessions.parquet")
                ours, expected = (found, answer) if not ours else (ours, expected)
                same = "" if found is ours else "yes" if answer == expected else "NO"
                ratio = f"{found['cpu'] / ours['cpu']:.1f}"
                cells = [f"{found['cpu']:.2f}", f"{found['first']:.2f}", f"{found['wall']:.2f}", f"{found['peak']:.0f}"]
                print(f"| {' | '.join([name, *cells, ratio, same])} |", flush=True)


if __name__ == "__main__":
    main()
