"""Tables of rows against a plain reading of what they promise."""

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from survival_worlds import cancelling_world, journeys_of_arrays, silent_world

import cjm
from cjm.errors import ArgumentError
from cjm.survival import (
    Churn,
    PathHazard,
    cox,
    event_table,
    landmark_table,
    period_table,
    spell_table,
    subjects,
)

QUIT = Churn.event("a:quit")
PATHS = {"p": "a:p", "pq": "a:p -> a:q"}
START = datetime(1970, 1, 1, tzinfo=UTC)


def worlds():
    """Journeys of up to five persons on whole days: events, and perhaps a cancellation at the end."""
    event = st.tuples(st.integers(0, 12), st.sampled_from("pqx"))
    person = st.tuples(
        st.lists(event, min_size=1, max_size=6),
        st.none() | st.integers(0, 3),
    )
    return st.lists(person, min_size=1, max_size=5)


def world(persons):
    who, days, names, plain = [0], [20.0], ["x"], {}
    for number, (events, after) in enumerate(persons, start=1):
        events = sorted(events, key=lambda event: event[0])
        last = events[-1][0]
        plain[number] = (events, None if after is None else last + after)
        for day, name in events:
            who, days, names = [*who, number], [*days, day], [*names, name]
        if after is not None:
            who, days, names = [*who, number], [*days, last + after], [*names, "quit"]
    names = ["p", "q", *names]  # every touchpoint occurs
    return journeys_of_arrays([0, 0, *who], [20.0, 20.0, *days], names), plain


def first_days(events):
    """Day on which p, and p followed by q, are first complete."""
    p = min((day for day, name in events if name == "p"), default=99)
    seen, both = False, 99
    for day, name in events:
        if seen and name == "q":
            both = min(both, day)
        seen = seen or name == "p"
    return p, both


@given(worlds())
@settings(max_examples=60, deadline=None)
def test_every_table_follows_its_definition(persons):
    journeys, plain = world(persons)
    if not any(quits is not None and quits > events[0][0] for events, quits in plain.values()):
        return
    found = subjects(journeys, QUIT)
    spells, marks, periods = [], [], []
    for number, (events, quits) in plain.items():
        zero = events[0][0]
        end, out = (20, False) if quits is None else (quits, True)
        if end <= zero:
            continue
        done = first_days(events)
        cuts = sorted({zero, end, *(day for day in done if zero < day < end)})
        for start, stop in pairwise(cuts):
            spells.append((number, start - zero, stop - zero, out and stop == end, *(day <= start for day in done)))
        if zero + 3 < end:
            churned = out and end - zero <= 8
            marks.append((number, 3.0, min(end - zero, 8) - 3.0, churned, *(day <= zero + 3 for day in done)))
        for period in range(20):
            start, stop = zero + 4 * period, zero + 4 * (period + 1)
            if start < end and (stop <= end or out):
                periods.append((number, period, out and end <= stop, *(day <= start for day in done)))
    known = pl.col("person") > 0
    rows = spell_table(found, journeys, PATHS).filter(known)
    assert rows.rows() == spells
    rows = landmark_table(found, journeys, PATHS, at="3d", horizon="5d").filter(known)
    assert rows.rows() == marks
    assert period_table(found, journeys, PATHS, every="4d").filter(known).rows() == periods


def test_spells_give_what_the_model_gives():
    journeys, plans = cancelling_world(1, 600, ratio=2.0)
    found = subjects(journeys, QUIT, persons=plans)
    rows = spell_table(found, journeys, {"p": "a:p"})
    assert rows.columns == ["person", "start", "stop", "churned", "p", "plan"]
    fit = cox(rows, start="start", stop="stop", event="churned", covariates=["p", "plan"], cluster="person")
    model = PathHazard(patterns={"p": "a:p"}, covariates=["plan"]).fit(journeys, found)
    np.testing.assert_allclose(fit.coef, model.summary["coef"].to_numpy(), atol=1e-9)
    assert fit.summary.select("exposed", "events").equals(model.summary.select("exposed", "events"))


def test_several_landmarks_lie_below_each_other():
    journeys, plans = cancelling_world(2, 300)
    found = subjects(journeys, QUIT, persons=plans)
    both = landmark_table(found, journeys, {"p": "a:p"}, at=["30d", "60d"])
    parts = [landmark_table(found, journeys, {"p": "a:p"}, at=mark) for mark in ("30d", "60d")]
    assert_frame_equal(both, pl.concat(parts))
    assert both["time"].max() > 60
    assert set(both["landmark"]) == {30.0, 60.0}


