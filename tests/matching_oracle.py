"""An oracle for patterns that tries every assignment of events to steps, and random patterns and logs to try it on."""

from itertools import combinations

import numpy as np
import polars as pl
from hypothesis import assume
from hypothesis import strategies as st

from cjm.errors import PatternError
from cjm.journeys import EventArrays, Journeys, SessionRule
from cjm.journeys._bucket import MemoryBucket
from cjm.patterns import AttributeTest, Name, Pattern, Selector, Step

LETTERS = ["a", "b", "c"]


def journeys_of(logs, end=None):
    """Make journeys from a list of (time, letter, flag) for each person; touchpoints are ``x:a, x:b, y:c``."""
    events = [event for log in logs for event in log]
    touchpoints = pl.DataFrame(
        {"touchpoint": ["x:a", "x:b", "y:c"], "channel": ["x", "x", "y"], "event": ["a", "b", "c"]}
    )
    kept = [(person, log) for person, log in enumerate(logs, start=7) if log]
    arrays = EventArrays(
        person=np.array([person for person, _ in kept], dtype=np.int64),
        offsets=np.cumsum([0, *(len(log) for _, log in kept)]).astype(np.int64),
        time=np.array([event[0] for event in events], dtype=np.int64),
        code=np.array([LETTERS.index(event[1]) for event in events], dtype=np.int32),
        session_number=np.arange(len(kept), dtype=np.int64),
        session_offsets=np.cumsum([0, *(len(log) for _, log in kept)]).astype(np.int64),
    )
    attributes = pl.DataFrame({"flag": [event[2] for event in events]}, schema={"flag": pl.Boolean})
    latest = max((event[0] for event in events), default=0)
    return Journeys(
        [MemoryBucket(arrays, attributes)],
        touchpoints,
        attributes.schema,
        rule=SessionRule(None),
        start=0,
        end=latest if end is None else end,
    )


def passes(selector, event):
    _, letter, flag = event
    channel = "y" if letter == "c" else "x"
    named = any(name.channel in (None, channel) and name.event in (None, letter) for name in selector.names)
    return named and all(flag is not None and flag == (test.values[0] == "true") for test in selector.tests)


def assignments(pattern, log, known_to, begin):
    """Return every (index of first event, index of last) that some choice of events from ``begin`` on gives."""
    time = [event[0] for event in log]
    found = set()

    def holds(absence, last):
        inside = (log[i] for i in range(last + 1, len(log)) if time[i] - time[last] <= absence.within)
        return time[last] + absence.within <= known_to and not any(passes(absence.what, event) for event in inside)

    def go(number, first, last):
        absences = []
        while number < len(pattern.steps) and pattern.steps[number].absent:
            absences.append(pattern.steps[number])
            number += 1
        if not all(holds(absence, last) for absence in absences):
            return
        if number == len(pattern.steps):
            if pattern.span_us is None or time[last] - time[first] <= pattern.span_us:
                found.add((first, last))
            return
        step = pattern.steps[number]
        candidates = [i for i in range(begin if last is None else last + 1, len(log)) if passes(step.what, log[i])]
        for chosen in combinations(candidates, step.count):
            base = chosen[0] if last is None else last
            ages = [time[i] - time[base] for i in chosen]
            if step.within is not None and ages[-1] > step.within:
                continue
            if last is not None and ages[0] < (step.after or 0):
                continue
            if any(ages[0] <= absence.within for absence in absences):
                continue
            if step.strict and list(chosen) != list(range(last + 1, last + 1 + step.count)):
                continue
            if step.unless and any(passes(step.unless, log[i]) for i in range(base + 1, chosen[-1])):
                continue
            go(number + 1, chosen[0] if first is None else first, chosen[-1])

    go(0, None, None)
    return found


def expected(pattern, log, occurrence, known_to):
    begin, result = 0, []
    while True:
        latest = {last: first for first, last in sorted(assignments(pattern, log, known_to, begin))}
        if occurrence == "all":
            return [(first, last) for last, first in sorted(latest.items())]
        if not latest:
            return result
        last = min(latest)
        result.append((latest[last], last))
        if occurrence == "first":
            return result
        begin = last + 1
        while pattern.confirm_us is not None and begin < len(log):
            if log[begin][0] - log[last][0] > pattern.confirm_us:
                break
            begin += 1


def logs(size=9, letters="abc"):
    event = st.tuples(
        st.sampled_from([0, 0, 1, 1, 2, 4]), st.sampled_from(letters), st.sampled_from([True, False, None])
    )

    def timed(steps):
        times = np.cumsum([gap for gap, _, _ in steps]).tolist()
        return [(time, letter, flag) for time, (_, letter, flag) in zip(times, steps, strict=True)]

    return st.lists(event, max_size=size).map(timed)


names = st.sampled_from(
    [Name("x", "a"), Name("x", "b"), Name("y", "c"), Name("x", None), Name(None, "b"), Name(None, None)]
)
selectors = st.builds(
    Selector,
    st.lists(names, min_size=1, max_size=2).map(tuple),
    st.sampled_from([(), (), (), (AttributeTest("flag", "=", ("true",)),)]),
)
limits = st.one_of(st.none(), st.integers(0, 6))
moves = st.builds(
    Step,
    selectors,
    within=limits,
    after=st.one_of(st.none(), st.none(), st.integers(0, 3)),
    unless=st.one_of(st.none(), st.none(), selectors),
    strict=st.sampled_from([False, False, True]),
    count=st.sampled_from([1, 1, 2, 3]),
)
absences = st.builds(Step, selectors, within=st.integers(0, 4), absent=st.just(True))
single = st.builds(Step, selectors)
counted = st.builds(Step, selectors, within=limits, unless=st.one_of(st.none(), selectors), count=st.integers(2, 3))


@st.composite
def patterns(draw):
    first = draw(st.one_of(single, single, counted))
    rest = draw(st.lists(st.one_of(moves, moves, absences), max_size=4))
    try:
        return Pattern((first, *rest), draw(st.one_of(st.none(), st.integers(0, 12))))
    except PatternError:
        assume(False)
