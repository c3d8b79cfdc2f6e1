"""Frequent sequences beside prefixspan, seq2pat, pycspade and SPMF, each in its own environment.

Call: python benchmarks/mining.py [--sets bms1 sign ...] [--runs 3] [--only cjm prefixspan] [--spmf spmf.jar]

Everybody gets the same file of rows and the same smallest count: see SETS. A peer is one process: it mines two short
rows once, which compiles and imports, then reads the file and mines. Printed are the median CPU seconds (user and
system, all threads) and wall seconds of the call alone, the highest resident memory of the process during it, the CPU
seconds as a multiple of ours, how many patterns there are, and whether they and their counts are the same as ours. A
call is not repeated once a minute is over, and one that takes more than 300 s or 8 GB is stopped. SPMF is timed as a
whole, with reading and writing. ``cjm, 4 threads`` is for the wall time. Itemsets and rules: ``mining_itemsets.py``.

Public sets are read from the folder of shared data (``--shared``); journeys are made by the generator that lies there.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import math
import os
import platform
import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

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
}


@dataclass(frozen=True)
class Peer:
    """Who mines: a script, its environment (the file of pins of the same name), and threads of ours."""

    name: str
    script: str
    threads: int = 1


PEERS = [
    Peer("cjm", "with_cjm_sequences"),
    Peer("cjm, 4 threads", "with_cjm_sequences", 4),
    Peer("prefixspan", "with_prefixspan"),
    Peer("seq2pat", "with_seq2pat"),
    Peer("pycspade", "with_pycspade"),
]


def write_rows(source: str | int, shared: Path, path: Path) -> int:
    """Write the rows of a public set, or of so many made journeys; return how many there are."""
    if isinstance(source, str):
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


def by_spmf(jar: Path, rows: Path, out: Path, share: float) -> dict[str, Any]:
    """Mine with the Java program; its rows and patterns have other separators."""
    given, told = out.with_suffix(".spmf"), out.with_suffix(".told")
    with rows.open() as file, given.open("w") as spmf:
        for line in file:
            spmf.write("".join(f"{word} -1 " for word in line.split()) + "-2\n")
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = ["java", "-Xmx7g", "-jar", str(jar), "run", "PrefixSpan", str(given), str(told), f"{100 * share}%"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        return {"missing": f"failed: {type(error).__name__}"}
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with told.open() as file, out.open("w") as lines:
        for line in file:
            items, count = line.split("#SUP:")
            lines.write(" ".join([count.strip(), *(word for word in items.split() if word != "-1")]) + "\n")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "wall": time.perf_counter() - wall, "peak": after.ru_maxrss / 1024}


def mine(peer: Peer, rows: Path, out: Path, min_count: int, given: argparse.Namespace) -> dict[str, Any]:
    """Let a peer mine in its own process; return what it took, or why there is no answer."""
    os.environ["CJM_BENCHMARK_THREADS"] = str(peer.threads)
    try:
        python = str(interpreter(peer.script, given.envs))
    except subprocess.CalledProcessError:
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
            for peer in [*peers, *([Peer("SPMF PrefixSpan", "")] if given.spmf else [])]:
                out = Path(folder) / f"{peer.name}.txt"
                took = mine(peer, rows, out, min_count, given) if peer.script else by_spmf(given.spmf, rows, out, share)
                if "missing" in took:
                    print(f"| {label} | {peer.name} | | | | | | {took['missing']} |", flush=True)
                    continue
                found = answer(out)
                same = "" if expected is None else ("yes" if found == expected else "NO")
                expected, cpu = expected or found, cpu or took["cpu"]
                cells = [f"{took['cpu']:.3f}", f"{took['wall']:.3f}", f"{took['peak']:.0f}", f"{took['cpu'] / cpu:.1f}"]
                print(f"| {' | '.join([label, peer.name, *cells, f'{len(found):,}', same])} |", flush=True)


if __name__ == "__main__":
    main()
