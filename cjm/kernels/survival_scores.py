"""Pairs of rows that a score orders rightly, in n log n steps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["concordant_pairs"]

FloatArray = npt.NDArray[np.float64]
CodeArray = npt.NDArray[np.int32]


@kernel
def _add(tree: FloatArray, slot: int, amount: float) -> None:
    at = slot + 1
    while at < len(tree):
        tree[at] += amount
        at += at & -at


@kernel
def _before(tree: FloatArray, slot: int) -> float:
    total = 0.0
    at = slot
    while at > 0:
        total += tree[at]
        at -= at & -at
    return total


@kernel
def concordant_pairs(
    order: CodeArray,
    score: FloatArray,
    slot: CodeArray,
    weight: FloatArray,
    totals: FloatArray,
    influence: FloatArray,
) -> None:
    """Weigh the pairs of an event and a row that outlived it, by their scores.

    ``slot`` is twice the place of a row's time, and one more for a row that was censored, which outlives the events of
    its time; ``weight`` is that of a pair, by the slot of its event. ``order`` sorts rows by score. ``totals`` receives
    pairs in which the event has the higher score, the lower, the same; ``influence``, a row, the weight of its pairs:
    concordant plus half of those tied, and all.

    The rows with a lower score lie in two binary indexed trees over the slots: one counts them, the other adds up the
    weights of events. Few distinct times make them small.
    """
    n = len(order)
    slots = len(weight)
    count = np.zeros(slots + 1, dtype=np.float64)
    worth = np.zeros(slots + 1, dtype=np.float64)
    outlive = np.zeros(slots, dtype=np.float64)  # rows in later slots
    earlier = np.zeros(slots, dtype=np.float64)  # weight of events in earlier slots
    for i in range(n):
        outlive[slot[i]] += 1.0
        if slot[i] % 2 == 0:
            earlier[slot[i]] += weight[slot[i]]
    before = 0.0
    after = float(n)
    for k in range(slots):
        after -= outlive[k]
        outlive[k] = after
        before, earlier[k] = before + earlier[k], before
    walked = 0.0
    low = 0
    while low < n:
        high = low + 1
        while high < n and score[order[high]] == score[order[low]]:
            high += 1
        for place in range(low, high):
            i = order[place]
            k = int(slot[i])
            influence[i, 0] = weight[k] * (walked - _before(count, k + 1)) if k % 2 == 0 else 0.0
            influence[i, 1] = _before(worth, k)
        for place in range(low, high):
            k = int(slot[order[place]])
            _add(count, k, 1.0)
            if k % 2 == 0:
                _add(worth, k, weight[k])
        walked += high - low
        for place in range(low, high):
            i = order[place]
            k = int(slot[i])
            lower, paid = influence[i, 0], influence[i, 1]
            upto, paid_upto = lower, paid  # with the rows of this score
            if high > low + 1:
                upto = weight[k] * (walked - _before(count, k + 1)) if k % 2 == 0 else 0.0
                paid_upto = _before(worth, k)
            pairs = weight[k] * outlive[k] if k % 2 == 0 else 0.0
            totals[0] += lower
            totals[1] += pairs - upto
            totals[2] += upto - lower
            influence[i, 0] = 0.5 * (lower + upto) + earlier[k] - 0.5 * (paid + paid_upto)
            influence[i, 1] = pairs + earlier[k]
        low = high
