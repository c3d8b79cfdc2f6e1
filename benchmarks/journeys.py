"""Journeys and measures beside DuckDB SQL, retentioneering and pm4py, each in its own environment.

Call: python benchmarks/journeys.py [--events 1e6 1e7] [--runs 3] [--only duckdb cjm] [--results sessions funnel]

Everybody gets the same seeded Parquet file and answers the same questions: see QUESTIONS. A peer is one process: it
calls everything once on a little log, which compiles and imports, then loads the file and answers all questions.
Printed are the median CPU seconds (user and system, all threads) and wall seconds of the call alone, the CPU seconds of
the first call, the highest resident memory of the process during the calls, the CPU seconds as a multiple of ours, and
whether the answer is the same row for row. Calls are not repeated once a minute is over, and one that takes more than
300 s or 8 GB is stopped and did not finish.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from _log import make_log

HERE = Path(__file__).parent
LIMIT_MB, LIMIT_S = 8_000, 300

QUESTIONS = {
    "build": "Parquet to whatever the tool works on",
    "sessions": "one row a session (pauses over 30 minutes end it): customer, start, end, events",
    "transitions": "how often which touchpoint (channel:event) follows which, and its share",
    "steps": "customers at each touchpoint at steps 1 to 10",
    "funnel": "customers who reach each of four touchpoints in order, within 7 days of the first",
    "features": "how often each customer met each of the 60 event types, one column a type",
    "funnel without limit": "the same funnel without the 7 days",
    "variants": "distinct whole paths and how many customers share them",
    "retention": "weekly cohorts by first event: customers with an event in each week after",
    "timeline": "events and active customers by day and channel",
    "follows": "in how many customers one touchpoint comes some time after another, all pairs",
    "kpis": "sixteen key figures",
}
CORE = ["sessions", "transitions", "steps", "funnel", "features"]


@dataclass(frozen=True)
class Peer:
    """Who answers: a script, its environment (the file of pins of the same name), and what it is told."""

    name: str
    script: str
    mode: str = ""


PEERS = [
    Peer("cjm", "with_cjm"),
    Peer("duckdb, sorted", "with_duckdb", "sorted"),
    Peer("duckdb, sorted, all threads", "with_duckdb", "sorted all"),
    Peer("duckdb, raw", "with_duckdb", "raw"),
    Peer("retentioneering", "with_retentioneering"),
    Peer("pm4py", "with_pm4py"),
]


def interpreter(script: str, envs: Path) -> Path | str:
    """Return the Python of a peer, in an environment that is made if it is not there or its pins have changed.

    A first line such as ``# python3.10`` in the file of pins asks for another Python than this one.
    """
    pins = HERE / "peers" / f"{script}.txt"
    if not pins.exists():
        return sys.executable
    env = envs / f"{script}-{hashlib.sha256(pins.read_bytes()).hexdigest()[:8]}"
    python = env / "bin" / "python"
    done = env / "installed"
    if not done.exists():
        other = re.match(r"# (python3\.\d+)\n", pins.read_text())
        if other:
            subprocess.run([other[1], "-m", "venv", "--clear", env], check=True)
        else:
            venv.create(env, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", pins], check=True)
        done.touch()
    return python


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process, 0 when it is gone."""
    try:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def watch(command: list[str], log: Path) -> tuple[list[dict[str, Any]], str | None]:
    """Run a peer; return the lines it told, and why it was stopped if it was."""
    why = None
    with log.open("w") as told, log.with_suffix(".errors").open("w") as errors:
        # Work out of the output folder, where a peer may spill.
        child = subprocess.Popen(command, stdout=told, stderr=errors, cwd=log.parent)
        size, since = 0, time.monotonic()
        while child.poll() is None:
            time.sleep(0.05)
            if log.stat().st_size != size:
                size, since = log.stat().st_size, time.monotonic()
            if time.monotonic() - since > LIMIT_S:
                why = f"did not finish in {LIMIT_S} s"
            elif resident_mb(child.pid) > LIMIT_MB:
                why = f"did not finish in {LIMIT_MB // 1000} GB"
            if why:
                child.kill()
                child.wait()
    if why is None and child.returncode != 0:
        why = f"failed (exit {child.returncode})"
    return [json.loads(line) for line in log.read_text().splitlines()], why


