"""Funnels by hand: where other tools go wrong, groups, edges, errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from measure_oracles import (
    MINUTE,
)
from splits import walk, walks

from cjm.errors import ArgumentError
from cjm.journeys import Journeys, journeys_from_frame
from cjm.measure._by import cohort, period
from cjm.measure._funnel import funnel, funnel_next
from cjm.measure._goal import goal
from cjm.statistics import newcombe


def web(names: str) -> list[str]:
    return [f"web:{name}" for name in names]


@pytest.mark.parametrize(
    ("path", "steps", "options", "persons"),
    [
        ("BCAB", "ABC", {}, [1, 1, 0]),  # each step is there, but not in order
        ("ABAC", "ABC", {}, [1, 1, 1]),
        ("ABACC", "ACC", {}, [1, 1, 1]),
        ("ABxC", "ABC", {"order": "strict"}, [1, 1, 0]),
        ("ABxABC", "ABC", {"order": "strict"}, [1, 1, 1]),
        ("AABC", "ABC", {"order": "strict"}, [1, 1, 1]),
        ("AAA", "AAA", {"order": "strict"}, [1, 1, 1]),
        ("CxBA", "ABC", {"order": "any"}, [1, 1, 1]),
        ("BB", "ABC", {"order": "any"}, [1, 0, 0]),
        ("AxxBxC", "ABC", {"order": "any", "within": "3m"}, [1, 1, 0]),
        ("AxxBxC", "ABC", {"order": "any", "within": "5m"}, [1, 1, 1]),
        ("AxBxC", "ABC", {"order": "any", "exclude": "web:x"}, [1, 0, 0]),
        ("AxBC", "ABC", {"exclude": "web:x"}, [1, 0, 0]),
        ("AxBABC", "ABC", {"exclude": "web:x"}, [1, 1, 1]),  # a later attempt succeeds
        ("AxBC", "ABC", {"exclude": {2: "web:x"}}, [1, 1, 1]),
        ("ABxC", "ABC", {"exclude": {2: ["web:x"]}}, [1, 1, 0]),
        ("ABxBC", "ABC", {"exclude": {2: ["web:x"]}}, [1, 1, 1]),  # the attempt at step 1 lives on
        ("xABCx", "ABC", {"exclude": ["web:x"]}, [1, 1, 1]),  # before and after is not between
        ("ABC", "ABC", {"exclude": "web:B"}, [1, 1, 1]),  # a step is not between steps
        ("ABBC", "ABC", {"exclude": {2: "web:B"}}, [1, 1, 1]),  # the second B takes the step
        ("ABABC", "ABC", {"exclude": {2: "web:A"}}, [1, 1, 1]),
        ("ABAC", "ABC", {"exclude": {2: "web:A"}}, [1, 1, 0]),
    ],
)
def test_funnel_of_one_person_by_hand(path: str, steps: str, options: dict, persons: list[int]) -> None:
    known = walks(walk(path), walk("CBAx"))  # the second person makes every touchpoint known
    assert funnel(known.filter(pl.col("person") == 0), web(steps), **options)["persons"].to_list() == persons


@pytest.mark.parametrize(
    ("events", "steps", "within", "persons"),
    [
        (walk("BCAB"), "ABC", None, [1, 1, 0]),  # each step is there, but not in order
        (walk("A"), "AA", None, [1, 0]),  # one event is not two
        (walk("AxA"), "AA", None, [1, 1]),
        (walk("AyByC"), "ABC", None, [1, 1, 1]),  # others may lie between
        ([(0, "A"), (60, "B")], "AB", "1h", [1, 1]),  # exactly the window
        ([(0, "A"), (60, "B")], "AB", timedelta(minutes=59, seconds=59), [1, 0]),
        # The first start is too old for C; a later one, after the first B, leads there.
        ([(0, "A"), (1, "B"), (50, "A"), (55, "B"), (70, "C")], "ABC", "1h", [1, 1, 1]),
        # The later start has no B of its own: it does not inherit the B before it.
        ([(0, "A"), (1, "B"), (50, "A"), (70, "C")], "ABC", "1h", [1, 1, 0]),
        ([(0, "A"), (0, "B")], "AB", "0s", [1, 1]),  # a tie counts in order of arrival
        ([(0, "B"), (0, "A")], "AB", "0s", [1, 0]),
    ],
)
def test_funnel_of_one_person_within_a_time(
    events: list[tuple[float, str]], steps: str, within: str | timedelta | None, persons: list[int]
) -> None:
    known = walks(events, walk("CBA"))  # the second person makes every touchpoint known
    assert funnel(known.filter(pl.col("person") == 0), web(steps), within=within)["persons"].to_list() == persons


def test_funnel_times_are_those_of_the_attempt_that_gets_furthest() -> None:
    log = walks([(0, "A"), (10, "A"), (12, "B"), (30, "A"), (31, "B"), (35, "C"), (99, "C")])
    rows = funnel(log, ["web:A", "web:B", "web:C"])
    assert rows["time_p50"].to_list() == [None, timedelta(minutes=1), timedelta(minutes=4)]
    assert funnel(log.filter(pl.col("event") != "C"), ["web:A", "web:B", "web:C"])["time_p50"].to_list() == [
        None,
        timedelta(minutes=2),  # the first B ends the attempt, from the A right before it
        None,
    ]


def test_funnel_of_a_repeated_step_has_the_time_between_two_events() -> None:
    assert funnel(walks([(0, "A"), (5, "A"), (7, "A")]), ["web:A"] * 2)["time_p50"].to_list() == [
        None,
        5 * timedelta(minutes=1),
    ]


def test_funnel_groups_persons_by_their_first_start() -> None:
    log = walks(walk("xAAB"), walk("A"), walk("BB"), device=["tv", None, "tv", "tv", "tv", "tv", "tv"])
    rows = funnel(log, ["web:A", "web:B"], by="device")
    assert rows.select("device", "step", "persons", "of", "step_rate").rows() == [
        ("tv", 1, 1, 1, None),
        ("tv", 2, 0, 1, 0.0),
        (None, 1, 1, 1, None),
        (None, 2, 1, 1, 1.0),
    ]


def test_funnel_without_anyone_at_the_first_step() -> None:
    log = walks(walk("A"), walk("B")).filter(pl.col("event") == "B")
    rows = funnel(log, ["web:A", "web:B"])
    assert rows.select("persons", "of", "rate", "low", "step_rate").rows() == [(0, 0, None, None, None)] * 2


def test_the_latest_start_that_is_not_excluded_counts() -> None:
    # The first A is too old for C, the second is ended by x on its way to B: nobody gets there.
    log = walks([(0, "A"), (1, "B"), (50, "A"), (52, "x"), (55, "B"), (70, "C")])
    assert funnel(log, web("ABC"), within="1h", exclude="web:x")["persons"].to_list() == [1, 1, 0]
    assert funnel(log, web("ABC"), within="70m", exclude={1: "web:x"})["persons"].to_list() == [1, 1, 1]


def test_steps_may_be_selectors_and_lists() -> None:
    log = walks([(0, "a"), (1, "store:buy")], [(0, "app:b"), (1, "app:buy")], [(0, "a")])
    rows = funnel(log, [["web:a", "app:b"], "*:buy"])
    assert rows.select("touchpoint", "persons").rows() == [("{app:b, web:a}", 3), ("*:buy", 2)]
    assert funnel(log, [{"app:*", "web:*"}, "store:*"])["persons"].to_list() == [3, 1]
    assert funnel(log, ["*:*", "*:*"])["persons"].to_list() == [3, 2]


def test_names_are_read_as_they_stand_before_they_are_read_as_patterns() -> None:
    odd = ["y -> z", 'q"uote:', "żółw", "{a, b}", "a,b", "*"]
    log = walks([(i, f"web:{name}") for i, name in enumerate(odd)], [(0, "web:other")])
    rows = funnel(log, [f"web:{name}" for name in odd])
    assert rows["persons"].to_list() == [1] * len(odd)
    assert rows["touchpoint"].to_list() == [f"web:{name}" for name in odd]
    assert funnel(log, ['web:"y -> z"', '{web:"żółw"}'])["persons"].to_list() == [1, 1]


def test_inside_a_session_and_inside_a_journey() -> None:
    log = walks([(0, "A"), (60, "A"), (61, "B")], [(0, "A"), (60, "B")], [(0, "o"), (1, "A"), (2, "e"), (3, "B")])
    assert funnel(log, web("AB"))["persons"].to_list() == [3, 3]
    inside = funnel(log, web("AB"), unit="session")
    assert inside["persons"].to_list() == [3, 2]
    assert inside["time_p75"].to_list() == [None, timedelta(minutes=1.75)]
    order = goal("order", start="web:o", end="web:e")
    assert funnel(log, web("AB"), unit=order)["persons"].to_list() == [1, 0]
    assert funnel_next(log, web("AB"), unit=order).select("next", "persons").rows() == [("web:e", 1)]
    assert funnel_next(log, web("AB"), unit="session").select("next", "persons").rows() == [("(end)", 1)]


def test_groups_of_every_kind() -> None:
    month = 31 * 1440
    log = walks(
        [(0, "A"), (1, "B"), (month, "A")], [(month, "A"), (month + 1, "B")], [(0, "x"), (month, "A")], [(0, "x")]
    )
    got = funnel(log, web("AB"), by=period("1mo")).select(pl.col("period").dt.month(), "step", "persons", "of").rows()
    assert got == [(1, 1, 1, 1), (1, 2, 1, 1), (2, 1, 2, 2), (2, 2, 1, 2)]
    got = funnel(log, web("AB"), by=cohort("1mo")).select(pl.col("cohort").dt.month(), "step", "persons").rows()
    assert got == [(1, 1, 2), (1, 2, 1), (2, 1, 1), (2, 2, 1)]
    quick = goal("quick", start="web:A", end="web:B", timeout="1h")
    goals = [quick, goal("never", start="web:B", end="web:A", timeout="1m")]
    got = funnel(log, web("AB"), by=goals)
    assert got.select("goal", "step", "persons", "of").rows() == [("quick", 1, 3, 3), ("quick", 2, 2, 3)]
    assert funnel_next(log, web("AB"), by=goals).select("goal", "next", "persons").rows() == [("quick", "(end)", 1)]


def test_versus_and_small_groups() -> None:
    paths = [walk("AB")] * 8 + [walk("A")] * 12 + [walk("AB")] * 3 + [walk("A")] * 3
    device = ["tv" if i < 20 else "pc" for i, path in enumerate(paths) for _ in path]
    log = walks(*paths, device=device)
    rows = funnel(log, web("AB"), by="device", versus="tv")
    low, high = newcombe([3], [6], [8], [20])
    assert rows.select("device", "step", "difference", "difference_low", "difference_high").rows() == [
        ("pc", 1, 0.0, *(float(b[0]) for b in newcombe([6], [6], [20], [20]))),
        ("pc", 2, 3 / 6 - 8 / 20, low[0], high[0]),
        ("tv", 1, None, None, None),
        ("tv", 2, None, None, None),
    ]
    masked = funnel(log, web("AB"), by="device", versus="tv", min_persons=5)
    assert masked["persons"].to_list() == [6, None, 20, 8]
    assert masked.row(1)[3:] == (None,) * (masked.width - 3)
    # A hidden group is no reference either.
    assert funnel(log, web("AB"), by="device", versus="pc", min_persons=5)["difference"].to_list()[3] is None
    assert funnel(log, web("AB"), by="device", versus="pc", min_persons=3)["difference"].to_list()[3] is not None
    after = funnel_next(log, web("AB"), by="device", versus="tv", min_persons=5)
    assert after.select("device", "persons", "difference").rows() == [("pc", None, None), ("tv", 12, None)]


def test_few_who_leave_are_hidden_even_far_down() -> None:
    log = walks(*[walk("ABC")] * 10, *[walk("AB")] * 2, *[walk("A")] * 10)
    rows = funnel(log, web("ABC"), min_persons=5)
    assert rows["persons"].to_list() == [22, 12, None]


def test_next_of_the_top_and_the_others() -> None:
    log = walks(*[walk("Ax")] * 3, *[walk("Ay")] * 2, *[walk("Az")] * 2, walk("A"), walk("AB"), walk("ABq"))
    rows = funnel_next(log, web("ABC"[:2]), top=2)
    assert rows.select("next", "persons", "of").rows() == [("(other)", 3, 8), ("web:x", 3, 8), ("web:y", 2, 8)]
    assert rows["touchpoint"].unique().to_list() == ["web:A"]
    assert funnel_next(log, web("A")).is_empty()


def test_next_of_a_revisit_is_behind_the_last_one() -> None:
    assert funnel_next(walks(walk("AxAy"), walk("B")), web("AB"))["next"].to_list() == ["web:y"]


def test_many_touchpoints_and_codes_that_are_not_dense() -> None:
    n = 1_000_000
    frame = pl.DataFrame(
        {
            "person": np.arange(n) // 4,
            "time": pl.Series(np.arange(n) * MINUTE).cast(pl.Datetime("us", "UTC")),
            "channel": pl.Series(["web"]).new_from_index(0, n),
            "event": pl.Series(np.arange(n)).cast(pl.String),
        }
    )
    log = journeys_from_frame(frame, gap=30 * MINUTE)
    steps = ["web:199996", "web:199997", "web:199999"]
    assert funnel(log, steps)["persons"].to_list() == [1, 1, 1]
    kept = log.filter(pl.col("event").is_in(["199996", "199999", "5"]))
    assert funnel(kept, steps)["persons"].to_list() == [1, 0, 0]
    assert funnel_next(kept, steps)["next"].to_list() == ["web:199999"]
    assert funnel(log, ["web:*"] * 4)["persons"].to_list() == [n // 4] * 4


def test_empty_journeys_give_no_rows_of_the_same_types() -> None:
    log = walks(walk("AB"), walk("A"), device=pl.Series([None, "tv", None], dtype=pl.Categorical))
    for verb in (funnel, funnel_next):
        for by in (None, "device", period("1d")):
            full, empty = verb(log, web("AB"), by=by), verb(log.filter(pl.lit(False)), web("AB"), by=by)
            assert not full.is_empty()
            assert empty.is_empty()
            assert empty.schema == full.schema


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda j: funnel(j, web("ab")), "step 1: unknown touchpoint 'web:a'. Did you mean \"web:A\"?"),
        (lambda j: funnel(j, ["web:A B"]), "unknown touchpoint 'web:A B'"),
        (lambda j: funnel(j, ["wep:*"]), "step 1: unknown channel 'wep'. Did you mean \"web\"?"),
        (lambda j: funnel(j, ["web:A -> web:B"]), "is more than touchpoints"),
        (lambda j: funnel(j, [[]]), "step 1: must be a touchpoint or a list of touchpoints, not []"),
        (lambda j: funnel(j, [3]), "step 1: must be a touchpoint"),
        (lambda j: funnel(j, "web:A"), "must be a list of touchpoints"),
        (lambda j: funnel(j, web("A") * 32), "at most 31 steps"),
        (lambda j: funnel(j, web("AB"), order="sorted"), "order=: unknown order 'sorted'"),
        (lambda j: funnel(j, ["web:A", "web:*"], order="any"), "shares a touchpoint with a step before it"),
        (lambda j: funnel(j, web("AB"), order="any", exclude="web:*"), "'web:*' is a step as well"),
        (lambda j: funnel(j, web("AB"), order="any", exclude={1: "web:x"}), "no step has a place"),
        (lambda j: funnel(j, web("AB"), order="strict", exclude="web:x"), "nothing lies between the steps"),
        (lambda j: funnel(j, web("AB"), exclude={2: "web:x"}), "2 is no step with a step behind it"),
        (lambda j: funnel(j, web("AB"), exclude=["web:y"]), "exclude=: unknown touchpoint 'web:y'"),
        (lambda j: funnel(j, web("A"), unit="visit"), "unit=: unknown value 'visit'"),
        (lambda j: funnel(j, web("A"), by="total_p50"), "the result has a column 'total_p50' of its own"),
        (lambda j: funnel(j, web("A"), versus="tv"), "there is no by="),
        (lambda j: funnel(j, web("A"), min_persons=-1), "min_persons=: must be a whole number"),
        (lambda j: funnel_next(j, web("A"), top=0), "top=: must be a whole number above zero"),
        (lambda j: funnel_next(j, web("A"), level=1), "must lie between 0 and 1"),
    ],
)
def test_wrong_calls_say_what_is_wrong(call: Callable[[Journeys], object], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call(walks(walk("ABx"), total_p50=[1, 2, 3]))
    assert words in str(caught.value)
