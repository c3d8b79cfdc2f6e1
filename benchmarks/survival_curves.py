"""Curves, log-rank tests and concordance beside lifelines and SurPyval, the latter in an environment of its own.

Call: python benchmarks/survival_curves.py [--rows 1e6] [--groups 100] [--runs 5] [--clock daily] [--results ...]

Everybody gets the same seeded arrays: days until churn or the end of observation, on a clock of whole days or without
ties, a group and a score. A peer is one process, which calls once on little data first, to compile and import. Printed
are the median CPU seconds (user and system, all threads) and wall seconds of up to five calls (no more once a minute is
over), the peak memory during them, CPU as a multiple of ours, and how far the answers are apart.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from peers._common import BUDGET, forget_peak, peak_mb

Data = dict[str, Any]


def made(rows: int, groups: int, clock: str) -> Data:
    """Return exit, churned, group, ending and score of each row."""
    rng = np.random.default_rng(1)
    score = rng.normal(size=rows)
    churn, lost, other = (
        rng.exponential(300 * np.exp(-0.5 * score)),
        rng.uniform(1, 730, rows),
        rng.exponential(900, rows),
    )
    time = np.minimum(np.minimum(churn, lost), other)
    ending = np.where(churn <= time, 1, np.where(other <= time, 2, 0))
    if clock == "daily":
        time = np.ceil(time)
    group = rng.integers(0, groups, rows)
    group[:groups] = np.arange(groups)
    return {"time": time, "ending": ending, "event": ending == 1, "group": group, "score": score}


def ours() -> dict[str, Callable[[Data], Any]]:
    """Return our calls; each returns numbers to compare."""
    from cjm.survival._concordance import concordance_of
    from cjm.survival._counts import time_rows
    from cjm.survival._curves import survival_table
    from cjm.survival._incidence import incidence_of
    from cjm.survival._logrank import logrank_test, pairs_test

    def rows(data: Data, ending: str = "event", *, grouped: bool = True) -> Any:
        entry = np.zeros(len(data["time"]))
        return time_rows(entry, data["time"], data[ending], data["group"] if grouped else None)

    def both(data: Data) -> list[float]:
        table = rows(data)
        curves = survival_table(table)
        return [*curves.group_by("group", maintain_order=True).last()["survival"], logrank_test(table).chi2]

    def pairs(data: Data) -> list[float]:
        excess, variance = pairs_test(rows(data))
        return (excess**2 / variance).tolist()

    return {
        "curves and log-rank": both,
        "all pairs": pairs,
        "Aalen-Johansen": lambda data: [float(incidence_of(rows(data, "ending", grouped=False), 1)[0][-1])],
        "concordance": lambda data: [concordance_of(data["time"], data["event"], data["score"], "harrell")[0]],
    }


def lifelines() -> dict[str, Callable[[Data], Any]]:
    """Return the calls of lifelines."""
    from lifelines import AalenJohansenFitter, KaplanMeierFitter
    from lifelines.statistics import multivariate_logrank_test, pairwise_logrank_test
    from lifelines.utils import concordance_index

    def both(data: Data) -> list[float]:
        found = []
        for group in np.unique(data["group"]):
            one = data["group"] == group
            fitted = KaplanMeierFitter().fit(data["time"][one], data["event"][one])
            found.append(float(fitted.survival_function_.iloc[-1, 0]))
        return [*found, float(multivariate_logrank_test(data["time"], data["group"], data["event"]).test_statistic)]

    def pairs(data: Data) -> list[float]:
        found = pairwise_logrank_test(data["time"], data["group"], data["event"])
        chi2 = dict(zip(found.name, np.ravel(found.test_statistic), strict=True))
        return [float(chi2[pair]) for pair in itertools.combinations(np.unique(data["group"]).tolist(), 2)]

    def incidence(data: Data) -> list[float]:
        fitted = AalenJohansenFitter(seed=1, calculate_variance=True)
        fitted.fit(data["time"], data["ending"], event_of_interest=1)
        return [float(fitted.cumulative_density_.iloc[-1, 0])]

    return {
        "curves and log-rank": both,
        "all pairs": pairs,
        "Aalen-Johansen": incidence,
        "concordance": lambda data: [float(concordance_index(data["time"], -data["score"], data["event"]))],
    }


def surpyval() -> dict[str, Callable[[Data], Any]]:
    """Return the calls of SurPyval: it has curves, and no log-rank test in this version."""
    from surpyval import KaplanMeier

    def curves(data: Data) -> list[float]:
        found = []
        for group in np.unique(data["group"]):
            one = data["group"] == group
            fitted = KaplanMeier.fit(data["time"][one], c=(~data["event"][one]).astype(int))
            found.append(float(fitted.R[-1]))
        return found

    return {"curves and log-rank": curves}


PEERS = {"cjm": ours, "lifelines": lifelines, "surpyval (curves only)": surpyval}


def answer(peer: str, name: str, rows: int, groups: int, clock: str, runs: int) -> None:
    """Time one call and print what it took as JSON."""
    call = PEERS[peer]()[name]
    call(made(2_000, min(groups, 5), clock))
    data = made(rows, groups, clock)
    walls, cpus, found = [], [], None
    forget_peak()
    while len(walls) < runs and sum(walls) < BUDGET:
        wall, cpu = time.perf_counter(), time.process_time()
        found = call(data)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    print(json.dumps([statistics.median(cpus), statistics.median(walls), peak_mb(), found]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=float, default=1e6)
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--clock", nargs="+", default=["daily", "continuous"])
    parser.add_argument("--results", nargs="+", help="some of the results; by default all")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which a peer is stopped")
    parser.add_argument("--envs", type=Path, default=Path.home() / ".cache" / "cjm-benchmarks")
    parser.add_argument("--answer", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.answer:
        peer, name, clock = given.answer
        answer(peer, name, int(given.rows), given.groups, clock, given.runs)
        return
    from journeys import interpreter  # a peer's environment lacks what it imports

    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}\n")
    print("| clock | result | by | CPU s | wall s | peak MB | CPU / ours | apart |\n|---|---|---|--:|--:|--:|--:|--:|")
    size = [f"--rows={given.rows}", f"--groups={given.groups}", f"--runs={given.runs}"]
    for clock in given.clock:
        for name in given.results or ours():
            first: list[Any] = []
            for peer in PEERS:
                if peer.startswith("surpyval"):
                    if name != "curves and log-rank":
                        continue
                    python = str(interpreter("with_surpyval", given.envs))
                else:
                    python = sys.executable
                command = [python, __file__, "--answer", peer, name, clock, *size]
                try:
                    told = subprocess.run(
                        command, check=True, capture_output=True, text=True, timeout=given.limit
                    ).stdout
                    cpu, wall, peak, found = json.loads(told.splitlines()[-1])
                except (subprocess.SubprocessError, IndexError) as error:
                    print(f"| {clock} | {name} | {peer} | did not finish: {type(error).__name__} | | | | |")
                    continue
                first = first or [cpu, found]
                apart = max(abs(one - two) / max(abs(one), 1) for one, two in zip(first[1], found, strict=False))
                ratio = "1.0" if first[0] == cpu else f"{cpu / first[0]:.1f}"
                print(f"| {clock} | {name} | {peer} | {cpu:.3f} | {wall:.3f} | {peak:.0f} | {ratio} | {apart:.1e} |")


if __name__ == "__main__":
    main()
