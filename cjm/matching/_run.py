"""The matching kernel, given room as it needs it."""

from __future__ import annotations

import numpy as np

from cjm.kernels import matching_columns as columns
from cjm.matching._plain import run_plain
from cjm.matching._program import IntArray, Letters, Program, Ran

__all__ = ["run", "run_plain"]

_ROOM = 1 << 16  # rows


def run(
    program: Program,
    letters: Letters,
    offsets: IntArray,
    time: IntArray,
    persons: tuple[int, int],
    *,
    mode: str,
    known_to: int,
    near: bool = False,
    state: IntArray | None = None,
    state_at: IntArray | None = None,
) -> Ran:
    """Run the kernel over a range of persons, from nothing or from ``state``; see ``cjm.kernels.matching``."""
    from cjm.kernels import matching
    from cjm.kernels._jit import as_array

    modes = {"first": columns.FIRST, "non_overlapping": columns.NON_OVERLAPPING, "all": columns.ALL}
    nothing = np.empty((0, columns.HELD_TIMES), dtype=np.int64)
    state = nothing if state is None else state
    state_at = nothing[:, 0] if state_at is None else state_at
    width = state.shape[1] - columns.HELD_TIMES
    patterns = len(program.tables.moments)
    room = max(_ROOM, len(state)) + 4 * (patterns + int(program.tables.waits[:, columns.SLOTS].sum()))
    refused, suppressed = np.zeros(patterns, dtype=np.int64), 0
    found: list[tuple[IntArray, IntArray, IntArray]] = []
    person, stop = persons
    while person < stop or not found:
        rows = np.empty((room, columns.STEP_TIMES + width), dtype=np.int64)
        misses = np.empty((room if near else 0, 6), dtype=np.int64)
        saved = np.empty((room if len(state_at) else 0, state.shape[1]), dtype=np.int64)
        person, count, tally = matching.run(
            person,
            stop,
            as_array(offsets, np.int64),
            as_array(time, np.int64),
            as_array(letters.letter[int(offsets[person]) - int(offsets[persons[0]]) :], np.int32),
            *letters.tables,
            *program.arrays,
            modes[mode],
            known_to,
            near,
            as_array(state, np.int64),
            as_array(state_at, np.int64),
            rows,
            misses,
            saved,
        )
        rows = rows[: tally[columns.FOUND]]
        kept = rows[rows[:, columns.PATTERN] >= 0]
        found.append((kept, misses[: tally[columns.MISSED]].copy(), saved[:count].copy()))
        refused += tally[columns.REFUSED :]
        suppressed += int(tally[columns.SUPPRESSED])
        room *= 2
    matches, ended, left = (np.concatenate(part) if len(part) > 1 else part[0] for part in zip(*found, strict=True))
    return Ran(matches, ended, left, refused, suppressed)
