"""Every public frame keeps its contract."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

import polars as pl
import pytest

import cjm
from cjm.contracts import CONTRACTS
from cjm.datasets import simulate


@cache
def parts() -> tuple[cjm.EventLog, cjm.Identities, cjm.Journeys, cjm.survival.Subjects, cjm.PathHazard]:
    world = simulate(1_500, days=120, seed=5, linkable=0.9)
    log = world.log
    people = cjm.stitch(log)
    journeys = cjm.build_journeys(log, people)
    customers = people.with_person(world.persons, "customer").select("person", "premium", "entry")
    subjects = cjm.subjects(journeys, cjm.Churn.event("account:cancelled"), persons=customers)
    paths = {"risk": "web:view_offer -> store:visit within 3d"}
    return (
        log,
        people,
        journeys,
        subjects,
        cjm.PathHazard(patterns=paths, covariates=["premium"]).fit(journeys, subjects),
    )


FRAMES: dict[str, Callable[..., pl.DataFrame | pl.LazyFrame]] = {
    "EVENTS": lambda log, people, journeys, subjects, model: log.frame,
    "QUALITY": lambda log, people, journeys, subjects, model: log.quality(),
    "IDENTITY_MAP": lambda log, people, journeys, subjects, model: people.map,
    "LINKS": lambda log, people, journeys, subjects, model: people.links,
    "CONFLICTS": lambda log, people, journeys, subjects, model: people.conflicts,
    "JOURNEY_EVENTS": lambda log, people, journeys, subjects, model: journeys.frame,
    "SESSIONS": lambda log, people, journeys, subjects, model: journeys.sessions,
    "JOURNEYS": lambda log, people, journeys, subjects, model: cjm.goal_journeys(
        journeys, cjm.goal("visit", start="web:home", idle="1d")
    ),
    "PERSONS": lambda log, people, journeys, subjects, model: journeys.persons,
    "SEQUENCES": lambda log, people, journeys, subjects, model: cjm.mine_sequences(journeys, min_support=0.2),
    "ITEMSETS": lambda log, people, journeys, subjects, model: cjm.mine_itemsets(journeys, min_support=0.05),
    "RULES": lambda log, people, journeys, subjects, model: cjm.mine_rules(
        journeys, min_support=0.02, min_confidence=0.2
    ),
    "OCCURRENCES": lambda log, people, journeys, subjects, model: cjm.find(
        journeys, "web:home -> web:product within 1h"
    ),
    "MATCHES": lambda log, people, journeys, subjects, model: cjm.moments.detect(
        journeys, [cjm.Moment("look", "web:home -> web:product within 1h")]
    ),
    "SUBJECTS": lambda log, people, journeys, subjects, model: subjects.frame,
    "HAZARDS": lambda log, people, journeys, subjects, model: model.summary,
    "DECISIONS": lambda log, people, journeys, subjects, model: cjm.decide(
        cjm.moments.detect(journeys, [cjm.moments.Moment("m", cjm.Pattern.parse("web:view_offer"))]),
        [cjm.moments.Action("call", "phone", ("m",), within="999d")],
        at=datetime(2025, 5, 1, tzinfo=UTC),
        persons=subjects.frame.select("person", value=pl.lit(9.0)),
        effects=pl.DataFrame({"moment": ["m"], "action": ["call"], "effect": [0.1], "basis": ["assumed"]}),
    ),
}


def test_every_contract_has_its_frame() -> None:
    assert set(FRAMES) == set(CONTRACTS)


@pytest.mark.parametrize("name", FRAMES)
def test_contract(name: str) -> None:
    frame = FRAMES[name](*parts())
    CONTRACTS[name].validate(frame)
    assert frame.lazy().collect().height > 0


def test_events_with_their_person() -> None:
    log, people, *_ = parts()
    frame = people.apply(log)
    CONTRACTS["EVENTS"].validate(frame)
    assert frame.collect_schema()["person"] == pl.Int64
    assert list(log.kinds) == ["customer", "cookie", "device", "email"]
