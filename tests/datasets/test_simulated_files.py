"""Worlds on disk, the sample, and what importing costs."""

import subprocess
import sys

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cjm.contracts import CONTRACTS
from cjm.datasets import __main__ as maker
from cjm.datasets import open_world, sample_path, simulate
from cjm.errors import InputError

ARGUMENTS = {"persons": 700, "days": 60, "seed": 9, "linkable": 0.9, "block": 300}
TABLES = ("identities", "occurrences", "hazards", "churn")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worlds") / "world"
    return simulate(**ARGUMENTS), simulate(**ARGUMENTS, path=folder), folder


def read(world):
    return {
        "web": pl.read_parquet(world.logs["web"]),
        "app": pl.read_ndjson(world.logs["app"], infer_schema_length=None),
        "call": pl.read_csv(world.logs["call"], separator=";", infer_schema=False),
        "store": pl.read_csv(world.logs["store"], infer_schema=False).with_columns(pl.col("amount").cast(pl.Float64)),
        "email": pl.scan_ipc(world.logs["email"]).collect(),
    }


def test_files_hold_the_rows_of_memory(both):
    memory, disk, folder = both
    assert len(list(folder.glob("web-*.parquet"))) == 3
    for name, frame in read(disk).items():
        assert_frame_equal(frame, memory.logs[name])
        assert frame.height > 100


def test_the_log_of_files_is_the_log_of_memory(both):
    memory, disk, _ = both
    log = disk.log.frame.collect()
    CONTRACTS["EVENTS"].validate(log)
    assert_frame_equal(log, memory.log.frame.collect())
    assert set(log["channel"].unique()) == {"web", "app", "call", "account", "store", "email"}
    assert {"customer", "email", "device", "cookie", "value", "campaign", "ticket"} <= set(log.columns)


def test_a_world_is_read_back(both):
    memory, disk, folder = both
    back = open_world(folder)
    assert back.logs == disk.logs
    for name in TABLES:
        assert_frame_equal(getattr(back.truth, name), getattr(memory.truth, name))
    assert_frame_equal(back.persons, memory.persons)
    assert_frame_equal(back.consent, memory.consent)
    assert pl.read_parquet(folder / "persons.parquet").columns == ["customer", "premium", "registered"]


def test_a_folder_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_csv", fail)
    with pytest.raises(OSError, match="no space"):
        simulate(50, days=30, path=tmp_path / "world")
    assert not (tmp_path / "world").exists()
    monkeypatch.undo()
    simulate(50, days=30, path=tmp_path / "world")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["world"]
    with pytest.raises(InputError, match="not empty"):
        simulate(50, days=30, path=tmp_path / "world")
    with pytest.raises(InputError, match="no simulated world"):
        open_world(tmp_path)


def test_the_sample_is_small_and_made_by_the_command(tmp_path):
    made = tmp_path / "sample"
    maker.main([str(made)])
    files = sorted(path.relative_to(made) for path in made.rglob("*.*"))
    assert sum((sample_path() / file).stat().st_size for file in files) < 4_000_000
    assert len(files) == 12
    old, new = open_world(sample_path()), open_world(made)
    for name, frame in read(new).items():
        assert_frame_equal(frame, read(old)[name])
    assert_frame_equal(new.truth.identities, old.truth.identities)
    assert_frame_equal(new.truth.churn, old.truth.churn)


def test_import_loads_nothing_heavy():
    code = (
        "import sys, cjm.datasets; "
        "print([m for m in ('numba', 'pandas', 'lifelines', 'mlxtend', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
