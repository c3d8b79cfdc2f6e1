from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from naive_mining import MINUTE, NAMES, in_buckets, journeys_of, random_rows, read_lists, units
from polars.testing import assert_frame_equal
from sequence_oracle import journeys_of_lists, sequences_in, sequences_of

import cjm
from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError, CjmError
from cjm.kernels.sequences_index import first_places
from cjm.kernels.sequences_mine import frequent, pairs_of_items
from cjm.matching import find
from cjm.mining import mine_sequences
from cjm.mining._family import to_min_count
from cjm.patterns import Pattern, Selector, Step

KINDS = st.sampled_from(["all", "closed", "maximal", "generator"])
TOUCHPOINTS = [f"web:{name}" for name in NAMES]
TAXONOMY = {"web:a": "first", "web:b": ["first", "b or later"], "first": "any", 'web:c -> "d", e:f': "b or later"}


def rows_of(frame):
    return [(tuple(pattern), count) for pattern, count in frame.select("pattern", "persons").rows()]


def as_dict(frame):
    return dict(rows_of(frame))


@st.composite
def any_options(draw):
    """Any options together."""
    minutes = st.none() | st.integers(0, 6).map(lambda n: n * MINUTE)
    low = draw(st.integers(1, 3))
    longer = draw(st.none() | st.integers(0, 3))
    groups = draw(st.booleans())
    names = st.sampled_from(TOUCHPOINTS)
    options = {
        "min_length": low,
        "max_length": None if longer is None else low + longer,
        "kind": draw(KINDS),
        "max_gap": draw(minutes),
        "min_gap": draw(minutes) if draw(st.booleans()) else None,
        "within": draw(minutes),
        "max_gap_events": draw(st.none() | st.integers(1, 3)),
        "min_gap_events": draw(st.none() | st.integers(1, 2)),
        "start": draw(st.just([]) | st.lists(names, max_size=2)),
        "end": draw(st.just([]) | names),
        "required": draw(st.just([]) | st.lists(names, max_size=2)),
        "forbidden": draw(st.just([]) | names),
        "taxonomy": TAXONOMY if groups else None,
        "collapse": draw(st.booleans()),
        "by": draw(st.sampled_from(["person", "session"])),
    }
    # most options are left out of most examples: all together leave nothing to find
    given = draw(st.sets(st.sampled_from(sorted(options)), max_size=5))
    return {name: value for name, value in options.items() if name in given | {"min_length", "max_length", "kind"}}


def known(options, journeys):
    """Leave out names that do not occur: they are refused."""
    there = set(journeys.touchpoints["touchpoint"])
    result = dict(options)
    if result.get("taxonomy"):
        result["taxonomy"] = {name: held for name, held in TAXONOMY.items() if name in there or name == "first"}
        if "web:a" not in there and "web:b" not in there:
            result["taxonomy"].pop("first")
    for name in ("start", "end", "required", "forbidden"):
        if name in result:
            given = [result[name]] if isinstance(result[name], str) else result[name]
            result[name] = [one for one in given if one in there]
    return result


@settings(max_examples=200, deadline=None)
@given(
    rows=random_rows,
    min_count=st.integers(1, 3),
    options=any_options(),
    cut=st.integers(0, 5),
    threads=st.sampled_from([1, 4]),
)
def test_agrees_with_enumeration_under_all_options(rows, min_count, options, cut, threads):
    journeys = journeys_of(rows)
    options = known(options, journeys)
    frame = mine_sequences(in_buckets(journeys, cut), min_support=min_count, threads=threads, **options)
    CONTRACTS["SEQUENCES"].validate(frame)
    assert rows_of(frame) == sequences_in(journeys, min_count, **options)
    assert frame["length"].to_list() == [len(pattern) for pattern in frame["pattern"]]
    n = len(units(journeys, options.get("by", "person")))
    assert frame["support"].to_list() == [count / n for count in frame["persons"]]


@settings(max_examples=100, deadline=None)
@given(rows=random_rows, least=st.none() | st.integers(1, 3), top_k=st.integers(1, 12), kind=KINDS)
def test_top_k_are_the_first_rows(rows, least, top_k, kind):
    journeys = journeys_of(rows)
    frame = mine_sequences(journeys, min_support=least, top_k=top_k, kind=kind, max_length=5)
    assert_frame_equal(frame, mine_sequences(journeys, min_support=least or 1, kind=kind, max_length=5).head(top_k))


