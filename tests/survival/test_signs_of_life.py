"""A silence ends with a sign of life, not with whatever arrives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

import cjm
from cjm.errors import ArgumentError, InputError
from cjm.journeys import journeys_from_frame

START = datetime(2025, 1, 1, tzinfo=UTC)


def journeys_of(*events: tuple[int, int, str, str]) -> cjm.Journeys:
    person, day, channel, event = zip(*events, strict=True)
    time = [START + timedelta(days=n) for n in day]
    return journeys_from_frame(
        pl.DataFrame({"person": person, "time": time, "channel": channel, "event": event}), gap=1
    )


MAILED = journeys_of(
    (1, 0, "store", "visit"), (1, 30, "mail", "sent"), (1, 60, "mail", "sent"), (1, 90, "mail", "sent"),
    (2, 0, "store", "visit"), (2, 40, "store", "fuel"), (2, 80, "store", "visit"),
)  # fmt: skip


def test_mail_that_arrives_is_no_sign_of_life() -> None:
    anything = cjm.subjects(MAILED, cjm.Churn.inactive("45d"))
    assert anything.frame["churned"].to_list() == [False, False]
    visits = cjm.subjects(MAILED, cjm.Churn.inactive("45d", "store:*"))
    assert visits.frame["churned"].to_list() == [True, False]
    assert visits.frame["exit"].to_list()[0] == START + timedelta(days=45)
    narrow = cjm.subjects(MAILED, cjm.Churn.inactive("45d", "store:visit"))
    assert narrow.frame["churned"].to_list() == [True, True]
    assert dict(visits.audit().select("measure", "count").rows())["silences > 45d"] == 1


def test_text_round_trips() -> None:
    churn = cjm.Churn.inactive("45d", "store:*", "web:login")
    assert str(churn) == 'inactive 45d of "store:*", "web:login"'
    assert cjm.Churn.parse(str(churn)) == churn
    assert churn != cjm.Churn.inactive("45d")


def test_unknown_activity_is_an_error() -> None:
    with pytest.raises(ArgumentError, match='Did you mean "store"'):
        cjm.subjects(MAILED, cjm.Churn.inactive("45d", "stores:*"))
    with pytest.raises(ArgumentError, match="more than touchpoints"):
        cjm.subjects(MAILED, cjm.Churn.inactive("45d", "store:visit -> store:fuel"))


def test_entry_before_the_log_is_a_late_entry() -> None:
    persons = pl.DataFrame({"person": [1, 2], "entry": [START - timedelta(days=100), START + timedelta(days=1)]})
    found = cjm.subjects(MAILED, cjm.Churn.inactive("60d"), persons=persons).frame
    assert found["entry"].to_list() == [START, START + timedelta(days=1)]
    assert found["entry_days"].to_list() == [100.0, 0.0]


def test_filter_keeps_what_belongs_to_the_subjects() -> None:
    subjects = cjm.subjects(MAILED, cjm.Churn.inactive("45d", "store:*"))
    assert subjects.filter(pl.col("person") == 2).frame["person"].to_list() == [2]
    assert subjects.filter(pl.col("person") == 2).churn == subjects.churn


def test_tables_without_person_numbers_say_how_to_get_them() -> None:
    for table in (pl.DataFrame({"who": ["a"]}), pl.DataFrame({"person": ["a"]})):
        with pytest.raises((ArgumentError, InputError), match="with_person"):
            cjm.subjects(MAILED, cjm.Churn.inactive("45d"), persons=table)
    with pytest.raises(InputError, match="no events"):
        cjm.subjects(MAILED.filter(pl.lit(False)), cjm.Churn.inactive("45d"))
