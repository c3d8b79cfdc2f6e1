from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlxtend.frequent_patterns import association_rules
from naive_mining import NAMES, journeys_of, naive_itemsets, random_rows, read_lists, to_ragged, units
from polars.testing import assert_frame_equal
from scipy.stats import false_discovery_control, fisher_exact, hypergeom

from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError, CjmError
from cjm.journeys import open_journeys
from cjm.mining import _eclat, mine_itemsets, mine_rules
from cjm.mining._eclat import frequent_itemsets, item_counts
from cjm.mining._family import keep_kind, to_min_count
from cjm.mining._rules import _upper_tail
from cjm.ragged import Ragged

BY = st.sampled_from(["person", "session"])
METRICS = [
    "support", "confidence", "lift", "leverage", "conviction", "antecedent support", "consequent support",
    "representativity", "zhangs_metric", "jaccard", "certainty", "kulczynski",
]  # fmt: skip
basket_rows = st.lists(
    st.tuples(st.integers(1, 7), st.integers(0, 6), st.sampled_from(["a", "b", "c", "d", 'e -> "f"', "ż:g"])),
    min_size=1,
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(
    rows=random_rows | basket_rows,
    min_count=st.integers(1, 4),
    max_length=st.none() | st.integers(1, 4),
    kind=st.sampled_from(["all", "closed", "maximal", "generator"]),
    by=BY,
)
def test_agrees_with_enumeration(rows, min_count, max_length, kind, by):
    journeys = journeys_of(rows)
    frame = mine_itemsets(journeys, min_support=min_count, max_length=max_length, kind=kind, by=by)
    CONTRACTS["ITEMSETS"].validate(frame)
    found = {tuple(items): count for items, count in frame.select("items", "count").rows()}
    assert found == naive_itemsets(journeys, min_count, max_length, kind, by)
    n = len(journeys.arrays.person) if by == "person" else len(np.unique(journeys.arrays.session))
    assert frame["support"].to_list() == [count / n for count in frame["count"]]
    order = [(-row["count"], row["length"], row["items"]) for row in frame.iter_rows(named=True)]
    assert order == sorted(order)


@settings(max_examples=40, deadline=None)
@given(rows=basket_rows, min_support=st.sampled_from([1, 2, 0.3, 1.0]), max_length=st.none() | st.integers(1, 3), by=BY)
def test_library_engine_gives_the_same_frame(rows, min_support, max_length, by):
    journeys = journeys_of(rows)
    options = {"min_support": min_support, "max_length": max_length, "by": by}
    assert_frame_equal(mine_itemsets(journeys, **options), mine_itemsets(journeys, engine="mlxtend", **options))


def test_engines_without_rows():
    journeys = journeys_of([(1, 0, "a")]).filter(pl.col("event") == "x")
    for engine in ("numba", "mlxtend"):
        assert mine_itemsets(journeys, min_support=0.5, kind="maximal", engine=engine).is_empty()
        assert mine_itemsets(journeys_of([(1, 0, "a")]), min_support=2, engine=engine).is_empty()


@pytest.mark.parametrize(
    "wrong", [{"min_support": False}, {"kind": "?"}, {"engine": "prefixspan"}, {"max_length": 0}, {"threads": 0}]
)
def test_wrong_arguments(wrong):
    with pytest.raises(ArgumentError):
        mine_itemsets(journeys_of([(1, 0, "a")]), **{"min_support": 1, **wrong})


def test_too_many_itemsets_and_rules():
    journeys = journeys_of([(1, 0, name) for name in "abcd"])
    assert mine_itemsets(journeys, min_support=1, max_patterns=15).height == 15
    with pytest.raises(CjmError, match=r"mine_itemsets: more than 14 itemsets"):
        mine_itemsets(journeys, min_support=1, max_patterns=14)
    with pytest.raises(CjmError, match=r"mine_rules: more than 49 rules"):
        mine_rules(journeys, min_support=1, max_patterns=49)
    assert mine_rules(journeys, min_support=1, max_patterns=50).height == 50


@settings(max_examples=60, deadline=None)
@given(rows=basket_rows, min_count=st.integers(1, 3), min_confidence=st.sampled_from([0.0, 0.45, 0.7, 1.0]), by=BY)
def test_rules_equal_those_of_mlxtend(rows, min_count, min_confidence, by):
    journeys = journeys_of(rows)
    frame = mine_rules(journeys, min_support=min_count, min_confidence=min_confidence, by=by)
    CONTRACTS["RULES"].validate(frame)
    assert frame.columns == ["antecedent", "consequent", *METRICS, "improvement", "p", "q"]
    order = [(-r["confidence"], -r["support"], r["antecedent"], r["consequent"]) for r in frame.iter_rows(named=True)]
    assert order == sorted(order)
    sets = mine_itemsets(journeys, min_support=min_count, by=by)
    if sets.is_empty():
        assert frame.is_empty()
        return
    pandas = sets.select(pl.col("items").alias("itemsets"), "support").to_pandas()
    pandas["itemsets"] = [frozenset(items) for items in sets["items"]]
    with np.errstate(all="ignore"):
        theirs = association_rules(pandas, metric="confidence", min_threshold=min_confidence - 1e-9)
    expected = {
        (tuple(sorted(row["antecedents"])), tuple(sorted(row["consequents"]))): [row[name] for name in METRICS]
        for _, row in theirs.iterrows()
    }
    found = {(tuple(row["antecedent"]), tuple(row["consequent"])): [row[name] for name in METRICS]
             for row in frame.iter_rows(named=True)}  # fmt: skip
    assert found.keys() == expected.keys()
    for rule, values in found.items():
        np.testing.assert_allclose(values, expected[rule], rtol=1e-9, atol=1e-12)


def test_rule_by_hand():
    journeys = journeys_of([(1, 0, "a"), (1, 0, "b"), (2, 0, "a"), (2, 0, "b"), (3, 0, "a"), (4, 0, "c")])
    row = mine_rules(journeys, min_support=2, min_confidence=0.9).row(0, named=True)
    assert (row["antecedent"], row["consequent"]) == (["web:b"], ["web:a"])
    assert (row["support"], row["confidence"], row["conviction"]) == (0.5, 1.0, float("inf"))
    assert row["lift"] == pytest.approx(4 / 3)


@settings(max_examples=60, deadline=None)
@given(
    rows=basket_rows,
    min_confidence=st.sampled_from([0.0, 0.5]),
    min_improvement=st.none() | st.sampled_from([0.0, 0.1]),
    towards=st.none() | st.lists(st.sampled_from(["a", "b"]), min_size=1, unique=True),
    by=BY,
)
def test_what_rules_add_and_the_chance_of_it(rows, min_confidence, min_improvement, towards, by):
    journeys = journeys_of([*rows, (8, 0, "a"), (9, 0, "b")])
    options = {
        "min_confidence": min_confidence,
        "min_improvement": min_improvement,
        "towards": None if towards is None else [f"web:{name}" for name in towards],
        "by": by,
    }
    frame = mine_rules(journeys, min_support=1, **options)
    baskets = [{name for _, name in events} for events in units(journeys, by)]

    def count(items):
        return sum(set(items) <= basket for basket in baskets)

    expected, tried = {}, 0
    for items in naive_itemsets(journeys, 1, by=by):
        for size in range(1, len(items)):
            for left in combinations(items, size):
                right = tuple(item for item in items if item not in left)
                if towards is not None and not (len(right) == 1 and right[0][4:] in towards):
                    continue
                tried += 1
                confidence = count(items) / count(left)
                simpler = max(
                    count({*part, *right}) / count(part) for n in range(size) for part in combinations(left, n)
                )
                improvement = confidence - simpler
                if confidence < min_confidence or improvement <= (-2 if min_improvement is None else min_improvement):
                    continue
                n, a, b, both = len(baskets), count(left), count(right), count(items)
                p = fisher_exact([[both, a - both], [b - both, n - a - b + both]], alternative="greater").pvalue
                expected[left, right] = improvement, p
    found = {(tuple(row["antecedent"]), tuple(row["consequent"])): row for row in frame.iter_rows(named=True)}
    assert found.keys() == expected.keys()
    for rule, (improvement, p) in expected.items():
        assert found[rule]["improvement"] == pytest.approx(improvement, abs=1e-12)
        assert found[rule]["p"] == pytest.approx(p, rel=1e-7)
    family = [*frame["p"], *[1.0] * (tried - len(found))]
    if family:
        np.testing.assert_allclose(frame["q"], false_discovery_control(family)[: len(found)], rtol=1e-9)


def test_the_chance_of_a_rule_in_large_data():
    draw = np.random.default_rng(3)
    n = 300_000
    left, right = draw.integers(1, n, (2, 200))
    lowest, highest = np.maximum(0, left + right - n), np.minimum(left, right)
    near = left * right / n + draw.normal(size=200) * np.sqrt(left * right / n)
    whole = np.clip(near.astype(np.int64), lowest, highest)
    ours = _upper_tail(whole, left, right, n)
    np.testing.assert_allclose(ours, hypergeom.sf(whole - 1, n, left, right), rtol=1e-6, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(rows=basket_rows, by=BY, towards=st.none() | st.just("web:a"), min_improvement=st.none() | st.just(0.0))
def test_the_library_gives_the_same_rules(rows, by, towards, min_improvement):
    journeys = journeys_of([*rows, (8, 0, "a")])
    options = {"min_support": 1, "by": by, "towards": towards, "min_improvement": min_improvement}
    assert_frame_equal(mine_rules(journeys, engine="mlxtend", **options), mine_rules(journeys, **options))


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_improvement": 2.0},
        {"engine": "x"},
        {"towards": "web:z"},
        {"min_confidence": 1.1},
        {"min_confidence": True},
        {"min_confidence": "x"},
        {"by": ""},
    ],
)
def test_wrong_arguments_of_rules(wrong):
    with pytest.raises(ArgumentError):
        mine_rules(journeys_of([(1, 0, "a")]), **{"min_support": 1, **wrong})


