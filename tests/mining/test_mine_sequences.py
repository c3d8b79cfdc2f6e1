from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_mining import MINUTE, journeys_of, naive_sequences, random_rows, read_lists, to_ragged
from polars.testing import assert_frame_equal

from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError, CjmError
from cjm.matching import find
from cjm.mining import mine_sequences
from cjm.mining._family import to_min_count
from cjm.mining._sequences import frequent_sequences
from cjm.patterns import Pattern

KINDS = st.sampled_from(["all", "closed", "maximal"])


def as_dict(frame):
    return {tuple(pattern): count for pattern, count in frame.select("pattern", "persons").rows()}


def assert_ordered(frame):
    rows = [(-row["persons"], row["length"], row["pattern"]) for row in frame.iter_rows(named=True)]
    assert rows == sorted(rows)
    assert len(set(map(repr, rows))) == len(rows)


@settings(max_examples=150, deadline=None)
@given(
    rows=random_rows,
    min_count=st.integers(1, 3),
    lengths=st.tuples(st.integers(1, 3), st.none() | st.integers(0, 3)),
    kind=KINDS,
    max_gap=st.none() | st.integers(0, 4),
    within=st.none() | st.integers(0, 6),
    by=st.sampled_from(["person", "session"]),
)
def test_agrees_with_enumeration(rows, min_count, lengths, kind, max_gap, within, by):
    journeys = journeys_of(rows)
    low, more = lengths
    limits = {
        "max_gap": None if max_gap is None else max_gap * MINUTE,
        "within": None if within is None else within * MINUTE,
    }
    options = {"min_length": low, "max_length": None if more is None else low + more, "kind": kind, "by": by, **limits}
    frame = mine_sequences(journeys, min_support=min_count, **options)
    CONTRACTS["SEQUENCES"].validate(frame)
    assert as_dict(frame) == naive_sequences(journeys, min_count, **options)
    assert frame["length"].to_list() == [len(pattern) for pattern in frame["pattern"]]
    n = len(journeys.arrays.person) if by == "person" else len(np.unique(journeys.arrays.session))
    assert frame["support"].to_list() == [count / n for count in frame["persons"]]
    assert_ordered(frame)


@settings(max_examples=60, deadline=None)
@given(rows=random_rows, min_count=st.integers(1, 3), kind=KINDS, max_length=st.none() | st.integers(1, 4))
def test_library_engine_gives_the_same_frame(rows, min_count, kind, max_length):
    journeys = journeys_of(rows)
    options = {"min_support": min_count, "kind": kind, "max_length": max_length}
    assert_frame_equal(mine_sequences(journeys, **options), mine_sequences(journeys, engine="prefixspan", **options))


@settings(max_examples=60, deadline=None)
@given(rows=random_rows, max_gap=st.none() | st.integers(0, 4), within=st.none() | st.integers(0, 6))
def test_find_returns_the_persons_that_were_counted(rows, max_gap, within):
    journeys = journeys_of(rows)
    limits = {
        "max_gap": None if max_gap is None else max_gap * MINUTE,
        "within": None if within is None else within * MINUTE,
    }
    mined = mine_sequences(journeys, min_support=1, max_length=4, **limits)
    patterns = {str(i): Pattern.from_touchpoints(p, **limits) for i, p in enumerate(mined["pattern"])}
    found = find(journeys, patterns, occurrence="first")["pattern"].value_counts()
    assert dict(found.iter_rows()) == {str(i): count for i, count in enumerate(mined["persons"])}


def test_example_of_the_prefixspan_readme():
    db = ["abcde", "bbbde", "cbcca", "bbbcc"]
    journeys = journeys_of([(who, at, name) for who, events in enumerate(db) for at, name in enumerate(events)])
    found = as_dict(mine_sequences(journeys, min_support=2))
    short = {"".join(step.removeprefix("web:") for step in pattern): n for pattern, n in found.items()}
    assert short == {
        "b": 4, "bb": 2, "bbb": 2, "bc": 3, "bcc": 2, "bd": 2, "bde": 2, "be": 2, "c": 3, "cc": 2, "d": 2, "de": 2,
        "e": 2, "a": 2,
    }  # fmt: skip


def test_later_start_keeps_the_limits():
    # the leftmost "a" is too far from "b", and the leftmost "b" from "c"
    journeys = journeys_of([(1, 0, "a"), (1, 5, "a"), (1, 6, "b"), (1, 10, "b"), (1, 11, "c")])
    whole = ["web:a", "web:b", "web:c"]
    tight = mine_sequences(journeys, min_support=1, max_gap="5m", within="6m")
    assert whole in tight["pattern"].to_list()
    assert whole not in mine_sequences(journeys, min_support=1, max_gap="3m")["pattern"].to_list()
    assert whole not in mine_sequences(journeys, min_support=1, within="5m")["pattern"].to_list()


