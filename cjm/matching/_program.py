"""Many patterns as one program of the matching kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cjm.kernels.matching_columns import BEGIN, ENDING, NEEDED, WAIT_ROW, WAITS
from cjm.matching._tables import Compiler, Condition, Flags
from cjm.patterns import Pattern, Selector, Step, waits_of

__all__ = ["FOREVER", "Letters", "Program", "Ran", "compile_patterns", "tables_of"]

IntArray = npt.NDArray[np.int64]

FOREVER = np.iinfo(np.int64).max
_LETTERS = 4096  # as many letters are told apart before those that do not occur are left out


@dataclass(frozen=True, eq=False)
class Letters:
    """Events as the kernel reads them; see ``cjm.kernels.matching``."""

    letter: npt.NDArray[np.int32]
    wake: npt.NDArray[np.uint64]
    react_at: IntArray
    reactions: IntArray

    @property
    def tables(self) -> tuple[npt.NDArray[np.uint64], IntArray, IntArray]:
        """What each letter means, as kernels take it."""
        from cjm.kernels._jit import as_array

        return as_array(self.wake, np.uint64), as_array(self.react_at, np.int64), as_array(self.reactions, np.int64)

    def part(self, start: int, stop: int) -> Letters:
        """Return some of the events."""
        return replace(self, letter=self.letter[start:stop])


@dataclass(frozen=True, eq=False)
class Tables:
    """Patterns as rows of small integers, see ``cjm.kernels.matching_columns``; ``selectors`` says what a bit means."""

    moments: IntArray
    waits: IntArray
    absences: IntArray
    selectors: tuple[tuple[Selector, ...], ...]

    @property
    def width(self) -> int:
        """The largest number of events that are matched and remembered."""
        return int(self.moments[:, WAITS].max(initial=0)) + 1


@dataclass(frozen=True, eq=False)
class Test:
    """A condition on events: the touchpoints it concerns, and for each pattern the bits that are lost without it."""

    passed: Flags
    codes: Flags
    asked: IntArray


@dataclass(frozen=True, eq=False)
class Program:
    """Patterns compiled for given journeys: tables, and the bits of each touchpoint (row) for each pattern."""

    tables: Tables
    bits: IntArray
    tests: tuple[Test, ...]

    @property
    def arrays(self) -> tuple[IntArray, IntArray, IntArray]:
        """The tables, as kernels take them."""
        from cjm.kernels._jit import as_array

        moments, waits, absences = self.tables.moments, self.tables.waits, self.tables.absences
        return as_array(moments, np.int64), as_array(waits, np.int64), as_array(absences, np.int64)

    def letters(self, code: npt.NDArray[np.int32], start: int, stop: int) -> Letters:
        """Return events ``[start, stop)`` as letters: touchpoints, each split by the tests that its events fail."""
        letter = code[start:stop].copy() if self.tests else code[start:stop]
        origin, lost = np.arange(len(self.bits)), np.zeros_like(self.bits)
        for test in self.tests:
            failed = np.flatnonzero(test.codes[code[start:stop]] & ~test.passed[start:stop])
            split = np.flatnonzero(test.codes[origin])
            other = np.zeros(len(origin), dtype=np.int32)
            other[split] = len(origin) + np.arange(len(split))
            letter[failed] = other[letter[failed]]
            origin, lost = np.append(origin, origin[split]), np.vstack([lost, lost[split] | test.asked])
            if len(origin) > _LETTERS:
                used = np.bincount(letter, minlength=len(origin)) > 0
                letter = (np.cumsum(used) - 1).astype(np.int32)[letter]
                origin, lost = origin[used], lost[used]
        bits = self.bits[origin] & ~lost
        moments = self.tables.moments
        wake = ((bits & moments[:, BEGIN]) != 0).any(axis=1).astype(np.uint64)
        matters = (bits & _later(self.tables)) != 0
        for m in range(len(moments)):
            wake |= matters[:, m].astype(np.uint64) << np.uint64(1 + m % 63)
        rows, patterns = np.nonzero(bits)
        return Letters(
            letter,
            wake,
            np.searchsorted(rows, np.arange(len(bits) + 1)).astype(np.int64),
            np.column_stack((patterns, bits[rows, patterns])).astype(np.int64),
        )


@dataclass(frozen=True, eq=False)
class Ran:
    """What the kernel found; the columns are those of ``cjm.kernels.matching_columns``.

    Attributes
    ----------
    rows, misses, saved : ndarray of int64
        Matches, attempts that came to nothing, state.
    refused : ndarray of int64
        Attempts for which there was no room, by pattern.
    suppressed : int
        Matches that followed the last one too soon.
    """

    rows: IntArray
    misses: IntArray
    saved: IntArray
    refused: IntArray
    suppressed: int


def _later(tables: Tables) -> IntArray:
    """Return for each pattern the bits that matter once it has begun."""
    later = tables.moments[:, ENDING].copy()
    for m, (first, count) in enumerate(tables.moments[:, [WAIT_ROW, WAITS]]):
        later[m] |= np.bitwise_or.reduce(tables.waits[first : first + count, NEEDED], initial=0)
    return later


def tables_of(patterns: Mapping[str, Pattern], once: Mapping[str, int] | None = None) -> Tables:
    """Return the tables of patterns; ``once`` gives the shortest time between two matches of those that have one."""
    moments: list[tuple[int, ...]] = []
    waits: list[tuple[int, ...]] = []
    absences: list[tuple[int, int, int]] = []
    selectors: list[tuple[Selector, ...]] = []
    slot = 0
    for name, pattern in patterns.items():
        bits: dict[Selector, int] = {}

        def bit(selector: Selector | None, bits: dict[Selector, int] = bits) -> int:
            return 0 if selector is None else 1 << bits.setdefault(selector, len(bits))

        def add(number: int, steps: tuple[Step, ...]) -> int:
            """Add the absences in front of a wait and return their mask."""
            rows = [(number, bit(absence.what), absence.within or 0) for absence in steps]
            absences.extend(rows)
            return sum({row[1] for row in rows})

        begin = bit(pattern.steps[0].what)
        needed, at_end = waits_of(pattern)
        first_wait, first_absence = len(waits), len(absences)
        for number, wait in enumerate(needed):
            step = wait.step
            within = FOREVER if step.within is None else step.within
            quiet = max((absence.within or 0 for absence in wait.absences), default=-FOREVER)
            what, unless = bit(step.what), bit(step.unless)
            mask = what | unless | add(number, wait.absences)
            limits = (what, within, wait.earliest, step.count, int(step.strict), unless, quiet)
            waits.append((*limits, slot, wait.attempts, mask))
            slot += wait.attempts
        ending = add(len(needed), at_end)
        span = FOREVER if pattern.span_us is None else pattern.span_us
        confirm = -1 if pattern.confirm_us is None else pattern.confirm_us
        places = (first_wait, len(needed), first_absence, len(absences) - first_absence)
        moments.append((begin, span, confirm, *places, ending, (once or {}).get(name, 0)))
        selectors.append(tuple(bits))
    return Tables(
        np.array(moments, dtype=np.int64).reshape(-1, 9),
        np.array(waits, dtype=np.int64).reshape(-1, 10),
        np.array(absences, dtype=np.int64).reshape(-1, 3),
        tuple(selectors),
    )


def compile_patterns(names: list[str], tables: Tables, compiler: Compiler) -> Program:
    """Return the program of patterns for the journeys of ``compiler``; ``names`` are for messages."""
    count = len(compiler.code)
    bits = np.zeros((count, len(names)), dtype=np.int64)
    asked: dict[Condition, tuple[Flags, IntArray]] = {}
    for m, (name, selectors) in enumerate(zip(names, tables.selectors, strict=True)):
        where = f"pattern {name!r}"
        for place, selector in enumerate(selectors):
            codes = compiler.codes(selector, where)
            bits[codes, m] |= 1 << place
            condition: Condition = selector.expression or selector.tests
            if condition:
                compiler.events(condition, where)
                known = (np.zeros(count, dtype=bool), np.zeros(len(names), dtype=np.int64))
                flags, masks = asked.setdefault(condition, known)
                flags[codes] = True
                masks[m] |= 1 << place
    tests = tuple(Test(compiler.passed[condition], flags, masks) for condition, (flags, masks) in asked.items())
    return Program(tables, bits, tests)
