"""Groups of paths."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.measure._by import Slice
from cjm.measure._unit import Paths

__all__ = ["path_groups"]


def path_groups(part: Slice, paths: Paths) -> npt.NDArray[np.int32]:
    """Return the group of each path, which is that of its first event: its row in the labels; 0 without ``by=``."""
    if part.groups is None:
        return np.zeros(len(paths.owner), dtype=np.int32)
    first = paths.offsets[:-1]
    return part.groups.code[first if paths.rows is None else paths.rows[first]]
