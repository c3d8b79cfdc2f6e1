"""Sequences whose steps are sets of touchpoints at one time."""

import json
import random
from collections import Counter
from itertools import chain, combinations, pairwise, product

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_mining import MINUTE, in_buckets, journeys_of, units
from polars.testing import assert_frame_equal
from sequence_oracle import as_list

import cjm
from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError, CjmError
from cjm.mining import mine_sequences

NAMES = ["a", "b", "c & d", 'e"&', "ż"]
rows_with_ties = st.integers(1, 5).flatmap(
    lambda kinds: st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 4), st.sampled_from(NAMES[:kinds])), min_size=1, max_size=12
    )
)


def baskets_of(events):
    """The times of a unit in order, each with its set of touchpoints."""
    return [(time, {name for at, name in events if at == time}) for time in sorted({at for at, _ in events})]


def parts_of(names):
    return [frozenset(c) for size in range(1, len(names) + 1) for c in combinations(sorted(names), size)]


def shown_by(baskets, options):
    """Every pattern that some occurrence within the limits shows."""
    within, max_gap, min_gap = (options.get(name) for name in ("within", "max_gap", "min_gap"))
    most, least = options.get("max_gap_events"), options.get("min_gap_events")
    found = set()
    for length in range(1, len(baskets) + 1):
        for places in combinations(range(len(baskets)), length):
            times = [baskets[place][0] for place in places]
            gaps = [b - a for a, b in pairwise(times)]
            steps = [b - a for a, b in pairwise(places)]
            if (
                (within is None or times[-1] - times[0] <= within)
                and all((max_gap is None or g <= max_gap) and (min_gap is None or g >= min_gap) for g in gaps)
                and all((most is None or g <= most) and (least is None or g >= least) for g in steps)
            ):
                found |= set(product(*(parts_of(baskets[place][1]) for place in places)))
    return found


def contains(longer, shorter):
    at = 0
    for step in longer:
        if at < len(shorter) and shorter[at] <= step:
            at += 1
    return at == len(shorter)


def contains_unbroken(longer, shorter):
    n = len(shorter)
    return any(all(a <= b for a, b in zip(shorter, longer[i : i + n], strict=True)) for i in range(len(longer) - n + 1))


def size(pattern):
    return sum(map(len, pattern))


def written(step):
    """A step as text, by the words of the documentation."""
    return " & ".join(
        json.dumps(name, ensure_ascii=False) if name.startswith('"') or "&" in name.split(" ") else name
        for name in sorted(step)
    )


def oracle(journeys, min_count, by="person", **options):
    counted = Counter(chain.from_iterable(shown_by(baskets_of(events), options) for events in units(journeys, by)))
    start, end, required, forbidden = (
        set(as_list(options.get(name, ()))) for name in ("start", "end", "required", "forbidden")
    )
    family = {
        pattern: count
        for pattern, count in counted.items()
        if count >= min_count
        and (options.get("min_length") or 1) <= size(pattern) <= (options.get("max_length") or 99)
        and (not start or pattern[0] & start)
        and (not end or pattern[-1] & end)
        and required <= set().union(*pattern)
        and not forbidden & set().union(*pattern)
    }
    unbroken = options.get("max_gap") is not None or options.get("max_gap_events") is not None
    inside = contains_unbroken if unbroken else contains
    kind = options.get("kind", "all")

    def kept(pattern, count):
        if kind == "generator":
            return not any(
                size(other) < size(pattern) and inside(pattern, other) and same == count
                for other, same in family.items()
            )
        return not any(
            size(other) > size(pattern) and inside(other, pattern) and (kind == "maximal" or same == count)
            for other, same in family.items()
        )

    rows = [([written(step) for step in p], size(p), n) for p, n in family.items() if kind == "all" or kept(p, n)]
    return sorted(rows, key=lambda row: (-row[2], row[1], row[0]))[: options.get("top_k")]


def rows_of(frame):
    return frame.select("pattern", "length", "persons").rows()


