"""What is left of all units when only some items are kept, with the places of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cjm.errors import RunError
from cjm.mining._units import Units

__all__ = ["Rows", "check_size_of_rows", "rows_of"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
_MOST = 2**31 - 2**16  # places are numbers of 32 bits


@dataclass(frozen=True, eq=False)
class Rows:
    """Row ``i`` is unit ``i``; it has the items ``[offsets[i], offsets[i + 1])``.

    Attributes
    ----------
    code, row, event : ndarray of int32
        Of each item: its number, its row, and the number of its event, which goes on from row to row.
    time : ndarray of int64
        Microseconds; empty if not asked for.
    offsets : ndarray of int64
    places : ndarray of int32
        All places of item ``j`` are ``places[place_offsets[j]:place_offsets[j + 1]]``.
    place_offsets : ndarray of int64
    unit : ndarray of int64
        Number of the person, session or journey of each row.
    """

    code: CodeArray
    row: CodeArray
    event: CodeArray
    time: IntArray
    offsets: IntArray
    places: CodeArray
    place_offsets: IntArray
    unit: IntArray


def rows_of(units: Units, new_code: CodeArray, n_items: int, *, in_time: bool) -> Rows:
    """Keep and recode the items whose ``new_code`` is not -1."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.sequences_index import keep_items, occurrences

    recode = as_array(new_code, np.int32)
    codes, rows, events, times, numbers = [], [], [], [], []
    offsets = [np.zeros(1, dtype=np.int64)]
    before_rows = before_items = before_events = 0
    for part in units.parts():
        code, ends, source, row = keep_items(as_array(part.code, np.int32), as_array(part.offsets, np.int64), recode)
        codes.append(code)
        rows.append((row + before_rows).astype(np.int32))
        offsets.append(ends[1:] + before_items)
        events.append((part.event[source] + before_events).astype(np.int32))
        times.append(part.time[source] if in_time else np.zeros(0, dtype=np.int64))
        numbers.append(part.unit)
        before_rows += len(part.offsets) - 1
        before_items += len(code)
        before_events += int(part.event[-1]) + 1 if len(part.event) else 0
        check_size_of_rows(max(before_items, before_events), units.where)
    all_code, all_rows = _end_to_end(codes), _end_to_end(rows)
    all_events, all_times = _end_to_end(events), _end_to_end(times)
    places, place_offsets = occurrences(as_array(all_code, np.int32), n_items)
    return Rows(
        all_code,
        all_rows,
        all_events,
        all_times,
        _end_to_end(offsets),
        places,
        place_offsets,
        _end_to_end(numbers),
    )


def _end_to_end(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Put arrays end to end and drop them, so that little is in memory twice."""
    whole = np.concatenate(parts)
    parts.clear()
    return whole


def check_size_of_rows(size: int, where: str) -> None:
    """Raise if there are too many items or events."""
    if size > _MOST:
        raise RunError.at(f"{size:,} events are too many", where=where, hint="Mine a sample of persons")
