"""The matching kernel, given room as it needs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cjm.matching._program import Letters, Program

__all__ = ["Ran", "run"]

IntArray = npt.NDArray[np.int64]

_ROOM = 1 << 16  # rows


@dataclass(frozen=True, eq=False)
class Ran:
    """What the kernel found; the columns are those of ``cjm.kernels.matching_parts``.

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
    from cjm.kernels import matching_parts as parts
    from cjm.kernels._jit import as_array

    modes = {"first": matching.FIRST, "non_overlapping": matching.NON_OVERLAPPING, "all": matching.ALL}
    nothing = np.empty((0, parts.HELD_TIMES), dtype=np.int64)
    state = nothing if state is None else state
    state_at = nothing[:, 0] if state_at is None else state_at
    width = state.shape[1] - parts.HELD_TIMES
    patterns = len(program.tables.moments)
    room = max(_ROOM, len(state)) + 4 * (patterns + int(program.tables.waits[:, parts.SLOTS].sum()))
    refused, suppressed = np.zeros(patterns, dtype=np.int64), 0
    found: list[tuple[IntArray, IntArray, IntArray]] = []
    person, stop = persons
    while person < stop or not found:
        rows = np.empty((room, parts.STEP_TIMES + width), dtype=np.int64)
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
        rows = rows[: tally[parts.FOUND]]
        kept = rows[rows[:, parts.PATTERN] >= 0]
        found.append((kept, misses[: tally[parts.MISSED]].copy(), saved[:count].copy()))
        refused += tally[parts.REFUSED :]
        suppressed += int(tally[parts.SUPPRESSED])
        room *= 2
    matches, ended, left = (np.concatenate(part) if len(part) > 1 else part[0] for part in zip(*found, strict=True))
    return Ran(matches, ended, left, refused, suppressed)
