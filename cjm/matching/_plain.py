"""The matcher in plain Python: the same answers as the kernel, from and to the same state, without compiled code.

A process that is handed a few events need not wait for the compiler. It is slow, and short enough to be read.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from cjm.kernels.matching_columns import FIRED_PLACE, HELD_TIMES, PENDING_PLACE, PLACES, STEP_TIMES
from cjm.matching._program import IntArray, Letters, Program, Ran

__all__ = ["run_plain"]


@dataclass
class _Attempt:
    times: list[int]
    last: int
    seen: int = 0


@dataclass
class _Match:
    times: list[int]
    last: int  # index, or -1 if it was pending before
    repeat: int = 0


@dataclass
class _Wait:
    step: int
    within: int
    after: int
    count: int
    strict: bool
    unless: int
    slots: int
    absences: list[tuple[int, int]]


@dataclass
class _Moment:
    begin: int
    span: int
    confirm: int
    once: int
    waits: list[_Wait]
    ending: list[tuple[int, int]]


@dataclass
class _Held:
    """What one person holds at one moment."""

    attempts: list[list[_Attempt]]
    pending: _Match | None = None
    fired: tuple[int, int] | None = None
    done: list[_Match] = field(default_factory=list)


class _Runner:
    def __init__(self, program: Program) -> None:
        moments, waits, absences = program.tables.moments, program.tables.waits, program.tables.absences
        self.moments: list[_Moment] = []
        for row in moments.tolist():
            begin, span, confirm, first, count, absence, number, _, once = row
            kept_out: dict[int, list[tuple[int, int]]] = defaultdict(list)
            for wait, mask, window in absences[absence : absence + number].tolist():
                kept_out[wait].append((mask, window))
            mine = [
                _Wait(step, within, after, times, bool(strict), unless, slots, kept_out[j])
                for j, (step, within, after, times, strict, unless, _, _, slots, _) in enumerate(
                    waits[first : first + count].tolist()
                )
            ]
            self.moments.append(_Moment(begin, span, confirm, once, mine, kept_out[count]))
        self.refused = np.zeros(len(moments), dtype=np.int64)
        self.suppressed = 0

    def event(self, m: int, held: _Held, bits: int, i: int, t: int) -> None:
        """Show event ``i`` at time ``t`` to what a person holds at moment ``m``."""
        moment = self.moments[m]
        if held.pending is not None and t - held.pending.times[-1] > moment.confirm:
            self.decide(m, held)
        for mask, window in moment.ending:
            if bits & mask and held.pending is not None and t - held.pending.times[-1] <= window:
                held.pending = None
        for wait, attempts in zip(moment.waits, held.attempts, strict=True):
            for mask, window in wait.absences:
                if bits & mask:
                    attempts[:] = [one for one in attempts if t - one.times[-1] > window]
        for j in range(len(moment.waits), -1, -1):  # the step that this event may complete, the last one first
            times = self.completed(moment, held, j, bits, i, t)
            if times is None:
                continue
            if j < len(moment.waits):
                self.put(m, held.attempts[j], moment.waits[j], _Attempt([*times, t], i))
            elif held.pending is None:
                held.pending = _Match([*times, t], i)
                if moment.confirm < 0:
                    self.decide(m, held)
                    return

    def completed(self, moment: _Moment, held: _Held, j: int, bits: int, i: int, t: int) -> list[int] | None:
        """Return the times of the attempt from which the event completes step ``j``, or None."""
        if j == 0:
            return [] if bits & moment.begin else None
        wait, attempts = moment.waits[j - 1], held.attempts[j - 1]
        found = None
        if bits & wait.step:
            for one in reversed(attempts):
                age = t - one.times[-1]
                if age > wait.within:
                    break
                if age < wait.after:
                    continue
                if one.seen < wait.count - 1:
                    one.seen += 1
                    continue
                if t - one.times[0] <= moment.span and (not wait.strict or i - one.last == wait.count):
                    found = one.times
                break
        if bits & wait.unless:
            attempts.clear()
        return found

    def put(self, m: int, attempts: list[_Attempt], wait: _Wait, new: _Attempt) -> None:
        """Let a new attempt wait."""
        span, t, i = self.moments[m].span, new.times[-1], new.last
        if attempts and (
            wait.slots == 1 or (attempts[-1].seen == 0 and (wait.after == 0 or attempts[-1].times[-1] == t))
        ):
            attempts[-1] = new
            return
        if len(attempts) == wait.slots:
            newer = [*attempts[1:], None]
            attempts[:] = [
                one
                for one, after in zip(attempts, newer, strict=True)
                if t - one.times[-1] <= wait.within
                and t - one.times[0] <= span
                and not (wait.strict and i - one.last >= wait.count)
                and not (after is not None and t - after.times[-1] >= wait.after and after.seen >= one.seen)
            ]
        if len(attempts) == wait.slots:
            self.refused[m] += 1
        else:
            attempts.append(new)

    def decide(self, m: int, held: _Held) -> None:
        """Let the match count, unless it follows the last one too soon; matching starts afresh."""
        match, once = held.pending, self.moments[m].once
        assert match is not None
        held.pending = None
        held.attempts = [[] for _ in held.attempts]
        end = match.times[-1]
        if held.fired is not None and once > 0 and end - held.fired[0] < once:
            self.suppressed += 1
            return
        if held.fired is not None and held.fired[0] == end == match.times[0]:
            match.repeat = held.fired[1] + 1
        held.fired = (end, match.repeat)
        held.done.append(match)


def run_plain(
    program: Program,
    letters: Letters,
    offsets: IntArray,
    time: IntArray,
    *,
    known_to: int,
    state: IntArray,
    state_at: IntArray,
) -> Ran:
    """Go on from a saved state, as ``run`` does with ``mode="non_overlapping"``."""
    runner = _Runner(program)
    width = state.shape[1] - HELD_TIMES
    rows: list[list[int]] = []
    saved: list[list[int]] = []
    letter, react_at, reactions = letters.letter.tolist(), letters.react_at.tolist(), letters.reactions.tolist()
    times = time.tolist()
    for person, (first, stop) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
        held: dict[int, _Held] = {}

        def at(m: int, held: dict[int, _Held] = held) -> _Held:
            return held.setdefault(m, _Held([[] for _ in runner.moments[m].waits]))

        for row in state[state_at[person] : state_at[person + 1]].tolist():
            m, place = divmod(row[1], PLACES)
            if place == FIRED_PLACE:
                at(m).fired = (row[5], row[2])
            elif place == PENDING_PLACE:
                at(m).pending = _Match(row[HELD_TIMES : HELD_TIMES + len(runner.moments[m].waits) + 1], -1)
            else:
                at(m).attempts[place].append(_Attempt(row[HELD_TIMES : HELD_TIMES + place + 1], first + row[3], row[2]))
        for i in range(first, stop):
            for m, bits in reactions[react_at[letter[i]] : react_at[letter[i] + 1]]:
                runner.event(m, at(m), bits, i, times[i])
        for m in sorted(held):
            mine, moment = held[m], runner.moments[m]
            if mine.pending is not None and known_to - mine.pending.times[-1] >= moment.confirm:
                runner.decide(m, mine)
            rows += [_match_row(m, person, match, width, 0) for match in mine.done]
            if mine.pending is not None:
                rows.append(_match_row(m, person, mine.pending, width, 1))
            saved += _state_rows(m, person, mine, moment, width, known_to, stop)
    return Ran(
        np.array(rows, dtype=np.int64).reshape(-1, STEP_TIMES + width),
        np.empty((0, 6), dtype=np.int64),
        np.array(saved, dtype=np.int64).reshape(-1, HELD_TIMES + width),
        runner.refused,
        runner.suppressed,
    )


def _match_row(m: int, person: int, match: _Match, width: int, pending: int) -> list[int]:
    times = match.times
    head = [m, person, match.last, match.last, times[0], times[-1], -1, match.repeat, pending]
    return head + times + [0] * (width - len(times))


def _state_rows(
    m: int, person: int, held: _Held, moment: _Moment, width: int, known_to: int, stop: int
) -> list[list[int]]:
    """Return what is saved: nothing that cannot matter after ``known_to``; ``stop`` is the next event's index."""
    rows = []
    if held.pending is not None:
        times = held.pending.times
        rows.append(
            [person, m * PLACES + PENDING_PLACE, 0, 0, times[0], times[-1], *times, *[0] * (width - len(times))]
        )
    for j, (wait, attempts) in enumerate(zip(moment.waits, held.attempts, strict=True)):
        for one in attempts:
            times = one.times
            lives = known_to - times[-1] < wait.within and known_to - times[0] < moment.span
            if lives and not (wait.strict and stop - one.last > wait.count):
                head = [person, m * PLACES + j, one.seen, one.last - stop, times[0], times[-1]]
                rows.append([*head, *times, *[0] * (width - len(times))])
    if held.fired is not None and known_to < held.fired[0] + max(moment.once - 1, 0):
        rows.append([person, m * PLACES + FIRED_PLACE, held.fired[1], 0, 0, held.fired[0], *[0] * width])
    return rows
