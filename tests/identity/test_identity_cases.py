"""Cases made by hand, each for one rule."""

import subprocess
import sys

import polars as pl
import pytest
from identity_naive import log_of

from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError, ContractError, InputError
from cjm.identity import person_numbers, stitch

KINDS = ("cookie", "customer")
DAY = 86_400


def number(kind, text, **options):
    return person_numbers(pl.Series([text]), kind, **options).item()


def customer(text):
    return number("customer", text)


def cookie(text):
    return number("cookie", text)


def persons(people):
    return people.labels["person"].to_list()


def reasons(people):
    return people.labels["reason"].to_list()


def test_two_customers_take_turns_on_one_cookie():
    k = {"cookie": "k"}
    rows = [(0, k), (1, k | {"customer": "a"}), (2, k), (3, k | {"customer": "b"}), (4, k), (5, k | {"customer": "a"})]
    people = stitch(log_of(rows, KINDS))
    assert persons(people) == [customer(who) for who in "aaabba"]
    assert reasons(people) == ["replay", "own", "live", "own", "live", "own"]
    turns = people.map.filter(pl.col("kind") == "cookie")
    assert turns.select("person", "reason", "events").rows() == [
        (customer("a"), "replay", 1),
        (customer("a"), "live", 2),
        (customer("b"), "live", 2),
        (customer("a"), "own", 1),
    ]
    assert turns["valid_to"].to_list() == [*turns["valid_from"][1:], None]
    assert turns["known_from"][0] == turns["valid_from"][1]
    assert people.links.select("id_a", "id_b", "events", "used", "reason").rows() == [
        ("a", "k", 2, True, "evidence"),
        ("b", "k", 1, True, "evidence"),
    ]


@pytest.mark.parametrize(("late", "expected"), [(0, "replay"), (1, "anonymous")])
def test_replay_reaches_exactly_as_far_as_it_says(late, expected):
    rows = [(0, {"cookie": "k"}), (30 * DAY + late, {"cookie": "k", "customer": "a"})]
    assert reasons(stitch(log_of(rows, KINDS)))[0] == expected


@pytest.mark.parametrize(("late", "expected"), [(0, "live"), (1, "anonymous")])
def test_stale_begins_after_the_limit(late, expected):
    rows = [(0, {"cookie": "k", "customer": "a"}), (7 * DAY + late, {"cookie": "k"})]
    assert reasons(stitch(log_of(rows, KINDS), stale="7d"))[1] == expected


