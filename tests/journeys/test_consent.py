"""Only events under consent are kept, and only persons who consent now are listed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cjm
from cjm.errors import ArgumentError, InputError
from cjm.journeys import Journeys, consenting, journeys_from_frame

START = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = {
    "person": pl.Int64,
    "purpose": pl.String,
    "given": pl.Boolean,
    "from": pl.Datetime("us", "UTC"),
    "to": pl.Datetime("us", "UTC"),
}
hours = st.integers(0, 12).map(lambda hour: START + timedelta(hours=hour))
records = st.tuples(
    st.integers(1, 3), st.sampled_from(["analytics", "mail"]), st.booleans(), st.none() | hours, st.none() | hours
).filter(lambda record: None in record[3:] or record[3] <= record[4])
events = st.tuples(st.integers(1, 4), hours)


def journeys_of(rows: list[tuple[int, datetime]]) -> Journeys:
    frame = pl.DataFrame(rows, schema={"person": pl.Int64, "time": pl.Datetime("us", "UTC")}, orient="row")
    return journeys_from_frame(frame.with_columns(channel=pl.lit("web"), event=pl.lit("home")), gap=None)


def allowed(rows: list[tuple], person: int, at: datetime, default: bool) -> bool:
    """Say it slowly: what is in force, a refusal first."""
    answers = [
        given
        for who, purpose, given, since, until in rows
        if who == person and purpose == "analytics" and (since is None or since <= at) and (until is None or at < until)
    ]
    return False not in answers and (True in answers or default)


@settings(deadline=None)
@given(st.lists(events, min_size=1, max_size=20), st.lists(records, max_size=8), st.booleans())
def test_events_under_consent_are_kept(rows: list, told: list, default: bool) -> None:
    told = [*told, (9, "analytics", True, None, None)]
    consent = pl.DataFrame(told, schema=SCHEMA, orient="row")
    kept = cjm.consented(journeys_of(rows), consent, purpose="analytics", default=default)
    expected = sorted((person, at) for person, at in rows if allowed(told, person, at, default))
    assert kept.frame.select("person", "time").collect().rows() == expected


@settings(deadline=None)
@given(hours, st.lists(records, max_size=8), st.booleans())
def test_persons_who_consent_now(now: datetime, told: list, default: bool) -> None:
    told = [*told, (9, "analytics", True, None, None)]
    consent = pl.DataFrame(told, schema=SCHEMA, orient="row")
    persons = pl.Series([4, 1, 3, 2])
    found = consenting(persons, consent, purpose="analytics", at=now, default=default)
    assert found.to_list() == [allowed(told, person, now, default) for person in persons]


def test_results_do_not_depend_on_buckets(tmp_path) -> None:
    rows = [(person, START + timedelta(hours=hour)) for person in range(1, 9) for hour in range(5)]
    told = [(person, "analytics", person % 3 > 0, START + timedelta(hours=person % 4), None) for person in range(1, 9)]
    consent = pl.DataFrame(told, schema=SCHEMA, orient="row")
    whole = journeys_of(rows)
    whole.write(tmp_path / "store", bucket_events=7)
    kept = [cjm.consented(one, consent, purpose="analytics") for one in (whole, cjm.open_journeys(tmp_path / "store"))]
    assert kept[0].frame.collect().equals(kept[1].frame.collect())
    assert 0 < kept[0].height < whole.height


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"purpose": pl.lit("mail")}, ArgumentError, "unknown purpose 'analytics'"),
        ({"given": pl.lit("yes")}, InputError, "column 'given' is String"),
        ({"given": pl.lit(None, pl.Boolean)}, InputError, "1 records lack"),
        ({"from": pl.lit(START).dt.replace_time_zone(None)}, InputError, "column 'from' is Datetime"),
        ({"to": pl.lit(START - timedelta(days=1))}, InputError, "1 records end before they begin"),
    ],
)
def test_what_cannot_be_meant_is_an_error(change: dict, error: type, message: str) -> None:
    consent = pl.DataFrame([(1, "analytics", True, START, None)], schema=SCHEMA, orient="row").with_columns(**change)
    with pytest.raises(error, match=message):
        cjm.consented(journeys_of([(1, START)]), consent, purpose="analytics")
    with pytest.raises(InputError, match="unknown column 'to'"):
        cjm.consented(journeys_of([(1, START)]), consent.drop("to"), purpose="analytics")
