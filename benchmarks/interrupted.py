"""Let every call that changes what is on disk fail, and end a run at random times: nothing may be lost or doubled.

    python benchmarks/interrupted.py --kills 1000 --stops 100 --races 100 --at-once 4

The tests do the same for a few calls and times. It ends with an AssertionError at the first difference.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "job"))

from days_log import days_and_kill, days_with_faults
from small_run import one_fault, run_and_kill, run_and_stop, run_races, run_with_faults, small_run

from cjm import job

KINDS = ("before", "torn", "after")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--kills", type=int, default=1000, help="how many runs are killed")
    arguments.add_argument("--stops", type=int, default=100, help="how many runs are stopped by Ctrl-C or SIGTERM")
    arguments.add_argument("--races", type=int, default=100, help="how often two runs start at nearly the same time")
    arguments.add_argument("--at-once", type=int, default=2, help="how many runs at a time")
    arguments.add_argument("--every", type=int, default=1, help="of the faults, every so many only")
    given = arguments.parse_args()
    logging.disable()
    os.environ["SOURCE_DATE_EPOCH"] = "1700000000"
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        config = job.load_config(small_run(Path(folder)))
        job.run(config)
        with one_fault(-1, "before") as calls:
            job.run(config)
        points = [(number, kind) for number in range(len(calls)) for kind in KINDS][:: given.every]
        struck = run_with_faults(config, points)
        print(
            f"{len(points)} faults at {len(calls)} calls, {struck} of them ended the run: 0 outputs lost or changed",
            end="",
        )
        print(f", {time.perf_counter() - started:.0f} s")
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        faults, struck = days_with_faults(Path(folder), given.every)
        print(f"a run over a new day: {faults} faults, {struck} of them ended it: 0 outputs lost or changed", end="")
        print(f", {time.perf_counter() - started:.0f} s")
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        days_and_kill(Path(folder), given.kills // 10, seed=1)
        print(f"{given.kills // 10} runs over a new day killed: 0 differences, {time.perf_counter() - started:.0f} s")
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        folders = [Path(folder, str(number)) for number in range(given.at_once)]
        for one in folders:
            one.mkdir()
        share = -(-given.kills // given.at_once)
        with ThreadPoolExecutor(given.at_once) as pool:
            counts = list(pool.map(lambda one: run_and_kill(one, share, seed=int(one.name)), folders))
        killed, ended = (sum(column) for column in zip(*counts, strict=True))
        print(f"{killed} runs killed, {ended} ended in between: 0 differences, {time.perf_counter() - started:.0f} s")
    with tempfile.TemporaryDirectory() as folder:
        turned_away = run_races(Path(folder), given.races, seed=1)
        print(f"{given.races} races of two runs: 0 differences, {turned_away} times one of them ended with 75")
    if not given.stops:
        return
    with tempfile.TemporaryDirectory() as folder:
        stopped, longest = run_and_stop(Path(folder), given.stops, seed=1, until=1.0)
        print(f"{stopped} runs stopped: 0 differences, none took longer than {longest:.2f} s to end")


if __name__ == "__main__":
    main()
