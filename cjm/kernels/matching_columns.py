"""What the columns of the matcher's tables mean. No compiled code is needed to know it."""

from __future__ import annotations

__all__ = [
    "ABSENCES",
    "ABSENCE_ROW",
    "ABSENT",
    "AFTER",
    "ALL",
    "BEFORE",
    "BEGIN",
    "CAME",
    "CONFIRM",
    "COUNT",
    "ENDED",
    "ENDING",
    "FIRED_PLACE",
    "FIRST",
    "FOUND",
    "FROM",
    "FROM_TIME",
    "HELD_END",
    "HELD_LAST",
    "HELD_SEEN",
    "HELD_START",
    "HELD_TIMES",
    "INTERRUPTED",
    "LAST",
    "LAST_TIME",
    "MISSED",
    "NEEDED",
    "NON_OVERLAPPING",
    "ONCE",
    "PATTERN",
    "PENDING",
    "PENDING_PLACE",
    "PERSON",
    "PLACE",
    "PLACES",
    "QUIET",
    "REFUSED",
    "REPEAT",
    "SEEN",
    "SLOT",
    "SLOTS",
    "SPAN",
    "START",
    "START_TIME",
    "STEP",
    "STEP_TIMES",
    "STRICT",
    "SUPERSEDED",
    "SUPPRESSED",
    "TIMEOUT",
    "TIMES",
    "TO",
    "TO_TIME",
    "UNLESS",
    "USED",
    "WAIT",
    "WAITS",
    "WAIT_ROW",
    "WHO",
    "WINDOW",
    "WITHIN",
]

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
TIMEOUT, ENDED, SUPERSEDED, INTERRUPTED, CAME = range(5)
# places in ``tally``; from REFUSED on there is one for each pattern
FOUND, MISSED, SUPPRESSED, REFUSED = range(4)
# Saved state: one row for each attempt, each pending match and each last match. Columns: person, place, events
# counted (number among equals), index of the last event less that of the person's next one, time of the first event,
# of the last, of all. A place is PLACES times the pattern, plus the wait, or PENDING_PLACE, or FIRED_PLACE.
PLACES, PENDING_PLACE, FIRED_PLACE = 32, 16, 17
WHO, PLACE, HELD_SEEN, HELD_LAST, HELD_START, HELD_END, HELD_TIMES = range(7)
