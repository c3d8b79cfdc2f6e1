"""The one matcher: many patterns in one pass over the events of persons, from nothing or from a saved state.

A pattern is a few rows of small integers: one of ``moments`` (the pattern), one of ``waits`` for each wait between two
events of a match, one of ``absences`` for each event that must not come (columns: ``matching_columns``). For each wait
the attempts that stand there are kept, oldest first. Later attempts have later starts, so the newest attempt that is
ready gives the latest start. An attempt is dominated, and may be dropped, when a newer one is ready at least as soon:
only a shortest time or a count can make it otherwise.

Events are letters: touchpoints, told apart further by the tests they pass. A letter says which patterns may react to it
(``reactions``, rows ``[react_at[letter], react_at[letter + 1])``: pattern and the mask of the selectors that it passes)
and, in one word, whether it can matter at all (``wake``: bit 0, it begins an attempt; the other bits, it matters to an
attempt at one of the patterns that share the bit). Most events are passed over with one look at that word.
"""

from __future__ import annotations

import numpy as np

from cjm.kernels._jit import kernel
from cjm.kernels.matching_columns import (
    ABSENCE_ROW,
    ABSENCES,
    ABSENT,
    AFTER,
    ALL,
    BEFORE,
    BEGIN,
    CAME,
    CONFIRM,
    COUNT,
    ENDED,
    ENDING,
    FIRST,
    FOUND,
    FROM,
    FROM_TIME,
    HELD_TIMES,
    LAST,
    LAST_TIME,
    MISSED,
    NEEDED,
    PATTERN,
    PENDING,
    PERSON,
    PLACE,
    PLACES,
    QUIET,
    REFUSED,
    REPEAT,
    SEEN,
    SLOT,
    SLOTS,
    SPAN,
    START,
    START_TIME,
    STEP,
    STEP_TIMES,
    STRICT,
    SUPERSEDED,
    TIMES,
    TO,
    TO_TIME,
    UNLESS,
    USED,
    WAIT,
    WAIT_ROW,
    WAITS,
    WINDOW,
    WITHIN,
)
from cjm.kernels.matching_parts import close, expire, fire, load, miss, note, room, save, scratch

__all__ = ["run"]