def test_limits_are_inclusive():
    journeys = journeys_of([(1, 0, "a"), (1, 3, "b")])
    exact = mine_sequences(journeys, min_support=1, max_gap="3m", within="3m", min_length=2)
    short = mine_sequences(journeys, min_support=1, max_gap=timedelta(minutes=3, microseconds=-1), min_length=2)
    assert exact["pattern"].to_list() == [["web:a", "web:b"]]
    assert short.is_empty()


def test_ties_keep_the_order_of_arrival():
    journeys = journeys_of([(1, 0, "b"), (1, 0, "a"), (1, 0, "b")])
    found = mine_sequences(journeys, min_support=1, min_length=2, within="0s")["pattern"].to_list()
    assert sorted(found) == [["web:a", "web:b"], ["web:b", "web:a"], ["web:b", "web:a", "web:b"], ["web:b", "web:b"]]


def test_no_journeys_give_no_rows():
    journeys = journeys_of([(1, 0, "a")]).filter(pl.col("event") == "x")
    for share in (1, 0.5):
        frame = mine_sequences(journeys, min_support=share, kind="closed")
        assert frame.is_empty()
        CONTRACTS["SEQUENCES"].validate(frame)
    assert mine_sequences(journeys_of([(1, 0, "a")]), min_support=2, max_gap="1d").is_empty()


@pytest.mark.parametrize(
    ("share", "n", "count"),
    [
        (0.07, 100, 7),
        (0.0007, 59601, 42),
        (1.0, 3, 3),
        (1, 3, 1),
        (0.1, 30, 3),
        (1e-9, 10, 1),
        (1 / 3, 3, 1),
        (5, 3, 5),
    ],
)
def test_share_to_count(share, n, count):
    assert to_min_count(share, n, "here") == count


@settings(max_examples=200, deadline=None)
@given(n=st.integers(1, 10**7), count=st.integers(1, 10**7))
def test_a_share_of_exactly_a_count_is_that_count(n, count):
    count = min(count, n)
    assert to_min_count(count / n, n, "here") == count


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_support": True}, {"min_support": 0}, {"min_support": -0.1}, {"min_support": 1.5}, {"min_support": "1"},
        {"min_support": float("nan")}, {"min_length": 0}, {"min_length": 3, "max_length": 2}, {"max_length": 1.5},
        {"max_length": True}, {"max_patterns": 0}, {"kind": "open"}, {"by": "visit"}, {"engine": "spark"},
        {"max_gap": 3}, {"within": "1mo"}, {"engine": "prefixspan", "max_gap": "1d"},
        {"engine": "prefixspan", "within": "1d"},
    ],
)  # fmt: skip
def test_wrong_arguments(wrong):
    with pytest.raises(ArgumentError):
        mine_sequences(journeys_of([(1, 0, "a")]), **{"min_support": 0.5, **wrong})


def test_too_many_patterns():
    journeys = journeys_of([(1, i, name) for i, name in enumerate("abcdefgh")])
    assert mine_sequences(journeys, min_support=1, max_patterns=255).height == 255
    for engine in ("numba", "prefixspan"):
        with pytest.raises(CjmError, match=r"more than 254 sequences .*255.*min_support"):
            mine_sequences(journeys, min_support=1, max_patterns=254, engine=engine)


def test_long_rows_and_many_patterns_outgrow_every_buffer():
    rng = np.random.default_rng(3)
    lists = [rng.integers(0, 12, size=200).tolist() for _ in range(40)]
    data = to_ragged(lists)
    time = np.tile(np.arange(200, dtype=np.int64), 40)
    free = frequent_sequences(data, min_count=40, max_length=4)
    loose = frequent_sequences(data, min_count=40, max_length=4, time=time, max_gap=10**6, within=10**6)
    assert len(free.counts) > 10_000
    for left, right in ((free.patterns.values, loose.patterns.values), (free.counts, loose.counts)):
        assert sorted(left.tolist()) == sorted(right.tolist())
    long = frequent_sequences(to_ragged([[0] * 100] * 2), min_count=2)
    assert long.patterns.lengths.tolist() == list(range(1, 101))


@pytest.mark.parametrize(
    ("name", "share", "total"), [("BMS1_gazelle", 0.0007, 27_403), ("LEVIATHAN", 0.02, 33_387), ("SIGN", 0.1, 110_417)]
)
def test_counts_on_public_data(shared, name, share, total):
    lists = read_lists(shared / "data" / "sequences" / f"{name}.spmf.gz")
    assert len(frequent_sequences(to_ragged(lists), min_count=to_min_count(share, len(lists), "")).counts) == total
