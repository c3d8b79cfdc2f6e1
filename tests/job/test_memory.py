"""A limit of memory is kept, or refused before the work; and results do not depend on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise, zip_longest
from pathlib import Path

import polars as pl
import pytest
from large_run import large_run
from small_run import digests, small_run

from cjm import job
from cjm.errors import ArgumentError, InputError
from cjm.job import _memory, _run, _work
from cjm.job._memory import bytes_of, estimate

EVENTS = 10_000_000 if "CI" in os.environ else 1_000_000  # twice as many as are sorted in memory at least
CHILD = """
import logging
import sys
from cjm.cli import call
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
code = call()
with open("/proc/self/status") as file:
    (peak,) = (line.split()[1] for line in file if line.startswith("VmHWM:"))
print("peak", peak)
sys.exit(code)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")
def test_a_run_stays_below_nine_tenths_of_the_limit(tmp_path: Path) -> None:
    path = large_run(tmp_path, EVENTS)
    least = estimate(job.load_config(path)).memory / 0.9 / 1e6 + 1
    command = [sys.executable, "-c", CHILD, "run", str(path), "--memory", f"{least:.0f}MB"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak = int(done.stdout.rpartition("peak ")[2]) * 1024
    assert peak <= 0.9e6 * least
    told = json.loads((tmp_path / "out" / "run.json").read_text())
    assert told["memory"]["limit"] == round(least) * 1_000_000
    assert 0.5 * peak < told["memory"]["peak"] <= peak
    assert not any("of memory were taken" in warning for warning in told["warnings"])
    assert f"about {EVENTS:,} rows" in done.stderr
    table = pl.scan_parquet(tmp_path / "out" / "tables" / "journey_events.parquet")
    assert table.select(pl.len()).collect().item() == EVENTS


def test_too_little_is_refused_before_the_work(tmp_path: Path) -> None:
    path = small_run(tmp_path)
    before = sorted(tmp_path.iterdir())
    told = r"memory: 0\.1 GB are too little for about 201 rows.*Allow \d\.\d GB or more"
    with pytest.raises(ArgumentError, match=told):
        job.run(job.load_config(path), memory="100MB")
    assert sorted(tmp_path.iterdir()) == before


def test_too_much_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "peak", lambda: 3_210_000_000)
    out = job.run(job.load_config(small_run(tmp_path)), memory="3GB")
    told = json.loads((out / "run.json").read_text())
    assert told["memory"] == {"limit": 3_000_000_000, "peak": 3_210_000_000}
    assert "3.2 GB of memory were taken, 3.0 GB allowed" in told["warnings"]


def test_the_limit_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    config = job.load_config(small_run(tmp_path))
    job.run(config)
    whole = digests(tmp_path / "out")
    monkeypatch.setattr(_memory, "IN_MEMORY", 20)  # events in memory
    job.run(config, memory="4GB")
    assert digests(tmp_path / "out") == whole


def test_a_table_in_parts_is_the_same_however_it_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_work, "_GROUP", 200_000)  # several pages
    numbers = pl.Series("number", range(300_000)).hash(1)
    table = pl.DataFrame([numbers, (numbers % 97).cast(pl.String).alias("text"), (numbers / 7).alias("half")])
    table = table.with_columns(half=pl.when(pl.col("number") % 5 > 0).then("half"))
    written = []
    for number, cuts in enumerate(
        ([], [200_000], [63_360, 64_097, 127_646, 191_143], list(range(1_001, 300_000, 1_001)))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        parts = [table[first:stop] for first, stop in pairwise([0, *cuts, table.height])]
        few = [("few", part.head(3)) for part in parts[:5]]
        many = (("many", part) for part in parts)
        mixed = [one for pair in zip_longest(many, few) for one in pair if one is not None]
        assert sorted(_work._write_parts(folder, [*mixed, ("none", table.clear()), ("none", table.clear())])) == [
            "few",
            "many",
            "none",
        ]
        assert pl.read_parquet(folder / "few.parquet").equals(pl.concat([part for _, part in few]))
        assert pl.read_parquet(folder / "none.parquet").equals(table.clear())
        written.append((folder / "many.parquet").read_bytes())
    assert pl.read_parquet(written[0]).equals(table)
    assert set(written) == {written[0]}


@pytest.mark.parametrize(("text", "size"), [("4GB", 4 * 10**9), ("1.5 GB", 1_500_000_000), ("800MB", 800_000_000)])
def test_sizes(text: str, size: int) -> None:
    assert bytes_of(text) == bytes_of(size) == size


@pytest.mark.parametrize("text", ["", "4", "4G", "GB", "-1GB", "4 gb", "1e3MB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ArgumentError, match="is no size.*4GB"):
        bytes_of(text)


def test_rows_are_counted_in_every_format(tmp_path: Path) -> None:
    frame = pl.read_csv(small_run(tmp_path).with_name("web.csv"))
    frame.write_parquet(tmp_path / "web.parquet")
    frame.write_ipc(tmp_path / "web.arrow")
    frame.write_ipc_stream(tmp_path / "web.arrows")
    frame.write_ndjson(tmp_path / "web.ndjson")
    for name, rows in (("csv", 201), ("parquet", 200), ("arrow", 200), ("arrows", 200), ("ndjson", 200)):
        text = (tmp_path / "cjm.toml").read_text().replace("web.csv", f"web.{name}")
        (tmp_path / "other.toml").write_text(text)
        assert estimate(job.load_config(tmp_path / "other.toml")).rows == rows


def test_an_estimate_knows_who_is_left_out_and_what_is_read_whole(tmp_path: Path) -> None:
    def change(**columns: pl.Expr) -> _memory.Estimate:
        for path in tmp_path.glob("*.parquet"):
            pl.read_parquet(path).with_columns(**columns).write_parquet(path)
        return estimate(config)

    config = job.load_config(large_run(tmp_path, 4_000))
    whole = change()
    assert whole.rows == 4_000
    half = change(who=pl.when(pl.int_range(pl.len()) % 2 == 0).then("who"))
    assert half.rows == 4_000
    assert half.disk * 2 == whole.disk
    assert half.memory < whole.memory
    assert change(at=pl.col("at").cast(pl.String)).memory > whole.memory


def test_a_damaged_file_is_told_by_loading(tmp_path: Path) -> None:
    config = job.load_config(large_run(tmp_path, 4_000))
    (tmp_path / "web-1.parquet").write_bytes(b"PAR1 and nothing else PAR1")
    assert estimate(config).rows == 3_000
    with pytest.raises(InputError, match=r"web-1\.parquet.*Parquet"):
        job.run(config, memory="4GB")
