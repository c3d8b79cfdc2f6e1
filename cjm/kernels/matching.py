"""The one matcher: a pattern, compiled to small tables, run over the events of persons.

For each wait between two events of a match (row of ``waits``) the attempts that stand there are kept, oldest first.
Later attempts have later starts, so the newest attempt that is ready gives the latest start. An attempt is dominated,
and may be dropped, when a newer one is ready at least as soon: only a shortest time or a count can make it otherwise.
"""

from __future__ import annotations

import numpy as np

from cjm.kernels._jit import kernel

__all__ = ["ALL", "FIRST", "NON_OVERLAPPING", "find_matches"]

FIRST, NON_OVERLAPPING, ALL = 0, 1, 2

# columns of ``waits``: the step waited for (bit mask), longest and shortest time, count, strictness, unless (bit mask),
# longest absence in front of the step (lowest integer: none), first slot in ``attempts`` and number of slots
STEP, WITHIN, AFTER, COUNT, STRICT, UNLESS, QUIET, SLOT, SLOTS = range(9)
# columns of ``absences``: the wait it stands in front of (or the number of waits, at the end), bit mask, window
WAIT, ABSENT, WINDOW = range(3)
# columns of ``attempts``: index and time of the first event, index and time of the last, events counted so far
START, START_TIME, LAST, LAST_TIME, SEEN = range(5)


@kernel
def find_matches(  # type: ignore[no-untyped-def]
    person_start, person_stop, offsets, time, code, table, gate, first_bit, waits, absences, span, mode, known_to, rows
):
    """Find the matches of one pattern in persons ``[person_start, person_stop)``.

    Signature: (int64, int64, int64[:], int64[:], int32[:], uint32[:], uint32[:], int64, int64[:, 9], int64[:, 3],
    int64, int64, int64, int64[:, 3]) -> (int64, int64).

    Parameters
    ----------
    table
        Bits of the selectors that a touchpoint code passes.
    gate
        Bits that an event lets through (attribute tests), from the first event of the range on; empty if there are no
        tests.
    first_bit, waits, absences, span
        The pattern: mask of the first step, and the tables described above. ``span`` bounds the whole.
    mode
        FIRST, NON_OVERLAPPING or ALL.
    known_to
        Time up to which the data are complete: an absence is certain if its window ends by then.
    rows
        Output: person row, index of the first event, index of the last; room for one row for each event.

    Returns
    -------
    The number of rows written, and of attempts that were refused because all slots were taken.
    """
    steps = len(waits)
    slots = np.int64(0)
    for j in range(steps):
        slots += waits[j, SLOTS]
    attempts = np.empty((slots, 5), dtype=np.int64)
    held = np.zeros(steps, dtype=np.int64)
    always = first_bit  # bits that can change something even if nothing is held
    needed = np.empty(steps, dtype=np.int64)  # bits that can, while an attempt is held in that wait
    for j in range(steps):
        needed[j] = waits[j, STEP] | waits[j, UNLESS]
    confirm = np.int64(-1)  # longest absence at the end
    for a in range(len(absences)):
        if absences[a, WAIT] == steps:
            always |= absences[a, ABSENT]
            confirm = max(confirm, absences[a, WINDOW])
        else:
            needed[absences[a, WAIT]] |= absences[a, ABSENT]
    found = np.int64(0)
    refused = np.int64(0)
    origin, stop = offsets[person_start], offsets[person_stop]
    person, i, last = person_start - 1, origin, origin
    base = found  # rows before this one are certain
    while True:
        awake = always
        for j in range(steps):
            if held[j] > 0:
                awake |= needed[j]
        i = _next(i, stop, code, table, gate, origin, np.uint32(awake))
        if i >= last:
            while confirm >= 0 and found > base and known_to - time[rows[found - 1, 2]] < confirm:
                found -= 1
            if i >= stop:
                return found, refused
            while offsets[person + 1] <= i:
                person += 1
            last = offsets[person + 1]
            held[:] = 0
            base = found
        bits = np.int64(table[code[i]] & gate[i - origin] if len(gate) > 0 else table[code[i]])
        t = time[i]
        if confirm >= 0 and mode != ALL and found > base and t - time[rows[found - 1, 2]] > confirm:
            # the match that was pending is decided, one way or the other
            if mode == FIRST or known_to - time[rows[found - 1, 2]] < confirm:
                i = last
                continue
            held[:] = 0
            base = found
        for a in range(len(absences)):
            if bits & absences[a, ABSENT] != 0:
                j = absences[a, WAIT]
                if j == steps:
                    while found > base and t - time[rows[found - 1, 2]] <= absences[a, WINDOW]:
                        found -= 1
                else:
                    slot = waits[j, SLOT]
                    while held[j] > 0 and t - attempts[slot + held[j] - 1, LAST_TIME] <= absences[a, WINDOW]:
                        held[j] -= 1
        ended = False
        for j in range(steps - 1, -2, -1):
            # has this event completed step j + 1 (j == -1: the first step), and from which start
            start, start_time = np.int64(-1), t
            if j == -1:
                if bits & first_bit != 0:
                    start = i
            elif held[j] > 0:
                if bits & waits[j, STEP] != 0:
                    ready = _take(waits, attempts, held, j, i, t, span)
                    if ready >= 0:
                        start, start_time = attempts[ready, START], attempts[ready, START_TIME]
                if bits & waits[j, UNLESS] != 0:
                    held[j] = 0
            if start < 0:
                continue
            if j + 1 < steps:
                if known_to - t < waits[j + 1, QUIET]:
                    continue
                at = waits[j + 1, SLOT]
                if waits[j + 1, SLOTS] > 1:
                    at = _room(waits, attempts, held, j + 1, i, t, span)
                    if at < 0:
                        refused += 1
                        continue
                attempts[at, START] = start
                attempts[at, START_TIME] = start_time
                attempts[at, LAST] = i
                attempts[at, LAST_TIME] = t
                attempts[at, SEEN] = 0
                held[j + 1] = at - waits[j + 1, SLOT] + 1
            elif confirm < 0 or mode == ALL or found == base:
                rows[found, 0] = person
                rows[found, 1] = start
                rows[found, 2] = i
                found += 1
                ended = bool(confirm < 0 and mode != ALL)
                if ended:
                    break
        if ended:
            held[:] = 0
        i = last if ended and mode == FIRST else i + 1