def test_a_logistic_hazard_of_periods_finds_the_effect():
    journeys, plans = cancelling_world(3, 3000, ratio=2.0)
    rows = period_table(subjects(journeys, QUIT, persons=plans), journeys, {"p": "a:p"}, every="10d")
    rates = rows.group_by("p").agg(pl.col("churned").mean()).sort("p")["churned"]
    ratio = np.log1p(-rates[1]) / np.log1p(-rates[0])
    assert ratio == pytest.approx(2.0, abs=0.25)


@pytest.mark.parametrize("effect", ["onward", "event"])
def test_events_that_were_watched(effect):
    journeys = journeys_of_arrays(
        [1, 1, 1, 1, 2, 2, 3, 4], [0, 3, 3, 5, 1, 26, 22, 30], ["use", "use", "p", "use", "p", "use", "use", "use"]
    )
    found = subjects(journeys, Churn.inactive("10d"))
    rows = event_table(found, journeys, {"p": "a:p"}, effect=effect)
    day = ((rows["time"] - START).dt.total_days()).to_list()
    later = effect == "onward"
    assert list(zip(rows["person"], day, rows["number"], rows["churned"], rows["p"], strict=True)) == [
        (1, 0, 1, False, False), (1, 3, 2, False, True), (1, 5, 3, True, later), (2, 1, 1, True, True),
    ]  # fmt: skip


def test_late_entry_shortens_the_first_spell_and_leaves_out_a_period_that_was_not_seen_whole():
    journeys = journeys_of_arrays([1, 1, 2, 2], [10, 30, 10, 40], ["p", "quit", "p", "x"])
    joined = pl.DataFrame({"person": [1, 2], "time": pl.Series([START.replace(day=4), START.replace(day=11)])})
    found = subjects(journeys, QUIT, origin=joined.with_columns(pl.col("time").dt.cast_time_unit("us")))
    rows = spell_table(found, journeys, {"p": "a:p"})
    assert rows.rows() == [(1, 7.0, 27.0, True, True), (2, 0.0, 30.0, False, True)]
    periods = period_table(found, journeys, {"p": "a:p"}, every="5d")
    assert periods.filter(person=1).select("period", "churned").rows() == [
        (2, False), (3, False), (4, False), (5, True),
    ]  # fmt: skip


def test_silence_is_refused_where_it_would_mislead():
    journeys = silent_world(1, 100)
    quiet = subjects(journeys, Churn.inactive("45d"))
    for call in (
        lambda **more: landmark_table(quiet, journeys, "a:p", at="30d", **more),
        lambda **more: period_table(quiet, journeys, "a:p", every="30d", **more),
        lambda **more: spell_table(quiet, journeys, "a:p", **more),
    ):
        with pytest.raises(ArgumentError, match="looks protective"):
            call()
        assert call(allow_bias=True).height > 0
    with pytest.raises(ArgumentError, match="spell_table"):
        event_table(subjects(cancelling_world(1, 50)[0], QUIT), journeys, "a:p")


def test_names_of_paths_and_columns():
    journeys, plans = cancelling_world(1, 50)
    found = subjects(journeys, QUIT, persons=plans)
    strange = {'ä "→", b:c': "a:p", "": "a:join -> a:p"}
    assert spell_table(found, journeys, strange).columns[4:6] == list(strange)
    with pytest.raises(ArgumentError, match="'plan' is both"):
        spell_table(found, journeys, {"plan": "a:p"})
    with pytest.raises(ArgumentError, match="no length"):
        period_table(found, journeys, "a:p", every="0d")
    with pytest.raises(ArgumentError, match="bare number"):
        period_table(found, journeys, "a:p", every=7)
    with pytest.raises(ArgumentError, match="no landmark"):
        landmark_table(found, journeys, "a:p", at=[])


def test_buckets_do_not_matter(tmp_path):
    journeys, plans = cancelling_world(1, 400)
    journeys.write(tmp_path / "store", bucket_events=200)
    stored = cjm.open_journeys(tmp_path / "store")
    found = subjects(journeys, QUIT, persons=plans)
    assert_frame_equal(spell_table(found, stored, {"p": "a:p"}), spell_table(found, journeys, {"p": "a:p"}))
