"""Journeys towards a goal: where they begin and end, which events belong to them, and which run at the same time."""

from __future__ import annotations

import numpy as np

from cjm.kernels._jit import kernel

__all__ = ["ABANDON", "END", "START", "overlaps", "ranges", "walk", "walk_by_key"]

# states
REACHED, ABANDONED, TIMED_OUT, OPEN = 0, 1, 2, 3
# bits of an event, in ``walk_by_key``
START, END, ABANDON = 1, 2, 4

_DAY = 86_400_000_000


@kernel
def walk(  # type: ignore[no-untyped-def]
    person_start, person_stop, offsets, time, starts, ends, abandons, timeout, idle, data_end, spans, times, state
):
    """Find the journeys of persons ``[person_start, person_stop)``, each with at most one open at a time.

    Signature: (int64, int64, int64[:], int64[:], int64[:, 2], int64[:, 2], int64[:, 2], int64, int64, int64,
    int64[:, 3], int64[:, 2], uint8[:]) -> int64.

    Parameters
    ----------
    starts, ends, abandons
        First and last event of each occurrence of a pattern, ascending by the last event, which differ.
    timeout, idle
        Limits, microseconds; the largest integer where there is none.
    data_end
        Time up to which the data are complete.
    spans, times, state
        Output, with room for ``len(starts)`` rows: person row, first event, one past the last event; start and end.

    Returns
    -------
    The number of journeys.
    """
    found = 0
    at = np.searchsorted(starts[:, 1], offsets[person_start])
    next_end = np.searchsorted(ends[:, 1], offsets[person_start])
    next_abandon = np.searchsorted(abandons[:, 1], offsets[person_start])
    for person in range(person_start, person_stop):
        stop = offsets[person + 1]
        free = offsets[person]  # first event that the journey before has not used up
        while at < len(starts) and starts[at, 1] < stop:
            first, opened = starts[at]
            at += 1
            start = time[first]
            if first < free or time[opened] - start > timeout:
                continue
            # an occurrence that this journey skips ends or begins too early for those that follow as well
            while next_end < len(ends) and (ends[next_end, 1] <= opened or ends[next_end, 0] < first):
                next_end += 1
            while next_abandon < len(abandons) and (
                abandons[next_abandon, 1] <= opened or abandons[next_abandon, 0] < first
            ):
                next_abandon += 1
            reached = ends[next_end, 1] if next_end < len(ends) else stop
            abandoned = abandons[next_abandon, 1] if next_abandon < len(abandons) else stop
            last = min(reached, abandoned)
            i = opened + 1
            while i < stop and i <= last and time[i] - start <= timeout and time[i] - time[i - 1] <= idle:
                i += 1
            spans[found] = person, first, i
            times[found, 0] = start
            if i == last + 1 and last < stop:
                times[found, 1] = time[last]
                state[found] = REACHED if reached <= abandoned else ABANDONED
                free = last
            else:
                now = time[i] if i < stop else data_end
                times[found, 1], state[found] = _expiry(start, time[i - 1], now, timeout, idle, data_end)
                free = i
            found += 1
    return found


@kernel
def _expiry(start, last, now, timeout, idle, data_end):  # type: ignore[no-untyped-def]
    """Return the end and the state of a journey that nothing but time has ended up to ``now``."""
    if now - last <= idle and now - start <= timeout:
        return data_end, OPEN
    if last - start < timeout - idle:  # the pause was too long before the limit had passed
        return last, ABANDONED
    return start + timeout, TIMED_OUT


