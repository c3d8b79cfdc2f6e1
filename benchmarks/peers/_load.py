"""What every peer of ``load.py`` does alike. Standard library only."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from _common import tell, timed

NOBODY = ["", "(not set)", "null", "0000"]


def serve(load: Callable[[Path, Path], None], sessions: Callable[[Path, Path, Path], None]) -> None:
    """Time ``load(files, stored)``; then write the sessions with ``sessions(files, stored, answer)``.

    The little log comes first. With the mode ``one thread`` the process runs on one core.
    """
    root, out, runs, mode = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    if mode == "one thread":
        os.environ["THREADS"] = "1"
    stored = out / "stored"

    def call(files: Path) -> None:
        shutil.rmtree(stored, ignore_errors=True)
        load(files, stored)

    call(root / "small")
    _, cost = timed(lambda: call(root / "log"), runs)
    sessions(root / "log", stored, out / "sessions.parquet")
    tell(**cost)
