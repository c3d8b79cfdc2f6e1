"""Counts and observations that key figures are made of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["GOAL_COUNTS", "RUN_COUNTS", "goal_counts", "middles", "run_counts", "split_runs"]

_DAY = 86_400_000_000
_WEEK_DAYS, _MONTH_DAYS = 7, 30

# The columns of what run_counts and goal_counts add up, in this order.
RUN_COUNTS = (
    "events",
    "persons",
    "sessions",
    "bounced",
    "returning",
    "channels",
    "multichannel",
    "longer",
    "stayed",
    "switches",
    "valued",
    "cancelled",
    "contacts",
    "contacting",
    "active",
    "daily",
    "weekly",
    "monthly",
)
GOAL_COUNTS = ("journeys", "over", "reached", "contacts", "switches", "owners", "reachers")


@kernel
def split_runs(
    offsets: npt.NDArray[np.int64],
    session_offsets: npt.NDArray[np.int64],
    time: npt.NDArray[np.int64],
    code: npt.NDArray[np.int32],
    group: npt.NDArray[np.int32],
    groups: int,
) -> tuple[
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.int32],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.int32],
]:
    """Sort the events of each person by group, and return runs of one person and group.

    Offsets of the runs, row of the person and group of each; offsets of the parts of sessions inside the runs, and the
    session of each part; times and codes in the new order. The groups of a person come as they first occur.
    """
    events = len(code)
    run_offsets = np.empty(events + 1, dtype=np.int64)
    run_person = np.empty(events, dtype=np.int64)
    run_group = np.empty(events, dtype=np.int32)
    part_offsets = np.empty(events + 1, dtype=np.int64)
    part_session = np.empty(events, dtype=np.int64)
    new_time = np.empty(events, dtype=np.int64)
    new_code = np.empty(events, dtype=np.int32)
    slot = np.zeros(groups, dtype=np.int64)  # place of a group among those of the person
    whose = np.full(groups, -1, dtype=np.int64)  # the person that it holds for
    size = np.zeros(groups, dtype=np.int64)  # of each place: number of events, then where the next one goes
    last = np.zeros(groups, dtype=np.int64)  # of each place: session of its last event
    begins = np.zeros(events, dtype=np.bool_)
    session_at = np.empty(events, dtype=np.int32)
    runs = parts = session = 0
    for person in range(len(offsets) - 1):
        begin, stop = offsets[person], offsets[person + 1]
        count = 0
        for event in range(begin, stop):
            g = group[event]
            if whose[g] != person:
                whose[g] = person
                slot[g] = count
                size[count] = 0
                run_group[runs + count] = g
                count += 1
            size[slot[g]] += 1
        place = begin
        for s in range(count):
            run_offsets[runs] = place
            run_person[runs] = person
            runs += 1
            place += size[s]
            size[s] = run_offsets[runs - 1]
            last[s] = -1
        for event in range(begin, stop):
            if session_offsets[session + 1] <= event:
                session += 1
            s = slot[group[event]]
            place = size[s]
            size[s] += 1
            new_time[place] = time[event]
            new_code[place] = code[event]
            if last[s] != session:
                last[s] = session
                begins[place] = True
                session_at[place] = session
        for place in range(begin, stop):
            if begins[place]:
                part_offsets[parts] = place
                part_session[parts] = session_at[place]
                parts += 1
    run_offsets[runs] = part_offsets[parts] = events
    return (
        run_offsets[: runs + 1],
        run_person[:runs],
        run_group[:runs],
        part_offsets[: parts + 1],
        part_session[:parts],
        new_time,
        new_code,
    )


@kernel
def run_counts(
    offsets: npt.NDArray[np.int64],
    group: npt.NDArray[np.int32],
    session_offsets: npt.NDArray[np.int64],
    time: npt.NDArray[np.int64],
    code: npt.NDArray[np.int32],
    about: npt.NDArray[np.int32],
    channels: int,
    days: npt.NDArray[np.int64],
    first_day: npt.NDArray[np.int64],
    last_day: npt.NDArray[np.int64],
    sums: npt.NDArray[np.int64],
    pauses: npt.NDArray[np.int64],
    pause_group: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.int64],
    length_group: npt.NDArray[np.int32],
    waits: npt.NDArray[np.int64],
    wait_group: npt.NDArray[np.int32],
) -> tuple[int, int, int]:
    """Add the counts of runs of events, each of one person and group, to ``sums``, shape (groups, RUN_COUNTS).

    ``about`` says of a code: its channel times 8, plus 1 if it is a first value, 2 a cancellation, 4 a contact.
    ``days`` are the starts of calendar days; those from ``first_day`` to ``last_day`` count for a group. Pauses between
    sessions, lengths of sessions with more than one event and waits for the first value are written with their groups;
    their numbers are returned.
    """
    n_pauses = n_lengths = n_waits = 0
    seen = np.full(channels, -1, dtype=np.int64)  # the last run with an event of the channel
    session = 0
    day = 0
    for run in range(len(offsets) - 1):
        begin, stop = offsets[run], offsets[run + 1]
        g = group[run]
        first, last = first_day[g], last_day[g]
        sessions = bounced = longer = n_channels = switches = contacts = 0
        active = daily = weekly = monthly = 0
        valued = cancelled = False
        today = -1
        ended = 0
        while session + 1 < len(session_offsets) and session_offsets[session] < stop:
            start, end = session_offsets[session], session_offsets[session + 1]
            session += 1
            begun = time[start]
            if sessions > 0:
                pauses[n_pauses] = begun - ended
                pause_group[n_pauses] = g
                n_pauses += 1
            sessions += 1
            ended = time[end - 1]
            if end - start == 1:
                bounced += 1
            else:
                longer += 1
                lengths[n_lengths] = ended - begun
                length_group[n_lengths] = g
                n_lengths += 1

            codes = code[start:end]
            channel = -1
            for event in range(len(codes)):
                facts = about[np.uint32(codes[event])]
                now = facts >> 3
                if now != channel:
                    if channel >= 0:
                        switches += 1
                    channel = now
                    if seen[channel] != run:
                        seen[channel] = run
                        n_channels += 1
                if facts & 7:
                    if facts & 1 and not valued:
                        valued = True
                        waits[n_waits] = time[start + event] - time[begin]
                        wait_group[n_waits] = g
                        n_waits += 1
                    if facts & 2:
                        cancelled = True
                    if facts & 4:
                        contacts += 1

            event = start
            while event < end:
                moment = time[event]
                day = min(max(day + (moment - days[day]) // _DAY, 0), len(days) - 1)
                while days[day] > moment:
                    day -= 1
                while day + 1 < len(days) and days[day + 1] <= moment:
                    day += 1
                if day != today:
                    # A day counts in the weeks and months that end on it or later; the day before has had its share.
                    week, month = day, day
                    if today >= 0:
                        week, month = max(day, today + _WEEK_DAYS), max(day, today + _MONTH_DAYS)
                    in_month = first + _MONTH_DAYS - 1
                    active += 1
                    daily += day >= in_month
                    weekly += max(0, min(day + _WEEK_DAYS - 1, last) - max(week, first + _WEEK_DAYS - 1) + 1)
                    monthly += max(0, min(day + _MONTH_DAYS - 1, last) - max(month, in_month) + 1)
                    today = day
                if day + 1 == len(days) or ended < days[day + 1]:
                    break
                while event < end and time[event] < days[day + 1]:
                    event += 1

        row = sums[g]
        row[0] += stop - begin
        row[1] += 1
        row[2] += sessions
        row[3] += bounced
        row[4] += sessions > 1
        row[5] += n_channels
        row[6] += n_channels > 1
        row[7] += longer
        row[8] += longer > 0
        row[9] += switches
        row[10] += valued
        row[11] += cancelled
        row[12] += contacts
        row[13] += contacts > 0
        row[14] += active
        row[15] += daily
        row[16] += weekly
        row[17] += monthly
    return n_pauses, n_lengths, n_waits


@kernel
def goal_counts(
    offsets: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    owner: npt.NDArray[np.int64],
    duration: npt.NDArray[np.int64],
    state: npt.NDArray[np.uint8],
    reached: int,
    still_open: int,
    code: npt.NDArray[np.int32],
    group: npt.NDArray[np.int32],
    about: npt.NDArray[np.int32],
    sums: npt.NDArray[np.int64],
    durations: npt.NDArray[np.int64],
    duration_group: npt.NDArray[np.int32],
) -> int:
    """Add the counts of journeys towards a goal to ``sums``, shape (groups, GOAL_COUNTS), and write durations.

    A journey belongs to the group of its first event (``group`` empty: there is one group only). The durations are
    those of journeys that reached the goal; their number is returned. ``owner`` ascends.
    """
    found = 0
    last_owner = np.full(len(sums), -1, dtype=np.int64)
    last_reacher = np.full(len(sums), -1, dtype=np.int64)
    for i in range(len(offsets) - 1):
        g = group[rows[offsets[i]]] if len(group) else 0
        channel = -1
        for k in range(offsets[i], offsets[i + 1]):
            facts = about[code[rows[k]]]
            if facts >> 3 != channel:
                if channel >= 0:
                    sums[g, 4] += 1
                channel = facts >> 3
            if facts & 4:
                sums[g, 3] += 1
        sums[g, 0] += 1
        if state[i] != still_open:
            sums[g, 1] += 1
        if last_owner[g] != owner[i]:
            last_owner[g] = owner[i]
            sums[g, 5] += 1
        if state[i] == reached:
            sums[g, 2] += 1
            durations[found] = duration[i]
            duration_group[found] = g
            found += 1
            if last_reacher[g] != owner[i]:
                last_reacher[g] = owner[i]
                sums[g, 6] += 1
    return found


@kernel
def middles(
    values: npt.NDArray[np.int64], group: npt.NDArray[np.int64], groups: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return how many values each group has, and the two in their middle: the same one twice of an odd number."""
    offsets = np.zeros(groups + 1, dtype=np.int64)
    for i in range(len(values)):
        offsets[group[i] + 1] += 1
    for g in range(groups):
        offsets[g + 1] += offsets[g]
    free = offsets[:-1].copy()
    sorted_values = np.empty(len(values), dtype=np.int64)
    for i in range(len(values)):
        sorted_values[free[group[i]]] = values[i]
        free[group[i]] += 1
    low = np.zeros(groups, dtype=np.int64)
    high = np.zeros(groups, dtype=np.int64)
    for g in range(groups):
        count = offsets[g + 1] - offsets[g]
        if count:
            run = np.partition(sorted_values[offsets[g] : offsets[g + 1]], count // 2)
            high[g] = run[count // 2]
            low[g] = high[g] if count % 2 else run[: count // 2].max()
    return np.diff(offsets), low, high
