"""The wheel holds the package, its sample and ``py.typed``, nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = {"cjm": {".py", ".pyi", ".typed", ".j2"}, "sample": {".parquet", ".ndjson", ".csv", ".arrow", ".toml"}}


def test_content(tmp_path: Path) -> None:
    wheel = next(iter(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])))
    names = [name for name in zipfile.ZipFile(wheel).namelist() if not name.startswith("cjm-0.1.0.dist-info/")]
    for required in (
        "cjm/py.typed",
        "cjm/__init__.pyi",
        "cjm/datasets/sample/cjm.toml",
        "cjm/report/templates/page.html.j2",
    ):
        assert required in names
    for name in names:
        kind = "sample" if name.startswith("cjm/datasets/sample/") else "cjm"
        assert name.startswith("cjm/")
        assert Path(name).suffix in SUFFIXES[kind], name
    assert Path(wheel).stat().st_size < 3_000_000
