"""The wide table of counts against plain Python, DuckDB SQL, and cases made by hand."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest
from buckets import in_buckets
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import Event, by_person, logs, to_journeys

from cjm.errors import ArgumentError
from cjm.journeys import Journeys, journeys_from_frame
from cjm.measure._features import features

HOSPITAL = Path(__file__).parents[3] / "shared" / "data" / "events" / "hospital_billing.parquet"
few = settings(max_examples=25, deadline=None)


@few
@given(logs(), st.sampled_from(["event", "channel", "touchpoint"]), st.sampled_from([1, 2, 4]))
def test_features(log: list[Event], of: str, buckets: int) -> None:
    journeys = to_journeys(log)
    rows = features(in_buckets(journeys, buckets), of=of)
    assert rows.equals(features(journeys, of=of))
    names = sorted({getattr(event, of) for event in log})
    assert rows.columns == ["person", *names]
    assert rows.rows() == [
        (person, *(sum(getattr(event, of) == name for event in events) for name in names))
        for person, events in by_person(log).items()
    ]


def journeys(*persons: list[tuple[str, str]]) -> Journeys:
    """A list of (channel, event) a person, a second apart."""
    rows = [(i, k, *name) for i, events in enumerate(persons) for k, name in enumerate(events)]
    schema = {"person": pl.Int64, "time": pl.Int64, "channel": pl.String, "event": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return journeys_from_frame(frame.with_columns((pl.col("time") * 1_000_000).cast(pl.Datetime("us", "UTC"))), gap=1)


def test_columns_are_whole_numbers_in_one_piece() -> None:
    rows = features(journeys([("web", "b"), ("app", "a"), ("web", "a")], [("web", "b")]))
    assert dict(rows.schema) == {"person": pl.Int64(), "a": pl.Int32(), "b": pl.Int32()}
    assert rows.rows() == [(0, 2, 1), (1, 0, 1)]
    assert {column.n_chunks() for column in rows} == {1}


@pytest.mark.parametrize(("persons", "names"), [(70_000, 2), (1_000, 300), (3, 2_000)])
def test_more_persons_than_are_gathered_at_once(persons: int, names: int) -> None:
    number = pl.int_range(persons * 3, dtype=pl.Int64)
    frame = pl.select(
        person=number // 3,
        time=number.cast(pl.Datetime("us", "UTC")),
        channel=pl.lit("web"),
        event=(number * number % names).cast(pl.String),
    )
    every = pl.select(
        person=pl.lit(persons, dtype=pl.Int64),
        time=pl.int_range(names, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
        channel=pl.lit("web"),
        event=pl.int_range(names, dtype=pl.Int64).cast(pl.String),
    )
    both = pl.concat([frame, every])
    rows = features(in_buckets(journeys_from_frame(both, gap=1), 2))
    expected = both.pivot("event", index="person", values="time", aggregate_function="len").fill_null(0).sort("person")
    columns = ["person", *sorted(expected.columns[1:])]
    assert rows.equals(expected.select(columns).cast(dict(rows.schema)))


def test_only_what_occurs_is_a_column() -> None:
    log = journeys([("web", "a"), ("web", "b")], [("app", "c")]).filter(pl.col("event") != "b")
    assert features(log).columns == ["person", "a", "c"]
    assert features(log, of="touchpoint").columns == ["person", "app:c", "web:a"]
    nobody = features(log.filter(pl.lit(False)))
    assert nobody.columns == ["person"]
    assert nobody.is_empty()


def test_names_stay_as_they_are() -> None:
    log = journeys([("a,b", "x -> y"), ("a,b", 'say "x"'), ("a", "b:żółw")])
    assert features(log, of="touchpoint").columns == ["person", 'a,b:say "x"', "a,b:x -> y", "a:b:żółw"]


def test_many_touchpoints_are_too_many_columns() -> None:
    n = 200_000
    number = pl.int_range(n, dtype=pl.Int64)
    log = journeys_from_frame(
        pl.select(
            person=number // 1_000,
            time=number.cast(pl.Datetime("us", "UTC")),
            channel=(number % 3).cast(pl.String),
            event=number.cast(pl.String),
        ),
        gap=1,
    )
    with pytest.raises(ArgumentError) as caught:
        features(log)
    assert str(caught.value) == (
        'of="event": gives 200,000 columns, more than 10,000. Filter the journeys first, or ask for of="channel"'
    )
    assert features(log, of="channel").select(pl.sum_horizontal("0", "1", "2")).to_series().unique().to_list() == [
        1_000
    ]
    few_persons = log.filter(pl.col("person") < 10)
    assert features(in_buckets(few_persons, 3)).shape == (10, 10_001)


def test_an_event_called_person() -> None:
    log = journeys([("web", "person"), ("person", "b")])
    for of in ("event", "channel"):
        with pytest.raises(ArgumentError) as caught:
            features(log, of=of)
        assert "'person'" in str(caught.value)
        assert 'ask for of="touchpoint"' in str(caught.value)
    assert features(log, of="touchpoint").rows() == [(0, 1, 1)]


def test_an_unknown_kind() -> None:
    with pytest.raises(ArgumentError) as caught:
        features(journeys([("web", "a")]), of="events")
    assert str(caught.value) == "of=: unknown value 'events'. Did you mean \"event\"?"


@pytest.mark.skipif(not HOSPITAL.exists(), reason="the hospital billing log is not beside the checkout")
def test_hospital_billing() -> None:
    frame = pl.read_parquet(HOSPITAL, columns=["case_id", "activity", "timestamp"]).drop_nulls("case_id")
    log = frame.select(
        person=pl.col("case_id").rank("dense").cast(pl.Int64),
        time=pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        channel=pl.lit("billing"),
        event="activity",
    )
    connection = duckdb.connect()
    connection.register("log", log.to_arrow())
    pivot = connection.sql("pivot log on event using count(*) group by person order by person").pl()
    rows = features(in_buckets(journeys_from_frame(log, gap=1), 3))
    assert rows.width > 10
    assert rows.equals(pivot.select("person", *sorted(pivot.columns[1:])).cast(dict(rows.schema)))
