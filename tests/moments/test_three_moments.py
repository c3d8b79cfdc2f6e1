"""The three moments of the example fire in the simulated world at exactly the planted times, however one looks."""

from __future__ import annotations

import random
import runpy
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import cjm
from cjm.datasets import MOMENTS, simulate
from cjm.journeys import journeys_from_frame

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "three_moments" / "moments.py"
three_moments = runpy.run_path(str(EXAMPLE))["three_moments"]
COLUMNS = ["moment", "person", "start", "end", "confirmed_at"]


@pytest.fixture(scope="module")
def world():
    return simulate(6_000, days=150, seed=5, linkable=0.9, intensity=0.5, moments=True, block=2_500)


@pytest.fixture(scope="module")
def stitched(world):
    people = cjm.stitch(world.log)
    return people, cjm.build_journeys(world.log, people)


def happened(world, people=None):
    """The truth, with the numbers of persons that the journeys have."""
    if people is None:
        numbers = cjm.person_numbers(world.truth.moments["customer"], "customer")
        return world.truth.moments.drop("person").with_columns(numbers).select(COLUMNS)
    return people.with_person(world.truth.moments.drop("person"), "customer").select(COLUMNS)


def in_batch(journeys, premium):
    """All at once."""
    return cjm.moments.detect(journeys, three_moments(premium))


WATCHED = [
    cjm.Moment("offer, no renewal", 'web:retention_offer[segment = "premium"] -> store:visit within 3d'
               " -> not store:renew within 1d"),
    cjm.Moment("third failure", "network:handset_change -> 3 x network:connection_failed within 2h"),
    cjm.Moment("no funds", "atm:insufficient_funds[spent >= 2000]"),
]  # fmt: skip
SPENT = cjm.Running("spent", "card:payment", value="value", time_zone="Europe/Warsaw")


def customers_by_date(journeys, premium):
    """The context that the first moment asks for, as a table of attributes by date."""
    return pl.DataFrame({"person": premium, "segment": "premium"}).with_columns(
        valid_from=pl.lit(journeys.start).cast(pl.Datetime("us", "UTC"))
    )


def as_text(journeys, premium):
    """All at once, the conditions as tests of attributes."""
    attributes = customers_by_date(journeys, premium)
    return cjm.moments.detect(journeys, WATCHED, context=[SPENT], attributes=attributes)


def in_increments(journeys, premium):
    """As events come in: increments of any size, some events up to an hour late."""
    time_us = pl.col("time").to_physical()
    hour = 3_600_000_000
    arrival = time_us + (time_us * 7_919) % hour  # equal times arrive together, in their order
    log = journeys.frame.collect().sort(arrival, maintain_order=True)
    attributes = customers_by_date(journeys, premium)
    watch = cjm.Watch(WATCHED, context=[SPENT], attributes=attributes, lateness="1h")
    cuts = sorted(random.Random(7).sample(range(log.height), 60))
    parts, state = [], None
    for first, stop in pairwise([0, *cuts, log.height]):
        matches, state = watch.update(log[first:stop], state)
        parts.append(matches)
    assert sum(part.height > 0 for part in parts) > 30
    matches, state = watch.advance_to(log["time"].max(), state)
    assert state.late.is_empty()
    return pl.concat([*parts, matches])


# Each way of looking takes journeys and the numbers of the premium customers, and must give the same matches.
WAYS: dict[str, Callable[..., pl.DataFrame]] = {
    "batch": in_batch,
    "batch, as text": as_text,
    "increments": in_increments,
}


@pytest.mark.parametrize("way", WAYS)
def test_each_fires_at_exactly_the_planted_times(way, world, stitched):
    people, journeys = stitched
    premium = people.with_person(world.persons.filter("premium").drop("person"), "customer")["person"]
    found = WAYS[way](journeys, premium).select(COLUMNS)
    assert_frame_equal(found, happened(world, people), check_row_order=False)
    assert found["moment"].value_counts()["count"].min() > 30
    assert set(found["moment"]) == {moment.name for moment in MOMENTS}


def test_and_without_stitching_since_all_of_them_carry_the_customer_number(world):
    journeys = cjm.build_journeys(world.log, person="customer")
    premium = cjm.person_numbers(world.persons.filter("premium")["customer"], "customer")
    found = in_batch(journeys, premium).select(COLUMNS)
    assert_frame_equal(found, happened(world), check_row_order=False)


def test_at_any_time_exactly_those_are_known_that_are_certain_by_then(world):
    journeys = cjm.build_journeys(world.log, person="customer")
    premium = cjm.person_numbers(world.persons.filter("premium")["customer"], "customer")
    frame, truth = journeys.frame.collect(), happened(world)
    first = frame["time"].min()
    for days in (40, 75.5, 110):
        part = frame.filter(pl.col("time") <= first + timedelta(days=days))
        known = journeys_from_frame(part.drop("session", "touchpoint"), gap=1)
        found = in_batch(known, premium).select(COLUMNS)
        certain = truth.filter(pl.coalesce("confirmed_at", "end") <= part["time"].max())
        assert 0 < certain.height < truth.height
        assert_frame_equal(found, certain, check_row_order=False)


