"""In which periods after their first persons are active."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.measure_timeline import period_from

__all__ = ["retention_batch"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]


@kernel
def retention_batch(
    offsets: IntArray,
    time: IntArray,
    code: CodeArray,
    group: CodeArray,
    starts: IntArray,
    begins: npt.NDArray[np.bool_],
    counts: npt.NDArray[np.bool_],
    bracket: CodeArray,
    brackets: int,
    only_last: bool,
    person: int,
    batch: IntArray,
) -> tuple[int, int]:
    """Write ((group * periods + cohort) * (brackets + 1) + bracket, person) of active brackets into ``batch``.

    A person is in the cohort of the period of their first event whose code ``begins`` one; without such an event
    nothing is written. Of the events from there on those whose code ``counts`` are activity; k periods after the first
    it is in ``bracket[k]``, and in none where that is -1. Brackets are written from 1, each once a person, or the last
    one only; 0 stands for the person itself. The group is that of the first event of the cohort.
    See :func:`cjm.measure._tally.tallied`.
    """
    length = (starts[-1] - starts[0]) // (len(starts) - 1)
    size = 0
    while person < len(offsets) - 1 and size + brackets + 1 <= len(batch):
        event, end = offsets[person], offsets[person + 1]
        while event < end and not begins[code[event]]:
            event += 1
        if event < end:
            cohort = period_from(starts, length, 0, time[event])
            base = (np.int64(group[event]) * len(starts) + cohort) * (brackets + 1)
            batch[size, 0] = base
            batch[size, 1] = person
            size += 1
            place = cohort
            until = starts[cohort]
            written = np.int64(-1)
            for later in range(event, end):
                if not counts[code[later]] or time[later] < until:
                    continue
                place = period_from(starts, length, place, time[later])
                until = starts[place + 1]
                now = np.int64(bracket[place - cohort])
                if now > written:
                    # Times ascend, so brackets do; the row of the one before gives way if only the last is wanted.
                    if only_last and written >= 0:
                        size -= 1
                    batch[size, 0] = base + now + 1
                    batch[size, 1] = person
                    size += 1
                    written = now
        person += 1
    return person, size
