"""What one event does to the attempts of one person at one pattern: the heart of the matcher.

A pattern is a few rows of small integers: one of ``moments`` (the pattern), one of ``waits`` for each wait between two
events of a match, one of ``absences`` for each event that must not come. For each wait the attempts that stand there
are kept, oldest first. Later attempts have later starts, so the newest attempt that is ready gives the latest start.
An attempt is dominated, and may be dropped, when a newer one is ready at least as soon: only a shortest time or a count
can make it otherwise.
"""

from __future__ import annotations

import numpy as np

from cjm.kernels._jit import kernel

__all__ = ["ALL", "FIRST", "NON_OVERLAPPING", "close", "event", "fire"]

FIRST, NON_OVERLAPPING, ALL = 0, 1, 2

# columns of ``moments``: mask of the first step, bound on the whole, longest absence at the end (-1: none), first row
# in ``waits`` and number of rows, the same in ``absences``, mask of the absences at the end, shortest time between two
# matches that count
BEGIN, SPAN, CONFIRM, WAIT_ROW, WAITS, ABSENCE_ROW, ABSENCES, ENDING, ONCE = range(9)
# columns of ``waits``: the step waited for (mask), longest and shortest time, count, strictness, unless (mask), longest
# absence in front of the step (lowest integer: none), first slot in ``attempts`` and number of slots, every mask that
# can change something while an attempt waits here
STEP, WITHIN, AFTER, COUNT, STRICT, UNLESS, QUIET, SLOT, SLOTS, NEEDED = range(10)
# columns of ``absences``: the wait of the pattern it stands in front of (or their number, at the end), mask, window
WAIT, ABSENT, WINDOW = range(3)
# columns of ``attempts``: index of the first event and of the last, events counted so far, times of the first event and
# of the last, whether it has got further already; then the times of all events so far
START, LAST, SEEN, START_TIME, LAST_TIME, USED, TIMES = range(7)
# columns of ``rows``, the matches: pattern (-1: it is none after all), person, index of the first event and of the
# last, their times, the pending match before it (-1: none), number among equals, whether it is pending still; then the
# times of all events
PATTERN, PERSON, FROM, TO, FROM_TIME, TO_TIME, BEFORE, REPEAT, PENDING, STEP_TIMES = range(10)
# columns of ``misses``: pattern, person, index of the first event, wait, reason, time of the end
TIMEOUT, REFUSED_BY, SUPERSEDED, INTERRUPTED, CAME = range(5)
# places in ``tally``; from REFUSED on there is one for each pattern
FOUND, MISSED, SUPPRESSED, REFUSED = range(4)


@kernel
def event(  # type: ignore[no-untyped-def]
    i, t, m, bits, person, time, program, attempts, held, need, tail, fired, rows, misses, tally, mode, known_to
):
    """Show event ``i`` at time ``t``, which passes the selectors ``bits``, to pattern ``m``; True closes the pattern.

    Signature: (int64, int64, int64, int64, int64, int64[:], (int64[:, 9], int64[:, 10], int64[:, 3]), int64[:, :],
    int64[:], int64[:], int64[:], int64[:, 2], int64[:, :], int64[:, 6], int64[:], int64, int64) -> bool.

    ``attempts`` and ``held`` (their number in each wait), ``need`` (for each pattern the masks that can change
    something), ``tail`` (the last pending row of each pattern) and ``fired`` (end and number of the last match) are
    the state of the person. ``rows`` and ``misses`` have room for what one event can bring; ``misses`` without rows
    means that nobody asks for them.
    """
    moments, waits, absences = program
    first, steps, confirm = moments[m, WAIT_ROW], moments[m, WAITS], moments[m, CONFIRM]
    top = steps - 1
    if tail[m] >= 0 and mode != ALL and t - rows[tail[m], TO_TIME] > confirm:
        # the match that was pending is decided, one way or the other
        if mode == FIRST or known_to - rows[tail[m], TO_TIME] < confirm:
            return True
        fire(m, tail[m], moments, fired, rows, tally)
        tail[m] = -1
        need[m] = 0
        for w in range(first, first + steps):
            held[w] = 0
    if bits & need[m] == 0:
        top = -1  # nothing waits for this event: it can only begin an attempt
    else:
        for a in range(moments[m, ABSENCE_ROW], moments[m, ABSENCE_ROW] + moments[m, ABSENCES]):
            if bits & absences[a, ABSENT] != 0:
                j = absences[a, WAIT]
                if j == steps:
                    while tail[m] >= 0 and t - rows[tail[m], TO_TIME] <= absences[a, WINDOW]:
                        rows[tail[m], PATTERN] = -1
                        if len(misses) > 0:
                            _note(m, rows[tail[m], PERSON], rows[tail[m], FROM], steps, CAME, t, misses, tally)
                        tail[m] = rows[tail[m], BEFORE]
                else:
                    w = first + j
                    slot = waits[w, SLOT]
                    while held[w] > 0 and t - attempts[slot + held[w] - 1, LAST_TIME] <= absences[a, WINDOW]:
                        held[w] -= 1
                        if len(misses) > 0:
                            _miss(slot + held[w], m, w, CAME, i, t, person, time, program, attempts, misses, tally)
    closed = False
    for j in range(top, -2, -1):
        # has this event completed step j + 1 (j == -1: the first step), and from which start
        w = first + j
        ready = np.int64(-1)
        if j == -1:
            if bits & moments[m, BEGIN] == 0:
                continue
        else:
            if held[w] == 0:
                continue
            if bits & waits[w, STEP] != 0:
                ready = _take(waits, attempts, held, w, i, t, moments[m, SPAN])
                if ready >= 0:
                    attempts[ready, USED] = 1
            if bits & waits[w, UNLESS] != 0:
                if len(misses) > 0:
                    for k in range(waits[w, SLOT], waits[w, SLOT] + held[w]):
                        _miss(k, m, w, REFUSED_BY, i, t, person, time, program, attempts, misses, tally)
                held[w] = 0
            if ready < 0:
                continue
        if j + 1 < steps:
            if known_to - t < waits[w + 1, QUIET]:
                continue
            at = waits[w + 1, SLOT]
            if waits[w + 1, SLOTS] > 1:
                at = _room(m, w + 1, i, t, person, time, program, attempts, held, misses, tally)
                if at < 0:
                    tally[REFUSED + m] += 1
                    continue
            elif held[w + 1] > 0 and len(misses) > 0:
                _miss(at, m, w + 1, SUPERSEDED, i, t, person, time, program, attempts, misses, tally)
            attempts[at, START] = i if j == -1 else attempts[ready, START]
            attempts[at, LAST] = i
            attempts[at, SEEN] = 0
            attempts[at, START_TIME] = t if j == -1 else attempts[ready, START_TIME]
            attempts[at, LAST_TIME] = t
            attempts[at, USED] = 0
            if attempts.shape[1] > TIMES:
                for k in range(TIMES, TIMES + j + 1):
                    attempts[at, k] = attempts[ready, k]
                attempts[at, TIMES + j + 1] = t
            held[w + 1] = at - waits[w + 1, SLOT] + 1
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
            if attempts.shape[1] > TIMES:
                for k in range(j + 1):
                    rows[row, STEP_TIMES + k] = attempts[ready, TIMES + k]
                rows[row, STEP_TIMES + j + 1] = t
            if confirm >= 0:
                rows[row, BEFORE] = tail[m]
                tail[m] = row
            elif mode != ALL:
                fire(m, row, moments, fired, rows, tally)
                close(m, i, t, person, time, program, attempts, held, misses, tally)
                closed = mode == FIRST
                break
    bits = moments[m, ENDING] if tail[m] >= 0 else np.int64(0)
    for w in range(first, first + steps):
        if held[w] > 0:
            bits |= waits[w, NEEDED]
    need[m] = bits
    return closed


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
def close(m, i, t, person, time, program, attempts, held, misses, tally):  # type: ignore[no-untyped-def]
    """Give up all attempts at pattern ``m``: what got no further was superseded, or had no time left at ``t``."""
    moments, waits, _ = program
    for w in range(moments[m, WAIT_ROW], moments[m, WAIT_ROW] + moments[m, WAITS]):
        if len(misses) > 0:
            for k in range(waits[w, SLOT], waits[w, SLOT] + held[w]):
                _miss(k, m, w, SUPERSEDED, i, t, person, time, program, attempts, misses, tally)
        held[w] = 0


