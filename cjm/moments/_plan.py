"""Moments compiled once: from events and what was saved of their persons to matches and what is saved of them next."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import CONTRACTS, TIME
from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.journeys._bucket import MemoryBucket
from cjm.kernels.matching_columns import (
    FROM_TIME,
    HELD_END,
    HELD_START,
    HELD_TIMES,
    ONCE,
    PATTERN,
    PENDING,
    PERSON,
    PLACE,
    PLACES,
    REPEAT,
    SPAN,
    STEP_TIMES,
    TO,
    TO_TIME,
    WAIT_ROW,
    WAITS,
    WHO,
    WITHIN,
)
from cjm.matching import Compiler, Ran, compile_patterns, known_until, over_parts, ranges_of, run, run_plain, tables_of
from cjm.moments._context import Attributes, Running, as_of, figures
from cjm.moments._moments import Moment
from cjm.patterns import Step

__all__ = ["Outcome", "Plan"]

IntArray = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_FEW = 5_000  # events that plain Python matches while the compiler would still be starting


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of events.

    Attributes
    ----------
    rows, saved : ndarray of int64
        Matches, and what to save of the persons, as the kernel writes them; persons are their places in ``person``.
    suppressed, refused : int
        Matches that came too soon after the last, attempts for which there was no room.
    person : ndarray of int64
    context : list of polars.Series
        What is known as of each event.
    """

    rows: IntArray
    saved: IntArray
    suppressed: int
    refused: int
    person: IntArray
    context: Sequence[pl.Series]