@pytest.mark.parametrize(
    ("name", "share", "total", "closed", "maximal"),
    [
        ("T10I4D100K", 0.001, 27_532, 26_806, 4_054),
        ("mushroom", 0.1, 574_431, 4_885, 547),
        ("chess", 0.6, 254_944, 98_392, 3_323),
    ],
)
def test_counts_on_public_data(shared, name, share, total, closed, maximal):
    lists = read_lists(shared / "data" / "transactions" / f"{name}.dat.gz")
    baskets = to_ragged(lists)
    support, n = item_counts([baskets], int(baskets.values.max()) + 1)
    family = frequent_itemsets([baskets], support, min_count=to_min_count(share, n, ""))
    assert len(family.counts) == total
    for kind, size in (("closed", closed), ("maximal", maximal)):
        at_once = frequent_itemsets([baskets], support, min_count=to_min_count(share, n, ""), kind=kind)
        assert len(at_once.counts) == size
        assert by_items(at_once) == by_items(keep_kind(family, kind))


def by_items(family):
    return {tuple(items.tolist()): count for items, count in zip(family.patterns, family.counts.tolist(), strict=True)}


@pytest.mark.parametrize(("n_items", "share", "count"), [(14, 0.9, 20), (30, 0.3, 9), (60, 0.05, 2)])
def test_closed_sets_found_at_once_are_those_that_are_left_of_all(monkeypatch, n_items, share, count):
    draw = np.random.default_rng(n_items)
    held = draw.random((400, n_items)) < share * draw.random(n_items)
    held[:, 1] |= held[:, 0]  # what goes with another always
    held[:, 2] = held[:, 3]
    baskets = Ragged(np.nonzero(held)[1].astype(np.int32), np.concatenate(([0], np.cumsum(held.sum(axis=1)))))
    support, _ = item_counts([baskets], n_items)
    family = frequent_itemsets([baskets], support, min_count=count)
    monkeypatch.setattr(_eclat, "_SMALL", 0)
    for kind in ("closed", "maximal"):
        expected = by_items(keep_kind(family, kind))
        assert 20 < len(expected) < len(family.counts)
        for pairs, words in ((1 << 22, 1 << 22), (40, 3)):
            monkeypatch.setattr(_eclat, "_PAIRS", pairs)
            monkeypatch.setattr(_eclat, "_WORDS", words)
            for threads in (1, 4):
                at_once = frequent_itemsets([baskets], support, min_count=count, kind=kind, threads=threads)
                assert by_items(at_once) == expected


