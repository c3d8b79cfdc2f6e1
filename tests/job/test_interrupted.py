"""A run that is interrupted leaves the former output or the new one, and the next one ends as if nothing had been."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from large_run import large_run
from small_run import digests, run_and_kill, run_and_stop, run_with_faults, small_run

from cjm import job
from cjm.errors import BusyError
from cjm.files import locked

KINDS = ("before", "torn", "after")


@pytest.fixture
def fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.mark.usefixtures("fixed_time")
def test_no_fault_of_the_disk_breaks_an_output(tmp_path: Path) -> None:
    # benchmarks/interrupted.py lets every single call fail
    points = [(number, KINDS[number % 3]) for number in range(0, 200, 25)]
    assert run_with_faults(job.load_config(small_run(tmp_path)), points) >= 6


def test_a_killed_run_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    # benchmarks/interrupted.py kills more of them
    killed, _ = run_and_kill(tmp_path, 3, seed=1)
    assert killed == 3


def test_a_run_that_is_stopped_ends_soon_and_goes_on(tmp_path: Path) -> None:
    # benchmarks/interrupted.py stops more of them
    stopped, longest = run_and_stop(tmp_path, 8, seed=2, until=0.3)
    assert stopped == 8
    assert longest < 10  # two seconds where nothing else runs


@pytest.mark.usefixtures("fixed_time")
def test_finished_steps_are_not_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = job.load_config(small_run(tmp_path))
    job.run(config, output=tmp_path / "whole")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cjm.mine_itemsets", stop)
        with pytest.raises(KeyboardInterrupt):
            job.run(config)
    assert not (tmp_path / "out").exists()
    with monkeypatch.context() as patch:
        for name in ("stitch", "build_journeys", "transitions"):
            patch.setattr(f"cjm.{name}", stop)
        job.run(config)
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")


@pytest.mark.usefixtures("fixed_time")
@pytest.mark.parametrize("change", ["configuration", "data", "damage"])
def test_a_run_goes_on_only_from_steps_that_still_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = small_run(tmp_path)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cjm.mine_sequences", stop)
        with pytest.raises(KeyboardInterrupt):
            job.run(job.load_config(path))
    if change == "configuration":
        path.write_text(path.read_text().replace('"web:cart"]', '"web:pay"]'))
    elif change == "data":
        rows = (tmp_path / "web.csv").read_text().splitlines(keepends=True)
        (tmp_path / "web.csv").write_text("".join(rows[:-1]))
    else:
        table = tmp_path / ".out.work" / "measure" / "tables" / "kpis.parquet"
        content = bytearray(table.read_bytes())
        content[len(content) // 2] ^= 1
        table.write_bytes(content)
    config = job.load_config(path)
    job.run(config)
    job.run(config, output=tmp_path / "fresh")
    assert digests(tmp_path / "out") == digests(tmp_path / "fresh")


def test_of_two_runs_one_stops_at_once(tmp_path: Path) -> None:
    path = small_run(tmp_path)
    with locked(tmp_path / "out"):
        with pytest.raises(BusyError, match="another run is writing this output"):
            job.run(job.load_config(path))
        process = subprocess.run([sys.executable, "-m", "cjm.cli", "run", str(path)], capture_output=True, check=False)
    assert process.returncode == 75
    assert b"another run is writing" in process.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="limits of the size of files are a matter of POSIX")
def test_a_full_disk_is_told_with_what_is_free(tmp_path: Path) -> None:
    path = small_run(tmp_path)
    job.run(job.load_config(path), output=tmp_path / "before")  # compiled code is stored now
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
        f"sys.argv = ['cjm', 'run', {str(path)!r}]; from cjm.cli import main; main()"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, text=True)
    assert process.returncode == 1
    assert "MB are free there, and more than" in process.stderr
    assert "Traceback" not in process.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("fixed_time")
def test_the_same_bytes_on_one_two_and_four_threads(tmp_path: Path) -> None:
    path = large_run(tmp_path, 60_000)
    found = []
    for threads in ("1", "2", "4"):
        environment = {**os.environ, "POLARS_MAX_THREADS": threads, "NUMBA_NUM_THREADS": threads}
        subprocess.run(
            [sys.executable, "-m", "cjm.cli", "run", str(path)], check=True, capture_output=True, env=environment
        )
        found.append(digests(tmp_path / "out"))
        shutil.rmtree(tmp_path / ".out.days")  # run.json says what the next run goes on from
    assert found[0] == found[1] == found[2]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["created"] == "2023-11-14T22:13:20Z"
