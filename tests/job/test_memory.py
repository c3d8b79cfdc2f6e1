"""A limit of memory is kept, or refused before the work; and results do not depend on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from small_run import digests, small_run

from cjm import job
from cjm.errors import ArgumentError
from cjm.job import _memory
from cjm.job._memory import bytes_of, estimate

CONFIGURATION = """
[output]
dir = "out"

[sources.web]
path = "web-*.parquet"
time = "at"
event = "what"
ids = {customer = "who"}

[identity]
person = "customer"

[journeys.funnel]
steps = ["web:home", "web:cart"]

[journeys.goals.buy]
start = "web:cart"
end = "web:pay"
timeout = "7d"

[mining]
min_support = 0.2
max_length = 3
max_gap = "7d"

[churn]
event = "web:leave"
patterns.searched = "web:search -> web:cart within 7d"

[moments.cart]
pattern = "web:home -> web:cart within 3d"
"""
EVENTS, PERSONS = 2_000_000, 40_000
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


def large_log(folder: Path) -> Path:
    """Write a log in four files; return the path of its configuration."""
    chance = np.random.default_rng(1)
    names = pl.Series(["home", "search", "cart", "pay", "help", "leave"])
    part = EVENTS // 4
    for number in range(4):
        at = np.sort(chance.integers(0, 180 * 86_400, part)) * 1_000_000 + 1_767_225_600_000_000
        what = chance.choice(6, part, p=[0.3, 0.3, 0.2, 0.1, 0.0998, 0.0002]).astype(np.uint32)
        frame = pl.DataFrame(
            {
                "at": pl.Series(at).cast(pl.Datetime("us", "UTC")),
                "what": names.gather(pl.Series(what)),
                "who": "customer-" + pl.Series(chance.integers(0, PERSONS, part)).cast(pl.String),
            }
        )
        frame.write_parquet(folder / f"web-{number}.parquet", row_group_size=250_000)
    path = folder / "cjm.toml"
    path.write_text(CONFIGURATION)
    return path


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")
def test_a_run_stays_below_nine_tenths_of_the_limit(tmp_path: Path) -> None:
    path = large_log(tmp_path)
    command = [sys.executable, "-c", CHILD, "run", str(path), "--memory", "1.2GB"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak = int(done.stdout.rpartition("peak ")[2]) * 1024
    assert peak <= 0.9 * 1.2e9
    assert "about 2,000,000 rows" in done.stderr
    table = pl.scan_parquet(tmp_path / "out" / "tables" / "journey_events.parquet")
    assert table.select(pl.len()).collect().item() == EVENTS


def test_too_little_is_refused_before_the_work(tmp_path: Path) -> None:
    path = small_run(tmp_path)
    before = sorted(tmp_path.iterdir())
    told = r"memory: 0\.1 GB are too little for about 201 rows.*Allow \d\.\d GB or more"
    with pytest.raises(ArgumentError, match=told):
        job.run(job.load_config(path), memory="100MB")
    assert sorted(tmp_path.iterdir()) == before


def test_the_limit_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    config = job.load_config(small_run(tmp_path))
    job.run(config)
    whole = digests(tmp_path / "out")
    monkeypatch.setattr(_memory, "_MOST", 20)  # events in memory
    job.run(config, memory="4GB")
    assert digests(tmp_path / "out") == whole


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
    frame.write_ndjson(tmp_path / "web.ndjson")
    for name, rows in (("web.csv", 201), ("web.parquet", 200), ("web.arrow", 200), ("web.ndjson", 200)):
        text = (tmp_path / "cjm.toml").read_text().replace("web.csv", name)
        (tmp_path / "other.toml").write_text(text)
        assert estimate(job.load_config(tmp_path / "other.toml")).rows == rows
