"""The one matcher: many patterns in one pass over the events of persons, from nothing or from a saved state.

Events are letters: touchpoints, told apart further by the tests they pass. A letter says which patterns may react to it
(``reactions``, rows ``[react_at[letter], react_at[letter + 1])``: pattern and the mask of the selectors that it passes)
and, in one word, whether it can matter at all (``wake``: bit 0, it begins an attempt; the other bits, it matters to an
attempt at one of the patterns that share the bit). Most events are passed over with one look at that word.
"""

from __future__ import annotations

import numpy as np

from cjm.kernels._jit import kernel
from cjm.kernels.matching_steps import (
    ALL,
    BEFORE,
    BEGIN,
    CONFIRM,
    COUNT,
    ENDING,
    FIRST,
    FOUND,
    FROM,
    FROM_TIME,
    LAST,
    LAST_TIME,
    MISSED,
    NEEDED,
    NON_OVERLAPPING,
    ONCE,
    PATTERN,
    PENDING,
    PERSON,
    REFUSED,
    SEEN,
    SLOT,
    SLOTS,
    SPAN,
    START,
    START_TIME,
    STEP_TIMES,
    STRICT,
    SUPPRESSED,
    TIMES,
    TO,
    TO_TIME,
    USED,
    WAIT_ROW,
    WAITS,
    WITHIN,
    close,
    event,
    fire,
)

__all__ = ["ALL", "FIRST", "NON_OVERLAPPING", "PLACES", "resume", "scan"]

# Saved state: one row for each attempt, each pending match and each last match. Columns: person, place, events
# counted (number among equals), index of the last event less that of the person's next one, time of the first event,
# of the last, of all. A place is PLACES times the pattern, plus the wait, or PENDING_PLACE, or FIRED_PLACE.
PLACES, PENDING_PLACE, FIRED_PLACE = 32, 16, 17
WHO, PLACE, HELD_SEEN, HELD_LAST, HELD_START, HELD_END, HELD_TIMES = range(7)


@kernel
def scan(  # type: ignore[no-untyped-def]
    person_start, person_stop, offsets, time, letter, wake, react_at, reactions, program, mode, known_to, near
):
    """Find the matches of all patterns in persons ``[person_start, person_stop)``, each from nothing.

    Signature: (int64, int64, int64[:], int64[:], int32[:], uint64[:], int64[:], int64[:, 2], program, int64, int64,
    bool) -> (int64[:, 9], int64[:, 6], int64[:]).

    Parameters
    ----------
    letter
        Letters of the events of the range, from its first event on.
    program
        The patterns; see ``matching_steps``.
    mode
        FIRST, NON_OVERLAPPING or ALL.
    known_to
        Time up to which the data are complete: an absence is certain if its window ends by then.
    near
        Whether attempts that came to nothing are noted.

    Returns
    -------
    Matches, attempts that came to nothing (none unless ``near``), and for each pattern the number of attempts that were
    refused because all slots were taken.
    """
    moments, _, _ = program
    patterns = len(moments)
    attempts, held, need, tail, fired, closed = _scratch(program, 0)
    slots = len(attempts)
    rows = np.empty((1024 + patterns, STEP_TIMES), dtype=np.int64)
    misses = np.empty((1024 + slots + patterns if near else 0, 6), dtype=np.int64)
    tally = np.zeros(REFUSED + patterns, dtype=np.int64)
    origin, stop = offsets[person_start], offsets[person_stop]
    person, i, last = person_start - 1, origin, origin
    awake = np.uint64(1)
    while True:
        i = _next(i, stop, letter, origin, wake, awake)
        if i >= last:
            if person >= person_start:
                _settle(last, person, time, program, attempts, held, tail, rows, misses, tally, mode, known_to)
            if i >= stop:
                kept = rows[: tally[FOUND]]
                return kept[kept[:, PATTERN] >= 0], misses[: tally[MISSED]].copy(), tally[REFUSED:].copy()
            while offsets[person + 1] <= i:
                person += 1
            last = offsets[person + 1]
            held[:] = 0
            need[:] = 0
            tail[:] = -1
            fired[:, 1] = -1
            closed[:] = False
            awake = np.uint64(1)
        rows = _more(rows, tally[FOUND], patterns)
        if near:
            misses = _more(misses, tally[MISSED], slots + patterns)
        now = letter[i - origin]
        for r in range(react_at[now], react_at[now + 1]):
            m, bits = reactions[r, 0], reactions[r, 1]
            if closed[m] or bits & (need[m] | moments[m, BEGIN]) == 0:
                continue
            closed[m] = event(
                i, time[i], m, bits, person, time, program, attempts, held, need, tail, fired, rows, misses, tally,
                mode, known_to,
            )  # fmt: skip
            if closed[m]:
                need[m] = 0
            awake = _awake(awake, m, need[m], patterns)
        i += 1


