"""Stored decisions: looked up as decided, whole or not there, and damage is noticed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import cjm
from cjm.errors import ArgumentError, ContractError, InputError, RunError
from cjm.moments import Action, open_decisions, write_decisions

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ACTIONS = [
    Action("call", "phone", ("offer",), "2d", cost=4),
    Action("mail", "email", ("offer", "failure"), "7d", cost=1),
]


def given(persons=500):
    chance = random.Random(3)
    person = chance.sample(range(-(2**40), 2**40), persons)
    return {
        "matches": pl.DataFrame(
            {
                "moment": [chance.choice(["offer", "failure"]) for _ in person],
                "person": person,
                "end": [NOW - timedelta(hours=chance.randrange(90)) for _ in person],
            }
        ),
        "persons": pl.DataFrame({"person": person, "value": [chance.choice([20.0, 90.0]) for _ in person]}),
        "effects": pl.DataFrame(
            {
                "moment": ["offer", "offer", "failure"],
                "action": ["call", "mail", "mail"],
                "effect": [0.1, 0.04, 0.05],
                "basis": ["0" * 64, 'übler "Grund", a,b', "assumed"],
            }
        ),
    }


def decided(tables, **more):
    rest = {name: table for name, table in tables.items() if name != "matches"}
    return cjm.decide(tables["matches"], ACTIONS, at=NOW, holdout=0.2, **rest, **more)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    decisions = decided(given())
    return decisions, write_decisions(decisions, tmp_path_factory.mktemp("table") / "decisions.parquet")


def test_a_look_up_gives_what_was_decided_and_what_would_be_decided_for_this_person_alone(stored):
    decisions, path = stored
    table = open_decisions(path)
    assert_frame_equal(table.frame, decisions)
    tables = given()
    for person in [*tables["matches"]["person"].to_list()[:40], 0]:
        found = cjm.decide(table, person=person)
        assert_frame_equal(found, decisions.filter(pl.col("person") == person))
        assert_frame_equal(found, decided(tables, person=person))
    assert cjm.decide(table, person=0).is_empty()
    assert repr(table) == f"DecisionTable({decisions.height:,} options, decided at 2026-03-02 09:00:00+00:00)"


def test_any_reader_of_parquet_can_look_it_up(stored):
    decisions, path = stored
    person = decisions["person"][250]
    scanned = pl.scan_parquet(path).filter(pl.col("person") == person).collect()
    assert_frame_equal(scanned, decisions.filter(pl.col("person") == person))


def test_only_one_person_can_be_asked_for(stored):
    with pytest.raises(ArgumentError, match="for whom"):
        cjm.decide(open_decisions(stored[1]))


def test_the_former_table_stays_where_the_new_one_cannot_be_written(stored, tmp_path, monkeypatch):
    decisions, _ = stored
    path = write_decisions(decisions.head(10), tmp_path / "decisions.parquet")
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        with pytest.raises(RunError, match="No space left"):
            write_decisions(decisions, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["decisions.parquet"]
    with pytest.raises(RunError, match="folder exists"):
        write_decisions(decisions, tmp_path / "nowhere" / "decisions.parquet")


def test_damage_is_noticed(stored, tmp_path):
    _, path = stored
    whole = path.read_bytes()
    damaged = tmp_path / "damaged.parquet"
    chance = random.Random(1)
    for _ in range(300):
        place, bit = chance.randrange(len(whole)), chance.randrange(8)
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        with pytest.raises(InputError, match="damaged"):
            open_decisions(damaged)
    for length in (0, 3, len(whole) // 2, len(whole) - 1):
        damaged.write_bytes(whole[:length])
        with pytest.raises(InputError, match="damaged"):
            open_decisions(damaged)
    with pytest.raises(InputError, match="no table of decisions"):
        open_decisions(tmp_path / "missing.parquet")


def test_what_is_no_table_of_decisions_is_refused(stored, tmp_path):
    decisions, _ = stored
    with pytest.raises(ContractError, match="'rank' is missing"):
        write_decisions(decisions.drop("rank"), tmp_path / "x.parquet")
    with pytest.raises(ArgumentError, match="not sorted"):
        write_decisions(decisions.reverse(), tmp_path / "x.parquet")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="no table of decisions"):
        open_decisions(tmp_path / "other.parquet")
    decisions.write_parquet(tmp_path / "other.parquet")  # by somebody else, so nothing says that it is whole
    with pytest.raises(InputError, match="no table of decisions"):
        open_decisions(tmp_path / "other.parquet")
