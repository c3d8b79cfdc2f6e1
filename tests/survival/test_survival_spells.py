"""Recurrent spells, the split of persons, follow-up, and buckets."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjm.errors import ArgumentError
from cjm.journeys import journeys_from_frame, open_journeys
from cjm.survival import Churn, cox, landmark, subjects

START = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = ["person", "spell", "entry", "exit", "duration", "churned", "end"]


def day(number):
    return START + timedelta(days=number)


def journeys_of(events):
    rows = [(person, day(at), *name.split(":", 1)) for person, at, name in events]
    return journeys_from_frame(pl.DataFrame(rows, schema=["person", "time", "channel", "event"], orient="row"), gap=1)


EVENTS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 24), st.sampled_from(["a:use", "a:use", "a:quit", "a:move"])),
    min_size=1,
    max_size=30,
)
FRAME = [(9, 0, "a:use"), (9, 25, "a:use"), (9, 3, "a:quit"), (9, 4, "a:move")]


def slow_spells(events, kind, gap, end):
    """Find each person's churns one after the other."""
    expected = []
    for person in sorted({event[0] for event in events}):
        own = [event[1:] for event in events if event[0] == person]
        instants = sorted({at for at, _ in own})
        quits = sorted({at for at, name in own if name == "a:quit"})
        stop, how = min([(at, "moved") for at, name in own if name == "a:move"] + [(end, "n")])
        begin, spell = instants[0], 1
        while begin is not None and begin < stop:
            if kind == "event":
                left = next((at for at in quits if at > begin), None)
                back = [at for at in instants if left is not None and at > left and at not in quits]
            else:
                silent = [
                    at for at in instants if at >= begin and at + gap <= end
                    and not any(at < other <= at + gap for other in instants)
                ]  # fmt: skip
                left = silent[0] + gap if silent else None
                back = [at for at in instants if silent and at > silent[0]]
            if left is None or left > stop:
                ending = "censored" if how == "n" else how
                expected.append((person, spell, day(begin), day(stop), float(stop - begin), False, ending))
                break
            expected.append((person, spell, day(begin), day(left), float(left - begin), True, "churn"))
            begin, spell = (back[0] if back else None), spell + 1
    return expected


@given(EVENTS, st.sampled_from(["event", "inactive"]))
@settings(max_examples=150, deadline=None)
def test_spells_follow_the_rules(events, kind):
    events = [*events, *FRAME]
    churn = Churn.event("a:quit") if kind == "event" else Churn.inactive("4d")
    found = subjects(journeys_of(events), churn, competing={"moved": "a:move"}, recurrent=True)
    assert found.frame.select(COLUMNS).rows() == slow_spells(events, kind, 4, 25)
    assert (found.frame["entry_days"] == 0).all()


def test_spells_by_hand():
    events = [(1, 0, "a:use"), (1, 3, "a:quit"), (1, 3, "a:use"), (1, 5, "a:quit"), (1, 8, "a:use"), (1, 20, "a:quit")]
    found = subjects(journeys_of([*events, (2, 30, "a:use"), (2, 1, "a:use")]), Churn.event("a:quit"), recurrent=True)
    assert found.frame.select("person", "spell", "duration", "churned").rows() == [
        (1, 1, 3.0, True), (1, 2, 12.0, True), (2, 1, 29.0, False),
    ]  # fmt: skip
    assert "2 persons, 3 spells" in repr(found)
    audit = dict(found.audit().select("measure", "count").iter_rows())
    assert (audit["subjects"], audit["later spells"], audit["days at risk"]) == (2, 1, 44)
    assert any("anew" in note for note in found.notes)


def test_spells_go_into_cox_but_not_into_curves_by_path():
    events = [
        (person, at + person % 3, name)
        for person in range(1, 40)
        for at, name in (
            (0, "a:use"),
            (4 + person % 5, "a:quit"),
            (12, "a:use"),
            (15 + person % 7, "a:quit"),
            (30, "a:use"),
        )
    ]
    journeys = journeys_of(events)
    persons = pl.DataFrame({"person": range(1, 40), "x": [float(n % 4) for n in range(1, 40)]})
    found = subjects(journeys, Churn.event("a:quit"), persons=persons, recurrent=True)
    assert found.frame["spell"].max() == 3
    result = cox(found.frame, stop="duration", event="churned", covariates=["x"], strata="spell", cluster="person")
    assert result.robust
    with pytest.raises(ArgumentError, match="several spells"):
        landmark(found, journeys, "a:use", at="2d")


def test_what_is_refused():
    journeys = journeys_of(FRAME)
    table = Churn.table(pl.DataFrame({"person": [9], "time": [day(3)]}))
    with pytest.raises(ArgumentError, match="when they were back"):
        subjects(journeys, table, recurrent=True)
    with pytest.raises(ArgumentError, match="taken"):
        subjects(journeys, Churn.inactive("4d"), persons=pl.DataFrame({"person": [9], "spell": [1]}), recurrent=True)
    with pytest.raises(ArgumentError, match="share"):
        subjects(journeys, Churn.inactive("4d")).split(1.0)


def test_a_split_is_of_persons_and_does_not_depend_on_the_others():
    journeys = journeys_of([(person, at, "a:use") for person in range(400) for at in (0, 3, 20)])
    found = subjects(journeys, Churn.inactive("4d"), recurrent=True)
    one, two = found.split(0.3, seed=4)
    assert set(one.frame["person"]) | set(two.frame["person"]) == set(range(400))
    assert not set(one.frame["person"]) & set(two.frame["person"])
    assert 80 < one.frame["person"].n_unique() < 160
    again, _ = found.filter(pl.col("person") < 100).split(0.3, seed=4)
    assert set(again.frame["person"]) == {person for person in one.frame["person"] if person < 100}
    assert set(found.split(0.3, seed=5)[0].frame["person"]) != set(one.frame["person"])


def test_buckets_change_nothing(tmp_path):
    events = [(person, at, name) for person in range(30) for at, name in ((0, "a:use"), (person % 9, "a:quit"))]
    journeys = journeys_of(
        [*events, *((person, 15 + person % 4, "a:use") for person in range(0, 30, 2)), (3, 40, "a:use")]
    )
    journeys.write(tmp_path / "store", bucket_events=8)
    stored = open_journeys(tmp_path / "store")
    assert len(list(stored.buckets())) > 3
    for churn, options in (
        (Churn.event("a:quit"), {}), (Churn.event("a:quit"), {"recurrent": True}), (Churn.inactive("5d"), {}),
        (Churn.inactive("5d"), {"recurrent": True}), (Churn.event("a:quit"), {"origin": "a:use"}),
    ):  # fmt: skip
        whole, cut = subjects(journeys, churn, **options), subjects(stored, churn, **options)
        assert whole.frame.equals(cut.frame)
        assert whole.audit().equals(cut.audit())