class Plan:
    """Moments with their context, compiled."""

    def __init__(
        self,
        moments: tuple[Moment, ...],
        context: Sequence[Running],
        attributes: pl.DataFrame | Sequence[pl.DataFrame],
    ) -> None:
        self.moments = moments
        self.context = tuple(context)
        tables = [attributes] if isinstance(attributes, pl.DataFrame) else attributes
        self.attributes = [Attributes(table) for table in tables]
        self.schema: dict[str, pl.DataType | type[pl.DataType]] = {one.name: one.dtype for one in self.context}
        names = [one.name for one in self.context] + [name for table in self.attributes for name in table.names]
        for name in names:
            if names.count(name) > 1 or name in CONTRACTS["MATCHES"].columns:
                raise ArgumentError.at(f"the name {name!r} is taken", where="context", hint="Choose another name")
        for table in self.attributes:
            self.schema |= table.schema
        self.patterns = {moment.name: moment.pattern for moment in moments}
        self.tables = tables_of(self.patterns, {moment.name: moment.once_us for moment in moments})
        self.versions = [moment.version(self.context) for moment in moments]
        self.width = HELD_TIMES + self.tables.width

    @cached_property
    def needs(self) -> list[str]:
        """The attributes of events that are looked at."""
        selectors = (one for step in self._steps() for one in (step.what, step.unless) if one is not None)
        tested = {test.attribute for selector in selectors for test in selector.tests} - set(self.schema)
        return sorted(tested.union(*(figure.needs for figure in self.context)))

    def _steps(self) -> list[Step]:
        return [step for pattern in self.patterns.values() for step in pattern.steps]

    def detect(self, journeys: Journeys, complete_until: datetime | None) -> pl.DataFrame:
        """Find all matches in whole journeys."""
        complete = known_until(journeys, complete_until)

        def one(bucket: Journeys) -> pl.DataFrame:
            outcome = self.run(bucket, complete)
            return self.found(outcome, outcome.rows[:, PENDING] == 0)

        return self.public(pl.concat(over_parts(journeys, self.patterns, one)))

    def run(
        self,
        view: Journeys,
        complete: int,
        *,
        held: IntArray | None = None,
        held_at: IntArray | None = None,
        partial: bool = False,
    ) -> Outcome:
        """Show events to persons.

        Parameters
        ----------
        view : Journeys
            The events; persons may have none.
        complete : int
            Time up to which the data are complete.
        held, held_at : ndarray of int64, optional
            What was saved of the persons: rows ``[held_at[p], held_at[p + 1])`` of ``held``.
        partial : bool
            The events are a part of the log, in which a touchpoint may be missing.
        """
        persons = len(view.arrays.person)
        if held is None or held_at is None:
            held, held_at = np.empty((0, self.width), dtype=np.int64), np.zeros(persons + 1, dtype=np.int64)
        figure_rows, held, held_at = _split(held, held_at)
        view, saved = self._with_context(view, figure_rows, complete, partial)
        compiler = Compiler(view, partial=partial)
        program = compile_patterns([moment.name for moment in self.moments], self.tables, compiler)
        arrays = view.arrays
        if _plainly(len(arrays.time)):
            letters = program.letters(arrays.code, 0, len(arrays.code))
            parts = [
                run_plain(
                    program, letters, arrays.offsets, arrays.time, known_to=complete, state=held, state_at=held_at
                )
            ]
        else:

            def one(persons: tuple[int, int]) -> Ran:
                letters = program.letters(arrays.code, *(int(arrays.offsets[edge]) for edge in persons))
                return run(
                    program, letters, arrays.offsets, arrays.time, persons, mode="non_overlapping", known_to=complete,
                    state=held, state_at=held_at,
                )  # fmt: skip

            ranges = ranges_of(arrays.offsets)
            if len(ranges) == 1:
                parts = [one(ranges[0])]
            else:
                with ThreadPoolExecutor(os.cpu_count()) as pool:
                    parts = list(pool.map(one, ranges))
        return Outcome(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([saved, *(part.saved for part in parts)]),
            sum(part.suppressed for part in parts),
            int(sum(part.refused.sum() for part in parts)),
            arrays.person,
            [view.attribute(name) for name in self.schema],
        )

    def _with_context(self, view: Journeys, held: IntArray, complete: int, partial: bool) -> tuple[Journeys, IntArray]:
        if not self.schema:
            return view, held[:0]
        clash = sorted(set(self.schema) & set(view.schema))
        if clash:
            raise ArgumentError.at(f"events have an attribute {clash[0]!r} already", where="context")
        arrays = view.arrays
        added, saved = figures(self.context, view, Compiler(view, partial=partial), held, complete)
        tables = [as_of(table, arrays.person, arrays.person_row, arrays.time) for table in self.attributes]
        columns = pl.concat([view.attributes, added, *tables], how="horizontal")
        bucket = MemoryBucket(arrays, columns)
        schema = columns.schema
        return Journeys([bucket], view.touchpoints, schema, rule=view.rule, start=view.start, end=view.end), saved

    @cached_property
    def _words(self) -> dict[str, pl.Series]:
        """What a match says that its moment says already, one value a moment."""
        return {
            "moment": pl.Series([moment.name for moment in self.moments], dtype=pl.String),
            "version": pl.Series(self.versions, dtype=pl.String),
            "pattern": pl.Series([str(moment.pattern) for moment in self.moments], dtype=pl.String),
            "action": pl.Series([moment.action for moment in self.moments], dtype=pl.String),
            "confirm": pl.Series([moment.pattern.confirm_us for moment in self.moments], dtype=pl.Int64),
        }

    def found(self, outcome: Outcome, chosen: Flags) -> pl.DataFrame:
        """Return chosen matches as MATCHES with ``number`` (of the moment) and ``repeat``, without ``match_id``."""
        if not chosen.any():
            return self.nothing
        rows = outcome.rows[chosen]
        number, end, last = rows[:, PATTERN], rows[:, TO_TIME], rows[:, TO]
        words = {name: values[number] for name, values in self._words.items()}
        counts = self.tables.moments[number, WAITS] + 1
        taken = np.arange(rows.shape[1] - STEP_TIMES) < counts[:, None]
        steps = pl.Series(rows[:, STEP_TIMES:][taken], dtype=pl.Int64).cast(TIME)
        edges = np.repeat(np.arange(len(rows)), counts)
        listed = pl.DataFrame({"row": edges, "steps": steps}).group_by("row", maintain_order=True).agg("steps")["steps"]
        return pl.DataFrame(
            {
                "moment": words["moment"],
                "version": words["version"],
                "pattern": words["pattern"],
                "person": outcome.person[rows[:, PERSON]],
                "start": pl.Series(rows[:, FROM_TIME]).cast(TIME),
                "end": pl.Series(end).cast(TIME),
                "span": pl.Series(end - rows[:, FROM_TIME]).cast(pl.Duration("us")),
                "confirmed_at": (words["confirm"] + pl.Series(end)).cast(TIME),
                "steps": listed,
                "action": words["action"],
                **{values.name: values[last].cast(self.schema[values.name]) for values in outcome.context},
                "number": number,
                "repeat": rows[:, REPEAT],
            }
        )

    @cached_property
    def nothing(self) -> pl.DataFrame:
        """No matches, as ``found`` would return them."""
        kinds = {name: kind for name, kind in CONTRACTS["MATCHES"].columns.items() if name != "match_id"}
        return pl.DataFrame(schema=kinds | self.schema | {"number": pl.Int64, "repeat": pl.Int64})

    def public(self, found: pl.DataFrame) -> pl.DataFrame:
        """Return contract MATCHES: give each match its number, and sort them."""
        if found.is_empty():
            return self.nobody
        seeds = np.array([int(version, 16) for version in self.versions], dtype=np.uint64)
        number = found["number"].to_numpy()
        mixed = seeds[number] if len(seeds) else np.empty(0, dtype=np.uint64)
        for key in ("person", "start", "end", "repeat"):
            mixed = _mix(mixed ^ found[key].to_physical().to_numpy().astype(np.uint64))
        ids = pl.Series("match_id", (mixed >> np.uint64(1)).astype(np.int64))
        numbered = found.with_columns(ids).sort("number", "person", "end", "start", "repeat")
        return numbered.select(*CONTRACTS["MATCHES"].columns, *self.schema)

    @cached_property
    def nobody(self) -> pl.DataFrame:
        """No matches, as ``public`` would return them."""
        number = pl.lit(None, dtype=pl.Int64).alias("match_id")
        return self.nothing.with_columns(number).select(*CONTRACTS["MATCHES"].columns, *self.schema)

    def idle(self, rows: IntArray, complete: int) -> npt.NDArray[np.bool_]:
        """Tell which saved rows can no longer matter after ``complete``."""
        moments, waits = self.tables.moments, self.tables.waits
        m, place = np.divmod(rows[:, PLACE], PLACES)
        figure = rows[:, PLACE] < 0
        m, place = np.where(figure, 0, m), np.where(figure, 0, place)
        waiting = ~figure & (place < 16)
        wait = np.minimum(moments[m, WAIT_ROW] + np.where(waiting, place, 0), max(len(waits) - 1, 0))
        within = waits[wait, WITHIN] if len(waits) else np.zeros(len(rows), dtype=np.int64)
        far = np.int64(1) << 61
        over = complete >= rows[:, HELD_END] + np.minimum(within, far)
        over |= complete >= rows[:, HELD_START] + np.minimum(moments[m, SPAN], far)
        fired = ~figure & (place == 17) & (complete >= rows[:, HELD_END] + np.maximum(moments[m, ONCE] - 1, 0))
        idle: npt.NDArray[np.bool_] = (waiting & over) | fired | (figure & (rows[:, HELD_END] <= complete + 1))
        return idle


def _plainly(events: int) -> bool:
    """Tell whether plain Python would be done before the compiled matcher is loaded."""
    return events <= _FEW and "cjm.kernels.matching" not in sys.modules


def _split(held: IntArray, held_at: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Tell rows of figures from the others; ``WHO`` becomes the row of the person."""
    held = held.copy()
    held[:, WHO] = np.repeat(np.arange(len(held_at) - 1), np.diff(held_at))
    figure = held[:, PLACE] < 0
    return held[figure], held[~figure], np.concatenate(([0], np.cumsum(~figure)))[held_at]


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return numbers that look random and differ where ``x`` does (the finalizer of SplitMix64)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