@settings(max_examples=60, deadline=None)
@given(
    rows=random_rows,
    min_count=st.integers(1, 3),
    kind=KINDS,
    max_length=st.none() | st.integers(1, 4),
    options=any_options(),
)
def test_library_engine_gives_the_same_frame(rows, min_count, kind, max_length, options):
    journeys = journeys_of(rows)
    shared = ("start", "end", "required", "forbidden", "collapse", "by")
    kept = {name: value for name, value in known(options, journeys).items() if name in shared}
    kept |= {"min_support": min_count, "kind": kind, "max_length": max_length}
    assert_frame_equal(mine_sequences(journeys, **kept), mine_sequences(journeys, engine="prefixspan", **kept))


@settings(max_examples=60, deadline=None)
@given(
    rows=random_rows,
    max_gap=st.none() | st.integers(0, 4),
    min_gap=st.none() | st.integers(0, 2),
    within=st.none() | st.integers(0, 6),
)
def test_find_returns_the_persons_that_were_counted(rows, max_gap, min_gap, within):
    journeys = journeys_of(rows)
    given = {"max_gap": max_gap, "min_gap": min_gap, "within": within}
    limits = {name: None if value is None else value * MINUTE for name, value in given.items()}
    assume(max_gap is None or min_gap is None or min_gap <= max_gap)
    mined = mine_sequences(journeys, min_support=1, max_length=4, **limits)
    patterns = {str(i): Pattern.from_touchpoints(p, **limits) for i, p in enumerate(mined["pattern"])}
    found = find(journeys, patterns, occurrence="first")["pattern"].value_counts()
    assert dict(found.iter_rows()) == {str(i): count for i, count in enumerate(mined["persons"])}


@settings(max_examples=40, deadline=None)
@given(rows=random_rows)
def test_find_returns_who_went_through_groups_and_through_neighbours(rows):
    journeys = journeys_of(rows)
    there = journeys.touchpoints["touchpoint"].to_list()
    mined = mine_sequences(
        journeys, min_support=1, max_length=3, max_gap_events=1, taxonomy=dict.fromkeys(there[:2], "any")
    )
    patterns = {}
    for i, names in enumerate(mined["pattern"]):
        steps = [Pattern.from_touchpoints([name]).steps[0].what for name in there]
        chosen = [
            Selector(tuple(n for s in steps[:2] for n in s.names)) if name == "any" else steps[there.index(name)]
            for name in names
        ]
        patterns[str(i)] = Pattern(tuple(Step(what, strict=place > 0) for place, what in enumerate(chosen)))
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
        {"engine": "prefixspan", "within": "1d"}, {"engine": "prefixspan", "taxonomy": {}}, {"min_support": None},
        {"top_k": 0}, {"threads": 0}, {"max_gap_events": 0}, {"min_gap_events": "2"}, {"min_gap": 3},
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


def test_too_many_patterns_says_how_many_are_short():
    journeys = journeys_of([(1, i, name) for i, name in enumerate("abcdefgh")])
    with pytest.raises(CjmError, match="8 with max_length=1, 36 with max_length=2, 92 with max_length=3"):
        mine_sequences(journeys, min_support=1, max_patterns=100)


def random_lists(seed, rows, length, items):
    import random

    made = random.Random(seed)
    return [[made.randrange(items) for _ in range(made.randrange(length))] for _ in range(rows)]


@pytest.mark.parametrize(
    ("rows", "length", "items", "count"), [(40, 200, 12, 30), (300, 60, 6, 120), (300, 70, 60, 40)]
)
def test_long_rows_and_many_patterns(rows, length, items, count):
    # rows beyond 64 items, wide and narrow nodes; without limits and with limits that nothing breaks
    journeys = journeys_of_lists(random_lists(rows, rows, length, items))
    options = {"min_support": count, "max_length": 4}
    free = mine_sequences(journeys, threads=1, **options)
    assert free.height > 1_000
    assert_frame_equal(free, mine_sequences(journeys, max_gap="1w", threads=1, **options))
    assert_frame_equal(free, mine_sequences(journeys, threads=2, **options))
    assert_frame_equal(free, mine_sequences(journeys, threads=4, **options))
    assert_frame_equal(free, mine_sequences(journeys, taxonomy={}, threads=4, **options))


