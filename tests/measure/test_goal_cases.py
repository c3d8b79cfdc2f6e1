"""Journeys towards goals, case by case."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from buckets import in_buckets

from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError, PatternError
from cjm.journeys import Journeys
from cjm.journeys._build import journeys_from_frame
from cjm.measure._goal import Goal, goal
from cjm.measure._goals import goal_events, goal_journeys, goal_overlap
from cjm.patterns import Pattern, pattern

ALL = "abcdxyz"


def log(*persons: str, end: int | None = None) -> Journeys:
    """One text a person: ``"a@0 b@2/k"`` is an event ``web:a`` at second 0 and ``web:b`` at second 2 with key ``k``.

    Person 0, who is dropped again, has every event once, the last one at ``end``.
    """
    rows = [(0, 0, name, None) for name in ALL] + ([] if end is None else [(0, end, "a", None)])
    for person, text in enumerate(persons, start=1):
        for part in text.split():
            what, _, key = part.partition("/")
            name, _, at = what.partition("@")
            rows.append((person, int(at), name, key or None))
    frame = pl.DataFrame(
        rows, schema={"person": pl.Int64, "time": pl.Int64, "event": pl.String, "order": pl.String}, orient="row"
    ).with_columns((pl.col("time") * 1_000_000).cast(pl.Datetime("us", "UTC")), channel=pl.lit("web"))
    return journeys_from_frame(frame, gap=1_800_000_000).filter(pl.col("person") > 0)


def seconds(found: pl.DataFrame, *more: str) -> list[tuple]:
    """State, start, end in seconds, events, and other columns, of each journey."""
    times = [pl.col(name).to_physical() // 1_000_000 for name in ("start", "end")]
    return found.select("state", *times, "events", *more).rows()


def ab(**more: str | list[str]) -> Goal:
    return goal("g", **({"start": "web:a", "end": "web:b"} | more))  # type: ignore[arg-type]


def test_states_at_their_limits() -> None:
    timed = ab(timeout="10s")
    assert seconds(goal_journeys(log("a@0 b@10"), timed)) == [("reached", 0, 10, 2)]
    assert seconds(goal_journeys(log("a@0 c@10 b@11"), timed)) == [("timed out", 0, 10, 2)]
    assert seconds(goal_journeys(log("a@0", end=10), timed)) == [("open", 0, None, 1)]
    assert seconds(goal_journeys(log("a@0", end=11), timed)) == [("timed out", 0, 10, 1)]
    idle = ab(idle="10s")
    assert seconds(goal_journeys(log("a@0 c@10 b@20"), idle)) == [("reached", 0, 20, 3)]
    assert seconds(goal_journeys(log("a@0 c@10 b@21"), idle)) == [("abandoned", 0, 10, 2)]
    assert seconds(goal_journeys(log("a@0 c@5", end=15), idle)) == [("open", 0, None, 2)]
    assert seconds(goal_journeys(log("a@0 c@5", end=16), idle)) == [("abandoned", 0, 5, 2)]
    both = ab(idle="10s", timeout="15s")
    assert seconds(goal_journeys(log("a@0 c@4 b@30"), both)) == [("abandoned", 0, 4, 2)]  # silent past 14
    assert seconds(goal_journeys(log("a@0 c@5 b@30"), both)) == [("timed out", 0, 15, 2)]  # both limits pass at 15


def test_a_start_while_a_journey_is_open_is_one_of_its_events() -> None:
    assert seconds(goal_journeys(log("b@0 a@1 a@2 b@3 b@4 a@5"), ab())) == [("reached", 1, 3, 3), ("open", 5, None, 1)]


def test_an_event_that_ends_and_starts_is_in_both_journeys() -> None:
    found = log("a@0 b@1 a@2 b@3")
    relay = ab(start=["web:a", "web:b"])
    assert seconds(goal_journeys(found, relay)) == [("reached", 0, 1, 2), ("reached", 1, 3, 3), ("open", 3, None, 1)]
    assert goal_events(found, relay).select("journey", "event", "step").rows() == [
        (0, "a", 1), (0, "b", 2), (1, "b", 1), (1, "a", 2), (1, "b", 3), (2, "b", 1)
    ]  # fmt: skip


@pytest.mark.parametrize("key", [None, "order"])
def test_reached_before_abandoned(key: str | None) -> None:
    found = log("a@0/1 x@1 a@2/1 y@3")
    both = goal("g", start="web:a", end=["web:x"], abandon=["web:x", "web:y"], key=key)
    assert seconds(goal_journeys(found, both)) == [("reached", 0, 1, 2), ("abandoned", 2, 3, 2)]


def test_ties_go_by_the_order_of_events() -> None:
    assert seconds(goal_journeys(log("b@0 a@0 b@0 a@0"), ab())) == [("reached", 0, 0, 2), ("open", 0, None, 1)]


def test_a_start_of_several_events() -> None:
    tour = ab(start="web:x -> web:a")
    assert seconds(goal_journeys(log("x@0 c@1 a@2 b@3"), tour)) == [("reached", 0, 3, 4)]
    # the x at 3 lies in the first journey, the one at 5 behind it
    assert seconds(goal_journeys(log("x@0 a@2 x@3 b@4 a@5"), tour)) == [("reached", 0, 4, 4)]
    assert seconds(goal_journeys(log("x@0 a@2 b@4 x@5 a@6"), tour)) == [("reached", 0, 4, 3), ("open", 5, None, 2)]
    # it begins with its first event, so the limit runs from there
    short = ab(start="web:x -> web:a", timeout="3s")
    assert seconds(goal_journeys(log("x@0 a@2 b@3"), short)) == [("reached", 0, 3, 3)]
    assert seconds(goal_journeys(log("x@0 a@2 b@4"), short)) == [("timed out", 0, 3, 2)]
    assert seconds(goal_journeys(log("x@0 a@4 b@5"), short)) == []


def test_an_end_of_several_events_lies_in_the_journey() -> None:
    bought = ab(end="web:x -> web:b")
    assert seconds(goal_journeys(log("x@0 a@1 b@2 x@3 b@4"), bought)) == [("reached", 1, 4, 4)]
    assert seconds(goal_journeys(log("x@0 a@1 b@2"), bought)) == [("open", 1, None, 2)]
    left = ab(abandon="2 x web:x")
    assert seconds(goal_journeys(log("x@0 a@1 x@2 b@3"), left)) == [("reached", 1, 3, 3)]
    assert seconds(goal_journeys(log("x@0 a@1 x@2 x@3 b@4"), left)) == [("abandoned", 1, 3, 3)]
    # begun while the start was under way, complete after it
    assert seconds(goal_journeys(log("x@0 y@1 a@2 b@3"), ab(start="web:x -> web:a", end="web:y -> web:b"))) == [
        ("reached", 0, 3, 4)
    ]


def test_journeys_side_by_side() -> None:
    orders = ab(key="order")
    found = log("a@0/1 c@1 a@2/2 c@3 d@4/1 d@5/3 b@6/2 a@7 b@8")
    journeys = goal_journeys(found, orders)
    assert seconds(journeys, "key") == [("reached", 0, 8, 6, "1"), ("reached", 2, 6, 3, "2")]
    events = goal_events(found, orders)
    assert events.filter(pl.col("journey") == 0)["event"].to_list() == ["a", "c", "c", "d", "a", "b"]
    assert events.filter(pl.col("journey") == 1)["event"].to_list() == ["a", "c", "b"]
    # an event without a key ends all that are open, and opens none
    assert seconds(goal_journeys(log("a@0/1 a@1/2 b@2 a@3"), orders)) == [("reached", 0, 2, 2), ("reached", 1, 2, 2)]
    # time runs out for each on its own
    quiet = ab(key="order", idle="5s", end="web:z")
    assert seconds(goal_journeys(log("a@0/1 a@1/2 c@6/2 c@11"), quiet), "key") == [
        ("abandoned", 0, 0, 1, "1"), ("open", 1, None, 3, "2")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([7, 7, 12, None, 12], ["7", "12"]),
        ([True, True, False, None, False], ["true", "false"]),
        (["ż, ->", "ż, ->", 'a"b', None, 'a"b'], ["ż, ->", 'a"b']),
    ],
)
def test_keys_of_any_type(values: list[object], texts: list[str]) -> None:
    frame = pl.DataFrame(
        {"person": [1] * 5, "time": [0, 1, 2, 3, 4], "channel": ["web"] * 5, "event": list("aaacb"), "order": values}
    ).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))
    found = goal_journeys(journeys_from_frame(frame, gap=10), ab(key="order"))
    assert found.select("key", "state", "events").rows() == [(texts[0], "open", 3), (texts[1], "reached", 3)]


def test_two_goals_share_events_and_are_sorted() -> None:
    found = log("a@0 x@0 b@2 y@3", "x@5")
    goals = [goal("żart", start="web:a", end="web:y"), goal("ask", start="web:x", end="web:b")]
    journeys = goal_journeys(found, goals)
    CONTRACTS["JOURNEYS"].validate(journeys)
    assert journeys.columns == list(CONTRACTS["JOURNEYS"].columns)
    assert journeys.select("person", "journey", "goal", "duration").rows() == [
        (1, 0, "ask", timedelta(seconds=2)), (1, 1, "żart", timedelta(seconds=3)), (2, 2, "ask", None)
    ]  # fmt: skip
    events = goal_events(found, goals)
    assert events.columns == [
        "journey", "goal", "person", "time", "channel", "event", "touchpoint", "session", "step"
    ]  # fmt: skip
    assert events["journey"].to_list() == [0, 0, 1, 1, 1, 1, 2]
    assert events["event"].to_list() == ["x", "b", "a", "x", "b", "y", "x"]
    sessions = dict(found.sessions.select("person", "session").collect().rows())
    assert events.select("person", "session").unique().sort("person").rows() == sorted(sessions.items())


def test_overlap() -> None:
    goals = [ab(), goal("h", start="web:x", end="web:y")]
    found = log("a@0 x@4 b@6 y@7 a@7 b@9", "a@0 b@1 x@1 y@2", "x@0 a@5 b@6", "a@1")
    rows = goal_overlap(found, goals).select(pl.exclude("low", "high")).rows()
    assert rows == [
        ("g", "g", 0, 0, 0, 5, 0.0, None),
        # one after another, touching, one inside one that is open at the end
        ("g", "h", 3, 4, 4, 5, 4 / 5, timedelta(seconds=(2 + 0 + 0 + 1) / 4)),
        ("h", "h", 0, 0, 0, 3, 0.0, None),
    ]
    assert goal_overlap(in_buckets(found, 4), goals).equals(goal_overlap(found, goals))
    hidden = goal_overlap(found, goals, min_persons=4)
    assert hidden.row(1) == ("g", "h", None, None, None, 5, None, None, None, None)
    assert hidden[0].equals(goal_overlap(found, goals)[0])  # nobody: nothing to hide


def test_overlap_of_many_journeys_that_all_stay_open() -> None:
    count, year = 10_000, 365 * 86_400
    found = log(" ".join(f"a@{n}/{n}" for n in range(count)), end=100 * year)
    table = goal_overlap(found, ab(key="order"))
    assert table["pairs"].item() == count * (count - 1) // 2
    assert table["journeys"].item() == table["of"].item() == count
    # the pairs have more microseconds in common than 64 bits hold; each has those from its later start on
    total = sum(n * (100 * year - n) for n in range(count)) * 1_000_000
    assert total > 2**63
    assert table["overlap_mean"].to_physical().item() == total // (count * (count - 1) // 2)


def test_nothing_to_find() -> None:
    for found in (log("c@0"), log("a@0").filter(pl.col("person") > 9)):
        journeys = goal_journeys(found, ab(key="order"))
        CONTRACTS["JOURNEYS"].validate(journeys)
        assert journeys.is_empty()
        assert goal_events(found, ab()).is_empty()
        assert goal_overlap(found, ab()).row(0) == ("g", "g", 0, 0, 0, 0, None, None, None, None)


def test_touchpoints_with_odd_names() -> None:
    events = ["view offer", 'a"b', "x -> y", "żółw, {a}"]
    frame = pl.DataFrame(
        {"person": [1] * 4, "time": [0, 1, 2, 3], "channel": ["web: shop"] * 4, "event": events}
    ).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))
    found = journeys_from_frame(frame, gap=10)
    odd = goal("g", start='"web: shop":"view offer"', end=Pattern.from_touchpoints(["web:żółw"]))
    with pytest.raises(ArgumentError, match="end of goal g"):
        goal_journeys(found, odd)
    odd = goal("g", start='"web: shop":"view offer"', end=['*:"a\\"b"', '*:"żółw, {a}"'])
    assert goal_journeys(found, odd).select("state", "events").rows() == [("reached", 2)]


def test_a_step_may_look_at_attributes() -> None:
    found = log("a@0/no a@1/yes b@2")
    for start in ('web:a[order = "yes"]', pattern(pl.col("order") == "yes")):
        assert seconds(goal_journeys(found, ab(start=start))) == [("reached", 1, 2, 2)]  # type: ignore[arg-type]


def test_a_goal_is_a_value() -> None:
    one = goal("buy", start=["web:b", "web:a", "web:a"], end="store:*", abandon="2 x web:x", timeout="30d", idle="36h")
    assert one == goal(
        "buy",
        start="{web:a, web:b}",
        end=Pattern.parse("store:*"),
        abandon=pattern("web:x", count=2),
        timeout=timedelta(days=30),
        idle="1d12h",
    )
    assert hash(one) == hash(goal("buy", start="{web:a, web:b}", end="store:*", abandon="2 x web:x", timeout="30d",
                                  idle="36h"))  # fmt: skip
    assert (one.timeout, one.idle, one.key) == (30 * 86_400_000_000, 36 * 3_600_000_000, None)
    assert str(one) == (
        "buy: starts with {web:a, web:b}; reached with store:*; abandoned with 2 x web:x; "
        "abandoned after 1d12h without an event; times out after 30d"
    )
    assert str(goal("o", start="a:b", timeout="1d", key="order")) == (
        "o: starts with a:b; times out after 1d; one for each order"
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": " "}, "needs a name"),
        ({"end": None}, "nothing would close"),
        ({"timeout": 30}, "bare number"),
        ({"idle": "1mo"}, "no fixed length"),
        ({"end": "web:a ->"}, "expected a touchpoint"),
        ({"end": "web:view offer"}, "(?s)goal.'g'., end=: .*is quoted"),
        ({"end": []}, "empty"),
        ({"end": ["web:a -> web:b"]}, "more than a touchpoint"),
        ({"start": ['web:a[x = "1"]', "web:b"]}, "more than a touchpoint"),
        ({"end": "web:a -> not web:b within 1d"}, "ends with an absence"),
        ({"key": "order", "start": "web:a -> web:b"}, "takes several events"),
        ({"key": "order", "end": "2 x web:b"}, "takes several events"),
        ({"key": ""}, "name of an attribute"),
    ],
)
def test_what_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises((ArgumentError, PatternError), match=message):
        goal(**({"name": "g", "start": "web:a", "end": "web:b"} | wrong))  # type: ignore[arg-type]


def test_what_journeys_refuse() -> None:
    found = log("a@0 b@1")
    for goals, message in (
        ([], "a list of goals"),
        ("g", "a list of goals"),
        ([ab(), ab()], "two goals are called 'g'"),
        (ab(end="web:bb"), "unknown touchpoint 'web:bb'"),
        (ab(key="oder"), 'Did you mean "order"'),
    ):
        for verb in (goal_journeys, goal_events, goal_overlap):
            with pytest.raises(ArgumentError, match=message):
                verb(found, goals)
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        goal_overlap(found, ab(), level=95)
    with pytest.raises(ArgumentError, match="min_persons"):
        goal_overlap(found, ab(), min_persons=-1)