@kernel
def resume(  # type: ignore[no-untyped-def]
    offsets, time, letter, wake, react_at, reactions, program, known_to, state, state_at
):
    """Go on from a saved state: show each person the new events, and return matches and the state after them.

    Signature: (int64[:], int64[:], int32[:], uint64[:], int64[:], int64[:, 2], program, int64, int64[:, 6 + k],
    int64[:]) -> (int64[:, 9 + k], int64[:, 6 + k], int64[:], int64).

    Matches do not overlap. Rows ``[state_at[p], state_at[p + 1])`` of ``state`` are those of person ``p``, in the order
    in which they were saved. ``k`` is the number of times kept for each match. What can no longer lead to a match after
    ``known_to`` is not saved again.

    Returns
    -------
    Matches (pending ones are marked; one without indices was pending before), the state, the numbers of attempts
    refused for each pattern, and that of matches suppressed.
    """
    moments, _, _ = program
    patterns = len(moments)
    width = state.shape[1] - HELD_TIMES
    attempts, held, need, tail, fired, _ = _scratch(program, width)
    rows = np.empty((1024 + 2 * patterns, STEP_TIMES + width), dtype=np.int64)
    misses = np.empty((0, 6), dtype=np.int64)
    tally = np.zeros(REFUSED + patterns, dtype=np.int64)
    saved = np.empty((1024 + len(state), state.shape[1]), dtype=np.int64)
    count = np.int64(0)
    for person in range(len(offsets) - 1):
        held[:] = 0
        need[:] = 0
        tail[:] = -1
        fired[:, 1] = -1
        rows = _more(rows, tally[FOUND], 2 * patterns)
        first, stop = offsets[person], offsets[person + 1]
        awake = np.uint64(1)
        for s in range(state_at[person], state_at[person + 1]):
            m = state[s, PLACE] // PLACES
            _load(state, s, m, first, person, program, attempts, held, need, tail, fired, rows, tally)
            awake = _awake(awake, m, need[m], patterns)
        i = _next(first, stop, letter, np.int64(0), wake, awake)
        while i < stop:
            rows = _more(rows, tally[FOUND], 2 * patterns)
            now = letter[i]
            for r in range(react_at[now], react_at[now + 1]):
                m, bits = reactions[r, 0], reactions[r, 1]
                if bits & (need[m] | moments[m, BEGIN]) != 0:
                    event(
                        i, time[i], m, bits, person, time, program, attempts, held, need, tail, fired, rows, misses,
                        tally, NON_OVERLAPPING, known_to,
                    )  # fmt: skip
                    awake = _awake(awake, m, need[m], patterns)
            i = _next(i + 1, stop, letter, np.int64(0), wake, awake)
        saved = _more(saved, count, 2 * patterns + len(attempts))
        for m in range(patterns):
            count = _save(m, stop, person, program, attempts, held, tail, fired, rows, tally, known_to, saved, count)
    kept = rows[: tally[FOUND]]
    return kept[kept[:, PATTERN] >= 0], saved[:count].copy(), tally[REFUSED:].copy(), tally[SUPPRESSED]


