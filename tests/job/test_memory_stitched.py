"""A stitched run under a limit is stitched bucket by bucket where it has to be, and ends as one without."""

from __future__ import annotations

import logging
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from days_log import CONFIGURATION, app_rows, run_both, web_rows, write
from small_run import digests, small_run

from cjm import job
from cjm.errors import ArgumentError, RunError
from cjm.job import _memory
from cjm.job._analysis import Analysis
from cjm.job._memory import estimate

LIMIT = "4GB"
TOLD = "events are stitched bucket by bucket"


@pytest.fixture
def few_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let about 90 events be stitched together in 4 GB, so that small logs come in several buckets."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setattr(_memory, "_STITCHED_ROW", 3e7)


def killed(*_: object) -> None:
    raise RunError.at("killed", where="journeys")


@pytest.mark.usefixtures("few_fit")
def test_buckets_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = job.load_config(small_run(tmp_path))
    job.run(config)
    whole = digests(tmp_path / "out")

    def run_again(*, first: str | None, then: str | None) -> str:
        with monkeypatch.context() as once:
            once.setattr(Analysis, "_build", killed)
            with pytest.raises(RunError, match="killed"):
                job.run(config, memory=first)
        caplog.clear()
        job.run(config, memory=then)
        assert digests(tmp_path / "out") == whole
        return caplog.text

    with caplog.at_level(logging.INFO, logger="cjm"):
        assert TOLD in run_again(first=None, then=LIMIT)
        assert TOLD not in run_again(first=LIMIT, then=None)  # it goes on with the buckets


@pytest.mark.usefixtures("few_fit")
def test_what_hangs_together_must_fit(tmp_path: Path) -> None:
    config = job.load_config(small_run(tmp_path))
    rows = pl.read_csv(tmp_path / "web.csv").with_columns(
        customer=pl.when(pl.col("customer").is_not_null()).then(pl.lit("c1"))
    )
    rows.write_csv(tmp_path / "web.csv")
    told = r"stitch: 200 events hang together by their identifiers, and 9\d fit into memory.*Allow more memory"
    with pytest.raises(ArgumentError, match=told):
        job.run(config, memory=LIMIT)


@pytest.mark.usefixtures("few_fit")
def test_what_every_event_knows_is_stitched_at_once(tmp_path: Path) -> None:
    path = small_run(tmp_path)
    path.write_text(path.read_text() + '[identity]\nas_of = "event"\n')
    with pytest.raises(ArgumentError, match='as_of = "event" looks at all events together'):
        job.run(job.load_config(path), memory=LIMIT)


def test_the_limit_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = job.load_config(small_run(tmp_path))
    assert estimate(config).stitched_at_once(10**9) is None
    assert not estimate(config, 10**9).in_buckets
    monkeypatch.setattr(_memory, "_STITCHED_ROW", 1e6)
    whole, parts = estimate(config), estimate(config, 10**9)
    assert not whole.in_buckets
    assert parts.in_buckets
    assert parts.memory < 0.9e9 < whole.memory


def apart(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let nobody share a cookie or a device."""
    for row in rows:
        row["customer"] = row["customer"] and f"c{row.get('cookie', row.get('device'))}"
    return rows


@pytest.mark.usefixtures("few_fit")
def test_days_go_on_after_buckets(tmp_path: Path) -> None:
    chance = random.Random(3)
    (tmp_path / "cjm.toml").write_text(CONFIGURATION)
    config = job.load_config(tmp_path / "cjm.toml")
    for day in (1, 2):
        write(tmp_path, f"day-{day}", apart(web_rows(chance, 80)), apart(app_rows(chance, 40)))
        job.run(config, memory=LIMIT)
    write(tmp_path, "day-3", apart(web_rows(chance, 20)))
    assert run_both(tmp_path) == {"files": 1}  # persons are found anew
