"""The steps of a path: where it is at each, and from where to where it goes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["add_frequency", "flow_batch", "step_batch"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]


@kernel
def _anchor(code: CodeArray, first: int, end: int, target: int, latest: bool) -> int:
    """Return the first or last event with the code ``target``; -1 where there is none."""
    if latest:
        for event in range(end - 1, first - 1, -1):
            if code[event] == target:
                return event
    else:
        for event in range(first, end):
            if code[event] == target:
                return event
    return -1


@kernel
def step_batch(
    offsets: IntArray,
    code: CodeArray,
    group: CodeArray,
    owner: IntArray,
    target: int,
    latest: bool,
    low: int,
    high: int,
    known: int,
    path: int,
    batch: IntArray,
) -> tuple[int, int]:
    """Write ((group * (steps + 1) + step) * (known + 2) + code, owner) of each step into ``batch``.

    Steps are ``low`` to ``high``, written as 0, 1, ...; one more, with code 0, stands for the path itself. Step 0 is
    the event with the code ``target`` (none: nothing is written), or the one before the first if ``target`` is -1. A
    path that is over has the code ``known``, one that has not begun ``known + 1``.
    See :func:`cjm.measure._tally.tallied`.
    """
    width = high - low + 2
    size = 0
    while path < len(offsets) - 1 and size + width <= len(batch):
        first, end = offsets[path], offsets[path + 1]
        zero = first - 1
        shown = True
        if target >= 0:
            zero = _anchor(code, first, end, target, latest)
            shown = zero >= 0
        if shown:
            base = np.int64(group[path]) * width
            for step in range(width - 1):
                event = zero + low + step
                found = known + 1 if event < first else known if event >= end else np.int64(code[event])
                batch[size, 0] = (base + step) * (known + 2) + found
                batch[size, 1] = owner[path]
                size += 1
            batch[size, 0] = (base + width - 1) * (known + 2)
            batch[size, 1] = owner[path]
            size += 1
        path += 1
    return path, size


@kernel
def add_frequency(offsets: IntArray, code: CodeArray, limit: int, frequency: IntArray) -> None:
    """Add how often each code is among the first ``limit`` events of a path."""
    for path in range(len(offsets) - 1):
        for event in range(offsets[path], min(offsets[path] + limit, offsets[path + 1])):
            frequency[code[event]] += 1


@kernel
def flow_batch(
    offsets: IntArray,
    code: CodeArray,
    group: CodeArray,
    owner: IntArray,
    label: CodeArray,
    labels: int,
    steps: int,
    path: int,
    batch: IntArray,
) -> tuple[int, int]:
    """Write (((group * steps + step) * labels + source) * labels + target, owner) of each step into ``batch``.

    Source and target are the labels of codes; the last of all ``labels`` is the target of a path that is over.
    See :func:`cjm.measure._tally.tallied`.
    """
    size = 0
    while path < len(offsets) - 1 and size + steps <= len(batch):
        first, end = offsets[path], offsets[path + 1]
        base = np.int64(group[path]) * steps
        for step in range(min(steps, end - first)):
            event = first + step
            target = np.int64(label[code[event + 1]]) if event + 1 < end else labels - 1
            batch[size, 0] = ((base + step) * labels + label[code[event]]) * labels + target
            batch[size, 1] = owner[path]
            size += 1
        path += 1
    return path, size
