"""Journeys towards goals on real logs, against SQL."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest
from buckets import in_buckets

from cjm.journeys import Journeys
from cjm.journeys._build import journeys_from_frame
from cjm.measure._goal import goal
from cjm.measure._goals import goal_events, goal_journeys

# A start opens a journey unless the last start or end before it was a start; the next end closes it.
JOURNEYS = """
    with numbered as (
        select *, row_number() over (partition by {part} order by i) as k, count(*) over (partition by {part}) as n
        from frame
    ), marked as (
        select *, event in {ends} as is_end,
            lag(event in {ends}, 1, true) over (partition by {part} order by k) as may_open,
            min(case when event in {ends} then k end) over later as end_k,
            min(case when event in {ends} then t end) over later as end_t
        from numbered where event in {starts} or event in {ends}
        window later as (partition by {part} order by k rows between 1 following and unbounded following)
    )
    select person, t as start, end_t as end, if(end_k is null, 'open', 'reached') as state,
        coalesce(end_k, n) - k + 1 as events, end_t - t as duration {key}
    from marked where may_open and not is_end order by person, t {key}, k
"""


def us(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Duration, pl.Datetime).to_physical())


def in_order(journeys: Journeys, *attributes: str) -> pl.DataFrame:
    time = pl.col("time").to_physical().alias("t")
    return journeys.frame.select("person", time, "event", *attributes).with_row_index("i").collect()


@pytest.fixture(scope="module")
def hospital(shared: Path) -> Journeys:
    frame = pl.read_parquet(
        shared / "data" / "events" / "hospital_billing.parquet", columns=["case_id", "activity", "timestamp"]
    ).drop_nulls("case_id")
    events = frame.select(
        person=pl.col("case_id").rank("dense").cast(pl.Int64),
        time=pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        channel=pl.lit("billing"),
        event="activity",
    )
    return journeys_from_frame(events, gap=30 * 60_000_000)


def test_hospital_billing(hospital: Journeys) -> None:
    frame = in_order(hospital)  # noqa: F841
    expected = duckdb.sql(JOURNEYS.format(part="person", starts="('NEW',)", ends="('BILLED',)", key="")).pl()
    billed = goal("billed", start="billing:NEW", end="billing:BILLED")
    found = goal_journeys(in_buckets(hospital, 5), billed)
    assert us(found).select(expected.columns).equals(expected.cast({"events": pl.Int64}))
    assert found.group_by("state").len().sort("state").rows() == [("open", 35_145), ("reached", 64_854)]
    events = goal_events(hospital, billed)
    assert events.group_by("journey", maintain_order=True).len()["len"].equals(found["events"].cast(pl.UInt32))
    assert events.filter(pl.col("step") == 1)["event"].unique().to_list() == ["NEW"]


def test_hospital_billing_in_time(hospital: Journeys) -> None:
    month = 30 * 86_400_000_000
    frame = in_order(hospital)  # noqa: F841
    query = f"""
        with opened as (
            select person, min(i) as i, min(t) as t from frame where event = 'NEW' group by person having count(*) = 1
        ), ended as (
            select o.person, o.t, min(e.t) as billed from opened o left join frame e
                on e.person = o.person and e.i > o.i and e.event = 'BILLED' and e.t - o.t <= {month} group by all
        ), stated as (
            select *, case when billed is not null then 'reached' when {hospital.end} - t > {month} then 'timed out'
                else 'open' end as state from ended
        )
        select person, t as start, case state when 'timed out' then t + {month} else billed end as end, state
        from stated order by person
    """
    expected = duckdb.sql(query).pl()
    found = us(goal_journeys(hospital, goal("g", start="billing:NEW", end="billing:BILLED", timeout="30d")))
    once = expected.select("person").join(found, on="person", how="left", maintain_order="left")
    assert once.select(expected.columns).equals(expected)
    assert expected["state"].unique().sort().to_list() == ["open", "reached", "timed out"]


def test_sessions_of_a_shop_side_by_side(shared: Path) -> None:
    shop = pl.read_csv(shared / "data" / "events" / "retentioneering_ecom_synthetic.csv.gz", infer_schema=False)
    events = shop.drop_nulls("event").select(
        person=pl.col("user_id").rank("dense").cast(pl.Int64),
        time=pl.col("timestamp").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC"),
        channel=pl.lit("shop"),
        event="event",
        key="session_id",
    )
    journeys = journeys_from_frame(events, gap=30 * 60_000_000)
    frame = in_order(journeys, "key")  # noqa: F841
    sets = {"starts": "('catalog', 'search')", "ends": "('add_to_cart', 'wishlist_add')"}
    chosen = {"start": ["shop:catalog", "*:search"], "end": ["shop:add_to_cart", "shop:wishlist_add"]}
    for key, part in (("key", "person, key"), (None, "person")):
        expected = duckdb.sql(JOURNEYS.format(part=part, key=", key" if key else "", **sets)).pl()
        found = us(goal_journeys(in_buckets(journeys, 3), goal("choose", **chosen, key=key)))
        assert found.select(expected.columns).equals(expected.cast({"events": pl.Int64}))
        assert found["state"].n_unique() == 2
