"""Frequent itemsets beside PyFIM and mlxtend, each in its own environment.

Call: python benchmarks/mining_itemsets.py [--data ../shared/data] [--runs 3] [--only cjm] [--sets T10]

Everybody gets the same baskets of numbers, in the form it works on, and finds all sets of at least the same count.
Printed are the median CPU and wall seconds of the call alone (ours on one thread, compiled before), the CPU seconds of
the first call, the highest resident memory of the process during the calls, the CPU seconds as a multiple of ours, and
whether sets and counts are the same. A peer that takes more than 300 s or 8 GB did not finish. Data whose folder
is not there are left out; those of the generators are made with the seeds written there.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import math
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from journeys import interpreter, watch

HERE = Path(__file__).parent
PEERS = {"cjm": "itemsets_with_cjm", "PyFIM eclat": "itemsets_with_pyfim", "mlxtend fpgrowth": "itemsets_with_mlxtend"}
FILES = {"T10I4D100K": 0.001, "chess": 0.6, "mushroom": 0.1, "groceries": 0.001}
MADE = {"kosarak-like": 0.002, "journeys, 100 k": 0.01, "journeys, 1 M": 0.01}


def baskets(given: argparse.Namespace, folder: Path) -> Iterator[tuple[str, float, Path]]:
    """Yield name, least support and file of each set of baskets, one line of numbers a basket."""
    for name, support in FILES.items():
        source = given.data / "transactions" / f"{name}.dat.gz"
        if source.exists() and name.startswith(tuple(given.sets)):
            path = folder / f"{name}.txt"
            path.write_bytes(gzip.decompress(source.read_bytes()))
            yield name, support, path
    if not (given.workloads / "mining.py").exists():
        return
    sys.path.append(str(given.workloads))
    make = vars(importlib.import_module("mining"))
    for name, support in MADE.items():
        if not name.startswith(tuple(given.sets)):
            continue
        if name == "kosarak-like":
            offsets, items = make["as_transactions"](*make["SEQ"]["kosarak_like"]())
        else:
            sequences = make["journey"](1_000_000 if name.endswith("1 M") else 100_000)
            offsets, items = make["as_transactions"](*sequences[:2])
        path = folder / "made.txt"
        with path.open("w") as file:
            for row in np.split(items, offsets[1:-1]):
                file.write(" ".join(map(str, row.tolist())) + "\n")
        yield name, support, path


def ask(peer: str, path: Path, min_count: int, given: argparse.Namespace) -> dict[str, Any]:
    """Return what a peer told, or why it did not."""
    script = PEERS[peer]
    command = [str(interpreter(script, given.envs)), str(HERE / "peers" / f"{script}.py")]
    lines, why = watch([*command, str(path), str(min_count), str(given.runs)], path.with_suffix(".told"))
    return {"missing": why} if why else lines[-1]


def main() -> None:
    """Ask everybody about every set of baskets and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = HERE.parent.parent / "shared"
    parser.add_argument("--data", type=Path, default=shared / "data")
    parser.add_argument("--workloads", type=Path, default=shared / "workloads")
    parser.add_argument("--runs", type=int, default=3, help="calls; the median counts")
    parser.add_argument("--only", nargs="+", default=[""], help="peers whose names begin so")
    parser.add_argument("--sets", nargs="+", default=[""], help="sets of baskets whose names begin so")
    parser.add_argument("--envs", type=Path, default=Path(tempfile.gettempdir()) / "cjm-benchmarks" / "envs")
    given = parser.parse_args()
    given.envs = given.envs.resolve()
    peers = [peer for peer in PEERS if peer.startswith(tuple(given.only))]
    cores = len(os.sched_getaffinity(0))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {cores} cores, Python {platform.python_version()}\n")
    print("| baskets | support | sets | by | CPU s | first | wall s | peak MB | CPU / ours | same answer |")
    print("|---|--:|--:|---|--:|--:|--:|--:|--:|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, support, path in baskets(given, Path(folder)):
            with path.open() as file:
                n = sum(1 for _ in file)
            min_count = math.ceil(round(support * n, 6))
            ours: dict[str, Any] = {}
            for peer in peers:
                told = ask(peer, path, min_count, given)
                if "missing" in told:
                    print(f"| {name} | {support:.1%} | | {peer} | | | | | | {told['missing']} |", flush=True)
                    continue
                ours = ours or told
                same = "" if told is ours else ("yes" if told["digest"] == ours["digest"] else "NO")
                cost = f"{told['cpu']:.3f} | {told['first']:.3f} | {told['wall']:.3f} | {told['peak']:.0f}"
                ratio = f"{told['cpu'] / ours['cpu']:.1f}"
                print(f"| {name} | {support:.1%} | {told['sets']:,} | {peer} | {cost} | {ratio} | {same} |", flush=True)


if __name__ == "__main__":
    main()
