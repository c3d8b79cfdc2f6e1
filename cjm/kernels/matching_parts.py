"""What the matcher does now and then: let a match count, give up, load and save the state of a person."""

from __future__ import annotations

import numpy as np

from cjm.kernels._jit import kernel
from cjm.kernels.matching_columns import (
    AFTER,
    BEFORE,
    CONFIRM,
    COUNT,
    ENDING,
    FIRED_PLACE,
    FOUND,
    FROM,
    FROM_TIME,
    HELD_END,
    HELD_LAST,
    HELD_SEEN,
    HELD_START,
    HELD_TIMES,
    INTERRUPTED,
    LAST,
    LAST_TIME,
    MISSED,
    NEEDED,
    ONCE,
    PATTERN,
    PENDING,
    PENDING_PLACE,
    PERSON,
    PLACE,
    PLACES,
    REPEAT,
    SEEN,
    SLOT,
    SLOTS,
    SPAN,
    START,
    START_TIME,
    STEP_TIMES,
    STRICT,
    SUPERSEDED,
    SUPPRESSED,
    TIMEOUT,
    TIMES,
    TO,
    TO_TIME,
    USED,
    WAIT_ROW,
    WAITS,
    WHO,
    WITHIN,
)

__all__ = ["close", "expire", "fire", "load", "miss", "note", "room", "save", "scratch"]


@kernel
def fire(m, row, moments, fired, rows, tally):  # type: ignore[no-untyped-def]
    """Let a match count, unless it follows the last one too soon; number those that agree in both times."""
    end = rows[row, TO_TIME]
    if fired[m, 1] >= 0 and moments[m, ONCE] > 0 and end - fired[m, 0] < moments[m, ONCE]:
        rows[row, PATTERN] = -1
        tally[SUPPRESSED] += 1
        return
    if fired[m, 1] >= 0 and fired[m, 0] == end and rows[row, FROM_TIME] == end:
        rows[row, REPEAT] = fired[m, 1] + 1
    fired[m, 0] = end
    fired[m, 1] = rows[row, REPEAT]


@kernel
def close(m, i, t, person, time, moments, waits, attempts, held, misses, tally):  # type: ignore[no-untyped-def]
    """Give up all attempts at pattern ``m``: what got no further was superseded, or had no time left at ``t``."""
    for w in range(moments[m, WAIT_ROW], moments[m, WAIT_ROW] + moments[m, WAITS]):
        if len(misses) > 0:
            for k in range(waits[w, SLOT], waits[w, SLOT] + held[w]):
                miss(k, m, w, SUPERSEDED, i, t, person, time, moments, waits, attempts, misses, tally)
        held[w] = 0


@kernel
def room(m, w, i, t, person, time, moments, waits, attempts, held, misses, tally):  # type: ignore[no-untyped-def]
    """Return a slot in the full wait ``w`` for the attempt that event ``i`` brought, or -1 if there is none."""
    slot = waits[w, SLOT]
    newest = slot + held[w] - 1
    at = slot
    for k in range(slot, newest + 1):
        expired = (
            t - attempts[k, LAST_TIME] > waits[w, WITHIN]
            or t - attempts[k, START_TIME] > moments[m, SPAN]
            or (waits[w, STRICT] != 0 and i - attempts[k, LAST] >= waits[w, COUNT])
        )
        dominated = (
            k < newest
            and t - attempts[k + 1, LAST_TIME] >= waits[w, AFTER]
            and attempts[k + 1, SEEN] >= attempts[k, SEEN]
        )
        if not expired and not dominated:
            attempts[at] = attempts[k]
            at += 1
        elif len(misses) > 0:
            miss(k, m, w, SUPERSEDED, i, t, person, time, moments, waits, attempts, misses, tally)
    held[w] = at - slot
    if at > newest:
        return -1
    return at


@kernel
def miss(k, m, w, reason, i, t, person, time, moments, waits, attempts, misses, tally):  # type: ignore[no-untyped-def]
    """Note that attempt ``k`` came to an end at event ``i``, or before, unless it got further."""
    if attempts[k, USED] != 0:
        return
    at = t
    limit = min(waits[w, WITHIN], moments[m, SPAN] - (attempts[k, LAST_TIME] - attempts[k, START_TIME]))
    if t - attempts[k, LAST_TIME] > limit:
        reason, at = TIMEOUT, attempts[k, LAST_TIME] + limit
    due = attempts[k, LAST] + waits[w, COUNT]
    if waits[w, STRICT] != 0 and due < i and time[due] <= at:
        reason, at = INTERRUPTED, time[due]
    note(m, person, attempts[k, START], w - moments[m, WAIT_ROW], reason, at, misses, tally)


@kernel
def note(m, person, start, wait, reason, at, misses, tally):  # type: ignore[no-untyped-def]
    """Write down an attempt that came to nothing."""
    row = tally[MISSED]
    tally[MISSED] += 1
    misses[row, 0] = m
    misses[row, 1] = person
    misses[row, 2] = start
    misses[row, 3] = wait
    misses[row, 4] = reason
    misses[row, 5] = at


@kernel
def scratch(moments, waits, width):  # type: ignore[no-untyped-def]
    """Return the state of a person who has done nothing."""
    slots = np.int64(0)
    for w in range(len(waits)):
        slots += waits[w, SLOTS]
    return (
        np.empty((slots, TIMES + width), dtype=np.int64),
        np.zeros(len(waits), dtype=np.int64),
        np.zeros(len(moments), dtype=np.int64),
        np.full(len(moments), -1, dtype=np.int64),
        np.full((len(moments), 2), -1, dtype=np.int64),
        np.zeros(len(moments), dtype=np.bool_),
    )


