"""The measures against SQL in DuckDB, on a seeded log of 50,000 events."""

from __future__ import annotations

import duckdb
import numpy as np
import polars as pl
import pytest

from cjm.journeys import Journeys, journeys_from_frame
from cjm.measure import funnel, kpis, transitions

# Rows of a person in order, numbered from 1, with the event after.
ORDERED = """
    create table e as
    select person, t, channel, touchpoint, session,
        row_number() over (partition by person order by i) as k,
        lead(touchpoint) over (partition by person order by i) as next,
        lead(t) over (partition by person order by i) - t as wait
    from frame
"""


def database(journeys: Journeys) -> duckdb.DuckDBPyConnection:
    columns = ["person", pl.col("time").to_physical().alias("t"), "channel", "touchpoint", "session"]
    frame = journeys.frame.select(columns).with_row_index("i").collect()
    connection = duckdb.connect()
    connection.register("frame", frame.to_arrow())
    connection.execute(ORDERED)
    return connection


@pytest.fixture(scope="module")
def journeys() -> Journeys:
    rng = np.random.default_rng(11)
    n = 50_000
    # Visits of up to 90 minutes, in whole minutes, which makes ties; some channels and events are rare.
    minute = rng.integers(0, 18, n) * 7 * 1440 + rng.integers(0, 2, n) * 1440 + rng.integers(0, 90, n)
    frame = pl.DataFrame(
        {
            "person": np.minimum(rng.geometric(0.0005, n), 5_000),
            "time": pl.Series(minute * 60_000_000 + 1_700_000_000_000_000),
            "channel": pl.Series(["web", "app", "store"]).gather(rng.choice(3, n, p=[0.6, 0.3, 0.1])),
            "event": pl.Series(list("abcdefgh")).gather(np.minimum(rng.geometric(0.35, n), 8) - 1),
        }
    ).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")), pl.col("person").cast(pl.Int64))
    return journeys_from_frame(frame, gap=30 * 60_000_000)


@pytest.fixture(scope="module")
def sql(journeys: Journeys) -> duckdb.DuckDBPyConnection:
    return database(journeys)


def test_funnel(journeys: Journeys, sql: duckdb.DuckDBPyConnection) -> None:
    steps, week = ["store:b", "app:c", "web:d"], 7 * 86_400_000_000
    found = funnel(journeys, steps, within="7d")
    joins = f"""
        select count(distinct a.person), count(distinct b.person), count(distinct c.person)
        from e a
        left join e b on b.person = a.person and b.k > a.k and b.touchpoint = '{steps[1]}' and b.t - a.t <= {week}
        left join e c on c.person = a.person and c.k > b.k and c.touchpoint = '{steps[2]}' and c.t - a.t <= {week}
        where a.touchpoint = '{steps[0]}'
    """
    assert found["persons"].to_list() == list(sql.execute(joins).fetchall()[0])
    assert found["persons"].is_between(1, 4_999).all()


def test_kpis(journeys: Journeys, sql: duckdb.DuckDBPyConnection) -> None:
    query = """
        with s as (select person, session, count(*) as n, (max(t) - min(t)) / 1e6 as length from e group by all),
        p as (select person, count(distinct channel) as channels from e group by person)
        select (select count(*) from e), (select count(*) from p), (select count(*) from s),
            (select count(*) from s where n = 1), (select sum(channels) from p),
            (select median(length) from s where n > 1)
    """
    events, persons, sessions, bounces, channels, length = sql.execute(query).fetchall()[0]
    found = dict(kpis(journeys).select("kpi", "value").rows())
    assert (found["events"], found["persons"], found["sessions"]) == (events, persons, sessions)
    assert found["bounce_rate"] == bounces / sessions
    assert found["channels_per_person"] == channels / persons
    assert found["session_length_median"] == pytest.approx(length)
    days = """
        with d as (select distinct person, t // 86400000000 as day from e),
        r as (select unnest(range((select min(day) + 29 from d), (select max(day) + 1 from d))) as day)
        select (select count(*) from d join r using (day)),
            (select count(distinct (r.day, d.person)) from r join d on d.day between r.day - 29 and r.day)
    """
    row = kpis(journeys).row(by_predicate=pl.col("kpi") == "stickiness", named=True)
    assert (row["numerator"], row["denominator"]) == sql.execute(days).fetchall()[0]


def test_the_same_bits_in_every_run(journeys: Journeys) -> None:
    for verb in (kpis, transitions):
        assert verb(journeys).equals(verb(journeys)), verb.__name__
