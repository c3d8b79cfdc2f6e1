"""A small run, for tests that need many of them."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from cli_child import started

from cjm import files, job
from cjm.errors import RunError
from cjm.job import Config

CONFIGURATION = """
[output]
dir = "out"

[sources.web]
path = "web.csv"
time = "at"
event = "page"
ids = {cookie = "cookie", customer = "customer"}

[journeys.funnel]
steps = ["web:home", "web:cart"]

[mining]
min_support = 0.2
max_length = 2

[moments.cart]
pattern = "web:home -> web:cart within 30d"
"""


def small_run(folder: Path) -> Path:
    """Write a configuration and its data; return the path of the configuration."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    pages = ("home", "cart", "help", "home", "pay")
    rows = [
        {
            "at": (start + timedelta(hours=7 * number)).isoformat(),
            "page": pages[number % 5 if number % 3 else 0],
            "cookie": f"k{number % 11}",
            "customer": f"c{number % 11 % 7}" if number % 4 == 0 else None,
        }
        for number in range(200)
    ]
    pl.DataFrame(rows, infer_schema_length=None).write_csv(folder / "web.csv")
    path = folder / "cjm.toml"
    path.write_text(CONFIGURATION)
    return path


def digests(folder: Path) -> dict[str, str]:
    """Return a hash of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@contextmanager
def one_fault(number: int, kind: str) -> Iterator[list[str]]:
    """Let the call ``number`` that changes what is on disk fail; yield the list of the calls that are made.

    The kinds: ``before`` (the call fails), ``torn`` (a write puts half of it there, then the disk is full) and
    ``after`` (it is done, then the process stops).
    """
    calls: list[str] = []
    original = {name: getattr(files.disk, name) for name in ("write", "sync", "mkdir", "link", "rename", "exchange")}

    def wrapped(name: str) -> Callable[..., object]:
        def call(*arguments: Any) -> object:
            calls.append(name)
            if len(calls) - 1 != number:
                return original[name](*arguments)
            if kind == "before":
                raise OSError(errno.EIO, "Input/output error")
            if kind == "torn":
                if name == "write":
                    handle, data = arguments
                    original[name](handle, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")
            original[name](*arguments)
            raise KeyboardInterrupt

        return call

    for name in original:
        setattr(files.disk, name, wrapped(name))
    try:
        yield calls
    finally:
        for name in original:
            delattr(files.disk, name)


def run_with_faults(config: Config, points: Iterable[tuple[int, str]]) -> int:
    """Run with each of the faults over a former output, then again; return how many of them struck.

    Raises AssertionError if the output is neither the former nor the new one, or if the second run ends otherwise than
    an undisturbed one.
    """
    out = config.resolve(config.output.dir)
    struck = 0
    job.run(config)
    expected = digests(out)
    for number, kind in points:
        shutil.rmtree(out)
        out.mkdir()
        (out / "run.json").write_text("the former output")
        former = digests(out)
        with one_fault(number, kind) as calls:
            try:
                job.run(config)
            except (RunError, KeyboardInterrupt):
                struck += 1
            else:
                assert len(calls) <= number or kind == "before", f"{kind} at {calls[number]} went unnoticed"
        assert digests(out) in (former, expected), f"{kind} at {number} ({calls[-1]})"
        job.run(config)
        assert digests(out) == expected, f"{kind} at {number} ({calls[-1]}), then again"
        left = sorted(path.name for path in out.parent.iterdir() if path.name.startswith("."))
        assert left == [], left
    return struck


def run_and_kill(folder: Path, kills: int, seed: int) -> tuple[int, int]:
    """Run again and again, killed at random times; return how many were killed and how many ended.

    Raises AssertionError if an output differs from that of an undisturbed run.
    """
    path = str(small_run(folder))
    out = folder / "out"
    chance = random.Random(seed)
    whole = _duration(path)
    expected = digests(out)
    killed = ended = 0
    while killed < kills:
        process = started("run", path)
        process.join(chance.uniform(0.2, 1.1) * whole)
        if process.exitcode is None:
            process.kill()
            process.join()
            killed += 1
        else:
            assert process.exitcode == 0
            ended += 1
        if out.exists():
            assert digests(out) == expected
        if process.exitcode == 0:
            shutil.rmtree(out)
    _duration(path)
    assert digests(out) == expected
    return killed, ended


def _duration(path: str) -> float:
    """Run undisturbed; return how long it took."""
    started("--version").join()  # until what processes are made from is there
    began = time.perf_counter()
    process = started("run", path)
    process.join()
    assert process.exitcode == 0
    return time.perf_counter() - began


def run_and_stop(folder: Path, stops: int, seed: int, *, until: float) -> tuple[int, float]:
    """Run again and again, stopped by Ctrl-C or SIGTERM at random times; return how many were, and the longest wait.

    The times are up to a part, ``until``, of what an undisturbed run takes.

    Raises AssertionError if an output differs from that of an undisturbed run, or a process has another exit code.
    """
    path = str(small_run(folder))
    out = folder / "out"
    chance = random.Random(seed)
    whole = _duration(path)
    expected = digests(out)
    stopped, longest = 0, 0.0
    while stopped < stops:
        number = chance.choice((signal.SIGINT, signal.SIGTERM))
        process = started("run", path)
        process.join(chance.uniform(0.05, until) * whole)
        if process.exitcode is None:
            os.kill(process.pid or 0, number)
            began = time.perf_counter()
            process.join(10)
            longest = max(longest, time.perf_counter() - began)
            assert process.exitcode in (0, 128 + number), process.exitcode
        stopped += process.exitcode != 0
        if out.exists():
            assert digests(out) == expected
        if process.exitcode == 0:
            shutil.rmtree(out)
    _duration(path)
    assert digests(out) == expected
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    return stopped, longest


def run_races(folder: Path, races: int, seed: int) -> int:
    """Let two runs of one output start at nearly the same time; return how often one of them was turned away with 75.

    Raises AssertionError if the output differs from that of an undisturbed run, or a process has another exit code.
    """
    path = str(small_run(folder))
    out = folder / "out"
    chance = random.Random(seed)
    _duration(path)
    expected = digests(out)
    turned_away = 0
    for _ in range(races):
        runners = []
        for _ in range(2):
            runners.append(started("run", path))
            time.sleep(chance.uniform(0, 0.1))
        for runner in runners:
            runner.join()
        codes = sorted(runner.exitcode or 0 for runner in runners)
        assert codes in ([0, 0], [0, 75]), codes  # two that ended came one after the other
        turned_away += codes == [0, 75]
        assert digests(out) == expected
        shutil.rmtree(out)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    return turned_away
