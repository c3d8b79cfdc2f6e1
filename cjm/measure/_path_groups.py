"""Groups of paths and of their events."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.measure._by import Slice
from cjm.measure._unit import Paths

__all__ = ["event_groups", "path_groups"]


def path_groups(part: Slice, paths: Paths) -> npt.NDArray[np.int32]:
    """Return the group of each path, which is that of its first event: its row in the labels; 0 without ``by=``."""
    if part.groups is None:
        return np.zeros(len(paths.owner), dtype=np.int32)
    first = paths.offsets[:-1]
    return part.groups.code[first if paths.rows is None else paths.rows[first]]


def event_groups(part: Slice, paths: Paths) -> tuple[npt.NDArray[np.int32], int]:
    """Return the group of each event of the paths (nothing without ``by=``), and how many groups there are."""
    if part.groups is None:
        return np.empty(0, dtype=np.int32), 1
    code = part.groups.code
    return code if paths.rows is None else code[paths.rows], len(part.groups.labels)
