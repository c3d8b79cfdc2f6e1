"""Events dealt to buckets of whole clusters of identifiers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["home_of_rows"]


@kernel
def home_of_rows(
    codes: npt.NDArray[np.int32], apart: npt.NDArray[np.bool_], bucket: npt.NDArray[np.int16]
) -> npt.NDArray[np.int16]:
    """Return the bucket of each row: that of its first node which is not ``apart``, else of its first; -1 for none.

    Signature: (int32[:, :], bool[:], int16[:]) -> int16[:]. ``codes`` has a column a row, -1 where there is none.
    """
    home = np.full(codes.shape[1], -1, dtype=np.int16)
    for row in range(codes.shape[1]):
        for kind in range(len(codes)):
            node = codes[kind, row]
            if node >= 0 and not apart[node]:
                home[row] = bucket[node]
                break
            if node >= 0 and home[row] < 0:
                home[row] = bucket[node]
    return home
