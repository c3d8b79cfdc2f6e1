"""Watching, cut and delayed at random, against an oracle that tries every assignment of events to steps."""

from datetime import timedelta
from unittest import mock

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_oracle import logs
from watch_agreement import agree, at, cut, frame_of, repair, watched

from cjm.contracts import TIME
from cjm.journeys import journeys_from_frame
from cjm.moments import Moment, Running, Watch, WatchState, _context, _plan, detect

HOUR = 3_600_000_000


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_kernel_and_plain_python_find_what_the_oracle_finds(data):
    """``benchmarks/agreement.py`` does it with more examples."""
    agree(data)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_late_events_are_repaired(data):
    repair(data)


@pytest.mark.parametrize("plainly", [False, True], ids=["kernel", "plain"])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_figures_and_once_per_do_not_depend_on_cuts(plainly, data, tmp_path_factory):
    """Matches, ids, context and all are those of one pass, with the state on disk in between."""
    people = data.draw(st.lists(logs(size=12), min_size=1, max_size=3))
    hours = pl.col("time").to_physical() * HOUR
    frame = frame_of(people).with_columns(hours.cast(TIME), value=pl.lit(0.1))
    moments = [
        Moment("many", "x:a[seen >= 2]", once_per=timedelta(hours=data.draw(st.integers(1, 5)))),
        Moment("much", "x:* -> y:c[spent > 0.25] within 3h -> not x:b within 2h"),
        Moment("two", "2 x x:a within 4h"),
    ]
    context = [Running("seen", "*:*", every="5h"), Running("spent", "x:*[flag = true]", value="value", every="7h")]
    end = int(frame["time"].to_physical().max() or 0) + 30 * HOUR
    whole, _ = watched(Watch(moments, context=context), [frame], end)
    folder = tmp_path_factory.mktemp("state")
    state, found = None, []
    with (
        mock.patch.object(_plan, "_plainly", return_value=plainly),
        mock.patch.object(_context, "_plainly", return_value=plainly),
    ):
        for batch in cut(data, frame):
            matches, state = Watch(moments, context=context).update(batch, state)
            found.append(matches)
            state.save(folder)
            state = WatchState.open(folder)
        matches, state = Watch(moments, context=context).advance_to(at(end), state)
    order = ["moment", "person", "end", "match_id"]
    assert pl.concat([*found, matches]).sort(order).equals(whole.sort(order))
    if frame["event"].n_unique() == 3:  # detect refuses what does not occur
        journeys = journeys_from_frame(frame, gap=1)
        assert detect(journeys, moments, context=context, complete_until=at(end)).sort(order).equals(whole.sort(order))