@pytest.mark.parametrize("length", [16, 17, 18, 32, 33, 34, 64, 65, 66])
def test_rows_at_the_limits_of_masks(length):
    # behind the first event all rows are as long, and the last event of a row is the only one of its item
    lists = [[0, *([1, 2, 3] * length)[: length - 2], 4] for _ in range(3)]
    lists += [[*items[: length // 2], 3, *items[length // 2 + 1 :]] for items in lists]
    journeys = journeys_of_lists(lists)
    free = mine_sequences(journeys, min_support=4, max_length=5)
    assert_frame_equal(free, mine_sequences(journeys, min_support=4, max_length=5, max_gap="1w"))
    assert free.filter(pl.col("pattern").list.last() == "c:4").height > 20


def test_a_search_that_is_stopped_ends_soon():
    lists = random_lists(1, 200, 40, 8)
    codes = np.array([code for items in lists for code in [*items, -1] if items], dtype=np.int32)
    support = [sum(item in items for items in lists) for item in range(8)]
    offsets = np.concatenate(([0], np.cumsum(support))).astype(np.int64)
    arguments = (codes, first_places(codes, offsets), offsets, pairs_of_items(codes, 8), 0, 8, 0, 1, 1, 1, 12, 10**9)
    assert len(frequent(*arguments, np.ones(1, dtype=np.uint8))[2]) < 100


def test_one_long_row():
    journeys = journeys_of_lists([[0] * 100] * 2)
    assert mine_sequences(journeys, min_support=2)["length"].to_list() == list(range(1, 101))


def test_journeys_towards_goals():
    rows = [
        (1, 0, "cart"),
        (1, 1, "look"),
        (1, 2, "buy"),
        (1, 9, "cart"),
        (1, 10, "buy"),
        (2, 0, "look"),
        (2, 1, "cart"),
    ]
    journeys = journeys_of(rows)
    goal = cjm.goal("buy", start="web:cart", end="web:buy")
    events = cjm.goal_events(journeys, goal)
    frame = mine_sequences(journeys, min_support=1, by=events)
    lists = [
        list(zip(part["time"], part["touchpoint"], strict=True))
        for part in events.partition_by("journey", maintain_order=True)
    ]
    assert rows_of(frame) == sequences_of(lists, 1)
    assert frame.row(0, named=True) == {"pattern": ["web:cart"], "length": 1, "persons": 3, "support": 1.0}
    with pytest.raises(CjmError, match="goal_events"):
        mine_sequences(journeys, min_support=1, by=events.drop("journey"))
    with pytest.raises(ArgumentError, match="order"):
        mine_sequences(journeys, min_support=1, by=events.reverse())
    assert mine_sequences(journeys, min_support=1, by=events.clear()).is_empty()


def test_a_gap_in_events_counts_those_that_are_forbidden_or_rare():
    journeys = journeys_of([(1, 0, "a"), (1, 1, "x"), (1, 2, "b"), (2, 0, "a"), (2, 1, "b")])
    pair = ("web:a", "web:b")
    near = mine_sequences(journeys, min_support=1, max_gap_events=1, forbidden="web:x")
    assert as_dict(near)[pair] == 1
    assert pair not in as_dict(mine_sequences(journeys, min_support=2, max_gap_events=1))
    assert as_dict(mine_sequences(journeys, min_support=2, max_gap_events=2))[pair] == 2


def test_unknown_names_and_groups():
    journeys = journeys_of([(1, 0, "cart"), (1, 1, "buy")])
    for name in ("start", "end", "required", "forbidden"):
        with pytest.raises(ArgumentError, match=r'Did you mean "web:cart"'):
            mine_sequences(journeys, min_support=1, **{name: "web:crt"})
    with pytest.raises(ArgumentError, match="bears the name of a touchpoint"):
        mine_sequences(journeys, min_support=1, taxonomy={"web:cart": "web:buy"})
    with pytest.raises(ArgumentError, match=r'Did you mean "web:cart"'):
        mine_sequences(journeys, min_support=1, taxonomy={"web:crt": "shop"})
    both = mine_sequences(journeys, min_support=1, taxonomy={"web:cart": "shop", "shop": "all", "all": "shop"})
    assert ("all", "web:buy") in as_dict(both)


@pytest.mark.parametrize(
    ("name", "share", "total"), [("BMS1_gazelle", 0.0007, 27_403), ("LEVIATHAN", 0.02, 33_387), ("SIGN", 0.1, 110_417)]
)
def test_counts_on_public_data(shared, name, share, total):
    journeys = journeys_of_lists(read_lists(shared / "data" / "sequences" / f"{name}.spmf.gz"))
    assert mine_sequences(journeys, min_support=share).height == total
