"""Decisions are what a slow, obvious reading of the tables says."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import decide_oracle
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cjm
from cjm.contracts import CONTRACTS, TIME
from cjm.errors import ArgumentError, InputError
from cjm.moments import Action, Budget
from cjm.moments._holdout import draws

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
ODD = 'übler "Moment", a:b -> c'
ACTIONS = [
    Action("call", "phone", ("offer", ODD), "2d", purpose="marketing", eligible="premium", cost=4),
    Action("mail", "email", ("offer", "failure"), timedelta(days=7), purpose="news", cost=0.5),
    Action("service call", "phone", ("failure",), "1d", despite=("open ticket",)),
    Action("banner", "web", ("offer", "failure", ODD), "3d", counts=False, value=60),
]
BUDGETS = [Budget(2, "7d"), Budget(1, "3d", channel="phone")]
SCHEMAS = {
    "matches": {"moment": pl.String, "person": pl.Int64, "end": TIME, "confirmed_at": TIME},
    "persons": {"person": pl.Int64, "value": pl.Float64, "premium": pl.Boolean},
    "effects": {"moment": pl.String, "action": pl.String, "effect": pl.Float64, "basis": pl.String,
                "within": pl.Duration("us")},
    "consent": {"person": pl.Int64, "purpose": pl.String, "channel": pl.String, "given": pl.Boolean, "from": TIME,
                "to": TIME},
    "suppressions": {"person": pl.Int64, "reason": pl.String, "from": TIME, "to": TIME},
    "contacts": {"person": pl.Int64, "time": TIME, "channel": pl.String},
}  # fmt: skip

times = st.integers(-9, 2).map(lambda days: NOW + days * DAY)
people = st.integers(1, 4)
optional = lambda values: st.one_of(st.none(), values)  # noqa: E731
moments = st.sampled_from(["offer", "failure", ODD, "nobody asks"])
ROWS = {
    "matches": st.fixed_dictionaries(
        {"moment": moments, "person": people, "end": times, "confirmed_at": optional(times)}
    ),
    "consent": st.fixed_dictionaries(
        {"person": people, "purpose": st.sampled_from(["marketing", "news"]), "given": st.booleans(),
         "from": optional(times), "channel": st.sampled_from([None, "phone", "email"]), "to": optional(times)}
    ),
    "suppressions": st.fixed_dictionaries(
        {"person": people, "reason": st.sampled_from(["open ticket", "cancelled"]), "from": optional(times),
         "to": optional(times)}
    ),
    "contacts": st.fixed_dictionaries(
        {"person": people, "time": times, "channel": st.sampled_from(["phone", "email", None])}
    ),
}  # fmt: skip
worlds = st.fixed_dictionaries(
    {name: st.lists(row, max_size=12) for name, row in ROWS.items()}
    | {
        "persons": st.lists(
            st.fixed_dictionaries(
                {"person": people, "value": optional(st.sampled_from([0.0, 10.0, 80.0, 400.0])),
                 "premium": optional(st.booleans())}
            ), unique_by=lambda row: row["person"], max_size=4),
        "effects": st.lists(
            st.fixed_dictionaries(
                {"moment": moments, "action": st.sampled_from([action.name for action in ACTIONS]),
                 "effect": st.sampled_from([-0.1, 0.05, 0.1]), "basis": st.just("assumed"),
                 "within": optional(st.sampled_from([DAY, 5 * DAY]))}
            ), unique_by=lambda row: (row["moment"], row["action"]), max_size=9),
    }
)  # fmt: skip


def frames(world):
    return {name: pl.DataFrame(rows, schema=SCHEMAS[name], orient="row") for name, rows in world.items()}


def run(world, actions=ACTIONS, **more):
    tables = frames(world)
    return cjm.decide(tables.pop("matches"), actions, at=NOW, budgets=BUDGETS, **tables, **more)


@settings(max_examples=150, deadline=None)
@given(worlds)
def test_agrees_with_a_slow_reading(world):
    decisions = run(world)
    CONTRACTS["DECISIONS"].validate(decisions)
    eligible = {action.name: lambda about, match: True for action in ACTIONS}
    eligible["call"] = lambda about, match: bool(about and about["premium"])
    expected = decide_oracle.decide_slowly(
        world.pop("matches"), ACTIONS, at=NOW, budgets=BUDGETS, eligible=eligible, **world
    )
    found = {}
    for row in decisions.rows(named=True):
        blocked = row["decision"] == "blocked"
        found.setdefault(row["person"], []).append(
            (row["action"], row["moment"], row["rank"], row["reason"] if blocked else None, row["released_at"])
        )
        assert blocked == (row["rank"] is None)
        assert row["decision"] == {None: "blocked", 1: "act"}.get(row["rank"], "alternative")
        passed = row["in_time"] and row["eligible"] and row["consented"] and row["free"] and row["in_budget"]
        assert blocked or (passed and row["expected_value"] > 0)
    assert found == expected


@settings(max_examples=30, deadline=None)
@given(worlds, st.randoms(use_true_random=False))
def test_order_of_rows_and_other_persons_do_not_matter(world, random):
    decisions = run(world, holdout=0.4)
    for rows in world.values():
        random.shuffle(rows)
    assert run(world, holdout=0.4).equals(decisions)
    for person in (1, 2):
        alone = run({name: list(rows) for name, rows in world.items()}, holdout=0.4, person=person)
        assert alone.equals(run(world, holdout=0.4).filter(pl.col("person") == person))


def world_of(**rows):
    base = {
        "matches": [{"moment": "offer", "person": 1, "end": NOW - DAY, "confirmed_at": None}],
        "persons": [{"person": 1, "value": 100.0, "premium": True}],
        "effects": [{"moment": "offer", "action": "call", "effect": 0.1, "basis": "assumed"}],
        "consent": [{"person": 1, "purpose": "marketing", "channel": None, "given": True, "from": NOW - 9 * DAY,
                     "to": None}],
        "suppressions": [],
        "contacts": [],
    }  # fmt: skip
    return base | rows


CALL = ACTIONS[:1]


def first(world, **more):
    return run(world, CALL, **more).row(0, named=True)


def match(end, confirmed_at=None, person=1):
    return {"moment": "offer", "person": person, "end": end, "confirmed_at": confirmed_at}


def test_the_plain_case():
    row = first(world_of())
    assert (row["decision"], row["reason"], row["rank"]) == ("act", "best of 1 option", 1)
    assert (row["expected_value"], row["basis"], row["propensity"]) == (6.0, "assumed", 1.0)
    assert (row["since"], row["until"], row["decided_at"]) == (NOW - DAY, NOW + DAY, NOW)
    assert (row["effect_low"], row["channel"]) == (None, "phone")


@pytest.mark.parametrize(
    ("since", "decision"),
    [(NOW - 2 * DAY, "act"), (NOW - 2 * DAY - timedelta(microseconds=1), "blocked"), (NOW, "act"), (NOW + DAY, None)],
)
def test_the_window_is_inclusive_and_nothing_is_known_before_its_time(since, decision):
    for row in (match(since), match(NOW - 9 * DAY, confirmed_at=since)):
        found = run(world_of(matches=[row]), CALL)
        assert found["decision"].to_list() == ([] if decision is None else [decision])


def test_the_reaction_window_of_an_effect_shortens_that_of_the_action():
    effect = world_of()["effects"][0]
    for window, until in ((DAY, NOW), (9 * DAY, NOW + DAY), (None, NOW + DAY)):
        row = first(world_of(effects=[{**effect, "within": window}]))
        assert (row["decision"], row["until"]) == ("act", until)
    row = first(world_of(effects=[{**effect, "within": DAY - timedelta(microseconds=1)}]))
    assert (row["decision"], row["reason"]) == ("blocked", "too late")


def test_values_are_read_from_toml():
    text = """
        [call]
        name = "call"
        channel = "phone"
        moments = ["offer", 'übler "Moment", a:b -> c']
        within = "2d"
        purpose = "marketing"
        eligible = "premium"
        cost = 4
    """
    assert Action(**tomllib.loads(text)["call"]) == ACTIONS[0]
    assert Budget(**tomllib.loads('contacts = 1\nwithin = "3d"\nchannel = "phone"')) == BUDGETS[1]


def test_a_refusal_outweighs_any_consent_and_intervals_are_half_open():
    consent = world_of()["consent"]
    refusals = [
        ({"channel": "phone"}, "blocked"), ({"channel": "email"}, "act"), ({"channel": None}, "blocked"),
        ({"channel": None, "to": NOW}, "act"), ({"channel": None, "from": NOW}, "blocked"),
        ({"channel": None, "purpose": "news"}, "act"),
    ]  # fmt: skip
    for change, decision in refusals:
        refusal = {**consent[0], "given": False, **change}
        assert first(world_of(consent=[*consent, refusal]))["decision"] == decision, change
    assert first(world_of(consent=[]))["reason"] == "no consent on record"
    assert first(world_of(consent=[{**consent[0], "given": False}]))["reason"] == "consent refused"


def test_suppression_says_why_and_until_when():
    spared = {"person": 1, "reason": "open ticket", "from": NOW - DAY, "to": NOW + DAY}
    longer = {"person": 1, "reason": "cancelled", "from": NOW - DAY, "to": NOW + 2 * DAY}
    row = first(world_of(suppressions=[spared, longer]))
    assert (row["decision"], row["reason"], row["released_at"], row["free"]) == (
        "blocked", "cancelled", NOW + 2 * DAY, False,
    )  # fmt: skip
    row = first(world_of(suppressions=[longer, {**spared, "to": None}]))
    assert (row["reason"], row["released_at"]) == ("open ticket", None)
    tables = frames(world_of(suppressions=[spared]))
    tables["suppressions"] = tables["suppressions"].with_columns(release=pl.lit("until 2d after call:closed"))
    row = cjm.decide(tables.pop("matches"), CALL, at=NOW, **tables).row(0, named=True)
    assert row["reason"] == "open ticket; until 2d after call:closed"
    service = replace(CALL[0], despite=("open ticket",))
    assert run(world_of(suppressions=[spared]), [service])["decision"].to_list() == ["act"]


def test_contacts_of_all_divisions_count_and_the_limit_is_exact():
    def contacts(*days, channel="email"):
        return [{"person": 1, "time": NOW - day * DAY, "channel": channel} for day in days]

    row = first(world_of(contacts=contacts(6, 1)))
    assert (row["reason"], row["released_at"]) == ("2 contacts in 7d used up", NOW + DAY)
    assert first(world_of(contacts=contacts(7, 1)))["decision"] == "act"  # a week ago is no longer within the week
    assert first(world_of(contacts=contacts(-1, -2, 1)))["decision"] == "act"  # what is to come does not count
    assert first(world_of(contacts=contacts(1, channel="phone")))["reason"] == "1 contact by phone in 3d used up"
    banner = replace(CALL[0], counts=False)
    assert run(world_of(contacts=contacts(1, 2, 3)), [banner])["decision"].to_list() == ["act"]


def test_what_is_not_worth_it_or_not_known_is_not_done():
    effect = world_of()["effects"][0]
    persons = world_of()["persons"][0]
    assert first(world_of(effects=[{**effect, "effect": 0.04}]))["reason"] == "not worth its cost"  # 4 - 4
    assert first(world_of(effects=[{**effect, "effect": float("nan")}]))["reason"] == "not worth its cost"
    assert first(world_of(effects=[]))["reason"] == "no effect is stated"
    assert first(world_of(persons=[{**persons, "value": None}]))["reason"] == "value unknown"
    assert first(world_of(persons=[]))["reason"] == "not eligible"
    assert first(world_of(persons=[{**persons, "premium": None}]))["reason"] == "not eligible"


def test_conditions_name_columns_of_persons_and_matches_whatever_they_are_called():
    tables = frames(world_of())
    matches = tables.pop("matches").with_columns(segment=pl.lit("gold"), action=pl.lit("x"), reason=pl.lit(1))
    tables["persons"] = tables["persons"].with_columns(number=pl.lit(7), since=pl.lit(5), channel=pl.lit("web"))
    wide = [
        replace(CALL[0], eligible="segment = 'gold' AND number > 6 AND since = 5 AND channel = 'web' AND reason = 1")
    ]
    assert cjm.decide(matches, wide, at=NOW, **tables)["decision"].to_list() == ["act"]
    later = matches.with_columns(premium=pl.lit(False), value=pl.lit(0.0))  # the table of persons is as of now
    assert cjm.decide(later, CALL, at=NOW, **tables)["decision"].to_list() == ["act"]
    tables["persons"] = tables["persons"].with_columns(end=pl.lit("of contract"), confirmed_at=pl.lit(True))
    named = [replace(CALL[0], eligible="\"end\" = 'of contract' AND confirmed_at")]
    assert cjm.decide(matches, named, at=NOW, **tables)["decision"].to_list() == ["act"]


def test_ties_go_to_the_newest_moment_then_to_the_first_action():
    matches = [match(NOW - DAY), {**match(NOW), "moment": "failure"}]
    effects = [
        {"moment": moment, "action": action, "effect": 0.1, "basis": "assumed"}
        for moment, action in (("offer", "b"), ("failure", "b"), ("failure", "a"))
    ]
    actions = [Action(name, "web", ("offer", "failure"), "7d") for name in ("b", "a")]
    found = run(world_of(matches=matches, effects=effects), actions)
    assert found.select("action", "moment", "rank").rows() == [("b", "failure", 1), ("a", "failure", 2)]
    assert found["reason"].to_list() == ["best of 2 options", "instead of the first, not in addition"]


def test_the_holdout_is_a_share_of_persons_that_does_not_change():
    person = list(range(-2_000, 18_000))
    world = world_of(
        matches=[match(NOW, person=who) for who in person],
        persons=[{"person": who, "value": 100.0, "premium": True} for who in person],
        consent=[{**world_of()["consent"][0], "person": who} for who in person],
    )
    found = run(world, CALL, holdout=0.1)
    held = set(found.filter(decision="hold out")["person"])
    assert abs(len(held) - 2_000) < 4 * (20_000 * 0.09) ** 0.5
    assert held == set(run(world, CALL, holdout=0.1).filter(decision="hold out")["person"])
    assert held < set(run(world, CALL, holdout=0.2).filter(decision="hold out")["person"])  # a larger one includes it
    other = set(run(world, CALL, holdout=0.1, experiment="autumn").filter(decision="hold out")["person"])
    assert abs(len(held & other) - 200) < 4 * (200 * 0.99) ** 0.5  # the experiments are independent
    chances = found.group_by("decision").agg(pl.col("propensity").unique()).sort("decision")
    assert chances.rows() == [("act", [0.9]), ("hold out", [0.1])]


def test_nobody_acts_on_a_person_who_is_held_out():
    matches = [match(NOW, person=who) for who in range(200)]
    persons = [{"person": who, "value": 100.0, "premium": False} for who in range(200)]
    effects = [{"moment": "offer", "action": name, "effect": 0.1, "basis": "assumed"} for name in ("mail", "banner")]
    consent = [{**world_of()["consent"][0], "person": who, "purpose": "news"} for who in range(200)]
    found = run(world_of(matches=matches, persons=persons, effects=effects, consent=consent), holdout=0.5)
    mixed = found.filter(pl.col("decision") != "blocked").group_by("person").agg(pl.col("decision").unique().sort())
    assert {tuple(kinds) for kinds in mixed["decision"]} == {("hold out",), ("act", "alternative")}
    assert (found["propensity"].is_not_null() == (found["rank"] == 1).fill_null(False)).all()


def slow_draw(person, name):
    """SplitMix64 twice over, with Python's whole numbers."""
    state = (person % 2**64) ^ int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
    for _ in range(2):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
        state ^= state >> 31
    return (state >> 11) / 2**53


