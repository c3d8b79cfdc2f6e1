"""Households of complete_journey, seen on cookies whose owners are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cjm

HOUSEHOLDS, DAYS_PER_COOKIE = 600, 120
SHARED, LOGS_IN, KIOSK, ON_KIOSK = 0.06, 0.35, "kiosk", 0.01


@pytest.fixture(scope="module")
def visits(shared: Path) -> pl.DataFrame:
    """Baskets as visits to a web shop: ``time``, ``household`` (the truth), ``cookie``, ``customer`` (null: no login).

    A household's cookie is replaced every 120 days; some use their neighbour's instead, a few visits are made on
    a machine that everybody uses, and one visit in three is logged in.
    """
    table = shared / "data" / "events" / "complete_journey_odd" / "transactions.parquet"
    if not table.is_file():
        pytest.skip("the complete_journey tables are not in ../shared/data")
    baskets = (
        pl.scan_parquet(table)
        .group_by("basket_id")
        .agg(household=pl.col("household_id").first(), time=pl.col("transaction_timestamp").min())
        .sort("time", "basket_id")
        .collect()
    )
    chosen = baskets["household"].unique().sort().head(HOUSEHOLDS)
    baskets = baskets.filter(pl.col("household").is_in(chosen.implode()))
    draw = np.random.default_rng(4).random((3, baskets.height))
    place = chosen.search_sorted(baskets["household"])
    day = (baskets["time"] - baskets["time"].min()).dt.total_days()
    owner = pl.Series(np.where(draw[0] < SHARED, place.to_numpy() ^ 1, place.to_numpy()))
    cookie = "k" + owner.cast(pl.String) + "-" + (day // DAYS_PER_COOKIE).cast(pl.String)
    return baskets.select(
        pl.col("time").dt.replace_time_zone("UTC"),
        "household",
        cookie=pl.when(pl.Series(draw[1] < ON_KIOSK)).then(pl.lit(KIOSK)).otherwise(cookie),
        customer=pl.when(pl.Series(draw[2] < LOGS_IN)).then("h" + pl.col("household").cast(pl.String)),
        event=pl.lit("visit"),
    )


@pytest.fixture(scope="module")
def log(visits: pl.DataFrame) -> cjm.EventLog:
    ids = {"customer": "customer", "cookie": "cookie"}
    return cjm.scan_events({"web": cjm.Source(visits, time="time", event="event", ids=ids)})


def scores(visits: pl.DataFrame, person: pl.Series) -> tuple[float, float]:
    """Pairwise precision and recall over events."""
    cells = visits.select("household", person=person).group_by("household", "person").len("n")

    def pairs(frame: pl.DataFrame) -> int:
        return frame.select((pl.col("n").cast(pl.Int64) * (pl.col("n").cast(pl.Int64) - 1) // 2).sum()).item()

    both = pairs(cells)
    found = pairs(cells.group_by("person").agg(pl.col("n").sum()))
    true = pairs(cells.group_by("household").agg(pl.col("n").sum()))
    return both / found, both / true


def test_device_split_finds_households(visits: pl.DataFrame, log: cjm.EventLog) -> None:
    people = cjm.stitch(log)
    precision, recall = scores(visits, people.labels["person"])
    assert precision > 0.88
    assert recall > 0.85
    known_by_number = visits["customer"].fill_null(visits["cookie"])
    assert recall > 2 * scores(visits, known_by_number)[1]


def test_each_logged_in_visit_stays_with_its_household(visits: pl.DataFrame, log: cjm.EventLog) -> None:
    seen = visits.select("customer", person=cjm.stitch(log).labels["person"]).drop_nulls("customer").unique()
    assert seen["customer"].is_unique().all()
    assert seen["person"].is_unique().all()


def test_the_machine_that_everybody_uses_is_no_bridge(visits: pl.DataFrame, log: cjm.EventLog) -> None:
    people = cjm.stitch(log, mode="components")
    kiosk = people.conflicts.filter(rule="max_per_person", id=KIOSK)
    met = visits.filter(pl.col("cookie") == KIOSK)["customer"].drop_nulls().n_unique()
    assert kiosk["persons"].to_list() == [met]
    precision, recall = scores(visits, people.labels["person"])
    assert precision > 0.88
    assert recall > 0.85
    bridged = cjm.stitch(log, mode="components", unique=[], max_per_person=None, max_size=None)
    assert scores(visits, bridged.labels["person"])[0] < 0.1


def test_what_was_known_then_is_less_but_as_precise(visits: pl.DataFrame, log: cjm.EventLog) -> None:
    now, then = cjm.stitch(log), cjm.stitch(log, as_of="event")
    precise, complete = scores(visits, now.labels["person"])
    precise_then, complete_then = scores(visits, then.labels["person"])
    assert precise_then > precise - 0.02
    assert 0.78 < complete_then < complete
