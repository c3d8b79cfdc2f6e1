"""How often each person met each of a few labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["label_counts", "mark_labels"]

_BLOCK = 1 << 16  # counts that are gathered before they are written: 256 kB, which stays in the cache


@kernel
def mark_labels(code: npt.NDArray[np.int32], label: npt.NDArray[np.int32], found: npt.NDArray[np.bool_]) -> None:
    """Mark the labels ``label[code]`` as found; stop when all are."""
    missing = len(found) - found.sum()
    for event in range(len(code)):
        if missing == 0:
            return
        if not found[label[code[event]]]:
            found[label[code[event]]] = True
            missing -= 1


@kernel
def label_counts(
    offsets: npt.NDArray[np.int64],
    code: npt.NDArray[np.int32],
    label: npt.NDArray[np.int32],
    found: npt.NDArray[np.int32],
) -> None:
    """Write how many events with each value of ``label[code]`` each person has to ``found``.

    ``found`` has a row for each label and a column for each person. Persons come one after the other, but their counts
    lie far apart: they are gathered person by person for some persons, then written label by label.
    """
    labels, persons = found.shape
    block = max(16, _BLOCK // max(labels, 1))
    held = np.zeros((block, labels), dtype=np.int32)
    for start in range(0, persons, block):
        stop = min(start + block, persons)
        for person in range(start, stop):
            row = held[person - start]
            for event in range(offsets[person], offsets[person + 1]):
                row[label[code[event]]] += 1
        for column in range(labels):
            for person in range(start, stop):
                found[column, person] = held[person - start, column]
        held[:] = 0