def ask(peer: Peer, names: list[str], files: tuple[Path, Path], out: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Return what each question took or why there is no answer; go on after a question that was not finished."""
    kept = out / "results.json"
    if kept.exists() and peer.name != "cjm":
        results = json.loads(kept.read_text())
        if set(names) <= set(results):
            return results
    out.mkdir(parents=True, exist_ok=True)
    python = str(interpreter(peer.script, given.envs))
    results = {}
    asked = names
    while asked:
        command = [python, str(HERE / "peers" / f"{peer.script}.py"), *map(str, files), str(out), ",".join(asked)]
        lines, why = watch([*command, "--mode", peer.mode, "--runs", str(given.runs)], out / "told.jsonl")
        results |= {line["name"]: line for line in lines if "name" in line}
        if why is None:
            break
        told = [line.get("begin", line.get("name")) for line in lines if line.get("begin") not in ("start", "write")]
        if not told or told[-1] == "build":
            results |= {name: {"missing": why} for name in asked if name not in results}
            break
        results.setdefault(told[-1], {"missing": why})
        asked = asked[asked.index(told[-1]) + 1 :]
    kept.write_text(json.dumps(results))
    return results


def plain(path: Path) -> pl.DataFrame:
    """Return an answer with columns by place, whole numbers alike, and rows in one order."""
    frame = pl.read_parquet(path)
    if frame.width > 10:  # features: one column an event type, in any order
        frame = frame.select(sorted(frame.columns))
    frame = frame.rename({name: f"c{place}" for place, name in enumerate(frame.columns)})
    kinds = frame.schema
    frame = frame.with_columns(
        *(pl.col(name).cast(pl.Int64) for name, kind in kinds.items() if kind.is_integer() or kind.is_decimal()),
        *(pl.col(name).cast(pl.Float64).round_sig_figs(12) for name, kind in kinds.items() if kind.is_float()),
        *(pl.col(name).cast(pl.Datetime("us")) for name, kind in kinds.items() if kind.is_temporal()),
        *(pl.col(name).cast(pl.String) for name, kind in kinds.items() if kind in (pl.Categorical, pl.Enum)),
    )
    return frame.sort(frame.columns)


def digest(path: Path) -> str:
    """Return a hash of the rows of an answer."""
    frame = plain(path)
    hashed = hashlib.sha256(str(frame.schema).encode())
    for column in frame:
        hashed.update(column.cast(pl.String).fill_null("null").str.join("\n").item().encode())
    return hashed.hexdigest()


def table(found: dict[str, dict[str, Any]], names: list[str], out: Path) -> None:
    """Print one table, question by question; answers are compared with the first there is, which should be ours."""
    print("| result | by | CPU s | first | wall s | peak MB | CPU / ours | same answer |")
    print("|---|---|--:|--:|--:|--:|--:|---|")
    for name in names:
        ours = found.get("cjm", {}).get(name, {})
        expected = None
        for peer, results in found.items():
            result = results[name]
            if "missing" in result:
                print(f"| {name} | {peer} | | | | | | {result['missing']} |")
                continue
            answer = digest(out / peer / f"{name}.parquet")
            same = "" if expected is None else ("yes" if answer == expected else result.get("note", "NO"))
            expected = expected or answer
            ratio = f"{result['cpu'] / ours['cpu']:.1f}" if "cpu" in ours else ""
            cells = [f"{result['cpu']:.3f}", f"{result['first']:.3f}", f"{result['wall']:.3f}", f"{result['peak']:.0f}"]
            print(f"| {' | '.join([name, peer, *cells, ratio, same])} |", flush=True)
    print("\n| the five core results | CPU s | CPU / ours |\n|---|--:|--:|")
    core = [name for name in CORE if name in names]
    total: dict[str, float] = {}
    for peer, results in found.items():
        parts = [results[name]["cpu"] for name in core if "cpu" in results[name]]
        total[peer] = sum(parts)
        note = "" if len(parts) == len(core) else f" ({len(parts)} of {len(core)})"
        ratio = f"{total[peer] / total['cjm']:.1f}" if total.get("cjm") and not note else ""
        print(f"| {peer}{note} | {total[peer]:.3f} | {ratio} |")


def versions(peers: list[Peer], envs: Path) -> str:
    """Return the versions of the tools compared."""
    code = "import sys, importlib.metadata as m; print(*(f'{n} {m.version(n)}' for n in sys.argv[1:]), sep=', ')"
    shown = {"with_cjm": ["polars", "numba"]}
    parts = []
    for script in dict.fromkeys(peer.script for peer in peers):
        names = shown.get(script, [script.removeprefix("with_")])
        command = [str(interpreter(script, envs)), "-c", code, *names]
        parts.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    return ", ".join(parts)


def main() -> None:
    """Make the logs, ask everybody, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=float, nargs="+", default=[1e6, 1e7])
    parser.add_argument("--runs", type=int, default=3, help="calls a question; the median counts")
    parser.add_argument("--only", nargs="+", default=[], help="peers whose names begin so")
    parser.add_argument("--results", nargs="+", default=list(QUESTIONS), choices=list(QUESTIONS))
    parser.add_argument("--envs", type=Path, default=Path(tempfile.gettempdir()) / "cjm-benchmarks" / "envs")
    parser.add_argument("--keep", type=Path, help="folder for logs and answers; the peers' are used again, ours never")
    given = parser.parse_args()
    given.envs = given.envs.resolve()
    peers = [peer for peer in PEERS if not given.only or peer.name.startswith(tuple(given.only))]
    cores = len(os.sched_getaffinity(0))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {cores} cores, Python {platform.python_version()}")
    print(versions(peers, given.envs))
    for events in map(int, given.events):
        with tempfile.TemporaryDirectory() as folder:
            root = (given.keep or Path(folder)).resolve() / str(events)
            root.mkdir(parents=True, exist_ok=True)
            files = root / "log.parquet", root / "small.parquet"
            if not files[0].exists():
                make_log(events).write_parquet(files[0])
                make_log(20_000).write_parquet(files[1])
            print(f"\n{events:,} events, median of up to {given.runs} runs\n", flush=True)
            found = {peer.name: ask(peer, given.results, files, root / peer.name, given) for peer in peers}
            table(found, given.results, root)


if __name__ == "__main__":
    main()
