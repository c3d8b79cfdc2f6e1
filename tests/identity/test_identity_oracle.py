"""Both policies against their slow twins, on random logs."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_naive import SECOND, Naive, log_of

from cjm.identity import person_numbers, stitch

SLOW = settings(max_examples=100, deadline=None)
KINDS = ("cookie", "customer", "device", "card")
SHARED = st.sampled_from([None, None, "1", "2", "3", "4", "5", "ž"])
UNIQUE = st.sampled_from([None, None, None, None, "1", "2", "3"])
IDS = {"cookie": SHARED, "device": SHARED, "customer": UNIQUE, "card": UNIQUE}


@st.composite
def events(draw, kinds, size=14):
    row = st.tuples(st.integers(0, 12), st.fixed_dictionaries({kind: IDS[kind] for kind in kinds}))
    return draw(st.lists(row.filter(lambda row: any(row[1].values())), max_size=size))


def numbers(labels):
    """Replace the anchor of each label by its number."""
    return [
        None if label is None else (person_numbers(pl.Series([label[1]]), label[0]).item(), *label[2:])
        for label in labels
    ]


def found(people):
    known = people.labels["known_from"].to_physical() // SECOND
    return list(zip(people.labels["person"], people.labels["reason"], known, strict=True))


@SLOW
@given(
    events(("cookie", "customer", "device")),
    st.sampled_from([None, 0, 2, 5]),
    st.sampled_from([None, 0, 2, 5]),
    st.sampled_from(["end", "event"]),
    st.sampled_from([None, 1, 2]),
)
def test_device_split_with_one_unique_kind(rows, replay, stale, as_of, most):
    kinds = ("cookie", "customer", "device")
    people = stitch(
        log_of([*rows, (99, {"customer": "end"})], kinds),
        replay=None if replay is None else f"{replay}s",
        stale=None if stale is None else f"{stale}s",
        as_of=as_of,
        max_per_person=most,
    )
    naive = Naive([*rows, (99, {"customer": "end"})], kinds, ["customer"], most)
    assert found(people) == numbers(naive.device_split(replay=replay, stale=stale, as_of=as_of))


@SLOW
@given(events(KINDS), st.sampled_from([None, 1, 2]), st.sampled_from([None, 2, 3]))
def test_device_split_with_two_unique_kinds(rows, most, max_size):
    rows = [*rows, (99, {"customer": "end"})]
    people = stitch(
        log_of(rows, KINDS), unique=["customer", "card"], replay="4s", max_per_person=most, max_size=max_size
    )
    naive = Naive(rows, KINDS, ["customer", "card"], most)
    assert found(people) == numbers(naive.device_split(replay=4, stale=None, max_size=max_size))
    refused = people.conflicts.filter(pl.col("rule").is_in(["unique", "max_size"]))
    assert sorted(refused["rule"]) == sorted(rule for _, rule in naive.refused)


@SLOW
@given(
    events(KINDS),
    st.sampled_from([(), ("customer",), ("customer", "card")]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, 2, 3]),
)
def test_components_with_guards(rows, unique, most, max_size):
    rows = [*rows, (99, {"customer": "end"})]
    people = stitch(log_of(rows, KINDS), mode="components", unique=unique, max_per_person=most, max_size=max_size)
    naive = Naive(rows, KINDS, unique, most)
    assert found(people) == numbers(naive.components(max_size=max_size))
    refused = people.conflicts.filter(pl.col("rule").is_in(["unique", "max_size"]))
    assert sorted(refused["rule"]) == sorted(rule for _, rule in naive.refused)
    guarded = people.conflicts.filter(pl.col("rule") == "max_per_person")
    assert {(kind, text) for kind, text in guarded.select("kind", "id").rows()} == {
        (naive.kinds[rank], text) for rank, text in naive.tripped
    }