@st.composite
def any_options(draw):
    minutes = st.integers(0, 4).map(lambda n: n * MINUTE)
    names = st.sampled_from([f"web:{name}" for name in NAMES])
    low = draw(st.integers(1, 2))
    options = {
        "max_gap": draw(minutes),
        "min_gap": draw(minutes),
        "within": draw(minutes),
        "max_gap_events": draw(st.integers(1, 2)),
        "min_gap_events": draw(st.integers(1, 2)),
        "start": draw(st.lists(names, max_size=2)),
        "end": draw(names),
        "required": draw(st.lists(names, max_size=2)),
        "forbidden": draw(names),
        "by": "session",
        "top_k": draw(st.integers(1, 9)),
    }
    given = draw(st.sets(st.sampled_from(sorted(options)), max_size=4))
    return {name: value for name, value in options.items() if name in given} | {
        "kind": draw(st.sampled_from(["all", "closed", "maximal", "generator"])),
        "min_length": low,
        "max_length": draw(st.none() | st.integers(low, 5)),
    }


@settings(max_examples=120, deadline=None)
@given(rows=rows_with_ties, min_count=st.integers(1, 3), options=any_options(), threads=st.sampled_from([1, 4]))
def test_agrees_with_enumeration_under_all_options(rows, min_count, options, threads):
    journeys = journeys_of(rows)
    there = set(journeys.touchpoints["touchpoint"])
    for name in {"start", "end", "required", "forbidden"} & options.keys():
        options = options | {name: [one for one in as_list(options[name]) if one in there]}
    frame = mine_sequences(journeys, min_support=min_count, simultaneous=True, threads=threads, **options)
    CONTRACTS["SEQUENCES"].validate(frame)
    assert rows_of(frame) == oracle(journeys, min_count, **options)
    n = len(units(journeys, options.get("by", "person")))
    assert frame["support"].to_list() == [count / n for count in frame["persons"]]


def journeys_of_baskets(lists):
    """Journeys of persons who have the letters of each word at one time, a minute after those of the word before."""
    return journeys_of(
        [(who, at, name) for who, words in enumerate(lists) for at, word in enumerate(words.split()) for name in word]
    )


def short(frame):
    """Patterns as in papers: steps of one letter bare, the others in brackets."""
    steps = [[step.replace("web:", "").replace(" & ", "") for step in pattern] for pattern in frame["pattern"]]
    return ["".join(step if len(step) == 1 else f"({step})" for step in pattern) for pattern in steps]


def test_example_of_the_prefixspan_paper():
    # Pei et al. (2001), table 2: all projections
    journeys = journeys_of_baskets(["a abc ac d cf", "ad c bc ae", "ef ab df c b", "e g af c b c"])
    expected = """
        a aa ab a(bc) a(bc)a aba abc (ab) (ab)c (ab)d (ab)f (ab)dc ac aca acb acc ad adc af
        b ba bc (bc) (bc)a bd bdc bf c ca cb cc d db dc dcb
        e ea eab eac eacb eb ebc ec ecb ef efb efc efcb f fb fbc fc fcb
    """
    found = mine_sequences(journeys, min_support=2, simultaneous=True)
    assert found.height == 53
    assert set(short(found)) == set(expected.split())


def test_example_of_the_first_paper_on_sequences():
    # Agrawal and Srikant (1995), figures 2 and 3: 30 is a, 90 b, 10 c, 20 d, 40 e, 60 f, 70 g, 50 h
    journeys = journeys_of_baskets(["a b", "cd a efg", "ahg", "a eg b", "b"])
    found = mine_sequences(journeys, min_support=0.25, kind="maximal", simultaneous=True)
    assert sorted(short(found)) == ["a(eg)", "ab"]
    assert found["persons"].to_list() == [2, 2]


@settings(max_examples=60, deadline=None)
@given(rows=rows_with_ties, kind=st.sampled_from(["all", "closed", "maximal", "generator"]), within=st.booleans())
def test_without_ties_it_is_what_it_is_without_the_option(rows, kind, within):
    journeys = journeys_of([(who, at, NAMES[0] if name == 'e"&' else name) for at, (who, _, name) in enumerate(rows)])
    options = {"min_support": 1, "kind": kind, "max_length": 4, "within": "5m" if within else None}
    frame = mine_sequences(journeys, simultaneous=True, **options)
    plain = mine_sequences(journeys, **options)
    quoted = pl.col("pattern").list.eval(
        pl.when(pl.element() == "web:c & d").then(pl.lit('"web:c & d"')).otherwise(pl.element())
    )
    order = {"by": ["persons", "length", "pattern"], "descending": [True, False, False]}
    assert_frame_equal(frame, plain.with_columns(quoted).sort(**order))


