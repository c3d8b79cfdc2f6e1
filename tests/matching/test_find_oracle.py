"""``find`` against an oracle that tries every assignment of events to steps."""

from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_oracle import expected, journeys_of, logs, patterns

from cjm.matching import find, find_matches
from cjm.patterns import Name, Pattern, Selector, Step, _parts


def rows_of(found):
    return list(zip(found.person.tolist(), found.start.tolist(), found.end.tolist(), strict=True))


def expected_rows(pattern, people, journeys, occurrence):
    rows = []
    for row, log in enumerate([log for log in people if log]):
        base = int(journeys.arrays.offsets[row])
        matches = expected(pattern, log, occurrence, journeys.end)
        rows += [(row, base + first, base + last) for first, last in matches]
    return rows


@pytest.mark.parametrize("occurrence", ["first", "non_overlapping", "all"])
@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_find_equals_every_assignment(occurrence, data):
    pattern = data.draw(patterns())
    people = data.draw(st.lists(logs(), min_size=1, max_size=4))
    journeys = journeys_of(people, end=data.draw(st.sampled_from([None, None, 3, 30])))
    found = find_matches(journeys, {"p": pattern}, occurrence=occurrence)["p"]
    assert found.refused == 0
    assert rows_of(found) == expected_rows(pattern, people, journeys, occurrence)


@pytest.mark.filterwarnings("ignore:pattern 'p'.*attempts were refused")
@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_full_rings_lose_nothing_unless_they_say_so(data):
    later = st.builds(
        Step,
        st.just(Selector((Name("x", "b"),))),
        within=st.one_of(st.none(), st.integers(4, 12)),
        after=st.integers(0, 4),
        count=st.integers(1, 3),
        strict=st.sampled_from([False, False, False, True]),
    )
    middle = st.lists(
        st.builds(Step, st.just(Selector((Name("y", "c"),))), within=st.integers(0, 3), absent=st.just(True)),
        max_size=1,
    )
    pattern = Pattern((Step(Selector((Name("x", "a"),))), *data.draw(middle), data.draw(later)))
    people = data.draw(st.lists(logs(size=12, letters="aaaabbbc"), min_size=2, max_size=6))
    journeys = journeys_of(people)
    with mock.patch.object(_parts, "_RING", 2):
        found = find_matches(journeys, {"p": pattern}, occurrence="all")["p"]
    want = expected_rows(pattern, people, journeys, "all")
    if found.refused == 0:
        assert rows_of(found) == want
    else:
        ends = {(person, end) for person, _, end in want}
        assert {(person, end) for person, _, end in rows_of(found)} <= ends


@settings(max_examples=60, deadline=None)
@given(pattern=patterns(), people=st.lists(logs(), min_size=1, max_size=3))
def test_frame_agrees_with_positions(pattern, people):
    journeys = journeys_of(people)
    found = find_matches(journeys, {"p": pattern}, occurrence="all")["p"]
    frame = find(journeys, {"p": pattern}, occurrence="all")
    arrays = journeys.arrays
    assert frame["person"].to_list() == arrays.person[found.person].tolist()
    assert frame["start"].to_physical().to_list() == arrays.time[found.start].tolist()
    assert (frame["end"] - frame["start"]).to_list() == frame["span"].to_list()
    assert ("confirmed_at" in frame.columns) == (pattern.confirm_us is not None)
