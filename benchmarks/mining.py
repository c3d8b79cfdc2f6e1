"""Frequent sequences beside prefixspan, seq2pat, pycspade and SPMF, each in its own environment.

Call: python benchmarks/mining.py [--sets bms1 sign ...] [--runs 3] [--only cjm prefixspan] [--spmf spmf.jar]

Everybody gets the same file of rows and the same smallest count: see SETS. A peer is one process: it mines two short
rows once, which compiles and imports, then reads the file and mines. Printed are the median CPU seconds (user and
system, all threads) and wall seconds of the call alone, the highest resident memory of the process during it, the CPU
seconds as a multiple of ours, how many patterns there are, and whether they and their counts are the same as ours. A
call is not repeated once a minute is over, and one that takes more than 300 s or 8 GB is stopped. SPMF needs its jar
and is timed as a whole, with reading and writing. ``cjm, 4 threads`` is for the wall time. Where an answer is another,
it is told how many patterns are missing, too many, or have another count. Itemsets and rules: ``mining_itemsets.py``.

Public sets are read from the folder of shared data (``--shared``); journeys are made by the generator that lies there.
Baskets are made here; in them several items are there at one time, and steps are sets, which not everybody can.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import math
import os
import platform
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from journeys import interpreter, watch

HERE = Path(__file__).parent
SETS = {
    "sign": ("SIGN", 0.1),
    "leviathan": ("LEVIATHAN", 0.02),
    "bms1": ("BMS1_gazelle", 0.0007),
    "bike": ("BIKE", 0.01),
    "journeys 100k, 2 %": (100_000, 0.02),
    "journeys 100k, 1 %": (100_000, 0.01),
    "journeys 1M, 2 %": (1_000_000, 0.02),
    "journeys 1M, 1 %": (1_000_000, 0.01),
    "baskets, 5 %": ("", 0.05),
    "baskets, 2 %": ("", 0.02),
}


@dataclass(frozen=True)
class Peer:
    """Who mines: a script, its environment (the file of pins of the same name), and threads of ours."""

    name: str
    script: str
    threads: int = 1
    baskets: bool = False


PEERS = [
    Peer("cjm", "with_cjm_sequences", baskets=True),
    Peer("cjm, 4 threads", "with_cjm_sequences", 4, baskets=True),
    Peer("prefixspan", "with_prefixspan"),
    Peer("seq2pat", "with_seq2pat"),
    Peer("pycspade", "with_pycspade", baskets=True),
    Peer("SPMF PrefixSpan", "", baskets=True),
]


def made_baskets(persons: int = 20_000, kinds: int = 200) -> Iterator[str]:
    """Yield a line a person: some 9 times with some 4 of 200 items each, the first of which are in most, and -1."""
    draw = np.random.default_rng(1)
    chance = 1 / np.arange(1, kinds + 1) ** 0.9
    for times in 1 + draw.poisson(8, persons):
        sizes = 1 + draw.poisson(3, times)
        items = np.split(draw.choice(kinds, sizes.sum(), p=chance / chance.sum()), np.cumsum(sizes)[:-1])
        yield " ".join(" ".join(map(str, np.unique(at_once))) + " -1" for at_once in items)


def write_rows(source: str | int, shared: Path, path: Path) -> int:
    """Write the rows of a public set, of so many made journeys, or of baskets; return how many there are."""
    if source == "":
        lines = list(made_baskets())
    elif isinstance(source, str):
        with gzip.open(shared / "data" / "sequences" / f"{source}.spmf.gz", "rt") as file:
            lines = [" ".join(word for word in line.split() if not word.startswith("-")) for line in file]
    else:
        spec = importlib.util.spec_from_file_location("workload", shared / "workloads" / "mining.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        os.environ.setdefault("NUMBA_CACHE_DIR", str(path.parent))  # the folder of the generator may be read-only
        spec.loader.exec_module(module)
        offsets, items, *_ = module.journey(source)
        words = [str(item) for item in items.tolist()]
        ends = offsets.tolist()
        lines = [" ".join(words[a:b]) for a, b in pairwise(ends)]
    path.write_text("\n".join(lines) + "\n")
    return len(lines)


def answer(path: Path) -> dict[tuple[int, ...], int]:
    """Return the patterns that a peer wrote, and their counts."""
    with path.open() as file:
        found = (list(map(int, line.split())) for line in file)
        return {tuple(items): count for count, *items in found}


def by_spmf(jar: Path | None, rows: Path, out: Path, share: float) -> dict[str, Any]:
    """Mine with the Java program; its rows and patterns have other separators."""
    if jar is None:
        return {"missing": "no jar (--spmf)"}
    given, told = out.with_suffix(".spmf"), out.with_suffix(".told")
    together = False
    with rows.open() as file, given.open("w") as spmf:
        for line in file:
            together |= "-1" in line
            spmf.write(f"{line.strip()} -2\n" if together else "".join(f"{word} -1 " for word in line.split()) + "-2\n")
    command = ["java", "-Xmx7g", "-jar", str(jar), "run", "PrefixSpan", str(given), str(told), f"{100 * share}%"]
    wall = time.perf_counter()
    try:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError as error:
        return {"missing": f"failed: {error.strerror}"}
    alarm = threading.Timer(300, child.kill)
    alarm.start()
    _, status, used = os.wait4(child.pid, 0)
    alarm.cancel()
    if status or not told.exists():
        return {"missing": f"failed or took more than 300 s (status {status})"}
    with told.open() as file, out.open("w") as lines:
        for line in file:
            items, count = line.split("#SUP:")
            words = items.split()[:-1] if together else [word for word in items.split() if word != "-1"]
            lines.write(" ".join([count.strip(), *words]) + "\n")
    wall = time.perf_counter() - wall
    return {"cpu": used.ru_utime + used.ru_stime, "wall": wall, "peak": used.ru_maxrss / 1024}


def compared(found: dict[tuple[int, ...], int], expected: dict[tuple[int, ...], int]) -> str:
    """Say whether answers are the same, and if not what is wrong with the first."""
    if found == expected:
        return "yes"
    other = sum(expected.get(pattern, count) != count for pattern, count in found.items())
    missing, surplus = len(expected.keys() - found.keys()), len(found.keys() - expected.keys())
    return f"NO: {missing:,} missing, {surplus:,} too many, {other:,} other counts"


def mine(peer: Peer, rows: Path, out: Path, min_count: int, given: argparse.Namespace) -> dict[str, Any]:
    """Let a peer mine in its own process; return what it took, or why there is no answer."""
    os.environ["CJM_BENCHMARK_THREADS"] = str(peer.threads)
    try:
        python = str(interpreter(peer.script, given.envs))
    except (OSError, subprocess.CalledProcessError):
        return {"missing": "cannot be installed here"}
    command = [python, str(HERE / "peers" / f"{peer.script}.py"), str(rows), str(out), str(min_count)]
    lines, why = watch([*command, "--runs", str(given.runs)], out.with_suffix(".jsonl"))
    return {"missing": why} if why else next(line for line in lines if "name" in line)


def main() -> None:
    """Make the rows, let everybody mine, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(SETS)[:6], choices=list(SETS))
    parser.add_argument("--runs", type=int, default=3, help="calls; the median counts")
    parser.add_argument("--only", nargs="+", default=[], help="peers whose names begin so")
    parser.add_argument("--spmf", type=Path, help="the jar of SPMF")
    parser.add_argument("--shared", type=Path, default=HERE.parents[1] / "shared")
    parser.add_argument("--envs", type=Path, default=Path(tempfile.gettempdir()) / "cjm-benchmarks" / "envs")
    given = parser.parse_args()
    given.envs = given.envs.resolve()
    peers = [peer for peer in PEERS if not given.only or peer.name.startswith(tuple(given.only))]
    cores = len(os.sched_getaffinity(0))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {cores} cores, Python {platform.python_version()}\n")
    print("| data, support | by | CPU s | wall s | peak MB | CPU / ours | patterns | same answer |")
    print("|---|---|--:|--:|--:|--:|--:|---|", flush=True)
    for name in given.sets:
        source, share = SETS[name]
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder) / "rows.txt"
            min_count = math.ceil(share * write_rows(source, given.shared, rows) - 1e-9)
            expected = cpu = None
            label = name if "%" in name else f"{name}, {100 * share:g} %"
            for peer in peers:
                if source == "" and not peer.baskets:
                    continue
                out = Path(folder) / f"{peer.name}.txt"
                took = mine(peer, rows, out, min_count, given) if peer.script else by_spmf(given.spmf, rows, out, share)
                if "missing" in took:
                    print(f"| {label} | {peer.name} | | | | | | {took['missing']} |", flush=True)
                    continue
                found = answer(out)
                same = "" if expected is None else compared(found, expected)
                expected, cpu = expected or found, cpu or took["cpu"]
                cells = [f"{took['cpu']:.3f}", f"{took['wall']:.3f}", f"{took['peak']:.0f}", f"{took['cpu'] / cpu:.1f}"]
                print(f"| {' | '.join([label, peer.name, *cells, f'{len(found):,}', same])} |", flush=True)


if __name__ == "__main__":
    main()
