"""Groups of paths, and what a group is compared with where it has no such row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.measure._by import By, Slice, group_names
from cjm.measure._unit import Paths

__all__ = ["path_groups", "with_absent"]


def path_groups(part: Slice, paths: Paths) -> npt.NDArray[np.int32]:
    """Return the group of each path, which is that of its first event: its row in the labels; 0 without ``by=``."""
    if part.groups is None:
        return np.zeros(len(paths.owner), dtype=np.int32)
    first = paths.offsets[:-1]
    return part.groups.code[first if paths.rows is None else paths.rows[first]]


def with_absent(
    frame: pl.DataFrame, by: By | None, versus: object, keys: Sequence[str], counts: Sequence[str], of: Sequence[str]
) -> pl.DataFrame:
    """Add the rows that only other groups have to the group ``versus``, with counts of 0 and its own totals ``of``.

    A path that nobody of a group takes has no row there, but a share: none. The column ``__shown`` is false for the
    rows that are added; without ``versus`` there are none.
    """
    shown = frame.with_columns(__shown=True)
    if versus is None or by is None:
        return shown
    (name,) = group_names(by)
    reference = shown.filter(pl.col(name) == versus)
    absent = frame.select(keys).unique(maintain_order=True).join(reference, on=list(keys), how="anti")
    totals = reference.select(name, *of).head(1)  # none if there is no such group
    added = absent.join(totals, how="cross").with_columns(pl.lit(0, pl.Int64).alias(count) for count in counts)
    return pl.concat([shown, added.with_columns(__shown=False)], how="diagonal")
