import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_mining import MINUTE, journeys_of, random_rows, subsequences, units
from scipy.stats import false_discovery_control, fisher_exact, norm

from cjm.errors import ArgumentError, CjmError, ContractError
from cjm.mining import contrast, mine_sequences
from cjm.mining._contrast import _fisher
from cjm.patterns import Pattern

COLUMNS = [
    "pattern", "length", "n_true", "of_true", "rate_true", "n_false", "of_false", "rate_false", "difference", "lower",
    "upper", "lift", "z", "p", "q", "prefix_only", "left_out",
    "held_out",
]  # fmt: skip


def outcomes(values):
    return pl.DataFrame({"person": list(values), "outcome": list(values.values())},
                        schema={"person": pl.Int64, "outcome": pl.Boolean})  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(
    rows=random_rows,
    known=st.lists(st.sampled_from([True, False, None, "missing"]), min_size=5, max_size=5),
    max_gap=st.none() | st.integers(0, 4),
    within=st.none() | st.integers(0, 6),
    shuffle=st.randoms(use_true_random=False),
)
def test_agrees_with_enumeration(rows, known, max_gap, within, shuffle):
    rows = [*rows, (6, 0, "a"), (7, 0, "b")]  # nobody's group is empty
    journeys = journeys_of(rows)
    outcome = {person: value for person, value in enumerate(known, start=1) if value != "missing"} | {6: True, 7: False}
    limits = {
        "max_gap": None if max_gap is None else max_gap * MINUTE,
        "within": None if within is None else within * MINUTE,
    }
    patterns = mine_sequences(journeys, min_support=1, max_length=3)["pattern"].to_list()
    shuffle.shuffle(patterns)
    frame = contrast(journeys, patterns, outcomes(outcome), **limits)
    assert frame.columns == COLUMNS
    holds = {
        person: subsequences(events, 3, **limits)
        for person, events in zip(journeys.arrays.person.tolist(), units(journeys, "person"), strict=True)
    }
    yes = [person for person in holds if outcome.get(person) is True]
    no = [person for person in holds if outcome.get(person) is False]
    assert sorted(frame["pattern"].to_list()) == sorted(patterns)
    for row in frame.iter_rows(named=True):
        pattern = tuple(row["pattern"])
        with_it = {person for person in yes + no if pattern in holds[person]}
        with_prefix = {person for person in yes + no if pattern[:-1] in holds[person]}
        assert (row["n_true"], row["n_false"]) == (len(with_it & set(yes)), len(with_it & set(no)))
        assert (row["of_true"], row["of_false"]) == (len(yes), len(no))
        assert row["left_out"] == len(holds) - len(yes) - len(no)
        assert row["prefix_only"] == (len(pattern) > 1 and with_it == with_prefix)
        table = [[row["n_true"], row["n_false"]], [len(yes) - row["n_true"], len(no) - row["n_false"]]]
        assert row["p"] == pytest.approx(fisher_exact(table).pvalue, rel=1e-6)
        assert row["lower"] <= row["difference"] <= row["upper"]
        if with_it:
            assert row["lift"] == pytest.approx((row["n_true"] / len(with_it)) / (len(yes) / len(yes + no)))
        else:
            assert row["lift"] is None
    np.testing.assert_allclose(frame["q"], false_discovery_control(frame["p"]), rtol=1e-9)
    order = [(r["p"], -abs(r["difference"]), r["pattern"]) for r in frame.iter_rows(named=True)]
    assert order == sorted(order)
    assert frame["p"].is_sorted()


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_fisher_agrees_with_scipy(n_true, n_false, data):
    a, b = data.draw(st.integers(0, n_true)), data.draw(st.integers(0, n_false))
    ours = np.exp(_fisher(np.array([a]), np.array([a + b]), n_true, n_true + n_false))[0]
    assert ours == pytest.approx(fisher_exact([[a, b], [n_true - a, n_false - b]]).pvalue, rel=1e-6)


def test_fisher_on_large_tables():
    for a, b, n_true, n_false in [(3000, 3200, 10_000, 10_000), (10, 2000, 1_000, 150_000), (0, 5, 20, 400_000)]:
        ours = np.exp(_fisher(np.array([a]), np.array([a + b]), n_true, n_true + n_false))[0]
        assert ours == pytest.approx(fisher_exact([[a, b], [n_true - a, n_false - b]]).pvalue, rel=1e-5)


