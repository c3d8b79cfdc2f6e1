"""Patterns as values: text, builder, round trip, equality, description."""

import json
import subprocess
import sys
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cjm.errors import ArgumentError, PatternError
from cjm.patterns import AttributeTest, Name, Pattern, Selector, Step, pattern

HOUR = 3_600_000_000

words = st.one_of(
    st.sampled_from(
        ["web", "not", "x", "3", "within", "of", "a-b", "-", "->", "=>", '"', "\\", "*", ":", "", " ", "żółć"]
    ),
    st.text(max_size=8),
)
names = st.builds(Name, st.one_of(st.none(), words), st.one_of(st.none(), words))
numbers = st.one_of(st.integers(-(10**6), 10**6).map(str), st.floats(-1e9, 1e9).map(repr))


def as_literal(text):
    """Return the canonical text of a literal, the way the parser writes it."""
    return Pattern.parse(f"a:b[c = {text}]").steps[0].what.tests[0].values[0]


quoted_words = words.map(lambda word: json.dumps(word, ensure_ascii=False))
literals = st.one_of(st.sampled_from(["true", "false"]), numbers.map(as_literal), quoted_words)
tests = st.one_of(
    st.builds(AttributeTest, words, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.tuples(literals)),
    st.builds(
        AttributeTest,
        words,
        st.just("in"),
        st.lists(literals, min_size=1, max_size=3).map(lambda values: tuple(sorted(set(values)))),
    ),
)
selectors = st.builds(
    Selector, st.lists(names, min_size=1, max_size=3).map(tuple), st.lists(tests, max_size=2).map(tuple)
)
limits = st.one_of(st.none(), st.integers(0, 10**13))
steps = st.builds(
    Step,
    selectors,
    within=limits,
    after=st.one_of(st.none(), st.integers(0, 10**6)),
    unless=st.one_of(st.none(), selectors),
    strict=st.booleans(),
    count=st.integers(1, 4),
)
absences = st.builds(Step, selectors, within=st.integers(0, 10**13), absent=st.just(True))


@st.composite
def patterns(draw):
    try:
        first = Step(draw(selectors), count=draw(st.integers(1, 3)))
        rest = draw(st.lists(st.one_of(steps, absences), max_size=5))
        return Pattern((first, *rest), draw(limits))
    except PatternError:
        assume(False)


@settings(max_examples=300, deadline=None)
@given(patterns())
def test_text_round_trip(made):
    again = Pattern.parse(str(made))
    assert again == made
    assert hash(again) == hash(made)
    assert str(again) == str(made)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='ab:*{}[]"\\->=<!, \n\t3x1dnotwithinofstart', max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        made = Pattern.parse(text)
    except PatternError:
        return
    assert Pattern.parse(str(made)) == made


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=15))
def test_mined_touchpoints_survive(parts):
    touchpoints = [f"{channel}:{event}" for channel, event in parts]
    made = Pattern.from_touchpoints(touchpoints, max_gap="7d", within=timedelta(days=30))
    assert Pattern.parse(str(made)) == made
    assert [f"{step.what.names[0].channel}:{step.what.names[0].event}" for step in made.steps] == touchpoints
    assert {step.within for step in made.steps[1:]} <= {7 * 24 * HOUR}
    assert made.span_us == 30 * 24 * HOUR


@pytest.mark.parametrize(
    ("text", "built"),
    [
        (
            "web:view_offer -> store:visit within 3d -> not store:renew within 1d",
            pattern("web:view_offer").then("store:visit", within="3d").without("store:renew", within="1d"),
        ),
        (
            'web:offer[segment = "premium"] -> store:visit within 3d unless store:renew -> not store:renew within 1d',
            pattern('web:offer[segment = "premium"]')
            .then("store:visit", within=timedelta(days=3), unless="store:renew")
            .without("store:renew", within="24h"),
        ),
        ("3 x call:failed within 2h", pattern("call:failed", count=3, within="2h")),
        ("a:b => 2 x {c:*, *:d} after 1h", pattern("a:b").then("{*:d, c:*}", after="1h", strict=True, count=2)),
        ("a:b->c:d within 7d of start", pattern("a:b").then("c:d").span("7d")),
        (
            ' a:b\n -> "c d":"e:f" within 1d within 2d of start ',
            pattern("a:b").then('"c d":"e:f"', within="1d").span("2d"),
        ),
        ("a:b[n in {2, 1}, ok = false]", pattern("a:b[n in {1, 2}, ok=false]")),
    ],
)
def test_text_and_builder_mean_the_same(text, built):
    assert Pattern.parse(text) == built
    assert hash(Pattern.parse(text)) == hash(built)
    assert Pattern.parse(str(built)) == built


def test_literals_keep_their_type():
    kinds = [Pattern.parse(f"a:b[c = {text}]") for text in ("1", "1.0", "true", '"1"', '"true"')]
    assert len(set(kinds)) == 5
    assert Pattern.parse("a:b[c = 1e2]") == Pattern.parse("a:b[c = 100.0]")