@kernel
def expire(stop, person, time, moments, waits, attempts, held, misses, tally, known_to):  # type: ignore[no-untyped-def]
    """Keep the attempts whose time had run out by ``known_to``, and close them; the others may still succeed."""
    for m in range(len(moments)):
        for w in range(moments[m, WAIT_ROW], moments[m, WAIT_ROW] + moments[m, WAITS]):
            kept = np.int64(0)
            for k in range(waits[w, SLOT], waits[w, SLOT] + held[w]):
                if not _lives(k, m, w, stop, known_to, moments, waits, attempts):
                    attempts[waits[w, SLOT] + kept] = attempts[k]
                    kept += 1
            held[w] = kept
        close(m, stop, known_to + 1, person, time, moments, waits, attempts, held, misses, tally)


@kernel
def _lives(k, m, w, i, known_to, moments, waits, attempts):  # type: ignore[no-untyped-def]
    """Tell whether event ``i`` or a later one, after ``known_to``, can still complete attempt ``k``."""
    return (
        known_to < attempts[k, LAST_TIME] + min(waits[w, WITHIN], np.int64(1) << 61)
        and known_to < attempts[k, START_TIME] + min(moments[m, SPAN], np.int64(1) << 61)
        and (waits[w, STRICT] == 0 or i - attempts[k, LAST] <= waits[w, COUNT])
    )


@kernel
def load(state, s, m, first, person, moments, waits, attempts, held, need, tail, fired, rows, tally):  # type: ignore[no-untyped-def]
    """Take row ``s`` of a saved state up again; ``first`` is the index of the person's next event."""
    place = state[s, PLACE] % PLACES
    if place == FIRED_PLACE:
        fired[m, 0] = state[s, HELD_END]
        fired[m, 1] = state[s, HELD_SEEN]
    elif place == PENDING_PLACE:
        row = tally[FOUND]
        tally[FOUND] += 1
        rows[row, :STEP_TIMES] = 0
        rows[row, PATTERN] = m
        rows[row, PERSON] = person
        rows[row, FROM] = -1
        rows[row, TO] = -1
        rows[row, FROM_TIME] = state[s, HELD_START]
        rows[row, TO_TIME] = state[s, HELD_END]
        rows[row, BEFORE] = -1
        rows[row, STEP_TIMES:] = state[s, HELD_TIMES:]
        tail[m] = row
        need[m] |= moments[m, ENDING]
    else:
        w = moments[m, WAIT_ROW] + place
        k = waits[w, SLOT] + held[w]
        held[w] += 1
        attempts[k, START] = -1
        attempts[k, LAST] = first + state[s, HELD_LAST]
        attempts[k, SEEN] = state[s, HELD_SEEN]
        attempts[k, START_TIME] = state[s, HELD_START]
        attempts[k, LAST_TIME] = state[s, HELD_END]
        attempts[k, USED] = 0
        attempts[k, TIMES:] = state[s, HELD_TIMES:]
        need[m] |= waits[w, NEEDED]


@kernel
def save(m, stop, person, moments, waits, attempts, held, tail, fired, rows, tally, known_to, saved, count):  # type: ignore[no-untyped-def]
    """Save what pattern ``m`` holds of a person whose next event is ``stop``; return the number of rows saved."""
    row = tail[m]
    if row >= 0 and known_to - rows[row, TO_TIME] >= moments[m, CONFIRM]:
        fire(m, row, moments, fired, rows, tally)
        return _save_fired(m, person, moments, fired, known_to, saved, count)
    if row >= 0:
        rows[row, PENDING] = 1
        saved[count, WHO] = person
        saved[count, PLACE] = m * PLACES + PENDING_PLACE
        saved[count, HELD_SEEN] = 0
        saved[count, HELD_LAST] = 0
        saved[count, HELD_START] = rows[row, FROM_TIME]
        saved[count, HELD_END] = rows[row, TO_TIME]
        saved[count, HELD_TIMES:] = rows[row, STEP_TIMES:]
        count += 1
    for j in range(moments[m, WAITS]):
        w = moments[m, WAIT_ROW] + j
        for k in range(waits[w, SLOT], waits[w, SLOT] + held[w]):
            if _lives(k, m, w, stop, known_to, moments, waits, attempts):
                saved[count, WHO] = person
                saved[count, PLACE] = m * PLACES + j
                saved[count, HELD_SEEN] = attempts[k, SEEN]
                saved[count, HELD_LAST] = attempts[k, LAST] - stop
                saved[count, HELD_START] = attempts[k, START_TIME]
                saved[count, HELD_END] = attempts[k, LAST_TIME]
                saved[count, HELD_TIMES:] = 0
                saved[count, HELD_TIMES : HELD_TIMES + j + 1] = attempts[k, TIMES : TIMES + j + 1]
                count += 1
    return _save_fired(m, person, moments, fired, known_to, saved, count)


@kernel
def _save_fired(m, person, moments, fired, known_to, saved, count):  # type: ignore[no-untyped-def]
    """Save the last match as long as it can suppress one, or share its time with one."""
    if fired[m, 1] < 0 or known_to >= fired[m, 0] + max(moments[m, ONCE] - 1, 0):
        return count
    saved[count, :] = 0
    saved[count, WHO] = person
    saved[count, PLACE] = m * PLACES + FIRED_PLACE
    saved[count, HELD_SEEN] = fired[m, 1]
    saved[count, HELD_END] = fired[m, 0]
    return count + 1
