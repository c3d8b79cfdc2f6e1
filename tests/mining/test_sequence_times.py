from datetime import timedelta
from itertools import combinations, pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_mining import MINUTE, journeys_of, random_rows, units

import cjm
from cjm.errors import CjmError
from cjm.mining import mine_sequences, sequence_times


def first_occurrence(events, pattern, max_gap, min_gap, within, least):
    """The places of the occurrence that ends first, its other steps as late as they can be."""
    best = None
    for places in combinations(range(len(events)), len(pattern)):
        times = [events[place][0] for place in places]
        gaps = [b - a for a, b in pairwise(times)]
        if (
            tuple(events[place][1] for place in places) != pattern
            or (max_gap is not None and any(gap > max_gap for gap in gaps))
            or (min_gap is not None and any(gap < min_gap for gap in gaps))
            or (within is not None and times[-1] - times[0] > within)
            or any(b - a < least for a, b in pairwise(places))
        ):
            continue
        rank = (-places[-1], *reversed(places[:-1]))
        if best is None or rank > best[0]:
            best = (rank, gaps)
    return best and best[1]


@settings(max_examples=100, deadline=None)
@given(
    rows=random_rows,
    max_gap=st.none() | st.integers(0, 4),
    min_gap=st.none() | st.integers(0, 2),
    within=st.none() | st.integers(0, 6),
    least=st.integers(1, 2),
    by=st.sampled_from(["person", "session"]),
)
def test_agrees_with_enumeration(rows, max_gap, min_gap, within, least, by):
    journeys = journeys_of(rows)
    limits = {
        name: None if value is None else value * MINUTE
        for name, value in {"max_gap": max_gap, "min_gap": min_gap, "within": within}.items()
    }
    mined = mine_sequences(journeys, min_support=1, max_length=3, min_gap_events=least, by=by, **limits)
    table = sequence_times(journeys, mined, quantiles=[0, 0.5, 1], examples=2, min_gap_events=least, by=by, **limits)
    assert table.select("pattern", "length", "persons").equals(mined.select("pattern", "length", "persons"))
    numbers = journeys.frame.collect()[by].unique(maintain_order=True).to_list()
    for row in table.iter_rows(named=True):
        found = [
            first_occurrence(events, tuple(row["pattern"]), **limits, least=least) for events in units(journeys, by)
        ]
        assert row["examples"] == [number for number, gaps in zip(numbers, found, strict=True) if gaps is not None][:2]
        gaps = [gaps for gaps in found if gaps is not None]
        for name, expected in {
            "time_p0": [min(step) for step in zip(*gaps, strict=True)],
            "time_p50": [
                timedelta(microseconds=int(np.median([gap // timedelta(microseconds=1) for gap in step])))
                for step in zip(*gaps, strict=True)
            ],
            "time_p100": [max(step) for step in zip(*gaps, strict=True)],
        }.items():
            assert row[name] == expected


def test_journeys_groups_and_nobody():
    journeys = journeys_of(
        [(1, 0, "cart"), (1, 2, "look"), (1, 3, "buy"), (1, 9, "cart"), (2, 0, "buy"), (2, 1, "cart")]
    )
    events = cjm.goal_events(journeys, cjm.goal("buy", start="web:cart", end="web:buy"))
    pairs = [["web:cart", "shop"], ["web:look", "web:cart"], ["web:cart"]]
    groups = {"web:buy": "shop", "web:look": "shop"}
    table = sequence_times(journeys, pairs, by=events, taxonomy=groups, quantiles=[0.5], examples=9)
    assert table.select("persons", "examples", "time_p50").rows() == [
        (1, [0], [2 * MINUTE]),
        (0, [], None),
        (3, [0, 1, 2], []),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantiles": [2]},
        {"examples": -1},
        {"max_gap": 3},
        {"min_gap_events": 0},
        {"sequences": [[]]},
        {"sequences": [["web:z"]]},
    ],
)
def test_wrong_arguments(wrong):
    with pytest.raises(CjmError):
        sequence_times(journeys_of([(1, 0, "a")]), **{"sequences": [["web:a"]], **wrong})


def test_no_sequences():
    table = sequence_times(
        journeys_of([(1, 0, "a")]), pl.DataFrame({"pattern": []}, schema={"pattern": pl.List(pl.String)})
    )
    assert table.is_empty()
    assert table.columns == ["pattern", "length", "persons", "examples", "time_p25", "time_p50", "time_p75"]
