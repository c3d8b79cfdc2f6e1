"""Risks that an event is the last: slow definitions, worlds of known risk, and other silences."""

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from survival_worlds import cancelling_world, silent_world

from cjm.durations import DAY_US
from cjm.errors import ArgumentError, InputError
from cjm.survival import Churn, PathHazard, sensitivity, subjects
from cjm.survival._validate_events import validate_events

QUIET = Churn.inactive("45d")
EVENTS = st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 4)), min_size=1, max_size=25)


@given(EVENTS)
@example([(0, False, 0)] * 4 + [(0, True, 0)] * 3)
@settings(max_examples=100, deadline=None)
def test_scores_follow_their_definitions(rows):
    rows = sorted(rows)
    person, silent, risk = (np.array(column) for column in zip(*rows, strict=True))
    risk = risk / 5 + 0.1
    found = validate_events(person, silent, risk, gap=45 * DAY_US, groups=3, level=0.95)
    value = dict(found.scores.select("measure", "value").iter_rows())
    lower, upper = (dict(found.scores.select("measure", name).iter_rows()) for name in ("lower", "upper"))
    assert value["brier"] == pytest.approx(
        np.mean([(s - r) ** 2 for _, s, r in zip(person, silent, risk, strict=True)])
    )
    assert (value["observed"], value["expected"]) == pytest.approx((silent.mean(), risk.mean()))
    last, other = risk[silent], risk[~silent]
    if len(last) and len(other):
        wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in last for b in other]
        area = np.mean(wins)
        assert value["auc"] == pytest.approx(area)
        # leave the contribution of each person out: what an event adds to its own half of the pairs
        share = np.zeros(6)
        for who, s, r in zip(person, silent, risk, strict=True):
            rivals = other if s else last
            beaten = np.mean([0.5 if r == x else float((r > x) == s) for x in rivals])
            share[who] += (beaten - area) / (len(last) if s else len(other))
        width = 1.959963984540054 * np.sqrt((share**2).sum())
        assert (lower["auc"], upper["auc"]) == pytest.approx((max(area - width, 0), min(area + width, 1)), abs=1e-9)
        assert lower["observed"] <= value["observed"] <= upper["observed"]
    else:
        assert value["auc"] is lower["observed"] is None
    table = found.calibration
    assert table["events"].sum() == len(rows)
    assert table["churned"].sum() == silent.sum()
    for row in table.iter_rows(named=True):
        ours = (risk >= row["risk_from"]) & (risk <= row["risk_to"])
        assert (row["events"], row["persons"]) == (ours.sum(), len(set(person[ours])))
        assert (row["predicted"], row["observed"]) == pytest.approx((risk[ours].mean(), silent[ours].mean()))


def test_events_of_one_person_are_not_many():
    person, silent = np.repeat(np.arange(50), 20), np.tile(np.arange(20) < 10, 50)
    alone = validate_events(np.arange(1000), silent, np.full(1000, 0.5), gap=DAY_US, groups=2, level=0.95)
    even = validate_events(person, silent, np.full(1000, 0.5), gap=DAY_US, groups=2, level=0.95)
    halves = np.repeat(np.arange(50) % 2 == 0, 20)
    odd = validate_events(person, halves, np.full(1000, 0.5), gap=DAY_US, groups=2, level=0.95)
    wide = [row.calibration.select(pl.col("upper") - pl.col("lower")).item() for row in (even, alone, odd)]
    assert wide[0] < 1e-9
    assert wide[2] > 3 * wide[1]


def test_intervals_cover_known_risks():
    """Persons of three kinds leave after each event with a chance of their own; 150 worlds."""
    covered = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        chance = np.repeat([0.03, 0.1, 0.2], 150)
        leaves = rng.random((450, 25)) < chance[:, None]
        there = (np.cumsum(leaves, axis=1) - leaves == 0) & (np.arange(25) < rng.integers(1, 26, 450)[:, None])
        person, _ = np.nonzero(there)
        found = validate_events(person, leaves[there], chance[person], gap=DAY_US, groups=3, level=0.95)
        table = found.calibration.filter(pl.col("churned") > 0)
        covered += table.select(pl.col("predicted").is_between("lower", "upper")).to_series().to_list()
    assert len(covered) > 400
    assert 0.92 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize("effect", ["onward", "event"])
def test_risks_come_true_where_the_model_is_true(effect):
    ratios, areas = [], []
    for seed in range(15):
        journeys = silent_world(seed, 700, **({"onward": 2.0} if effect == "onward" else {"once": 3.0}))
        train, test = subjects(journeys, QUIET).split(0.5)
        found = PathHazard(patterns={"p": "a:p"}, effect=effect).fit(journeys, train).validate(test, groups=3)
        value = dict(found.scores.select("measure", "value").iter_rows())
        ratios.append(value["ratio"])
        areas.append(value["auc"])
    assert np.mean(ratios) == pytest.approx(1, abs=0.05)
    assert np.mean(areas) > 0.53
    assert found.horizon == 45.0


def test_a_wrong_model_is_seen():
    """Risks of a world in which customers leave half as often are too low."""
    calm, wild = silent_world(1, 1500), silent_world(2, 1500, onward=2.0, once=2.0)
    model = PathHazard(patterns={"p": "a:p"}).fit(calm, subjects(calm, QUIET))
    model._seen = None
    found = model.validate(subjects(wild, QUIET), wild)
    ratio = found.scores.row(by_predicate=pl.col("measure") == "ratio", named=True)
    assert ratio["lower"] > 1.2


def test_events_are_judged_from_a_date_on():
    journeys = silent_world(3, 600)
    train, test = subjects(journeys, QUIET).split(0.5)
    model = PathHazard(patterns={"p": "a:p"}).fit(journeys, train)
    whole, late = model.validate(test), model.validate(test, at="1970-06-01")
    assert 0 < late.calibration["events"].sum() < whole.calibration["events"].sum()
    with pytest.raises(InputError, match="no event was observed"):
        model.validate(test, at="1970-12-31")


def test_other_silences():
    journeys = silent_world(4, 1500, once=3.0)
    model = PathHazard(patterns={"p": "a:p"}, effect="event")
    table = sensitivity(journeys, QUIET, model)
    assert table["gap"].dt.total_hours().to_list() == [540, 1080, 2160]
    assert table["false_churn"].is_sorted(descending=True)
    once = model.fit(journeys, subjects(journeys, QUIET))
    assert table.row(1)[3:] == once.summary.row(0)
    # too short a silence calls pauses churn, which draws the ratio towards 1
    assert 1 < table["hazard_ratio"][0] < table["hazard_ratio"][1] == pytest.approx(table["hazard_ratio"][2], rel=0.3)
    long = sensitivity(journeys, Churn.inactive("200d"), model)
    assert long["gap"].dt.total_days().to_list() == [100, 200]  # nobody can be seen to be silent for 400 days
    with pytest.raises(InputError, match="nobody churned"):
        sensitivity(journeys, Churn.inactive("200d"), model, times=(2, 3))
    cancelled, _ = cancelling_world(1, 50)
    with pytest.raises(ArgumentError, match="inactive"):
        sensitivity(cancelled, Churn.event("a:quit"), model)
    with pytest.raises(ArgumentError, match="times"):
        sensitivity(journeys, QUIET, model, times=(0, 1))
