"""A check says what would stop a run, and what a run would leave out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import cjm
from cjm.errors import ArgumentError
from cjm.job import check, load_config, run
from cjm.journeys import journeys_from_frame

TOML = """
[output]
dir = "out"
[sources.web]
path = "web.parquet"
time = "t"
event = "e"
ids = { customer = "customer", cookie = "cookie" }
"""
CHURN = '[churn]\nevent = "web:left"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    days = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(4)]
    ids = {"customer": ["a", "b", "a", "b"], "cookie": ["k", "l", "k", "l"]}
    pl.DataFrame({"t": days, "e": ["seen", "seen", "left", "seen"], **ids}).write_parquet(tmp_path / "web.parquet")
    pl.DataFrame({"customer": ["a", "b"], "plan": ["x", "y"]}).write_parquet(tmp_path / "crm.parquet")
    return tmp_path


def checked(folder: Path, more: str) -> tuple[list[str], list[str]]:
    (folder / "cjm.toml").write_text(TOML + more)
    found = check(load_config(folder / "cjm.toml"))
    return found.faults, found.warnings


def test_nothing_wrong(folder: Path) -> None:
    more = CHURN + 'persons = "crm.parquet"\nby = "plan"\norigin = "web:seen"\n[churn.patterns]\np = "web:seen"\n'
    assert checked(folder, more) == ([], [])
    assert run(load_config(folder / "cjm.toml")) == folder / "out"
    assert checked(folder, more) == ([], [])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('[churn]\nevent = "web:lft"\n', 'Did you mean "web:left"'),
        (CHURN + 'origin = "web:sen"\n', 'Did you mean "web:seen"'),
        ('[churn]\ninactive = "2d"\nactivity = ["wab:*"]\n', 'Did you mean "web"'),
        (CHURN + 'persons = "none.parquet"\n', "the table cannot be read"),
        (CHURN + 'persons = "crm.parquet"\nby = "plans"\n', 'Did you mean "plan"'),
        ('[churn]\ntable = "crm.parquet"\n', "unknown column 'time'"),
        ('[identity]\nunique = ["client"]\n', "[identity] unique"),
        ('[identity]\nperson = "costumer"\n', 'Did you mean "customer"'),
    ],
)
def test_what_would_stop_a_run(folder: Path, more: str, message: str) -> None:
    faults, _ = checked(folder, more)
    assert len(faults) == 1
    assert message in faults[0]


def test_what_a_run_would_leave_out(folder: Path) -> None:
    more = (
        '[journeys.funnel]\nsteps = ["web:seen", "web:bought"]\n'
        + CHURN
        + '[churn.patterns]\np = "web:sen -> web:left within 1d"\n[moments.m]\npattern = "web:seen[x = 1]"\n'
    )
    faults, warnings = checked(folder, more)
    assert faults == []
    assert [warning.partition(" would be left out")[0] for warning in warnings] == [
        "moment m",
        "pattern p",
        "the funnel",
    ]


def test_sources_and_output(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "thesis.txt").write_text("x")
    assert any("no output of cjm" in fault for fault in checked(folder, "")[0])
    pl.DataFrame({"t": ["soon"], "e": ["x"], "customer": ["a"], "cookie": ["k"]}).write_parquet(folder / "web.parquet")
    assert any('"aaaa": time unreadable' in fault for fault in checked(folder, "")[0])
    nobody = {"t": [datetime(2025, 1, 1, tzinfo=UTC)], "e": ["x"], "customer": [None], "cookie": ["undefined"]}
    pl.DataFrame(nobody).write_parquet(folder / "web.parquet")
    assert "no events are left after cleaning" in checked(folder, "")[0]


def test_silence_is_not_contrasted() -> None:
    days = [datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)]
    journeys = journeys_from_frame(pl.DataFrame({"person": 1, "time": days, "channel": "a", "event": "b"}), gap=1)
    with pytest.raises(ArgumentError, match="less active before"):
        cjm.survival.early_window(journeys, cjm.subjects(journeys, cjm.Churn.inactive("9d")), window="5d")
