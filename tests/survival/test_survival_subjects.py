"""Subjects against a plain-Python reading of the rules, and the values that define churn."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError, InputError
from cjm.journeys import journeys_from_frame
from cjm.survival import Churn, subjects

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number):
    return START + timedelta(days=number)


def journeys_of(events):
    """Make journeys of (person, day, touchpoint)."""
    rows = [(person, day(at), *name.split(":", 1)) for person, at, name in events]
    return journeys_from_frame(pl.DataFrame(rows, schema=["person", "time", "channel", "event"], orient="row"), gap=1)


def measures(found):
    return dict(found.audit().select("measure", "count").iter_rows())


def test_churn_prints_compares_and_reads_back():
    one = Churn.event("a:quit", 'odd:"x", y')
    assert str(one) == 'event "a:quit", "odd:\\"x\\", y"'
    assert Churn.parse(str(one)) == one == Churn.event('odd:"x", y', "a:quit")
    assert Churn.parse("event a:quit") == Churn.event("a:quit")
    assert Churn.parse("inactive 2w") == Churn.inactive(timedelta(days=14)) != Churn.inactive("13d")
    assert str(Churn.inactive("2w")) == "inactive 14d"
    table = pl.DataFrame({"person": [1, 1], "time": [day(4), day(2)]})
    assert Churn.table(table) == Churn.table(table.tail(1)) != Churn.table(table.head(1))
    assert str(Churn.table(table)) == "table of 1 persons"
    assert len({one, Churn.parse(str(one)), Churn.inactive("1d")}) == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: Churn.event(),
        lambda: Churn.inactive(90),
        lambda: Churn.inactive("0s"),
        lambda: Churn.parse("gone 3d"),
        lambda: Churn.parse('event "unclosed'),
        lambda: Churn.table(pl.DataFrame({"person": [1]})),
    ],
)
def test_wrong_definitions_are_refused(make):
    with pytest.raises(ArgumentError):
        make()


def test_a_table_needs_times_with_a_zone():
    with pytest.raises(InputError, match="time zone"):
        Churn.table(pl.DataFrame({"person": [1], "time": [datetime(2026, 1, 1)]}))


EVENTS = st.lists(
    st.tuples(st.integers(1, 5), st.integers(0, 20), st.sampled_from(["a:use", "a:quit", "a:move", "a:join"])),
    min_size=1,
    max_size=30,
)


@given(EVENTS, st.sampled_from(["event", "inactive"]), st.sampled_from([None, "a:join"]))
@settings(max_examples=120, deadline=None)
def test_subjects_follow_the_rules(events, kind, origin):
    events = [
        *events,
        (9, 20, "a:use"),
        (9, 0, "a:join"),
        (8, 1, "a:quit"),
        (8, 0, "a:move"),
        (7, 0, "a:join"),
        (7, 3, "a:use"),
    ]
    gap = 4
    churn = Churn.event("a:quit") if kind == "event" else Churn.inactive(f"{gap}d")
    expected = []
    for person in sorted({event[0] for event in events}):
        own = sorted((at, name) for who, at, name in events if who == person)
        joined = [at for at, name in own if origin in (None, name)]
        if not joined or joined[0] >= 20:
            continue
        entry = joined[0]
        if kind == "event":
            quits = [at for at, name in own if name == "a:quit"]
        else:
            times = sorted({at for at, _ in own if at >= entry})
            quits = [at + gap for at in times if at + gap <= 20 and not any(at < other <= at + gap for other in times)]
        moves = [at for at, name in own if name == "a:move"]
        ends = [(min(quits), 0, "churn")] if quits else []
        ends += [(min(moves), 1, "moved")] if moves else []
        ends.append((20, 2, "censored"))
        when, _, how = min(ends)
        if when > entry:
            expected.append((person, day(entry), day(when), float(when - entry), how == "churn", how))
    found = subjects(journeys_of(events), churn, origin=origin, competing={"moved": "a:move"})
    CONTRACTS["SUBJECTS"].validate(found.frame)
    assert found.frame.select(list(CONTRACTS["SUBJECTS"].columns)).rows() == expected
    counts = measures(found)
    assert counts["persons considered"] == counts["subjects"] + sum(
        n for name, n in counts.items() if name.startswith("left out")
    )


def test_those_who_were_there_before_the_log_enter_late():
    journeys = journeys_of([(1, 10, "a:use"), (1, 15, "a:quit"), (2, 12, "a:use"), (2, 20, "a:use"), (3, 11, "a:use")])
    since = pl.DataFrame({"person": [1, 2], "time": [day(0), day(12)]})
    found = subjects(journeys, Churn.event("a:quit"), origin=since)
    assert found.frame.select("person", "entry", "duration", "entry_days").rows() == [
        (1, day(10), 15.0, 10.0), (2, day(12), 8.0, 0.0),
    ]  # fmt: skip
    counts = measures(found)
    assert (counts["late entries"], counts["left out: no time zero"]) == (1, 1)


def test_persons_at_risk_entry_and_attributes():
    journeys = journeys_of([(1, 0, "a:use"), (1, 9, "a:use"), (2, 3, "a:quit"), (3, 1, "a:use")])
    persons = pl.DataFrame(
        {"person": [1, 2, 4, 5], "time": ["x", "y", "x", "z"], "entry": [day(2), day(1), day(5), None]}
    )
    found = subjects(journeys, Churn.event("a:quit"), persons=persons)
    assert found.frame.select("person", "entry", "exit", "churned", "time").rows() == [
        (1, day(2), day(9), False, "x"), (2, day(1), day(3), True, "y"), (4, day(5), day(9), False, "x"),
    ]  # fmt: skip
    assert any("no time zero" in note for note in found.notes)


def test_the_end_of_observation():
    journeys = journeys_of([(1, 0, "a:use"), (1, 9, "a:quit"), (2, 0, "a:use"), (2, 5, "a:quit")])
    for end in ("2026-01-06", date(2026, 1, 6), day(5), "2026-01-06T01:00+01:00"):
        found = subjects(journeys, Churn.event("a:quit"), end=end)
        assert found.frame["churned"].to_list() == [False, True]
        assert found.frame["exit"].unique().to_list() == [day(5)]
    with pytest.raises(ArgumentError, match="later than the data"):
        subjects(journeys, Churn.event("a:quit"), end="2027-01-01")
    with pytest.raises(ArgumentError, match="cannot be read"):
        subjects(journeys, Churn.event("a:quit"), end="soon")


def test_silence_exactly_as_long_as_the_gap_is_none():
    journeys = journeys_of([(1, 0, "a:use"), (1, 5, "a:use"), (2, 0, "a:use"), (2, 6, "a:use"), (3, 10, "a:use")])
    found = subjects(journeys, Churn.inactive("5d"))
    assert found.frame.select("person", "duration", "churned").rows() == [(1, 10.0, True), (2, 5.0, True)]
    audit = {row[0]: row[1:3] for row in found.audit().iter_rows()}
    assert audit["silences > 5d"][0] == 2
    assert audit["false churn at 5d"] == (1, 0.5)
    assert audit["events after churn"][0] == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"origin": "a:joined"}, "a:join"),
        ({"competing": {"churn": "a:use"}}, "cannot be called"),
        ({"persons": pl.DataFrame({"person": [1, 1]})}, "one row a person"),
        ({"persons": pl.DataFrame({"person": [1], "end": [1]})}, "taken"),
        ({"persons": pl.DataFrame({"person": [77]})}, "none of 1 persons is left"),
        ({"persons": pl.DataFrame({"who": [1]})}, "person"),
    ],
)
def test_wrong_calls_say_what_is_wrong(options, words):
    journeys = journeys_of([(1, 0, "a:join"), (1, 2, "a:use"), (2, 1, "a:quit")])
    with pytest.raises((ArgumentError, InputError), match=words):
        subjects(journeys, Churn.event("a:quit"), **options)
