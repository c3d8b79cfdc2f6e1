"""Paths and their groups once more, slow and obvious; logs made by hand; the same in SQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from measure_oracles import DAY, TOUCHPOINTS, Event, by_person, by_session

from cjm.journeys import Journeys, journeys_from_frame
from cjm.measure._by import By, cohort, period
from cjm.measure._goal import goal
from cjm.measure._unit import Unit
from cjm.patterns import Pattern
from cjm.statistics import newcombe, wilson

START = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday
DATA = Path(__file__).parents[3] / "shared" / "data" / "events"
# File, columns of person, time and event, and what makes the channel. They have ties, and rows out of order.
REAL = {
    "hospital": ("hospital_billing.parquet", "case_id", "timestamp", "activity", pl.col("activity").str.head(4)),
    "incidents": (
        "bpi2014_incidents_sample.parquet",
        "incident_id",
        "data_stamp",
        "incident_activity_type",
        pl.col("incident_activity_type").str.split(" ").list.first(),
    ),
    "shop": ("retentioneering_ecom_synthetic.csv.gz", "user_id", "timestamp", "event", pl.col("platform")),
}


# Goals that do not end before the data do: all that a person does from the first start on is one journey.
STARTS = {"a": TOUCHPOINTS[0], "b": TOUCHPOINTS[5]}
GOALS = [goal(name, start=Pattern.from_touchpoints([start]), timeout="9999d") for name, start in STARTS.items()]
UNITS: dict[str, Unit] = {"person": "person", "session": "session", "goal": GOALS[0]}
SPLITS: dict[str, By | None] = {
    "nothing": None,
    "group": "group",
    "channel": "channel",
    "cohort": cohort("1d"),
    "period": period("1d"),
    "goal": GOALS,
}


def names_of(split: str) -> list[str]:
    return [] if split == "nothing" else [split]


def day(event: Event) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event.time - event.time % DAY)


def label(split: str, event: Event, person: list[Event]) -> object:
    return {
        "nothing": None,
        "group": event.group,
        "channel": event.channel,
        "cohort": day(person[0]),
        "period": day(event),
    }[split]


def since(events: list[Event], start: str) -> list[Event]:
    return next((events[i:] for i, event in enumerate(events) if event.touchpoint == start), [])


def split_paths(log: list[Event], unit: str, split: str) -> list[tuple[object, list[Event]]]:
    """Each path with the group of its first event."""
    persons = by_person(log)
    parts: list[tuple[object, list[list[Event]]]] = [(None, list(persons.values()))]
    if split == "goal":
        parts = [(name, [since(events, start) for events in persons.values()]) for name, start in STARTS.items()]
    found = []
    for goal_name, whole in parts:
        kept = {id(event) for events in whole for event in events}
        if unit == "session":
            paths = [[event for event in events if id(event) in kept] for events in by_session(log)]
        elif unit == "goal":
            paths = [since(events, STARTS["a"]) for events in whole]
        else:
            paths = whole
        found += [
            (goal_name if split == "goal" else label(split, path[0], persons[path[0].person]), path)
            for path in paths
            if path
        ]
    return found


def check_intervals(rows: pl.DataFrame, numerator: str, denominator: str, rate: str) -> None:
    """See that rates and their bounds are those of the parts."""
    low, high = wilson(rows[numerator].to_numpy(), rows[denominator].to_numpy())
    assert rows[rate].to_list() == [a / b for a, b in rows.select(numerator, denominator).rows()]
    assert rows["low"].to_list() == low.tolist()
    assert rows["high"].to_list() == high.tolist()


def difference(a: int, of_a: int, b: int, of_b: int) -> tuple[float, float, float]:
    low, high = newcombe([a], [of_a], [b], [of_b])
    return (a / of_a - b / of_b, float(low[0]), float(high[0]))


def walks(
    *persons: list[tuple[float, str]], start: datetime = START, gap: int = 30, **attributes: list[object]
) -> Journeys:
    """One list of (minute, event) a person; a name without ":" stands for an event of channel ``web``."""
    rows = [
        (i, start + timedelta(minutes=minute), *(name.split(":", 1) if ":" in name else ("web", name)))
        for i, events in enumerate(persons)
        for minute, name in events
    ]
    schema = {"person": pl.Int64, "time": pl.Datetime("us", "UTC"), "channel": pl.String, "event": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return journeys_from_frame(
        frame.with_columns(pl.Series(name, values) for name, values in attributes.items()), gap=gap * 60_000_000
    )


def walk(names: str) -> list[tuple[float, str]]:
    return [(float(minute), name) for minute, name in enumerate(names)]


def at(*times: str) -> list[tuple[float, str]]:
    """An event ``A`` at each of these times UTC, as minutes after ``START``."""
    return [((datetime.fromisoformat(time + "+00:00") - START) / timedelta(minutes=1), "A") for time in times]


@cache
def many_touchpoints(known: int) -> Journeys:
    """Two persons among a million touchpoints, most of which only a third one met."""
    names = np.concatenate([np.arange(known), [known - 1, 0, known // 2, known - 1, 0]])
    persons = np.concatenate([np.zeros(known, dtype=np.int64), [1, 1, 1, 2, 2]])
    frame = pl.DataFrame(
        {
            "person": persons,
            "time": pl.Series(1_700_000_000_000_000 + np.arange(len(names)) * 1_000_000).cast(pl.Datetime("us", "UTC")),
            "channel": pl.Series(["web"]).new_from_index(0, len(names)),
            "event": pl.Series(names).cast(pl.String).str.zfill(7),
        }
    )
    return journeys_from_frame(frame, gap=60_000_000)


@cache
def real_log(name: str) -> Journeys:
    """One of the logs in the folder beside the checkout, or skip."""
    file, person, time, event, channel = REAL[name]
    if not (DATA / file).exists():
        pytest.skip(f"{file} is not beside the checkout: it is no part of the project")
    read = pl.read_parquet if file.endswith(".parquet") else partial(pl.read_csv, try_parse_dates=True)
    frame = read(DATA / file).drop_nulls(person)
    return journeys_from_frame(
        frame.select(
            person=pl.col(person).rank("dense").cast(pl.Int64),
            time=pl.col(time).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            channel=channel,
            event=event,
        ),
        gap=24 * 60 * 60_000_000,
    )


def database(journeys: Journeys) -> duckdb.DuckDBPyConnection:
    """A table ``e`` of person, t, channel, touchpoint, session and k, the place in the path of the person."""
    columns = ["person", pl.col("time").to_physical().alias("t"), "channel", "touchpoint", "session"]
    frame = journeys.frame.select(columns).with_row_index("i").collect()
    connection = duckdb.connect()
    connection.register("frame", frame.to_arrow())
    connection.execute("""
        create table e as
        select person, t, channel, touchpoint, session, row_number() over (partition by person order by i) as k
        from frame
    """)
    return connection


def same(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    plain = found.with_columns(pl.col(pl.Duration, pl.Datetime).to_physical())
    assert plain.height > 10
    assert plain.equals(expected.cast({name: kind for name, kind in plain.schema.items() if kind != pl.List}))
