"""Moments are found where their patterns occur."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cjm
from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError
from cjm.journeys import journeys_from_frame
from cjm.matching import near_misses
from cjm.moments import Moment, Running, detect
from cjm.patterns import Pattern

START = datetime(2025, 1, 1, tzinfo=UTC)


def journeys_of(*events: tuple[int, float, str]) -> cjm.Journeys:
    person, day, event = zip(*events, strict=True)
    time = [START + timedelta(days=d) for d in day]
    return journeys_from_frame(pl.DataFrame({"person": person, "time": time, "channel": "web", "event": event}), gap=1)


JOURNEYS = journeys_of(
    (1, 0, "offer"), (1, 2, "visit"), (1, 10, "offer"), (1, 12, "visit"), (2, 0, "offer"), (2, 9, "visit")
)
OFFER = Moment("offer", Pattern.parse("web:offer -> web:visit within 3d"), "call")
QUIET = Moment("quiet", Pattern.parse("web:offer -> not web:visit within 5d"))


def test_every_occurrence_with_its_action() -> None:
    found = detect(JOURNEYS, [OFFER])
    CONTRACTS["MATCHES"].validate(found)
    assert found["match_id"].n_unique() == 2
    assert found.select("moment", "person", "start", "span", "action").rows() == [
        ("offer", 1, START, timedelta(days=2), "call"),
        ("offer", 1, START + timedelta(days=10), timedelta(days=2), "call"),
    ]
    assert Pattern.parse(found["pattern"][0]) == OFFER.pattern


def test_an_absence_says_when_it_was_certain() -> None:
    found = detect(JOURNEYS, [OFFER, QUIET])
    assert found.filter(pl.col("moment") == "quiet").select("person", "confirmed_at").rows() == [
        (2, START + timedelta(days=5))
    ]
    assert found["moment"].to_list() == ["offer", "offer", "quiet"]


def test_many_buckets_give_what_one_gives(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    time = START + timedelta(hours=1) * pl.Series(rng.integers(0, 900, 2_000))
    event = pl.Series(["offer", "visit", "home"])[rng.integers(0, 3, 2_000)]
    frame = pl.DataFrame({"person": rng.integers(0, 60, 2_000), "time": time, "channel": "web", "event": event})
    whole = journeys_from_frame(frame.sort("time", maintain_order=True), gap=1)
    whole.write(tmp_path / "store", bucket_events=100)
    stored = cjm.open_journeys(tmp_path / "store")
    assert len(list(stored.buckets())) > 10
    visits = Running("visits", "web:visit")
    moments = [OFFER, QUIET, Moment("third", "web:offer[visits >= 3]")]
    found = detect(stored, moments, context=[visits])
    assert set(found["moment"]) == {"offer", "quiet", "third"}
    assert found.equals(detect(whole, moments, context=[visits]))
    patterns = {moment.name: moment.pattern for moment in moments[:2]}
    assert cjm.find(stored, patterns).equals(cjm.find(whole, patterns))
    assert near_misses(stored, patterns).equals(near_misses(whole, patterns))


def test_no_moments() -> None:
    assert detect(JOURNEYS, []).is_empty()


@pytest.mark.parametrize(
    ("moments", "message"),
    [
        ([OFFER, OFFER], "two moments are named 'offer'"),
        ([Moment("x", Pattern.parse("web:offer -> web:visit"))], "may wait for ever"),
        ([Moment("x", Pattern.parse("web:ofer -> web:visit within 1d"))], 'Did you mean "web:offer"'),
    ],
)
def test_wrong_moments(moments: list[Moment], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        detect(JOURNEYS, moments)
