"""One log, cut and delayed at random, in three ways: the kernel, plain Python, and an oracle that tries everything."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from unittest import mock

import numpy as np
import polars as pl
from hypothesis import assume
from hypothesis import strategies as st
from matching_oracle import expected, logs, patterns

from cjm.contracts import CONTRACTS, TIME
from cjm.moments import Moment, Watch, _plan


def at(us):
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def frame_of(people):
    """Return the events of logs of (time, letter, flag), in the order of times."""
    rows = [(7 + row, *event) for row, log in enumerate(people) for event in log]
    schema = {"person": pl.Int64, "time": pl.Int64, "event": pl.String, "flag": pl.Boolean}
    frame = pl.DataFrame(rows, schema=schema, orient="row").sort("time", maintain_order=True)
    channel = pl.when(pl.col("event") == "c").then(pl.lit("y")).otherwise(pl.lit("x"))
    return frame.with_columns(pl.col("time").cast(TIME), channel=channel)


@st.composite
def watchable(draw):
    pattern = draw(patterns())
    assume(pattern.horizon_us is not None)
    return pattern


def watched(watch, batches, end, engines=()):
    """Return the matches of batches and of an advance to ``end``; ``engines`` says which of them plain Python takes."""
    found, state = [], None
    for number, batch in enumerate(batches):
        with mock.patch.object(_plan, "_plainly", return_value=number < len(engines) and engines[number]):
            matches, state = watch.update(batch, state)
        found.append(matches)
    with mock.patch.object(_plan, "_plainly", return_value=bool(engines) and engines[-1]):
        matches, state = watch.advance_to(at(end), state)
    return pl.concat([*found, matches]), state


def keys(matches):
    times = matches.select("moment", "person", pl.col("start", "end").to_physical())
    return sorted(times.rows())


def wanted(named, people, end):
    return sorted(
        (name, 7 + row, log[first][0], log[last][0])
        for name, pattern in named.items()
        for row, log in enumerate(people)
        for first, last in expected(pattern, log, "non_overlapping", end)
    )


def cut(data, frame):
    edges = [0, *sorted(data.draw(st.lists(st.integers(0, frame.height), max_size=4))), frame.height]
    return [frame[a:b] for a, b in pairwise(edges)]


def delayed(data, frame, lateness):
    """Let events come as late as they may; those of one person at one time keep their order."""
    times = frame["time"].to_physical()
    delay = {key: data.draw(st.integers(0, lateness)) for key in set(zip(frame["person"], times, strict=True))}
    arrival = [time + delay[person, time] for person, time in zip(frame["person"], times, strict=True)]
    return frame[np.argsort(np.array(arrival, dtype=np.int64), kind="stable")]


def agree(data):
    """Draw patterns, a log, delays and cuts; fail unless all ways give the same. Return patterns, log and matches."""
    named = {f"m{i}": pattern for i, pattern in enumerate(data.draw(st.lists(watchable(), min_size=1, max_size=3)))}
    people = data.draw(st.lists(logs(), min_size=1, max_size=3))
    frame = frame_of(people)
    lateness = data.draw(st.sampled_from([0, 0, 5]))
    batches = cut(data, delayed(data, frame, lateness) if lateness else frame)
    end = int(frame["time"].to_physical().max() or 0) + data.draw(st.sampled_from([0, 3, 30]))
    moments = [Moment(name, pattern) for name, pattern in named.items()]
    watch = Watch(moments, lateness=timedelta(microseconds=lateness))
    mixed = data.draw(st.lists(st.booleans(), min_size=len(batches), max_size=len(batches)))
    by_kernel, state = watched(watch, batches, end)
    CONTRACTS["MATCHES"].validate(by_kernel)
    assert keys(by_kernel) == wanted(named, people, end)
    assert by_kernel["match_id"].n_unique() == by_kernel.height
    assert (state.late.height, state.waiting.height, state.events) == (0, 0, frame.height)
    for engines in ([True] * len(batches), mixed):
        found, plain = watched(watch, batches, end, engines)
        assert found.equals(by_kernel)
        assert repr(plain) == repr(state)
    return named, frame, by_kernel


def repair(data):
    """What was given, with what repair adds and withdraws, is what the whole log gives; and so is what follows."""
    named = {f"m{i}": pattern for i, pattern in enumerate(data.draw(st.lists(watchable(), min_size=1, max_size=2)))}
    people = data.draw(st.lists(logs(size=12), min_size=1, max_size=3))
    whole = frame_of(people).unique(["person", "time"], keep="first", maintain_order=True)
    people = [
        list(whole.filter(person=7 + row).select(pl.col("time").to_physical(), "event", "flag").iter_rows())
        for row in range(len(people))
    ]
    flags = data.draw(st.lists(st.booleans(), min_size=whole.height, max_size=whole.height))
    held_back = pl.Series(flags, dtype=pl.Boolean)
    early, rest = whole.filter(~held_back), whole.filter(held_back)
    half = data.draw(st.integers(0, early.height))
    watch = Watch([Moment(name, pattern) for name, pattern in named.items()])
    end = int(whole["time"].to_physical().max() or 0) + 30
    given, state = watch.update(pl.concat([early[:half], rest]))
    received, changes = pl.concat([early[:half], rest]), []
    for batch in (early[half:], early[:0]):
        history = received.join(state.late, on=["person", "time"], how="anti")
        change, state = watch.repair(history, state)
        assert state.late.is_empty()
        changes.append(change)
        matches, state = watch.update(batch, state)
        given, received = pl.concat([given, matches]), pl.concat([received, batch])
    last, state = watch.advance_to(at(end), state)
    given_out = pl.concat([given, last])
    for change in changes:
        added = change.filter(change="added").drop("change")
        withdrawn = change.filter(change="withdrawn")["match_id"]
        given_out = pl.concat([given_out.filter(~pl.col("match_id").is_in(withdrawn.implode())), added])
    assert keys(given_out) == wanted(named, people, end)
    assert given_out["match_id"].n_unique() == given_out.height
    return named, whole, given_out