def test_closed_sets_may_be_few_where_all_are_too_many():
    journeys = journeys_of([(who, 0, name) for who in (1, 2) for name in "abcdefghijklmnopqrstuvwxyz"])
    assert mine_itemsets(journeys, min_support=2, kind="closed", max_patterns=1)["length"].to_list() == [26]
    for kind in ("all", "generator"):
        with pytest.raises(CjmError, match="more than 10,000 itemsets"):
            mine_itemsets(journeys, min_support=2, kind=kind, max_patterns=10_000)


@pytest.mark.parametrize("limits", [{}, {"_PAIRS": 40, "_WORDS": 3}])
@pytest.mark.parametrize("max_length", [None, 1, 2, 3])
def test_threads_parts_and_little_memory_change_nothing(monkeypatch, limits, max_length):
    draw = np.random.default_rng(4)
    lists = [draw.choice(40, size=draw.integers(0, 12), p=np.arange(40, 0, -1) / 820) for _ in range(900)]
    offsets = np.concatenate(([0], np.cumsum([len(items) for items in lists])))
    code = np.concatenate(lists).astype(np.int32)
    whole = Ragged(code, offsets)
    halves = [Ragged(code[: offsets[300]], offsets[:301]), Ragged(code[offsets[300] :], offsets[300:] - offsets[300])]
    support, n = item_counts(halves, 40)
    assert (n, support.tolist()) == (900, [sum(item in items for items in lists) for item in range(40)])
    expected = frequent_itemsets([whole], support, min_count=9, max_length=max_length, threads=1)
    for items, count in zip(expected.patterns, expected.counts.tolist(), strict=True):
        if len(items) > 1:
            assert count == sum(set(items.tolist()) <= set(row.tolist()) for row in lists)
    monkeypatch.setattr(_eclat, "_SMALL", 0)
    for name, value in limits.items():
        monkeypatch.setattr(_eclat, name, value)
    for threads, parts in [(1, halves), (2, [whole]), (4, halves)]:
        family = frequent_itemsets(parts, support, min_count=9, max_length=max_length, threads=threads)
        np.testing.assert_array_equal(family.patterns.values, expected.patterns.values)
        np.testing.assert_array_equal(family.patterns.offsets, expected.patterns.offsets)
        np.testing.assert_array_equal(family.counts, expected.counts)


def test_buckets_change_nothing(tmp_path):
    draw = np.random.default_rng(5)
    journeys = journeys_of([(int(p), int(t), NAMES[e]) for p, t, e in draw.integers(0, [40, 30, 4], (300, 3))])
    journeys.write(tmp_path / "store", bucket_events=50)
    stored = open_journeys(tmp_path / "store")
    assert len(list(stored.buckets())) > 3
    for by in ("session", "person"):
        options = {"min_support": 0.1, "by": by}
        assert_frame_equal(mine_itemsets(stored, **options), mine_itemsets(journeys, **options))
