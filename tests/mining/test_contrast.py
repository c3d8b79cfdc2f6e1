import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_mining import MINUTE, START, journeys_of, random_rows, subsequences, units
from polars.testing import assert_frame_equal
from scipy.stats import false_discovery_control, fisher_exact, norm

from cjm.errors import ArgumentError, CjmError, ContractError
from cjm.journeys import open_journeys
from cjm.matching import find
from cjm.mining import _count, contrast, mine_sequences
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


def test_two_periods_or_any_other_two_journeys():
    rows = [(1, 0, "a"), (1, 1, "b"), (2, 0, "a"), (2, 9, "a"), (2, 10, "b"), (3, 8, "b"), (3, 9, "c")]
    journeys = journeys_of(rows)
    early = pl.col("time") < START + 5 * MINUTE
    before, after = journeys.filter(early), journeys.filter(~early)
    patterns = [["web:a", "web:b"], ["web:c"], ["web:b", "web:a"]]
    frame = contrast(after, patterns, versus=before)
    rows = {tuple(row[0]): row[1:] for row in frame.select("pattern", "n_true", "n_false", "left_out").rows()}
    assert rows == {("web:a", "web:b"): (1, 1, 0), ("web:c",): (1, 0, 0), ("web:b", "web:a"): (0, 0, 0)}
    assert frame.select("of_true", "of_false").unique().rows() == [(2, 2)]
    found = contrast(after, {"ab": "web:a -> web:b"}, versus=before)
    assert found.select("n_true", "of_true", "n_false", "of_false").row(0) == (1, 2, 1, 2)
    # what only one of the two knows is no error
    other = journeys_of([(7, 0, "new")])
    assert contrast(journeys, [["web:new"], ["web:a"]], versus=other).sort("n_false")["n_false"].to_list() == [0, 1]
    for wrong in ({}, {"outcome": outcomes({1: True}), "versus": before}):
        with pytest.raises(ArgumentError, match="Give one of them"):
            contrast(journeys, patterns, **wrong)


def test_the_family_is_what_was_mined():
    journeys = journeys_of([(i, t, "abc"[(i * 7 + t * t) % 3]) for i in range(60) for t in range(3)])
    outcome = outcomes({i: i % 2 == 0 for i in range(60)})
    whole = contrast(journeys, mine_sequences(journeys, min_support=1), outcome)
    head = contrast(journeys, whole.head(2).select("pattern"), outcome, family=whole.height)
    padded = [*head["p"], *[1.0] * (whole.height - 2)]
    np.testing.assert_allclose(head["q"], false_discovery_control(padded)[:2], rtol=1e-12)
    for wrong in (1, True, 2.5):
        with pytest.raises(ArgumentError, match="family"):
            contrast(journeys, whole.head(2), outcome, family=wrong)


@pytest.mark.parametrize("limits", [{}, {"max_gap": "1m"}, {"within": "3m"}])
def test_passes_threads_and_buckets_change_nothing(monkeypatch, tmp_path, limits):
    draw = np.random.default_rng(2)
    rows = [(int(p), int(t), "abcdef"[e]) for p, t, e in draw.integers(0, [50, 40, 6], (500, 3))]
    journeys = journeys_of(rows)
    outcome = outcomes({p: bool(draw.random() < 0.4) for p in range(50)})
    patterns = mine_sequences(journeys, min_support=3, max_length=3, **limits)["pattern"].to_list()
    patterns += patterns[:3]  # some twice
    expected = contrast(journeys, patterns, outcome, **limits)
    known = dict(outcome.rows())
    for pattern, n_true, n_false in expected.select("pattern", "n_true", "n_false").rows()[::9]:
        found = find(journeys, Pattern.from_touchpoints(pattern, **limits), occurrence="first")["person"]
        assert n_true == sum(known[person] for person in found)
        assert n_false == sum(not known[person] for person in found)
    monkeypatch.setattr(_count, "_TABLE", 60)
    monkeypatch.setattr(_count, "_SMALL", 100)
    assert_frame_equal(contrast(journeys, patterns, outcome, **limits), expected)
    journeys.write(tmp_path / "store", bucket_events=90)
    stored = open_journeys(tmp_path / "store")
    assert len(list(stored.buckets())) > 3
    assert_frame_equal(contrast(stored, patterns, outcome, **limits), expected)


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
