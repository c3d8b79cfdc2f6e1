import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_mining import MINUTE, journeys_of, naive_sequences, random_rows, units

from cjm.contracts import CONTRACTS
from cjm.errors import CjmError
from cjm.matching import find
from cjm.mining import mine_sequential_rules
from cjm.patterns import Pattern


@settings(max_examples=60, deadline=None)
@given(
    rows=random_rows,
    min_count=st.integers(1, 3),
    min_confidence=st.sampled_from([0.0, 0.5, 1.0]),
    max_length=st.integers(1, 3),
    max_gap=st.none() | st.integers(0, 4),
    within=st.none() | st.integers(0, 6),
    by=st.sampled_from(["person", "session"]),
    towards=st.none() | st.sampled_from(["web:a", ["web:a"]]),
)
def test_agrees_with_enumeration(rows, min_count, min_confidence, max_length, max_gap, within, by, towards):
    journeys = journeys_of([*rows, (9, 0, "a")])
    limits = {
        "max_gap": None if max_gap is None else max_gap * MINUTE,
        "within": None if within is None else within * MINUTE,
    }
    frame = mine_sequential_rules(
        journeys, min_support=min_count, min_confidence=min_confidence, max_length=max_length, by=by, towards=towards,
        **limits,
    )  # fmt: skip
    CONTRACTS["RULES"].validate(frame)
    family = naive_sequences(journeys, 1, max_length=max_length, by=by, **limits)
    n = len(units(journeys, by))
    expected = {}
    for pattern, both in family.items():
        if len(pattern) == 1 or both < min_count or (towards is not None and pattern[-1] != "web:a"):
            continue
        left, right = family[pattern[:-1]], family[pattern[-1:]]
        if both / left >= min_confidence:
            expected[pattern] = (both, left, right, both / n, both / left, both / left / (right / n))
    counts = ["persons", "persons_antecedent", "persons_consequent", "support", "confidence", "lift"]
    found = {(*row["antecedent"], *row["consequent"]): row for row in frame.iter_rows(named=True)}
    assert found.keys() == expected.keys()
    for rule, values in expected.items():
        assert [found[rule][name] for name in counts] == pytest.approx(values)
        assert len(found[rule]["consequent"]) == 1
        assert found[rule]["conviction"] == math.inf or found[rule]["confidence"] < 1
    order = [(-r["confidence"], -r["support"], r["antecedent"], r["consequent"]) for r in frame.iter_rows(named=True)]
    assert order == sorted(order)


def test_rule_by_hand_and_by_the_matcher():
    rows = [(1, 0, "a"), (1, 5, "b"), (2, 0, "a"), (2, 6, "b"), (3, 0, "b"), (3, 1, "a"), (4, 0, 'x -> "y"')]
    journeys = journeys_of(rows)
    row = mine_sequential_rules(journeys, min_support=1, min_confidence=0.3, within="5m", towards="web:b").row(
        0, named=True
    )
    assert (row["antecedent"], row["consequent"], row["persons"], row["persons_antecedent"]) == (
        ["web:a"], ["web:b"], 1, 3,
    )  # fmt: skip
    assert row["lift"] == pytest.approx((1 / 3) / (3 / 4))
    steps = Pattern.from_touchpoints(row["antecedent"] + row["consequent"], within="5m")
    assert find(journeys, steps, occurrence="first").height == row["persons"]


def test_nothing_and_wrong_calls():
    journeys = journeys_of([(1, 0, "a"), (2, 0, "b")])
    assert mine_sequential_rules(journeys, min_support=1).is_empty()
    empty = journeys.filter(pl.col("event") == "x")
    assert mine_sequential_rules(empty, min_support=1).schema == mine_sequential_rules(journeys, min_support=2).schema
    for wrong in ({"min_confidence": 2}, {"towards": "web:z"}, {"within": 5}, {"min_support": 0}):
        with pytest.raises(CjmError):
            mine_sequential_rules(journeys, **{"min_support": 1, **wrong})
