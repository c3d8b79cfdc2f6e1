"""What every peer does alike: load the log, answer the questions, time each call alone, write the answers.

Standard library only, because it runs in the environment of each peer. Lines of JSON on standard output tell the parent
what has begun and what it took; the answers are Parquet files with the columns that ``journeys.py`` names.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FUNNEL = ["app:home", "app:product", "app:cart_add", "app:purchase"]
BUDGET = 60  # seconds after which a call is not repeated


def peak_mb() -> float:
    """Return the highest resident memory since :func:`forget_peak`, in MB."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def forget_peak() -> None:
    """Start a new measurement of the highest resident memory (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def tell(**facts: Any) -> None:
    """Send one line to the parent."""
    print(json.dumps(facts), flush=True)


def timed(call: Callable[[], Any], runs: int) -> tuple[Any, dict[str, float]]:
    """Return the answer, the median wall and CPU seconds of up to ``runs`` calls, and the peak memory."""
    walls, cpus = [], []
    forget_peak()
    before = peak_mb()
    while len(walls) < runs and sum(walls) < BUDGET:
        answer = None  # so that two answers are never held at once
        wall, cpu = time.perf_counter(), time.process_time()
        answer = call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    found = {"wall": statistics.median(walls), "cpu": statistics.median(cpus), "first": cpus[0], "runs": len(walls)}
    return answer, {**found, "peak": peak_mb(), "extra": peak_mb() - before}


Question = tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]


def serve(
    load: Callable[[str, str], Any],
    questions: dict[str, Question],
    missing: dict[str, str],
    notes: dict[str, str] | None = None,
) -> None:
    """Answer the questions asked on the command line.

    ``load(path, mode)`` returns what ``questions[name][0]`` takes; ``questions[name][1]`` makes an Arrow table of both
    the loaded log and the answer. ``missing`` says why a question has no answer, ``notes`` why an answer is another.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("log")
    parser.add_argument("small", help="a little log of the same kind, on which everything is called once before")
    parser.add_argument("out")
    parser.add_argument("names", help="questions, with commas")
    parser.add_argument("--mode", default="")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    names = given.names.split(",")
    out = Path(given.out)

    tell(begin="start")
    warm = load(given.small, given.mode)
    for name in names:
        if name in questions and name != "build":
            with contextlib.suppress(Exception):  # it will fail again, and be told, on the log itself
                questions[name][1](warm, questions[name][0](warm))
    tell(begin="build")
    runs = given.runs if "build" in names else 1
    state, cost = timed(lambda: load(given.log, given.mode), runs)
    if "build" in names:
        _write(questions["build"][1](state, None), out / "build.parquet")
        tell(name="build", **cost)
    for name in names:
        if name == "build":
            continue
        if name in missing or name not in questions:
            tell(name=name, missing=missing.get(name, "not offered"))
            continue
        tell(begin=name)
        try:
            answer, cost = timed(lambda name=name: questions[name][0](state), given.runs)
        except Exception as error:
            print(f"{name}: {error!r}", file=sys.stderr)
            tell(name=name, missing=f"failed: {type(error).__name__}")
            continue
        tell(name=name, **cost, **({"note": notes[name]} if notes and name in notes else {}))
        tell(begin="write")
        _write(questions[name][1](state, answer), out / f"{name}.parquet")
        del answer
        tell(begin="start")


def _write(table: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path)
