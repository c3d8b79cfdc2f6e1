"""Churn follows the hazards that the truth names."""

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjm.datasets import DESIGN, PATHS, simulate
from cjm.datasets._design import CODES, DAY
from cjm.datasets._happen import Clock, Rows
from cjm.datasets._outcome import churn_times, first_completion
from cjm.datasets._people import FOREVER, draw_people

TERMS = [path.term for path in PATHS]
RISK = PATHS[0]


def intervals(world, days):
    """(start, stop] rows of days, from the truth alone."""
    zero = datetime(2025, 1, 1, tzinfo=UTC)

    def day(column):
        return ((pl.col(column) - zero).dt.total_seconds() / 86_400).ceil()

    frame = world.persons.select("person", pl.col("premium").cast(pl.Float64), entry=day("entry"))
    frame = frame.join(world.truth.churn.select("person", churn=day("time")), on="person", how="left")
    for term in TERMS:
        done = world.truth.occurrences.filter(pl.col("pattern") == term).select("person", day("end").alias(term))
        frame = frame.join(done, on="person", how="left")
    frame = frame.with_columns(leave=pl.col("churn").fill_null(days))
    cuts = frame.select(
        "person", start=pl.concat_list("entry", *(pl.max_horizontal("entry", term) for term in TERMS)).list.drop_nulls()
    )
    rows = frame.join(cuts.explode("start").unique().sort("person", "start"), on="person", maintain_order="right")
    rows = rows.with_columns(stop=pl.col("start").shift(-1).over("person").fill_null(pl.col("leave")))
    return rows.filter(pl.col("stop") > pl.col("start")).select(
        "person", "start", "stop", "premium",
        *((pl.col(term) <= pl.col("start")).fill_null(False).cast(pl.Float64).alias(term) for term in TERMS),
        event=(pl.col("stop") == pl.col("churn")).fill_null(False).cast(pl.Int64),
    )  # fmt: skip


def test_lifelines_recovers_the_hazard_ratios_and_is_biased_without_the_confounder():
    from lifelines import CoxTimeVaryingFitter

    world = simulate(20_000, days=180, seed=11, intensity=0.3)
    rows = intervals(world, 180.0)
    names = {"start_col": "start", "stop_col": "stop", "id_col": "person"}
    full = CoxTimeVaryingFitter().fit(rows.to_pandas(), "event", **names).summary
    true = dict(world.truth.hazards.select("term", pl.col("hazard_ratio").log()).iter_rows())
    assert set(full.index) == set(true)
    for term, value in true.items():
        assert abs(full.loc[term, "coef"] - value) < 3 * full.loc[term, "se(coef)"], term
    assert full.loc["risk", "se(coef)"] < 0.08
    without = CoxTimeVaryingFitter().fit(rows.drop("premium").to_pandas(), "event", **names).summary
    # premium customers take the risky path more often and leave less: it looks less risky than it is
    assert without.loc["risk", "coef"] < full.loc["risk", "coef"] - 0.04
    assert 0.12 < world.truth.churn.height / 20_000 < 0.20


def test_the_risky_path_is_taken_early_by_about_a_tenth():
    world = simulate(5_000, days=180, seed=4)
    risk = world.truth.occurrences.filter(pl.col("pattern") == "risk").join(world.persons, on="person")
    assert 0.08 < risk.height / 5_000 < 0.12
    end = datetime(2025, 6, 30, tzinfo=UTC)
    early = (risk["end"] - risk["entry"]).dt.total_seconds() < 0.55 * (end - risk["entry"]).dt.total_seconds()
    assert early.mean() > 0.75
    share = risk["premium"].mean() / world.persons["premium"].mean()
    assert 1.3 < share < 1.8
    protective = (world.truth.occurrences["pattern"] == "protective").sum() / 5_000
    assert 0.18 < protective < 0.27


def test_cumulative_hazard_at_churn_is_the_exponential_draw():
    clock = Clock.of(DESIGN.start, 180)
    people = draw_people(np.random.default_rng(1), base=0, customers=800, days=180, linkable=1.0)
    rng = np.random.default_rng(2)
    completed = {
        term: np.where(rng.random(len(people)) < 0.6, rng.integers(0, 180 * DAY, len(people)), FOREVER)
        for term in TERMS
    }
    churn = churn_times(np.random.default_rng(3), people, clock, completed)
    draws = np.random.default_rng(3).exponential(size=len(people))
    left = 0
    for person in range(len(people)):
        if person >= people.customers:
            assert churn[person] == FOREVER
            continue
        until = min(churn[person], clock.end)
        edges = sorted({int(people.entry[person]), until, *(int(completed[term][person]) for term in TERMS)})
        total = 0.0
        for begin, stop in pairwise(edges):
            if begin < people.entry[person] or stop > until:
                continue
            hazard = DESIGN.hazard_a_day / DAY * (DESIGN.premium_hazard_ratio if people.premium[person] else 1.0)
            for path in PATHS:
                hazard *= path.hazard_ratio if completed[path.term][person] <= begin else 1.0
            total += hazard * (stop - begin)
        if churn[person] < FOREVER:
            left += 1
            assert total == pytest.approx(draws[person], abs=3 * DESIGN.hazard_a_day / DAY * 3 + 1e-9)
        else:
            assert total < draws[person] + 1e-9
    assert left > 50


def rows_of(events):
    person, time, step = (np.array(column, dtype=np.int64) for column in zip(*events, strict=True)) if events else (
        np.empty(0, dtype=np.int64),
    ) * 3  # fmt: skip
    codes = np.array([CODES[RISK.first], CODES[RISK.last], CODES["web:home"]], dtype=np.int64)
    plain = Rows.plain(person, time, "web:home")
    return Rows(person, time, codes[step], plain.known, plain.since, plain.slot, plain.noise, plain.ticket)


@settings(max_examples=150, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=20), st.randoms(use_true_random=False))
def test_first_completion_agrees_with_a_slow_scan(places, random):
    unit = RISK.seconds // 3  # gaps exactly equal to the limit are common
    events = sorted((person, slot * unit, random.randint(0, 2)) for person, slot in places)
    start, end = first_completion(rows_of(events), RISK, 4)
    for person in range(4):
        history = [(time, step) for who, time, step in events if who == person]
        expected = (FOREVER, FOREVER)
        for place, (time, step) in enumerate(history):
            before = [t for t, s in history[:place] if s == 0 and time - t <= RISK.seconds]
            if step == 1 and before:
                expected = (before[-1], time)
                break
        assert (start[person], end[person]) == expected


def test_the_hour_that_clocks_show_twice_is_avoided():
    clock = Clock.of(DESIGN.start, 365)
    night = int(datetime(2025, 10, 26, tzinfo=UTC).timestamp()) - clock.epoch
    at = night + np.array([-1, 0, 1800, 7199, 7200], dtype=np.int64)
    assert (clock.unambiguous(at) - at).tolist() == [0, 7200, 7200, 7200, 0]
    spring = int(datetime(2025, 3, 30, tzinfo=UTC).timestamp()) - clock.epoch
    assert (clock.unambiguous(spring + np.arange(0, 7200, 600)) == spring + np.arange(0, 7200, 600)).all()