def test_what_was_learnt_at_different_times_stands_in_different_rows():
    kinds = ("customer", "device", "cookie")
    k, d, a = {"cookie": "k"}, {"device": "d"}, {"customer": "a"}
    people = stitch(log_of([(1, k | d), (2, d | a), (3, k), (5, k | a)], kinds))
    assert reasons(people) == ["replay", "own", "replay", "own"]
    rows = people.map.filter(pl.col("kind") == "cookie")
    assert set(rows["person"]) == {customer("a")}
    known = (rows["known_from"].to_physical() // 1_000_000).to_list()
    assert list(zip(rows["reason"], known, strict=True)) == [("replay", 2), ("replay", 5), ("own", 5)]


def test_a_stale_owner_gives_way_to_the_next():
    k = {"cookie": "k"}
    rows = [(0, k | {"customer": "a"}), (100, k), (110, k | {"customer": "b"})]
    assert persons(stitch(log_of(rows, KINDS), stale="10s"))[1] == customer("b")
    assert persons(stitch(log_of(rows, KINDS)))[1] == customer("a")


def test_at_one_time_arrival_decides():
    login, view = {"cookie": "k", "customer": "a"}, {"cookie": "k"}
    assert reasons(stitch(log_of([(5, login), (5, view)], KINDS))) == ["own", "live"]
    assert reasons(stitch(log_of([(5, view), (5, login)], KINDS), replay="0s")) == ["replay", "own"]
    assert reasons(stitch(log_of([(5, view), (5, login)], KINDS), as_of="event")) == ["anonymous", "own"]


def test_the_past_is_asked_on_all_identifiers_before_the_future():
    kinds = ("cookie", "device", "customer")
    rows = [
        (0, {"device": "d", "customer": "a"}),
        (1, {"cookie": "k", "device": "d"}),
        (2, {"cookie": "k", "customer": "b"}),
        (3, {"cookie": "k", "device": "d"}),
    ]
    people = stitch(log_of(rows, kinds))
    assert persons(people) == [customer(who) for who in "aabb"]
    assert reasons(people) == ["own", "live", "own", "live"]


@pytest.mark.parametrize("customers", [5, 6])
def test_a_kiosk_fills_nothing(customers):
    k = {"cookie": "kiosk"}
    rows = [(at, k | {"customer": f"c{at}"}) for at in range(customers)] + [(50, k)]
    people = stitch(log_of(rows, KINDS))
    known = customers <= 5
    assert reasons(people)[-1] == ("live" if known else "shared")
    assert persons(people)[-1] == (customer("c4") if known else cookie("kiosk"))
    expected = [] if known else [("max_per_person", "cookie", "kiosk", 6, 7)]
    assert people.conflicts.select("rule", "kind", "id", "persons", "events").rows() == expected
    assert people.links["used"].to_list() == [known] * customers
    assert stitch(log_of(rows, KINDS), max_per_person=None).conflicts.is_empty()


def test_as_of_the_event_a_kiosk_is_one_only_once_it_is():
    k = {"cookie": "kiosk"}
    rows = [(0, k | {"customer": "a"}), (1, k), (2, k | {"customer": "b"}), (3, k)]
    assert reasons(stitch(log_of(rows, KINDS), as_of="event", max_per_person=1)) == ["own", "live", "own", "shared"]
    assert reasons(stitch(log_of(rows, KINDS), max_per_person=1)) == ["own", "shared", "own", "shared"]


def test_two_unique_kinds_are_joined_and_the_higher_priority_names_the_person():
    kinds = ("customer", "card", "cookie")
    k = {"cookie": "k"}
    rows = [(0, k | {"card": "x"}), (1, k), (5, {"customer": "a", "card": "x"}), (6, k)]
    people = stitch(log_of(rows, kinds), unique=("card", "customer"))
    assert persons(people) == [customer("a")] * 4
    known = people.labels["known_from"].to_physical() // 1_000_000
    assert known.to_list() == [5, 5, 5, 6]
    card = people.map.filter(pl.col("kind") == "card").row(0, named=True)
    assert (card["reason"], card["person"]) == ("link", customer("a"))
    assert people.aliases.drop("merged_at").rows() == [(number("card", "x"), customer("a"))]
    assert people.aliases["merged_at"].equals(pl.Series([card["known_from"]]), check_names=False)


def test_a_card_of_two_customers_stays_with_the_better_evidence():
    kinds = ("customer", "card")
    rows = [(0, {"customer": "a", "card": "x"}), *[(at, {"customer": "b", "card": "x"}) for at in (1, 2)]]
    people = stitch(log_of([*rows, (3, {"card": "x"})], kinds), unique=kinds)
    assert persons(people) == [customer(who) for who in "abbb"]
    assert people.conflicts.select("rule", "kind", "id", "persons", "events", "decision").rows() == [
        ("unique", "card", "x", 2, 1, "link to customer a refused"),
        ("one_event", "card", "x", 2, 1, "an identifier of a higher priority owns the event"),
    ]
    assert people.links.select("id_a", "used", "reason").rows() == [("a", False, "unique"), ("b", True, "joined")]


def test_components_joins_what_device_split_leaves_apart():
    kinds = ("customer", "cookie", "device")
    rows = [(0, {"cookie": "k", "device": "d"}), (1, {"cookie": "k", "customer": "a"}), (2, {"device": "d"})]
    assert persons(stitch(log_of(rows, kinds))) == [customer("a"), customer("a"), number("device", "d")]
    joined = stitch(log_of(rows, kinds), mode="components")
    assert persons(joined) == [customer("a")] * 3
    assert reasons(joined) == ["link", "own", "link"]
    assert joined.map.select("kind", "reason").rows() == [("customer", "own"), ("cookie", "link"), ("device", "link")]


def test_a_long_chain_is_one_person_up_to_the_cap():
    kinds = ("cookie", "device")
    rows = [(at, {"cookie": f"k{at // 2}", "device": f"d{(at + 1) // 2}"}) for at in range(4_000)]
    whole = stitch(log_of(rows, kinds), mode="components", max_size=None)
    assert set(persons(whole)) == {cookie("k0")}
    capped = stitch(log_of(rows, kinds), mode="components", max_size=100)
    sizes = capped.map.group_by("person").len()["len"]
    assert sizes.max() == 100
    assert set(capped.conflicts["rule"]) == {"max_size"}
    assert capped.links.filter(~pl.col("used")).height == capped.conflicts.height


def test_texts_are_taken_as_they_are():
    kinds = ("cookie", "device", "customer")
    odd = ["1", "ż", "a:b", 'say "x" -> y', "A", "a", "a\x1fb", " "]
    rows = [(at, {kind: text}) for at, text in enumerate(odd) for kind in kinds]
    people = stitch(log_of(rows, kinds))
    assert people.labels["person"].n_unique() == len(rows)
    assert set(people.map.select("kind", "id").rows()) == {(kind, text) for text in odd for kind in kinds}


def test_an_empty_log_has_the_columns_of_its_contracts():
    for mode in ("device split", "components"):
        log = log_of([], KINDS)
        people = stitch(log, mode=mode)
        for name, frame in (("IDENTITY_MAP", people.map), ("LINKS", people.links), ("CONFLICTS", people.conflicts)):
            CONTRACTS[name].validate(frame)
            assert frame.is_empty()
        assert people.apply(log).collect().height == 0
        assert people.summary()["count"].sum() == 0
        assert people.summary()["share"].null_count() == people.summary().height


def test_a_single_event():
    people = stitch(log_of([(7, {"cookie": "k"})], KINDS))
    assert persons(people) == [cookie("k")]
    row = people.map.row(0, named=True)
    assert (row["reason"], row["events"], row["valid_to"]) == ("anonymous", 1, None)
    assert row["first_seen"] == row["last_seen"] == row["valid_from"] == row["known_from"]


def test_apply_adds_the_person_and_keeps_rows_in_order():
    rows = [(9, {"cookie": "k"}), (1, {}), (3, {"cookie": "k", "customer": "a"})]
    log = log_of(rows, KINDS)
    people = stitch(log)
    applied = people.apply(log).collect()
    assert applied.columns == [*log.frame.collect_schema(), "person"]
    assert applied["event"].to_list() == ["0", "2"]
    assert applied["person"].to_list() == [customer("a")] * 2
    assert reasons(people) == ["live", None, "own"]
    counts = dict(people.summary().select("measure", "count").rows())
    assert counts["events_unidentified"] == 1
    assert counts["events"] == 3
    with pytest.raises(ArgumentError, match="not the log that was stitched"):
        people.apply(log_of(rows, KINDS))


def test_apply_refuses_to_overwrite_a_person():
    log = log_of([(0, {"cookie": "k"})], KINDS)
    log.frame = log.frame.with_columns(person=pl.lit("x"))
    with pytest.raises(ArgumentError, match="column 'person' already"):
        stitch(log).apply(log)


def test_summary_counts_what_nothing_can_assign():
    rows = [(0, {"cookie": "k"}), (1, {"cookie": "k"}), (2, {"cookie": "j"}), (3, {"cookie": "j", "customer": "a"})]
    people = stitch(log_of(rows, KINDS), replay=None)
    got = {row["measure"]: (row["count"], row["share"]) for row in people.summary().iter_rows(named=True)}
    assert got["events_never_known"] == (2, 0.5)
    assert got["identifiers_never_known"] == (1, 1 / 3)
    assert got["events_anonymous"] == (3, 0.75)
    assert got["persons"] == (3, 1.0)
    assert got["persons_known"] == (1, 1 / 3)
    assert got["conflicts"] == (0, None)
    assert repr(people) == (
        "Identities(4 events, 3 identifiers, 3 persons (1 known), 0 conflicts; device split, no replay)"
    )


def test_categorical_identifiers_are_texts():
    log = log_of([(0, {"cookie": "k", "customer": "a"}), (1, {"cookie": "k"})], KINDS)
    log.frame = log.frame.with_columns(pl.col(KINDS).cast(pl.Categorical))
    assert persons(stitch(log)) == [customer("a")] * 2


def test_ignored_kinds_are_not_looked_at():
    rows = [(0, {"cookie": "k", "customer": "a"}), (1, {"cookie": "k"})]
    people = stitch(log_of(rows, KINDS), ignored="cookie")
    assert persons(people) == [customer("a"), None]
    assert set(people.map["kind"]) == {"customer"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "component"}, 'unknown mode .component.. Did you mean "components"'),
        ({"as_of": "now"}, "unknown as_of"),
        ({"unique": "custmer"}, 'Did you mean "customer"'),
        ({"unique": ()}, r'no kind of identifier is unique; the log has cookie, customer.*unique="..."'),
        ({"ignored": ["x"]}, "unknown kind of identifier 'x'"),
        ({"ignored": KINDS}, "no kind of identifier is left"),
        ({"replay": 30}, "replay must be a text"),
        ({"replay": 30, "as_of": "event"}, "replay must be a text"),
        ({"stale": "1mo"}, "stale cannot be read"),
        ({"max_per_person": 0}, "max_per_person is 0"),
        ({"max_size": 0}, "max_size is 0"),
        ({"as_of": "event", "mode": "components"}, "cannot be had with components"),
        ({"as_of": "event", "unique": KINDS}, "the unique kinds cookie, customer"),
    ],
)
def test_wrong_calls_are_named(options, message):
    with pytest.raises(ArgumentError, match=message):
        stitch(log_of([(0, {"cookie": "k"})], KINDS), **options)


def test_wrong_logs_are_named():
    with pytest.raises(ArgumentError, match="no kind of identifier is unique; the log has cookie"):
        stitch(log_of([(0, {"cookie": "k"})], ("cookie",)))
    with pytest.raises(InputError, match="no event has an identifier of the kinds customer, cookie"):
        stitch(log_of([(0, {})], KINDS))
    log = log_of([(0, {"cookie": "k"}), (1, {"cookie": "k"})], KINDS)
    log.frame = log.frame.with_columns(pl.when(pl.col("event") == "0").then("time"))
    with pytest.raises(InputError, match="row 1 of the log: an event has no time"):
        stitch(log)
    log.frame = log.frame.drop("channel")
    with pytest.raises(ContractError, match="channel"):
        stitch(log)


def test_the_import_is_light():
    code = "import sys, cjm.identity; print([m for m in ('numba', 'pandas', 'scipy.stats') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
