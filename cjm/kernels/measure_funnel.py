"""How far each person gets along ordered steps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["funnel_reach"]


@kernel
def funnel_reach(
    offsets: npt.NDArray[np.int64],
    code: npt.NDArray[np.int32],
    time: npt.NDArray[np.int64],
    steps: npt.NDArray[np.int32],
    within: int,
    start: int,
    stop: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return, for persons ``start`` to ``stop``, the furthest step, the first event of step 1 and the step times.

    ``within`` bounds the time from step 1, both ends included; -1 means no bound. For every step only the attempt
    with the latest start is kept: a later start reaches all that an earlier one does. The times are those of the
    attempt that is first to reach the furthest step. No step 1: 0 steps and event -1.
    """
    width = len(steps)
    reached = np.zeros(stop - start, dtype=np.int64)
    first = np.full(stop - start, -1, dtype=np.int64)
    times = np.zeros((stop - start, width), dtype=np.int64)
    attempt = np.zeros((width, width), dtype=np.int64)  # row j: times of steps 0 to j of the attempt kept at step j
    for person in range(start, stop):
        row = person - start
        live = 0  # steps that some attempt has reached; attempts beyond them are left over from the person before
        for event in range(offsets[person], offsets[person + 1]):
            # From the last step down, so that one event never serves two steps.
            for j in range(min(live, width - 1), -1, -1):
                if code[event] != steps[j]:
                    continue
                if j > 0:
                    if within >= 0 and time[event] - attempt[j - 1, 0] > within:
                        continue
                    for i in range(j):
                        attempt[j, i] = attempt[j - 1, i]
                elif first[row] < 0:
                    first[row] = event
                attempt[j, j] = time[event]
                if j == live:
                    live += 1
                    for i in range(live):
                        times[row, i] = attempt[j, i]
        reached[row] = live
    return reached, first, times