def test_the_draws_are_fixed_for_ever():
    """Who is held out must not change with a version: a change would mix the groups of a running experiment."""
    person = [0, 1, -1, 2**63 - 1, -(2**63), 4_711]
    for name in ("holdout", "", "żółw"):
        assert draws(pl.Series(person), name).tolist() == [slow_draw(who, name) for who in person]
    many = draws(pl.Series(np.arange(100_000)), "x")
    assert np.abs(np.bincount((many * 10).astype(int), minlength=10) / 1e5 - 0.1).max() < 0.005


def test_nothing_to_decide():
    for empty in (world_of(matches=[]), world_of(matches=[match(NOW + DAY)])):
        found = run(empty)
        CONTRACTS["DECISIONS"].validate(found)
        assert found.is_empty()


def test_another_zone_is_the_same_instant_and_match_ids_travel():
    tables = frames(world_of())
    matches = tables.pop("matches").with_columns(match_id=pl.lit(77, pl.UInt64))
    warsaw = NOW.astimezone(timezone(timedelta(hours=1)))
    found = cjm.decide(matches, CALL, at=warsaw, **tables)
    assert found["match_id"].to_list() == [77]
    assert found.drop("match_id").equals(run(world_of(), CALL))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"at": datetime(2026, 3, 2)}, "at must be a datetime with a time zone"),
        ({"at": None}, "at is missing"),
        ({"effects": None}, "effects is missing. Give effects="),
        ({"consent": None}, "action 'call' needs consent"),
        ({"contacts": None}, "there are budgets, but no contacts"),
        ({"holdout": 1.0}, "holdout is 1.0"),
        ({"actions": [*CALL, *CALL]}, "two actions are named 'call'"),
        ({"actions": []}, "there are no actions"),
        ({"actions": [replace(CALL[0], eligible="premuim")]}, "'premuim' cannot be computed"),
        ({"actions": [replace(CALL[0], eligible="value + 1")]}, "not true or false"),
    ],
)
def test_wrong_arguments(change, message):
    tables = {**frames(world_of()), "actions": CALL, "at": NOW, "budgets": BUDGETS, **change}
    matches, actions = tables.pop("matches"), tables.pop("actions")
    with pytest.raises((ArgumentError, InputError), match=message):
        cjm.decide(matches, actions, **tables)


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("matches", lambda frame: frame.drop("moment"), "decide, matches: column 'moment' is missing"),
        (
            "matches",
            lambda frame: frame.with_columns(pl.col("end").dt.replace_time_zone(None)),
            "Give times with a zone",
        ),
        ("matches", lambda frame: frame.with_columns(pl.lit(None, TIME).alias("end")), "null in 1 of 1 rows"),
        ("persons", lambda frame: pl.concat([frame, frame]), "1 rows share person with another"),
        ("persons", lambda frame: frame.with_columns(pl.col("person").cast(pl.String)), "see cjm.person_numbers"),
        ("persons", lambda frame: frame.with_columns(moment=pl.lit("now")), "column 'moment' is that of the matches"),
        ("effects", lambda frame: pl.concat([frame, frame]), "share moment and action"),
        ("effects", lambda frame: frame.drop("basis"), "column 'basis' is missing"),
        ("effects", lambda frame: frame.with_columns(within=3), "column 'within' is Int32, not Duration"),
        ("consent", lambda frame: frame.with_columns(pl.lit("yes").alias("given")), "column 'given' is String"),
        ("suppressions", lambda frame: frame.drop("to"), "column 'to' is missing"),
        ("contacts", lambda frame: frame.rename({"time": "when"}), "column 'time' is missing"),
    ],
)
def test_wrong_tables(table, change, message):
    tables = frames(world_of())
    tables[table] = change(tables[table])
    with pytest.raises(InputError, match=message):
        cjm.decide(tables.pop("matches"), CALL, at=NOW, budgets=BUDGETS, **tables)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Action("x", "web", (), "1d"), "no moment calls for it"),
        (lambda: Action("x", "web", "offer", "1d"), "moments is the text 'offer'"),
        (lambda: Action("x", "web", ("offer",), 3), "A bare number has no unit"),
        (lambda: Action("x", "web", ("offer",), "1d", cost=float("nan")), "cost is nan"),
        (lambda: Action("x", "web", ("offer",), "1d", value=float("inf")), "value is inf"),
        (lambda: Action("x", "web", ("offer",), "1d", eligible="premium AND ("), "cannot be read"),
        (lambda: Budget(0, "1d"), "contacts is 0"),
        (lambda: Budget(2, 7), "A bare number has no unit"),
    ],
)
def test_values_are_checked_when_they_are_made(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_values_compare_hash_and_print():
    assert replace(ACTIONS[0]) == ACTIONS[0]
    assert len({*ACTIONS, *BUDGETS, replace(BUDGETS[0])}) == 6
    assert Action("x", "web", ["a"], "1d").moments == ("a",)
    assert str(BUDGETS[1]) == "1 contact by phone in 3d"