@kernel
def _scratch(program, width):  # type: ignore[no-untyped-def]
    """Return the state of a person who has done nothing."""
    moments, waits, _ = program
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
def _more(rows, found, room):  # type: ignore[no-untyped-def]
    """Return ``rows`` with room for ``room`` more than the ``found`` that are in it."""
    if found + room <= len(rows):
        return rows
    larger = np.empty((2 * len(rows) + room, rows.shape[1]), dtype=np.int64)
    larger[:found] = rows[:found]
    return larger


@kernel
def _next(i, stop, letter, origin, wake, awake):  # type: ignore[no-untyped-def]
    """Return the first event from ``i`` on that can change anything, or ``stop``."""
    for k in range(np.uint64(i - origin), np.uint64(stop - origin)):  # unsigned: no test for negative indices
        if wake[np.uint32(letter[k])] & awake != 0:
            return np.int64(k) + origin
    return np.int64(stop)


@kernel
def _awake(awake, m, need, patterns):  # type: ignore[no-untyped-def]
    """Return ``awake`` with the bit of pattern ``m``; shared bits stay until the next person."""
    bit = np.uint64(1) << np.uint64(1 + m % 63)
    if need != 0:
        return awake | bit
    return awake & ~bit if patterns <= 63 else awake


@kernel
def _settle(last, person, time, program, attempts, held, tail, rows, misses, tally, mode, known_to):  # type: ignore[no-untyped-def]
    """Decide what is open after the last event of a person, with the data complete up to ``known_to``."""
    moments, _, _ = program
    for m in range(len(moments)):
        row = tail[m]
        while row >= 0 and known_to - rows[row, TO_TIME] < moments[m, CONFIRM]:
            rows[row, PATTERN] = -1
            row = rows[row, BEFORE]
    if len(misses) > 0:
        _expire(last, person, time, program, attempts, held, misses, tally, known_to)


@kernel
def _expire(stop, person, time, program, attempts, held, misses, tally, known_to):  # type: ignore[no-untyped-def]
    """Keep the attempts whose time had run out by ``known_to``, and close them; the others may still succeed."""
    moments, waits, _ = program
    for m in range(len(moments)):
        for w in range(moments[m, WAIT_ROW], moments[m, WAIT_ROW] + moments[m, WAITS]):
            kept = np.int64(0)
            for k in range(waits[w, SLOT], waits[w, SLOT] + held[w]):
                if not _lives(k, m, w, stop, known_to, moments, waits, attempts):
                    attempts[waits[w, SLOT] + kept] = attempts[k]
                    kept += 1
            held[w] = kept
        close(m, stop, known_to + 1, person, time, program, attempts, held, misses, tally)


@kernel
def _lives(k, m, w, i, known_to, moments, waits, attempts):  # type: ignore[no-untyped-def]
    """Tell whether event ``i`` or a later one, after ``known_to``, can still complete attempt ``k``."""
    return (
        known_to < attempts[k, LAST_TIME] + min(waits[w, WITHIN], np.int64(1) << 61)
        and known_to < attempts[k, START_TIME] + min(moments[m, SPAN], np.int64(1) << 61)
        and (waits[w, STRICT] == 0 or i - attempts[k, LAST] <= waits[w, COUNT])
    )


@kernel
def _load(state, s, m, first, person, program, attempts, held, need, tail, fired, rows, tally):  # type: ignore[no-untyped-def]
    """Take row ``s`` of a saved state up again; ``first`` is the index of the person's next event."""
    moments, waits, _ = program
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
def _save(m, stop, person, program, attempts, held, tail, fired, rows, tally, known_to, saved, count):  # type: ignore[no-untyped-def]
    """Save what pattern ``m`` holds of a person whose next event is ``stop``; return the number of rows saved."""
    moments, waits, _ = program
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
