"""Events to the order of persons and times."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["count_codes", "order_by_time", "places", "put", "put_rows"]

_FEW = 24


@kernel
def count_codes(code: npt.NDArray[np.int32], counts: npt.NDArray[np.int64]) -> None:
    """Add to ``counts`` how often each code occurs."""
    for row in range(len(code)):
        counts[code[row]] += 1


@kernel
def places(
    code: npt.NDArray[np.int32],
    rank: npt.NDArray[np.int32],
    free: npt.NDArray[np.int64],
    found: npt.NDArray[np.uint32],
) -> None:
    """Write to ``found`` where each row goes when rows are sorted by ``rank[code]``, those of one rank as they stand.

    ``free`` is the next free place of each rank, and is moved on.
    """
    for row in range(len(code)):
        at = rank[code[row]]
        found[row] = free[at]
        free[at] += 1


@kernel
def put(values: npt.NDArray[np.generic], place: npt.NDArray[np.uint32], found: npt.NDArray[np.generic]) -> None:
    """Write each value to its place in ``found``."""
    for row in range(len(values)):
        found[place[row]] = values[row]


@kernel
def put_rows(place: npt.NDArray[np.uint32], found: npt.NDArray[np.uint32]) -> None:
    """Write the number of each row to its place in ``found``."""
    for row in range(len(place)):
        found[place[row]] = row


@kernel
def order_by_time(offsets: npt.NDArray[np.int64], time: npt.NDArray[np.int64], order: npt.NDArray[np.uint32]) -> int:
    """Sort ``time`` and, with it, ``order`` inside each run of ``offsets``; equal times stay as they stand.

    Returns how many runs were out of order. Where ``order`` is empty, they are only counted.
    """
    sorted_runs = 0
    count_only = len(order) == 0
    for run in range(len(offsets) - 1):
        first, stop = offsets[run], offsets[run + 1]
        in_order = True
        for event in range(first + 1, stop):
            if time[event] < time[event - 1]:
                in_order = False
                break
        if in_order:
            continue
        sorted_runs += 1
        if count_only:
            continue
        if stop - first <= _FEW:
            for event in range(first + 1, stop):
                now, row = time[event], order[event]
                at = event
                while at > first and time[at - 1] > now:
                    time[at] = time[at - 1]
                    order[at] = order[at - 1]
                    at -= 1
                time[at] = now
                order[at] = row
        else:
            place = np.argsort(time[first:stop], kind="mergesort")
            time[first:stop] = time[first:stop][place]
            order[first:stop] = order[first:stop][place]
    return sorted_runs
