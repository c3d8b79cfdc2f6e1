"""Mined part by part is mined whole."""

from itertools import pairwise
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_mining import MINUTE, NAMES, journeys_of
from polars.testing import assert_frame_equal

from cjm.errors import RunError
from cjm.journeys import Journeys
from cjm.journeys._bucket import MemoryBucket
from cjm.mining import _in_parts, mine_sequences
from cjm.mining._search import search

ROWS = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6), st.sampled_from(NAMES)), min_size=1, max_size=24)
MINUTES = st.none() | st.integers(0, 6).map(lambda n: n * MINUTE)
SUPPORT = st.integers(1, 6) | st.sampled_from([0.1, 0.25, 0.5, 1.0])


def by_person(journeys):
    """The same journeys, a bucket a person."""
    arrays = journeys.arrays
    buckets = [
        MemoryBucket(arrays.of_persons(row, row + 1), journeys.attributes[first:stop])
        for row, (first, stop) in enumerate(pairwise(arrays.offsets.tolist()))
    ]
    return Journeys(buckets, journeys.touchpoints, journeys.schema, rule=journeys.rule, start=0, end=journeys.end)


@st.composite
def options_of(draw):
    """Options with which persons are mined in parts, and now and then one with which they are not."""
    low = draw(st.integers(1, 2))
    longer = draw(st.none() | st.integers(0, 3))
    options = {
        "min_length": low,
        "max_length": None if longer is None else low + longer,
        "kind": draw(st.sampled_from(["all", "closed", "maximal", "generator"])),
        "top_k": draw(st.none() | st.integers(1, 12)),
        "max_gap": draw(MINUTES),
        "within": draw(MINUTES),
    }
    return options | draw(st.sampled_from([{}] * 4 + [{"by": "session"}, {"min_gap": MINUTE}, {"collapse": True}]))


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, min_support=SUPPORT, options=options_of(), events=st.integers(1, 12), marked=st.booleans())
def test_parts_give_the_same_frame(rows, min_support, options, events, marked):
    journeys = journeys_of(rows)
    if marked:  # what is not wanted still stands between
        there = journeys.touchpoints["touchpoint"].to_list()
        options |= {"start": there[:2], "forbidden": there[1:2] if len(there) > 2 else []}
    whole = mine_sequences(journeys, min_support=min_support, **options)
    with patch.object(_in_parts, "_EVENTS", events):
        parts = mine_sequences(by_person(journeys), min_support=min_support, threads=1, **options)
    assert_frame_equal(parts, whole)


def test_only_what_a_part_lacks_is_counted_again():
    # "a" then "b": three of four persons, all of the first part and half of the second; "b" alone is in no part
    rows = [(person, minute, name) for person in (1, 2, 3) for minute, name in enumerate("ab")]
    journeys = by_person(journeys_of([*rows, (4, 0, "a"), (4, 1, "c")]))
    with (
        patch.object(_in_parts, "_EVENTS", 4),
        patch.object(_in_parts, "search", wraps=search) as mined,
        patch.object(_in_parts, "count_sequences", wraps=_in_parts.count_sequences) as counted,
    ):
        frame = mine_sequences(journeys, min_support=3)
    assert [call.kwargs["min_count"] for call in mined.call_args_list] == [2, 2]
    assert [call.args[1].to_list() for call in counted.call_args_list] == [[["web:a", "web:b"], ["web:b"]]]
    assert frame.select("pattern", "persons").rows() == [(["web:a"], 4), (["web:b"], 3), (["web:a", "web:b"], 3)]


def test_too_many_in_a_part_are_mined_whole():
    names = ["a", "b", "c", "d"]
    rows = [(person, minute, name) for person in (1, 2) for minute, name in enumerate(names)]
    journeys = by_person(journeys_of([*rows, *((person, 0, "a") for person in range(3, 9))]))
    with patch.object(_in_parts, "_EVENTS", 4):
        assert mine_sequences(journeys, min_support=3, max_patterns=2)["persons"].to_list() == [8]
        with pytest.raises(RunError, match=r"more than 14 sequences.*4 with max_length=1"):
            mine_sequences(journeys, min_support=2, max_patterns=14)
