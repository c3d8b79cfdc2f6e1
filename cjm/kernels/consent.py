"""Whether events fall into times in which something was in force."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["in_force"]


@kernel
def in_force(
    offsets: npt.NDArray[np.int64],
    time: npt.NDArray[np.int64],
    first: npt.NDArray[np.int64],
    stop: npt.NDArray[np.int64],
    change_time: npt.NDArray[np.int64],
    change_state: npt.NDArray[np.bool_],
    at_first: bool,
    found: npt.NDArray[np.bool_],
) -> None:
    """Write for each event whether the state of its run is true at its time.

    The state of run ``r`` is ``at_first`` until the first of its changes ``[first[r], stop[r])``, and that of a change
    from its time on; events and changes of a run ascend in time.
    """
    for run in range(len(offsets) - 1):
        change = first[run]
        state = at_first
        for event in range(offsets[run], offsets[run + 1]):
            while change < stop[run] and change_time[change] <= time[event]:
                state = change_state[change]
                change += 1
            found[event] = state
