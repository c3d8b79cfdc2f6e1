"""Distinct values to dense codes, in the order in which they first come."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["code_numbers", "code_views", "look_up", "suspect_views"]

_MIX = np.uint64(0x9E3779B97F4A7C15)


@kernel
def _spread(value: np.uint64) -> np.uint64:
    value = (value ^ (value >> np.uint64(32))) * _MIX
    return value ^ (value >> np.uint64(29))


@kernel
def code_views(
    views: npt.NDArray[np.uint64],
    absent: npt.NDArray[np.bool_],
    slots: npt.NDArray[np.int32],
    keys: npt.NDArray[np.uint64],
    rows: npt.NDArray[np.int64],
    count: int,
    start: int,
    long: bool,
    codes: npt.NDArray[np.int32],
) -> tuple[int, int]:
    """Code the views of texts, shape (rows, 2), from ``start`` on; return the row reached and how many codes there are.

    A text of up to 12 bytes lies in its view, so equal views are equal texts; ``long`` says whether longer ones, of
    which the view says where they are stored, take part as well or get -2. Rows that are ``absent`` (empty: none is)
    get -1. ``slots`` is a hash table of a power of two, -1 where free; ``keys[:count]`` and ``rows[:count]`` are the
    view of each code and the row where it first came. It stops before a row for which ``keys`` has no room.
    """
    size = len(slots)
    check = len(absent) > 0
    for row in range(start, len(views)):
        if check and absent[row]:
            codes[row] = -1
            continue
        low, high = views[row, 0], views[row, 1]
        if not long and (low & np.uint64(0xFFFFFFFF)) > 12:
            codes[row] = -2
            continue
        slot = np.int64(_spread(low ^ _spread(high)) & np.uint64(size - 1))
        while True:
            code = slots[slot]
            if code < 0 or (keys[code, 0] == low and keys[code, 1] == high):
                break
            slot = (slot + 1) & (size - 1)
        if code < 0:
            if count == len(keys):
                return row, count
            code = np.int32(count)
            slots[slot] = code
            keys[count, 0] = low
            keys[count, 1] = high
            rows[count] = row
            count += 1
        codes[row] = code
    return len(views), count


@kernel
def look_up(
    codes: npt.NDArray[np.int32],
    meaning: npt.NDArray[np.uint32],
    absent: np.uint32,
    found: npt.NDArray[np.uint32],
    there: npt.NDArray[np.bool_],
) -> int:
    """Write to ``found`` what each code means and to ``there`` whether that is not ``absent``.

    Codes below zero mean ``absent``. Returns how many are -2.
    """
    long = 0
    for row in range(len(codes)):
        code = codes[row]
        number = absent if code < 0 else meaning[code]
        found[row] = number
        there[row] = number != absent
        long += code == -2
    return long


@kernel
def code_numbers(
    numbers: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int32],
    distinct: npt.NDArray[np.int64],
    count: int,
    start: int,
    codes: npt.NDArray[np.int32],
) -> tuple[int, int]:
    """Code ``numbers`` from ``start`` on; return the row reached and how many codes there are.

    ``slots`` is a hash table of a power of two, -1 where free, and ``distinct[:count]`` the number of each code. It
    stops before a row for which there is no room: ``distinct`` is half as long as ``slots``.
    """
    size = len(slots)
    for row in range(start, len(numbers)):
        value = numbers[row]
        slot = np.int64(_spread(np.uint64(value)) & np.uint64(size - 1))
        while True:
            code = slots[slot]
            if code < 0 or distinct[code] == value:
                break
            slot = (slot + 1) & (size - 1)
        if code < 0:
            if count == len(distinct):
                return row, count
            code = np.int32(count)
            slots[slot] = code
            distinct[count] = value
            count += 1
        codes[row] = code
    return len(numbers), count


@kernel
def suspect_views(
    letters: npt.NDArray[np.uint8], starts: npt.NDArray[np.bool_], edges: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], bool]:
    """Return which texts, by their views as bytes, start or end suspiciously, and whether any is longer than its view.

    ``starts`` is asked for the first two bytes, the first times 256 plus the second, ``edges`` for the last.
    """
    found = np.empty(len(letters), dtype=np.bool_)
    long = False
    for row in range(len(letters)):
        length = np.int64(letters[row, 0])
        whole = letters[row, 1] == 0 and letters[row, 2] == 0 and letters[row, 3] == 0 and length <= 12
        start = np.int64(letters[row, 4]) * 256 + letters[row, 5]
        found[row] = starts[start] or (whole and length > 0 and edges[letters[row, 3 + length]])
        long = long or not whole
    return found, long
