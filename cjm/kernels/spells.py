"""Cut persons' time at risk where something happens to them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["cut_spells", "number_events"]

IntArray = npt.NDArray[np.int64]


@kernel
def cut_spells(
    entry: IntArray,
    exit_: IntArray,
    offsets: IntArray,
    time: IntArray,
    subject: IntArray,
    start: IntArray,
    stop: IntArray,
) -> int:
    """Write rows (start, stop] of each subject, cut at its times ``time[offsets[i]:offsets[i + 1]]``, which lie inside.

    The times of a subject are sorted in place; equal ones cut once. Returns the number of rows.
    """
    row = 0
    for i in range(len(entry)):
        low, high = offsets[i], offsets[i + 1]
        for e in range(low + 1, high):
            now = time[e]
            at = e
            while at > low and time[at - 1] > now:
                time[at] = time[at - 1]
                at -= 1
            time[at] = now
        begun = entry[i]
        for e in range(low, high):
            if time[e] > begun:
                subject[row], start[row], stop[row] = i, begun, time[e]
                begun = time[e]
                row += 1
        subject[row], start[row], stop[row] = i, begun, exit_[i]
        row += 1
    return row


@kernel
def number_events(
    time: IntArray,
    offsets: IntArray,
    place: IntArray,
    earliest: IntArray,
    latest: IntArray,
    subject: IntArray,
    when: IntArray,
    number: IntArray,
) -> int:
    """Write subject, time and number of each instant from ``earliest`` to ``latest`` of the subject.

    Person ``p`` has the events ``time[offsets[p]:offsets[p + 1]]`` and is subject ``place[p]`` (-1: none). Instants are
    numbered from the first event on, whatever is written. Returns how many are written.
    """
    row = 0
    for p in range(len(place)):
        i = place[p]
        if i < 0:
            continue
        count = 0
        for e in range(offsets[p], offsets[p + 1]):
            if e > offsets[p] and time[e] == time[e - 1]:
                continue
            count += 1
            if earliest[i] <= time[e] <= latest[i]:
                subject[row], when[row], number[row] = i, time[e], count
                row += 1
    return row