@kernel
def run(  # type: ignore[no-untyped-def]
    person_start, person_stop, offsets, time, letter, wake, react_at, reactions, moments, waits, absences,
    mode, known_to, near, state, state_at, rows, misses, saved,
):  # fmt: skip
    """Find the matches of all patterns in persons ``[person_start, person_stop)``.

    Signature: (int64, int64, int64[:], int64[:], int32[:], uint64[:], int64[:], int64[:, 2], int64[:, 9],
    int64[:, 10], int64[:, 3], int64, int64, bool, int64[:, 6 + k], int64[:], int64[:, 9 + k], int64[:, 6],
    int64[:, 6 + k]) -> (int64, int64, int64[:]).

    It is one long function that allocates nothing, because an array that is handed over, or gets a new value, inside
    the loop over events costs more than all the rest of it.

    Parameters
    ----------
    letter
        Letters of the events of the range, from its first event on.
    mode
        FIRST, NON_OVERLAPPING or ALL.
    known_to
        Time up to which the data are complete: an absence is certain if its window ends by then.
    near
        Whether attempts that came to nothing are noted.
    state, state_at
        Without rows in ``state_at`` every person begins from nothing and all is settled at the end. Else rows
        ``[state_at[p], state_at[p + 1])`` of ``state`` are what was saved of person ``p``, and what is open is saved;
        matches do not overlap. ``k`` is the number of times kept of each match.

    rows, misses, saved
        Output: matches (when state is saved, pending ones are marked, and one that was pending before has no indices;
        those of pattern -1 are none), attempts that came to nothing, state.

    Returns
    -------
    The first person who was not done because the output is full (``person_stop`` if all were), the number of rows in
    ``saved``, and the tally of those who were done.
    """
    patterns = len(moments)
    width = state.shape[1] - HELD_TIMES
    resuming = len(state_at) > 0
    attempts, held, need, tail, fired, closed = scratch(moments, waits, width)
    slots = len(attempts)
    count = np.int64(0)
    tally = np.zeros(REFUSED + patterns, dtype=np.int64)
    before = tally.copy()  # as it was before the person at hand
    origin, stop = offsets[person_start], offsets[person_stop]
    person, i, last = person_start - 1, origin, origin
    awake = np.uint64(1)
    while True:
        # pass over what cannot change anything
        limit = last if resuming else stop
        shown = limit
        for k in range(np.uint64(i - origin), np.uint64(limit - origin)):  # unsigned: no test for negative indices
            if wake[np.uint32(letter[k])] & awake != 0:
                shown = np.int64(k) + origin
                break
        i = shown
        if i >= last:
            if resuming:
                if person >= person_start:
                    if count + 2 * patterns + slots > len(saved):
                        return person, count, before
                    for m in range(patterns):
                        count = save(
                            m, last, person, moments, waits, attempts, held, tail, fired, rows, tally, known_to, saved,
                            count,
                        )  # fmt: skip
                person += 1
                if person == person_stop:
                    break
                i = offsets[person]
            else:
                for m in range(patterns):
                    row = tail[m]
                    while row >= 0 and known_to - rows[row, TO_TIME] < moments[m, CONFIRM]:
                        rows[row, PATTERN] = -1
                        row = rows[row, BEFORE]
                if near and person >= person_start:
                    if tally[MISSED] + slots > len(misses):
                        return person, count, before
                    expire(last, person, time, moments, waits, attempts, held, misses, tally, known_to)
                if i >= stop:
                    break
                while offsets[person + 1] <= i:
                    person += 1
            last = offsets[person + 1]
            awake = np.uint64(1)
            for w in range(len(waits)):
                held[w] = 0
            for k in range(len(tally)):
                before[k] = tally[k]
            for m in range(patterns):
                need[m] = 0
                tail[m] = -1
                fired[m, 1] = -1
                closed[m] = False
            if resuming:
                if tally[FOUND] + patterns > len(rows):
                    return person, count, before
                for s in range(state_at[person], state_at[person + 1]):
                    m = state[s, PLACE] // PLACES
                    load(state, s, m, i, person, moments, waits, attempts, held, need, tail, fired, rows, tally)
                    if need[m] != 0:
                        awake |= np.uint64(1) << np.uint64(1 + m % 63)
                continue
        if tally[FOUND] + patterns > len(rows) or (near and tally[MISSED] + slots + patterns > len(misses)):
            return person, count, before
        t = time[i]
        now = letter[i - origin]
        for r in range(react_at[now], react_at[now + 1]):
            m, bits = reactions[r, 0], reactions[r, 1]
            if closed[m] or bits & (need[m] | moments[m, BEGIN]) == 0:
                continue
            first, steps, confirm, span = moments[m, WAIT_ROW], moments[m, WAITS], moments[m, CONFIRM], moments[m, SPAN]
            if tail[m] >= 0 and mode != ALL and t - rows[tail[m], TO_TIME] > confirm:
                # the match that was pending is decided, one way or the other
                if mode == FIRST or known_to - rows[tail[m], TO_TIME] < confirm:
                    closed[m] = True
                    need[m] = 0
                    continue
                fire(m, tail[m], moments, fired, rows, tally)
                tail[m] = -1
                need[m] = 0
                for w in range(first, first + steps):
                    held[w] = 0
            top = steps - 1
            if bits & need[m] == 0:
                top = -1  # nothing waits for this event: it can only begin an attempt
            elif moments[m, ABSENCES] > 0:
                for a in range(moments[m, ABSENCE_ROW], moments[m, ABSENCE_ROW] + moments[m, ABSENCES]):
                    if bits & absences[a, ABSENT] == 0:
                        continue
                    j = absences[a, WAIT]
                    if j == steps:
                        while tail[m] >= 0 and t - rows[tail[m], TO_TIME] <= absences[a, WINDOW]:
                            rows[tail[m], PATTERN] = -1
                            if near:
                                note(m, person, rows[tail[m], FROM], steps, CAME, t, misses, tally)
                            tail[m] = rows[tail[m], BEFORE]
                        continue
                    w = first + j
                    while held[w] > 0 and t - attempts[waits[w, SLOT] + held[w] - 1, LAST_TIME] <= absences[a, WINDOW]:
                        held[w] -= 1
                        if near:
                            k = waits[w, SLOT] + held[w]
                            miss(k, m, w, CAME, i, t, person, time, moments, waits, attempts, misses, tally)
            for j in range(top, -2, -1):
                # has this event completed step j + 1 (j == -1: the first step), and from which attempt
                w = first + j
                ready = np.int64(-1)
                if j == -1:
                    if bits & moments[m, BEGIN] == 0:
                        continue
                else:
                    if held[w] == 0:
                        continue
                    if bits & waits[w, STEP] != 0:
                        for k in range(waits[w, SLOT] + held[w] - 1, waits[w, SLOT] - 1, -1):
                            age = t - attempts[k, LAST_TIME]
                            if age > waits[w, WITHIN]:
                                if k == waits[w, SLOT] + held[w] - 1 and not near:
                                    held[w] = 0  # all are too old
                                break
                            if age < waits[w, AFTER]:
                                continue
                            if attempts[k, SEEN] < waits[w, COUNT] - 1:
                                attempts[k, SEEN] += 1
                                continue
                            if t - attempts[k, START_TIME] <= span and (
                                waits[w, STRICT] == 0 or i - attempts[k, LAST] == waits[w, COUNT]
                            ):
                                ready = np.int64(k)
                                attempts[k, USED] = 1
                            break  # older attempts began earlier, and have let more events pass
                    if bits & waits[w, UNLESS] != 0:
                        if near:
                            for k in range(waits[w, SLOT], waits[w, SLOT] + held[w]):
                                miss(k, m, w, ENDED, i, t, person, time, moments, waits, attempts, misses, tally)
                        held[w] = 0
                    if ready < 0:
                        continue
                if j + 1 < steps:
                    w += 1
                    if not resuming and known_to - t < waits[w, QUIET]:
                        continue
                    slot = waits[w, SLOT]
                    newest = slot + held[w] - 1
                    at = slot
                    if held[w] > 0:
                        # the newest attempt is of no use any more, if no count or shortest time tells it apart
                        if waits[w, SLOTS] == 1 or (
                            attempts[newest, SEEN] == 0 and (waits[w, AFTER] == 0 or attempts[newest, LAST_TIME] == t)
                        ):
                            at = newest
                            if near:
                                miss(at, m, w, SUPERSEDED, i, t, person, time, moments, waits, attempts, misses, tally)
                        else:
                            at = newest + 1
                            if held[w] == waits[w, SLOTS]:
                                at = room(m, w, i, t, person, time, moments, waits, attempts, held, misses, tally)
                                if at < 0:
                                    tally[REFUSED + m] += 1
                                    continue
                    attempts[at, START] = i if j == -1 else attempts[ready, START]
                    attempts[at, LAST] = i
                    attempts[at, SEEN] = 0
                    attempts[at, START_TIME] = t if j == -1 else attempts[ready, START_TIME]
                    attempts[at, LAST_TIME] = t
                    attempts[at, USED] = 0
                    if width > 0:
                        for k in range(TIMES, TIMES + j + 1):
                            attempts[at, k] = attempts[ready, k]
                        attempts[at, TIMES + j + 1] = t
                    held[w] = at - slot + 1
                elif confirm < 0 or mode == ALL or tail[m] < 0:
                    row = tally[FOUND]
                    tally[FOUND] += 1
                    rows[row, PATTERN] = m
                    rows[row, PERSON] = person
                    rows[row, FROM] = i if j == -1 else attempts[ready, START]
                    rows[row, TO] = i
                    rows[row, FROM_TIME] = t if j == -1 else attempts[ready, START_TIME]
                    rows[row, TO_TIME] = t
                    rows[row, REPEAT] = 0
                    rows[row, PENDING] = 0
                    if width > 0:
                        for k in range(j + 1):
                            rows[row, STEP_TIMES + k] = attempts[ready, TIMES + k]
                        rows[row, STEP_TIMES + j + 1] = t
                        for k in range(j + 2, width):
                            rows[row, STEP_TIMES + k] = 0
                    if confirm >= 0:
                        rows[row, BEFORE] = tail[m]
                        tail[m] = row
                    elif mode != ALL:
                        fire(m, row, moments, fired, rows, tally)
                        if near:
                            close(m, i, t, person, time, moments, waits, attempts, held, misses, tally)
                        for w in range(first, first + steps):
                            held[w] = 0
                        closed[m] = mode == FIRST
                        break
            waiting = moments[m, ENDING] if tail[m] >= 0 else np.int64(0)
            for w in range(first, first + steps):
                if held[w] > 0:
                    waiting |= waits[w, NEEDED]
            need[m] = waiting
            bit = np.uint64(1) << np.uint64(1 + m % 63)
            if waiting != 0:
                awake |= bit
            elif patterns <= 63:  # else another pattern may need the bit: it stays until the next person
                awake &= ~bit
        i += 1
    return person_stop, count, tally
