"""How far each person gets along steps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["MAX_STEPS", "walk_any", "walk_ordered"]

# One number a touchpoint: bit j says that it takes step j, bit MAX_STEPS + j that it ends an attempt that waits behind
# step j.
MAX_STEPS = 31


@kernel
def walk_ordered(
    offsets: npt.NDArray[np.int64],
    owner: npt.NDArray[np.int64],
    code: npt.NDArray[np.int32],
    time: npt.NDArray[np.int64],
    flags: npt.NDArray[np.int64],
    width: int,
    within: int,
    reached: npt.NDArray[np.uint8],
    first: npt.NDArray[np.int64],
    after: npt.NDArray[np.int32],
    times: npt.NDArray[np.int64],
) -> int:
    """Fill a row for each person with a step 1, and return how many there are.

    ``reached`` is the furthest step (from 1) in any path of the person, ``first`` the first event of step 1, ``after``
    the code behind the last event that came that far (-1: the path ends there; nothing for persons with all steps),
    ``times`` those of the attempt that is first to reach the furthest step.

    ``within`` bounds the time from step 1, both ends included; -1 means no bound. For every step only the attempt
    with the latest start is kept: what ends an attempt ends the older ones at the same step as well, so a later start
    reaches all that an earlier one does.
    """
    low = (1 << MAX_STEPS) - 1
    attempt = np.zeros((width, width), dtype=np.int64)  # row j: times of steps 0 to j of the attempt kept at step j
    rows = 0
    whose = -1
    best = 0
    for path in range(len(offsets) - 1):
        if owner[path] != whose:
            whose = owner[path]
            best = 0
        elif best == width:
            continue
        alive = 0  # bit j: an attempt waits behind step j
        watched = 1  # which flags matter now
        begin = offsets[path]
        codes = code[begin : offsets[path + 1]]
        for event in range(len(codes)):
            flag = flags[np.uint32(codes[event])] & watched
            if flag == 0:
                continue
            takes, ends = flag & low, flag >> MAX_STEPS
            now = time[begin + event]
            # From the last step down, so that one event never serves two steps.
            for j in range(width - 1, -1, -1):
                bit = 1 << j
                if takes & bit and (j == 0 or within < 0 or now - attempt[j - 1, 0] <= within):
                    for i in range(j):
                        attempt[j, i] = attempt[j - 1, i]
                    attempt[j, j] = now
                    alive |= bit
                    if best == 0:
                        first[rows] = begin + event
                        rows += 1
                    if j >= best:
                        best = j + 1
                        reached[rows - 1] = best
                        for i in range(best):
                            times[rows - 1, i] = attempt[j, i]
                    if j + 1 == best:
                        after[rows - 1] = codes[event + 1] if event + 1 < len(codes) else -1
                elif ends & bit:
                    alive &= ~bit
            watched = (alive << MAX_STEPS) | (((alive << 1) | 1) & low)
            if best == width:
                break
    return rows


@kernel
def walk_any(
    offsets: npt.NDArray[np.int64],
    owner: npt.NDArray[np.int64],
    code: npt.NDArray[np.int32],
    time: npt.NDArray[np.int64],
    flags: npt.NDArray[np.int64],
    width: int,
    within: int,
    reached: npt.NDArray[np.uint8],
    first: npt.NDArray[np.int64],
    after: npt.NDArray[np.int32],
    times: npt.NDArray[np.int64],
) -> int:
    """Do the same for steps in any order: ``reached`` is how many of them are taken within the time.

    A touchpoint takes one step here, or ends all attempts, or neither.
    """
    low = (1 << MAX_STEPS) - 1
    seen = np.zeros(width, dtype=np.int64)  # when each step was taken last
    rows = 0
    whose = -1
    best = 0
    for path in range(len(offsets) - 1):
        if owner[path] != whose:
            whose = owner[path]
            best = 0
        elif best == width:
            continue
        alive = 0  # bit j: step j is taken, and nothing has ended the attempt since
        begin = offsets[path]
        codes = code[begin : offsets[path + 1]]
        for event in range(len(codes)):
            flag = flags[np.uint32(codes[event])]
            if flag == 0:
                continue
            now = time[begin + event]
            takes = flag & low
            if takes:
                alive |= takes
                count = 0
                for j in range(width):
                    if takes & (1 << j):
                        seen[j] = now
                    if alive & (1 << j):
                        if within < 0 or now - seen[j] <= within:
                            count += 1
                        else:
                            alive &= ~(1 << j)
                if best == 0:
                    first[rows] = begin + event
                    rows += 1
                if count > best:
                    best = count
                    reached[rows - 1] = best
                    taken = 0
                    for j in range(width):
                        if alive & (1 << j):
                            place = taken
                            while place > 0 and times[rows - 1, place - 1] > seen[j]:
                                times[rows - 1, place] = times[rows - 1, place - 1]
                                place -= 1
                            times[rows - 1, place] = seen[j]
                            taken += 1
                if count == best:
                    after[rows - 1] = codes[event + 1] if event + 1 < len(codes) else -1
                    if best == width:
                        break
            else:
                alive = 0
    return rows
