"""A small part of what ``benchmarks/fuzz_readers.py`` does at length."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

import cjm
from cjm.errors import InputError

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz_readers.py"


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_readers", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet", "pattern"])
def test_mutated_input_ends_in_a_log_or_an_error(fuzz: ModuleType, kind: str, tmp_path: Path) -> None:
    chance = random.Random(7)
    for data in fuzz.seeds()[kind]:
        assert fuzz.check(kind, data, tmp_path) == ""
        for _ in range(25):
            changed = fuzz.mutated(data, chance)
            assert fuzz.check(kind, changed, tmp_path) == "", changed


def test_a_wrong_count_and_a_crash_are_findings(
    fuzz: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = fuzz.seeds()["csv"][1]
    monkeypatch.setattr(fuzz, "rows_of", lambda _: 4)
    assert fuzz.check("csv", plain, tmp_path) == "5 rows read of 4"
    monkeypatch.setattr("cjm.events._readers.files_of", None)
    assert fuzz.check("csv", plain, tmp_path) == "TypeError: 'NoneType' object is not callable"


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_a_panic_of_the_reader_is_a_damaged_file(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"at": ["2025-01-01T00:00:00Z"], "what": ["e"], "who": ["a"]})
    path = tmp_path / f"log.{kind}"
    frame.write_parquet(path) if kind == "parquet" else frame.write_ipc(path)

    def panic(*_: object, **__: object) -> pl.LazyFrame:
        raise pl.exceptions.PanicException("out of range")

    monkeypatch.setattr(pl, "scan_parquet" if kind == "parquet" else "scan_ipc", panic)
    log = cjm.scan_events({"web": cjm.Source(path, time="at", event="what", ids={"customer": "who"})})
    with pytest.raises(InputError, match=r"cannot be read as .* \(out of range\)"):
        log.require()
