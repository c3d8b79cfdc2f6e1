"""Journeys at 10, 30 and 100 million events: time is linear, memory stays bounded.

Call: python benchmarks/hundred_million.py [--events 1e7 3e7 1e8] [--folder /tmp/somewhere]

Makes the log in files of the smallest number of events given (no customer is in two of them; the other numbers are
multiples of it). Then one process builds the journeys and writes the store, and another one opens the store and asks
everything that ``journeys.py`` asks, but of the variants only the 1,000 most frequent. Printed a stage: wall and CPU
seconds, CPU microseconds an event, highest resident memory of the process during the stage. Takes 4 GB of disk.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from _log import make_log
from journeys import HERE, QUESTIONS, watch

STAGES = {"build": ["build", "write"], "measure": ["open", *(name for name in QUESTIONS if name != "build")]}


def make_files(number: int, events: int, folder: Path) -> list[Path]:
    """Write a log file by file, so that no more than one is in memory."""
    files = [folder / f"log-{file:03}.parquet" for file in range(number)]
    for file, path in enumerate(files):
        make_log(events, seed=file, first_customer=file * events).write_parquet(path)
    return files


def stages(log: Path, small: Path, out: Path) -> dict[str, dict[str, Any]]:
    """Build and write in one process, open and measure in another; return what each stage took."""
    out.mkdir()
    found: dict[str, dict[str, Any]] = {}
    for mode, names in STAGES.items():
        script = [sys.executable, str(HERE / "peers" / "with_cjm.py"), str(log), str(small), str(out), ",".join(names)]
        lines, why = watch([*script, "--mode", mode, "--runs", "1"], out / "told.jsonl")
        found |= {line["name"]: line for line in lines if "name" in line}
        found |= {name: {"missing": why or "not told"} for name in names if name not in found}
        if why:
            sys.stderr.write((out / "told.errors").read_text())
    return found


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=float, nargs="+", default=[1e7, 3e7, 1e8])
    parser.add_argument("--folder", type=Path, default=None, help="where the files go (and are deleted)")
    given = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}\n")
    print("| events | stage | wall s | CPU s | CPU us an event | peak MB |\n|--:|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        root = Path(folder)
        small = root / "small"
        small.mkdir()
        make_log(20_000).write_parquet(small / "log.parquet")
        part = int(min(given.events))
        files = make_files(int(max(given.events)) // part, part, root)
        for events in map(int, given.events):
            log = root / str(events)
            log.mkdir()
            for file in files[: events // part]:
                (log / file.name).symlink_to(file)
            found = stages(log, small, root / f"{events}-answers")
            for name, cost in found.items():
                if "missing" in cost:
                    print(f"| {events:,} | {name} | {cost['missing']} | | | |", flush=True)
                    continue
                wall, cpu, peak = cost["wall"], cost["cpu"], cost["peak"]
                print(
                    f"| {events:,} | {name} | {wall:.2f} | {cpu:.2f} | {cpu / events * 1e6:.3f} | {peak:.0f} |",
                    flush=True,
                )
            shutil.rmtree(log.with_suffix(".store"), ignore_errors=True)


if __name__ == "__main__":
    main()