@kernel
def walk_by_key(  # type: ignore[no-untyped-def]
    person_start, person_stop, offsets, time, key, keys, bits, timeout, idle, data_end, spans, times, state, at, rows
):
    """Find the journeys of persons ``[person_start, person_stop)``, each with at most one open for each key.

    Signature: (int64, int64, int64[:], int64[:], int32[:], int64, uint8[:], int64, int64, int64, int64[:, 2],
    int64[:, 2], uint8[:], int64[:], int64[:]) -> int64.

    It runs twice: with empty ``rows`` to count, and once more to fill them.

    Parameters
    ----------
    key, keys
        Key of each event, from 0, or -1; and how many keys there are.
    bits
        What each event completes: START, END, ABANDON.
    timeout, idle, data_end
        As for :func:`walk`.
    spans, times, state
        Output, with room for a row for each start: person row and key; start and end.
    at
        Where the next event of each journey goes in ``rows``; moved on.
    rows
        Output: events of the journeys.

    Returns
    -------
    The number of journeys.
    """
    found = 0
    journey_of = np.full(
        keys, -1, dtype=np.int64
    )  # the journey open for a key, and where its key stands among ``held``
    place_of = np.empty(keys, dtype=np.int64)
    held = np.empty(keys, dtype=np.int64)  # keys of the open journeys
    last = np.empty(len(spans), dtype=np.int64)  # time of the last event of each journey
    for person in range(person_start, person_stop):
        count = 0
        for i in range(offsets[person], offsets[person + 1]):
            low, high = 0, count
            if key[i] >= 0:
                low = place_of[key[i]] if journey_of[key[i]] >= 0 else count
                high = min(low + 1, count)
            for place in range(high - 1, low - 1, -1):  # backwards: the last one moves to the place of one that closes
                journey = journey_of[held[place]]
                start = times[journey, 0]
                closed = True
                if time[i] - last[journey] > idle or time[i] - start > timeout:
                    times[journey, 1], state[journey] = _expiry(start, last[journey], time[i], timeout, idle, data_end)
                else:
                    if len(rows) > 0:
                        rows[at[journey]] = i
                    at[journey] += 1
                    last[journey] = time[i]
                    if bits[i] & (END | ABANDON) != 0:
                        times[journey, 1] = time[i]
                        state[journey] = REACHED if bits[i] & END != 0 else ABANDONED
                    else:
                        closed = False
                if closed:
                    count -= 1
                    journey_of[held[place]] = -1
                    held[place] = held[count]
                    place_of[held[place]] = place
            if bits[i] & START != 0 and key[i] >= 0 and journey_of[key[i]] < 0:
                spans[found, 0] = person
                spans[found, 1] = key[i]
                times[found, 0] = time[i]
                last[found] = time[i]
                if len(rows) > 0:
                    rows[at[found]] = i
                at[found] += 1
                journey_of[key[i]] = found
                place_of[key[i]] = count
                held[count] = key[i]
                count += 1
                found += 1
        for place in range(count):
            journey = journey_of[held[place]]
            times[journey, 1], state[journey] = _expiry(
                times[journey, 0], last[journey], data_end, timeout, idle, data_end
            )
            journey_of[held[place]] = -1
    return found


@kernel
def ranges(first, offsets):  # type: ignore[no-untyped-def]
    """Return ``first[k], first[k] + 1, ...`` for each run ``k`` of ``offsets``, end to end.

    Signature: (int64[:], int64[:]) -> int64[:].
    """
    rows = np.empty(offsets[-1], dtype=np.int64)
    for k in range(len(first)):
        shift = first[k] - offsets[k]
        for i in range(offsets[k], offsets[k + 1]):
            rows[i] = i + shift
    return rows


@kernel
def overlaps(offsets, goal, start, end, by_end, goals):  # type: ignore[no-untyped-def]
    """Count the pairs of journeys of one person that share an instant, for each two goals.

    Signature: (int64[:], int64[:], int64[:], int64[:], int64[:], int64) -> int64[5, :, :].

    Parameters
    ----------
    offsets
        Journeys of each person; inside, they ascend by start.
    goal, start, end
        Of each journey; goals from 0.
    by_end
        Rows of the journeys, in each person ascending by end.
    goals
        How many goals there are.

    Returns
    -------
    For each goal and each other one: persons, journeys of the first that meet one of the second, meetings (each pair of
    journeys once from either side), and the time together in whole days and microseconds, of which those of (a, b) and
    (b, a) are to be added up.
    """
    found = np.zeros((5, goals, goals), dtype=np.int64)
    persons, journeys, meetings, days, rest = found
    started = np.empty(goals, dtype=np.int64)
    ended = np.empty(goals, dtype=np.int64)
    seen = np.full((goals, goals), -1, dtype=np.int64)
    ended_before = np.empty((0, goals), dtype=np.int64)  # journeys of each goal that had ended when this one started
    for person in range(len(offsets) - 1):
        low, high = offsets[person], offsets[person + 1]
        if high - low > len(ended_before):
            ended_before = np.empty((2 * (high - low), goals), dtype=np.int64)
        started[:] = 0
        ended[:] = 0
        i = low
        for place in range(low, high):
            k = by_end[place]
            while i < high and start[i] <= end[k]:
                a = goal[i]
                for b in range(goals):
                    ended_before[i - low, b] = ended[b]
                    _add(days, rest, a, b, ended[b] - started[b], start[i] - start[low])
                started[a] += 1
                i += 1
            a = goal[k]
            ended[a] += 1
            for b in range(goals):
                _add(days, rest, a, b, started[b] - ended[b], end[k] - start[low])
                met = started[b] - ended_before[k - low, b] - (1 if a == b else 0)
                if met > 0:
                    meetings[a, b] += met
                    journeys[a, b] += 1
                    if seen[a, b] != person:
                        seen[a, b] = person
                        persons[a, b] += 1
    return found


@kernel
def _add(days, rest, a, b, times, length):  # type: ignore[no-untyped-def]
    """Add ``times`` a length of time; days are kept apart, for the sum may be more than 64 bits of microseconds."""
    rest[a, b] += times * (length % _DAY)
    days[a, b] += times * (length // _DAY) + rest[a, b] // _DAY
    rest[a, b] %= _DAY
