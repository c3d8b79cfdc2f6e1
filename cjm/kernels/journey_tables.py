"""Small tables about runs of events."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["distinct_in_runs", "session_ends"]


@kernel
def distinct_in_runs(
    offsets: npt.NDArray[np.int64], code: npt.NDArray[np.int32], label: npt.NDArray[np.int32], labels: int
) -> npt.NDArray[np.int64]:
    """Return how many of the values ``label[code]``, which are below ``labels``, differ in each run of events."""
    runs = len(offsets) - 1
    found = np.zeros(runs, dtype=np.int64)
    last = np.full(labels, -1, dtype=np.int64)
    for run in range(runs):
        count = 0
        for event in range(offsets[run], offsets[run + 1]):
            value = label[code[event]]
            if last[value] != run:
                last[value] = run
                count += 1
        found[run] = count
    return found


@kernel
def session_ends(
    person: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
    session_offsets: npt.NDArray[np.int64],
    time: npt.NDArray[np.int64],
    code: npt.NDArray[np.int32],
) -> tuple[
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.uint32],
    npt.NDArray[np.uint32],
]:
    """Return the person, the first and last time and the first and last code of each session."""
    sessions = len(session_offsets) - 1
    owner = np.empty(sessions, dtype=np.int64)
    start = np.empty(sessions, dtype=np.int64)
    end = np.empty(sessions, dtype=np.int64)
    entry = np.empty(sessions, dtype=np.uint32)
    leave = np.empty(sessions, dtype=np.uint32)
    row = 0
    for session in range(sessions):
        first, last = session_offsets[session], session_offsets[session + 1] - 1
        while offsets[row + 1] <= first:
            row += 1
        owner[session] = person[row]
        start[session] = time[first]
        end[session] = time[last]
        entry[session] = code[first]
        leave[session] = code[last]
    return owner, start, end, entry, leave
