"""Make the sample again: ``python -m cjm.datasets [FOLDER]`` (by default the one inside the package)."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from cjm.datasets import sample_path, simulate

SAMPLE = {"persons": 4_000, "days": 180, "seed": 2026, "linkable": 0.9, "intensity": 0.6}


def main(arguments: list[str] | None = None) -> None:
    """Write the sample over the files of a folder; other files there stay."""
    parser = argparse.ArgumentParser(prog="python -m cjm.datasets", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=sample_path())
    folder: Path = parser.parse_args(arguments).folder
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        simulate(**SAMPLE, path=Path(scratch) / "world")  # type: ignore[arg-type]
        for file in sorted((Path(scratch) / "world").rglob("*.*")):
            os.replace(file, folder / file.relative_to(Path(scratch) / "world"))


if __name__ == "__main__":
    main()