@kernel
def _next(i, stop, code, table, gate, origin, awake):  # type: ignore[no-untyped-def]
    """Return the first event from ``i`` on that can change anything, or ``stop``."""
    if len(gate) > 0:
        for k in range(np.uint64(i), np.uint64(stop)):  # unsigned: no test for negative indices
            if table[np.uint32(code[k])] & gate[k - np.uint64(origin)] & awake != 0:
                return np.int64(k)
    else:
        for k in range(np.uint64(i), np.uint64(stop)):
            if table[np.uint32(code[k])] & awake != 0:
                return np.int64(k)
    return np.int64(stop)


@kernel
def _take(waits, attempts, held, j, i, t, span):  # type: ignore[no-untyped-def]
    """Return the newest attempt that event ``i`` completes, or -1; count the event for those that wait for more."""
    for k in range(waits[j, SLOT] + held[j] - 1, waits[j, SLOT] - 1, -1):
        age = t - attempts[k, LAST_TIME]
        if age > waits[j, WITHIN]:
            return -1
        if age < waits[j, AFTER]:
            continue
        if attempts[k, SEEN] < waits[j, COUNT] - 1:
            attempts[k, SEEN] += 1
        elif t - attempts[k, START_TIME] <= span and (
            waits[j, STRICT] == 0 or i - attempts[k, LAST] == waits[j, COUNT]
        ):
            return k
        else:  # older attempts began earlier, and have let more events pass
            return -1
    return -1


@kernel
def _room(waits, attempts, held, j, i, t, span):  # type: ignore[no-untyped-def]
    """Return the slot in wait ``j`` for the attempt that event ``i`` brought, or -1 if there is none."""
    slot = waits[j, SLOT]
    newest = slot + held[j] - 1
    at = newest + 1
    if held[j] > 0 and attempts[newest, SEEN] == 0 and (waits[j, AFTER] == 0 or attempts[newest, LAST_TIME] == t):
        at = newest
    elif held[j] == waits[j, SLOTS]:
        at = slot
        for k in range(slot, newest + 1):
            expired = (
                t - attempts[k, LAST_TIME] > waits[j, WITHIN]
                or t - attempts[k, START_TIME] > span
                or (waits[j, STRICT] != 0 and i - attempts[k, LAST] >= waits[j, COUNT])
            )
            dominated = (
                k < newest
                and t - attempts[k + 1, LAST_TIME] >= waits[j, AFTER]
                and attempts[k + 1, SEEN] >= attempts[k, SEEN]
            )
            if not expired and not dominated:
                attempts[at] = attempts[k]
                at += 1
        held[j] = at - slot
        if at > newest:
            return -1
    return at