@kernel
def _take(waits, attempts, held, w, i, t, span):  # type: ignore[no-untyped-def]
    """Return the newest attempt that event ``i`` completes, or -1; count the event for those that wait for more."""
    for k in range(waits[w, SLOT] + held[w] - 1, waits[w, SLOT] - 1, -1):
        age = t - attempts[k, LAST_TIME]
        if age > waits[w, WITHIN]:
            return -1
        if age < waits[w, AFTER]:
            continue
        if attempts[k, SEEN] < waits[w, COUNT] - 1:
            attempts[k, SEEN] += 1
        elif t - attempts[k, START_TIME] <= span and (
            waits[w, STRICT] == 0 or i - attempts[k, LAST] == waits[w, COUNT]
        ):
            return k
        else:  # older attempts began earlier, and have let more events pass
            return -1
    return -1


@kernel
def _room(m, w, i, t, person, time, program, attempts, held, misses, tally):  # type: ignore[no-untyped-def]
    """Return the slot in wait ``w`` for the attempt that event ``i`` brought, or -1 if there is none."""
    moments, waits, _ = program
    slot = waits[w, SLOT]
    newest = slot + held[w] - 1
    at = newest + 1
    if held[w] > 0 and attempts[newest, SEEN] == 0 and (waits[w, AFTER] == 0 or attempts[newest, LAST_TIME] == t):
        at = newest
        if len(misses) > 0:
            _miss(at, m, w, SUPERSEDED, i, t, person, time, program, attempts, misses, tally)
    elif held[w] == waits[w, SLOTS]:
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
                _miss(k, m, w, SUPERSEDED, i, t, person, time, program, attempts, misses, tally)
        held[w] = at - slot
        if at > newest:
            return -1
    return at


@kernel
def _miss(k, m, w, reason, i, t, person, time, program, attempts, misses, tally):  # type: ignore[no-untyped-def]
    """Note that attempt ``k`` came to an end at event ``i``, or before, unless it got further."""
    moments, waits, _ = program
    if attempts[k, USED] != 0:
        return
    at = t
    limit = min(waits[w, WITHIN], moments[m, SPAN] - (attempts[k, LAST_TIME] - attempts[k, START_TIME]))
    if t - attempts[k, LAST_TIME] > limit:
        reason, at = TIMEOUT, attempts[k, LAST_TIME] + limit
    due = attempts[k, LAST] + waits[w, COUNT]
    if waits[w, STRICT] != 0 and due < i and time[due] <= at:
        reason, at = INTERRUPTED, time[due]
    _note(m, person, attempts[k, START], w - moments[m, WAIT_ROW], reason, at, misses, tally)


@kernel
def _note(m, person, start, wait, reason, at, misses, tally):  # type: ignore[no-untyped-def]
    row = tally[MISSED]
    tally[MISSED] += 1
    misses[row, 0] = m
    misses[row, 1] = person
    misses[row, 2] = start
    misses[row, 3] = wait
    misses[row, 4] = reason
    misses[row, 5] = at