def test_expressions_show_and_compare_but_have_no_text_form():
    made = pattern("a:b").then(pl.col("value") > 3, within="1d")
    assert made == pattern("a:b").then(pl.col("value") > 3, within="1d")
    assert hash(made) == hash(pattern("a:b").then(pl.col("value") > 3, within="1d"))
    assert made != pattern("a:b").then(pl.col("value") > 4, within="1d")
    assert 'col("value")' in str(made)
    with pytest.raises(PatternError, match="no text form"):
        Pattern.parse(str(made))


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", 1, "expected a touchpoint, found the end"),
        ("a:b ->", 7, "expected a touchpoint, found the end"),
        ("view_offer -> a:b", 1, "expected a touchpoint, found view_offer"),
        ("a:b c:d", 5, "found c:d"),
        ("a:b -> c:d within 3", 19, "3 is no duration"),
        ("a:b -> c:d within 1mo", 19, "1mo is no duration"),
        ("a:b -> c:d within", 18, "expected a duration, found the end"),
        ("a:b -> c:d within 1d within 2d", 22, '"within" is said twice'),
        ("a:b -> c:d unless e:f unless g:h", 23, '"unless" is said twice'),
        ("a:b -> c:d within 1d of it", 25, 'expected "start"'),
        ("a:b within 1d of start -> c:d", 24, "bounds the whole"),
        ("a:b -> not c:d", 8, "an absence needs an end"),
        ("a:b => not c:d within 1d", 8, "an absence takes"),
        ("not c:d within 1d", 1, "cannot begin with an absence"),
        ("a:b within 1d -> c:d", 1, "need a count"),
        ("a:b -> c:d after 2d within 1d", 8, "never match"),
        ("a:b -> not x:y within 1d -> c:d within 1d", 29, "can never match"),
        ("a:b -> 0 x c:d", 8, "from 1 to 100"),
        ("a:b -> 3 c:d", 10, 'expected "x"'),
        ("{a:b, c:d", 10, 'expected "," or "}"'),
        ("a:b[c]", 6, "expected one of = != < <= > >= in"),
        ("a:b[c = d]", 9, "cannot read the value d"),
        ("a:b[c = null]", 9, "null"),
        ("a:b[c = 1e999]", 9, "too large"),
        ('a:b -> "c', 8, "unexpected '\"'"),
        ("a:b -> c:d within 99999999999w", 8, "too long"),
        ("a:b ->\n c:d ?? e", 13, "expected"),
        (" -> ".join(["a:b"] * 16), 106, "at most 15 steps, this one has 16"),
    ],
)
def test_errors_point_at_the_character(text, place, message):
    with pytest.raises(PatternError) as caught:
        Pattern.parse(text)
    first, *_, line, caret = str(caught.value).split("\n")
    assert message in first
    assert f"character {place}:" in first
    begin = text.rfind("\n", 0, place - 1) + 1
    assert line == "  " + text[begin:].split("\n")[0]
    assert caret.index("^") == 2 + place - 1 - begin


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: pattern("a:b").then("c:d", count=0), "step 2 .*whole number from 1 to 100"),
        (lambda: pattern("a:b").then("c:d", count=True), "whole number"),
        (lambda: pattern("a:b", within="1d"), "need a count"),
        (lambda: pattern("a:b").then("c:d", after="2d", within="1d"), "never match"),
        (lambda: pattern("a:b").then("3 x c:d"), "expected a touchpoint"),
        (lambda: pattern("a:b -> c:d"), "one step was expected"),
        (lambda: pattern(3), "text or a Polars expression"),
        (lambda: Pattern(()), "at least one step"),
        (lambda: Pattern.parse(3), "read from text"),
        (lambda: Pattern.from_touchpoints([]), "at least one step"),
        (lambda: Pattern.from_touchpoints(["ab"]), "no touchpoint"),
        (lambda: Pattern.from_touchpoints(["a:b"] * 16), "at most 15 steps"),
    ],
)
def test_builder_errors(build, message):
    with pytest.raises(PatternError, match=message):
        build()


def test_bare_numbers_are_no_durations():
    with pytest.raises(ArgumentError, match="within must be"):
        pattern("a:b").then("c:d", within=3)


@pytest.mark.parametrize(
    ("text", "horizon", "confirm"),
    [
        ("a:b", 0, None),
        ("a:b -> c:d", None, None),
        ("a:b -> c:d within 2h", 2, None),
        ("a:b -> c:d within 2h -> not e:f within 1h -> not g:h within 3h", 5, 3),
        ("a:b -> c:d within 5h of start", 5, None),
        ("a:b -> c:d within 2h -> e:f within 2h within 3h of start", 3, None),
        ("3 x a:b within 2h -> c:d within 1h", 3, None),
        ("3 x a:b -> c:d within 1h", None, None),
    ],
)
def test_horizon(text, horizon, confirm):
    made = Pattern.parse(text)
    assert made.horizon_us == (None if horizon is None else horizon * HOUR)
    assert made.confirm_us == (None if confirm is None else confirm * HOUR)


def test_explain():
    text = Pattern.parse(
        "a:b => c:d within 2h -> e:f after 1h within 1d -> not g:h within 3h within 1d of start"
    ).explain()
    assert text.splitlines() == [
        "1. a:b",
        "2. at once c:d within 2h",
        "3. then e:f within 1d after 1h",
        "4. then not g:h within 3h",
        "all within 1d of the start",
        "wait  for  within  after  count  strict  unless  absences       attempts",
        "   1  c:d      2h     0s      1     yes       -  -                     1",
        "   2  e:f      1d     1h      1      no       -  -                    16",
        " end  -         -      -      -       -       -  g:h within 3h         -",
        "state: up to 17 waiting attempts a person, 1,224 bytes; a match is certain at most 1d3h after its start",
    ]
    assert "no limit on the wait" in Pattern.parse("a:b -> c:d").explain()


def test_import_is_light():
    heavy = "numba pandas lifelines mlxtend sklearn matplotlib"
    code = f"import sys, cjm.patterns, cjm.matching\nprint([name for name in {heavy!r}.split() if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