def test_rank_survives_a_p_value_of_zero():
    # 4,000 persons: "b" separates the groups wholly, "a" all but one
    rows = (
        [(i, 0, "b") for i in range(2000)]
        + [(i, 1, "a") for i in range(1, 2000)]
        + [(i, 0, "x") for i in range(2000, 4000)]
    )
    frame = contrast(journeys_of(rows), [["web:a"], ["web:b"]], outcomes({i: i < 2000 for i in range(4000)}))
    assert frame["pattern"].to_list() == [["web:b"], ["web:a"]]
    assert frame["p"].to_list() == [0.0, 0.0]
    assert frame["z"][0] > frame["z"][1] > 38
    assert frame["q"].to_list() == [0.0, 0.0]


def test_z_is_the_deviate_of_p():
    rows = [(i, 0, "a" if i % 3 else "b") for i in range(60)]
    frame = contrast(journeys_of(rows), [["web:a"], ["web:b"]], outcomes({i: i < 20 or i % 3 > 0 for i in range(60)}))
    assert frame.sort("z")["pattern"].to_list() == [["web:b"], ["web:a"]]
    np.testing.assert_allclose(2 * norm.sf(frame["z"].abs()), frame["p"], rtol=1e-9)


def test_a_repeated_prefix_is_marked():
    rows = [(i, 0, "a") for i in range(4)] + [(i, 1, "b") for i in range(4)] + [(0, 2, "c")]
    patterns = [["web:a"], ["web:a", "web:b"], ["web:a", "web:b", "web:c"]]
    frame = contrast(journeys_of(rows), patterns, outcomes({i: i < 2 for i in range(4)})).sort("length")
    assert frame["prefix_only"].to_list() == [False, True, False]


def test_takes_the_frame_of_the_miner():
    journeys = journeys_of([(1, 0, "a"), (1, 1, "b"), (2, 0, "b"), (2, 1, "a"), (3, 9, "ż")])
    mined = mine_sequences(journeys, min_support=1, max_gap="1m")
    frame = contrast(journeys, mined, outcomes({1: True, 2: False, 3: None, 99: True}), max_gap="1m")
    assert frame.height == mined.height
    assert frame["left_out"].unique().to_list() == [1]
    assert frame["of_true"].unique().to_list() == [1]
    assert contrast(journeys, mined.clear(), outcomes({1: True, 2: False})).is_empty()
    assert contrast(journeys, [], outcomes({1: True, 2: False})).schema == frame.schema


def test_declared_patterns():
    journeys = journeys_of([(1, 0, "a"), (1, 9, "b"), (2, 0, "a"), (2, 1, "b"), (3, 0, "b"), (4, 0, "a"), (4, 1, "b")])
    outcome = outcomes({1: False, 2: True, 3: False, 4: None})
    frame = contrast(journeys, {"quick": "web:a -> web:b within 2m", "none": "web:b -> web:a", "b": "web:b"}, outcome)
    rows = frame.sort("pattern").select("pattern", "length", "n_true", "n_false", "prefix_only", "left_out").rows()
    assert rows == [
        (["b"], 1, 1, 2, False, 1),
        (["none"], 2, 0, 0, False, 1),
        (["quick"], 2, 1, 0, False, 1),
    ]
    text = "web:a -> web:b"
    for patterns in ([Pattern.parse(text)], [text], text):
        assert contrast(journeys, patterns, outcome).select("pattern", "n_true", "n_false").row(0) == ([text], 1, 1)


def test_wrong_calls():
    journeys = journeys_of([(1, 0, "a"), (2, 0, "b")])
    good = outcomes({1: True, 2: False})
    with pytest.raises(CjmError, match=r'Did you mean "web:a"'):
        contrast(journeys, [["web:aa"]], good)
    for patterns in ([[]], [["web:a", None]], pl.DataFrame({"pattern": [["web:a"], None]})):
        with pytest.raises(ArgumentError, match="null"):
            contrast(journeys, patterns, good)
    with pytest.raises(ArgumentError, match="limits of their own"):
        contrast(journeys, {"x": "web:a"}, good, max_gap="1d")
    with pytest.raises(ContractError, match="pattern"):
        contrast(journeys, good, good)
    with pytest.raises(ContractError, match="outcome"):
        contrast(journeys, [["web:a"]], good.rename({"outcome": "churned"}))
    with pytest.raises(ContractError, match="Boolean"):
        contrast(journeys, [["web:a"]], good.cast({"outcome": pl.Int64}))
    with pytest.raises(ArgumentError, match="2 rows share a person"):
        contrast(journeys, [["web:a"]], outcomes({1: True, 2: False}).vstack(outcomes({1: True})))
    with pytest.raises(ArgumentError, match=r"1 persons have the outcome and 0 have not \(1 of 2"):
        contrast(journeys, [["web:a"]], outcomes({1: True, 2: None, 3: False}))
    with pytest.raises(ArgumentError, match="level"):
        contrast(journeys, [["web:a"]], good, level=95)