def test_what_almost_is_a_moment_is_there_too_and_does_not_fire(world):
    """Each pattern without its last condition is found more often than the moment."""
    journeys = cjm.build_journeys(world.log, person="customer")
    loose = {
        "offer, no renewal": "web:retention_offer -> store:visit within 6d",
        "third failure": "2 x network:connection_failed within 2h",
        "no funds": "atm:insufficient_funds",
    }
    found = cjm.find(journeys, loose)["pattern"].value_counts()
    fired = world.truth.moments["moment"].value_counts().rename({"moment": "pattern", "count": "fired"})
    assert found.join(fired, on="pattern").select((pl.col("count") > 1.3 * pl.col("fired")).all()).item()


def test_limits_are_met_exactly(world):
    """Some lie on the very limit, which still counts; in UTC instead of the zone others would fire."""
    truth = world.truth.moments.with_columns(span=pl.col("end") - pl.col("start"))
    spans = {name: group["span"] for (name,), group in truth.group_by("moment")}
    assert spans["offer, no renewal"].max() == timedelta(days=3)
    assert spans["third failure"].max() == timedelta(hours=2)
    card = world.logs["card"].sort("customer", "time").with_columns(pl.col("amount").fill_null(0.0))
    fires = {}
    for zone in ("UTC", "Europe/Warsaw"):
        month = pl.col("time").dt.convert_time_zone(zone).dt.truncate("1mo")
        sums = card.with_columns(spent=pl.col("amount").cum_sum().over("customer", month))
        fires[zone] = sums.filter(pl.col("event") == "insufficient_funds", pl.col("spent") >= 2_000)
    planted = truth.filter(pl.col("moment") == "no funds")
    assert set(fires["Europe/Warsaw"]["customer"]) == set(planted["customer"])
    assert set(fires["UTC"]["customer"]) != set(planted["customer"])
    assert 2_000.0 in fires["Europe/Warsaw"]["spent"].to_list()


def test_the_world_beside_them_stays_as_it_is(world):
    plain = simulate(6_000, days=150, seed=5, linkable=0.9, intensity=0.5, block=2_500)
    assert plain.truth.moments.is_empty()
    assert plain.truth.moments.schema == world.truth.moments.schema
    assert set(world.logs) - set(plain.logs) == {"network", "card"}
    for name in ("app", "call", "email"):
        assert_frame_equal(world.logs[name], plain.logs[name])
    for name, time in (("web", "ts"), ("store", "when")):
        added = pl.col("page" if name == "web" else "what").is_in(["retention_offer", "visit", "renew"])
        whole = world.logs[name].join(plain.logs[name], on=plain.logs[name].columns, how="semi", nulls_equal=True)
        assert_frame_equal(whole, plain.logs[name])
        rest = world.logs[name].join(plain.logs[name], on=plain.logs[name].columns, how="anti", nulls_equal=True)
        assert rest.select(added.all()).item()
        assert whole.height + rest.height == world.logs[name].height
        assert time in rest.columns
    assert_frame_equal(world.truth.churn, plain.truth.churn)
    assert_frame_equal(world.truth.occurrences, plain.truth.occurrences)
    assert_frame_equal(world.truth.hazards, plain.truth.hazards)
    assert_frame_equal(world.persons, plain.persons)
    assert_frame_equal(world.consent, plain.consent)
    known = ["kind", "id", "person", "has_evidence"]
    assert_frame_equal(world.truth.identities.select(known), plain.truth.identities.select(known))
    more = world.truth.identities["events"].sum() - plain.truth.identities["events"].sum()
    assert more == sum(frame.height for frame in world.logs.values()) - sum(f.height for f in plain.logs.values())


def test_on_disk_as_in_memory_block_by_block(tmp_path):
    arguments = {"persons": 900, "days": 60, "seed": 3, "moments": True, "block": 400}
    memory, disk = simulate(**arguments), simulate(**arguments, path=tmp_path / "world")
    back = cjm.datasets.open_world(tmp_path / "world")
    assert back.logs == disk.logs
    for world in (disk, back):
        assert_frame_equal(world.truth.moments, memory.truth.moments)
        assert_frame_equal(world.log.frame.collect(), memory.log.frame.collect())
    assert memory.truth.moments.height > 10
    short = simulate(200, days=14, seed=1, moments=True)
    assert "card" in short.logs  # a month does not fit into two weeks, so nothing can be planted there


def test_the_example_runs_and_reports(capsys, monkeypatch, tmp_path):
    page = tmp_path / "report.html"
    monkeypatch.setattr("sys.argv", ["moments.py", "--persons", "2500", "--report", str(page)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert "third failure" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert all(moment.name in text for moment in MOMENTS)
    assert "What may be done about them" in text
