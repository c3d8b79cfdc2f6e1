"""Two runs of one output at once."""

from __future__ import annotations

from pathlib import Path

from small_run import run_races


def test_of_two_runners_one_writes(tmp_path: Path) -> None:
    assert run_races(tmp_path, 2, seed=1) > 0