def test_every_step_is_written_in_a_way_of_its_own():
    names = ["b", "b & web:c", "c", "&", "& web:c", "b &", '"b', '"web:b" & web:c', "H&M"]
    journeys = journeys_of([(1, 0, name) for name in names])
    frame = mine_sequences(journeys, min_support=1, simultaneous=True)
    assert frame.height == 2 ** len(names) - 1
    assert frame["pattern"].list.join(" ").n_unique() == frame.height
    singles = mine_sequences(journeys, min_support=1, max_length=1, simultaneous=True)["pattern"].explode().to_list()
    assert {"web:H&M", '"web:b & web:c"', "web:b"} <= set(singles)


def test_times_count_and_not_events():
    journeys = journeys_of([(1, 0, "a"), (1, 0, "b"), (1, 0, "a"), (1, 5, "c"), (1, 5, "b")])
    near = mine_sequences(journeys, min_support=1, max_gap_events=1, kind="maximal", simultaneous=True)
    assert near["pattern"].to_list() == [["web:a & web:b", "web:b & web:c"]]
    assert mine_sequences(journeys, min_support=1, within="4m", simultaneous=True)["pattern"].list.len().max() == 1


@pytest.mark.parametrize("wrong", [{"taxonomy": {}}, {"collapse": True}, {"engine": "prefixspan"}])
def test_what_it_does_not_go_with(wrong):
    with pytest.raises(ArgumentError, match="simultaneous"):
        mine_sequences(journeys_of([(1, 0, "a")]), min_support=1, simultaneous=True, **wrong)


def test_too_many_patterns_and_none():
    journeys = journeys_of([(1, 0, name) for name in "abcdefgh"])
    assert mine_sequences(journeys, min_support=1, max_patterns=255, simultaneous=True).height == 255
    with pytest.raises(CjmError, match="more than 254 .* 8 with max_length=1, 36 with max_length=2"):
        mine_sequences(journeys, min_support=1, max_patterns=254, simultaneous=True)
    for empty in (journeys.filter(pl.col("event") == "x"), journeys):
        frame = mine_sequences(empty, min_support=2, kind="closed", simultaneous=True)
        assert frame.is_empty()
        CONTRACTS["SEQUENCES"].validate(frame)


def test_buckets_threads_and_journeys_towards_goals():
    made = random.Random(1)
    rows = [(who, made.randrange(10), made.choice("abcdefgh")) for who in range(60) for _ in range(30)]
    journeys = journeys_of(rows)
    options = {"min_support": 30, "max_length": 4, "simultaneous": True}
    frame = mine_sequences(journeys, threads=1, **options)
    assert frame.height > 1_000
    assert frame["pattern"].list.join("").str.contains(" & ").sum() > 100
    for threads in (2, 4):
        assert_frame_equal(frame, mine_sequences(in_buckets(journeys, 25), threads=threads, **options))
    events = cjm.goal_events(journeys, cjm.goal("d", start="web:a", end="web:d"))
    by_goal = mine_sequences(journeys, min_support=1, max_length=1, by=events, simultaneous=True)
    assert_frame_equal(by_goal, mine_sequences(journeys, min_support=1, max_length=1, by=events))


@pytest.mark.parametrize(("times", "items", "count"), [(300, 12, 18), (100, 30, 12), (70, 6, 24), (2_000, 8, 28)])
def test_rows_of_many_times(times, items, count):
    # more than 64 times are several words; a limit that nothing breaks is another search
    made = random.Random(times)
    rows = [
        (who, made.randrange(times), f"i{made.randrange(items)}")
        for who in range(40)
        for _ in range(made.randrange(250))
    ]
    options = {"min_support": count, "max_length": 4, "simultaneous": True}
    frame = mine_sequences(journeys_of(rows), **options)
    assert frame.height > 1_000
    assert_frame_equal(frame, mine_sequences(journeys_of(rows), within="9w", **options))
