"""Groups of several slices as one list."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cjm.measure._by import By, Slice, group_names
from cjm.measure._rates import DIFFERENCE, masked
from cjm.ragged import IntArray

__all__ = ["Merged", "hidden", "labels_of"]


class Merged:
    """The groups of all slices, sorted with null last, and where those of each slice stand among them.

    Attributes
    ----------
    labels : polars.Series
        Each group once; a single null without ``by=``.
    places : list of ndarray of int64
        For each slice the row in ``labels`` of each of its groups.
    """

    def __init__(self, parts: Sequence[pl.Series]) -> None:
        together = pl.concat(parts)
        self.labels = together.unique().sort(nulls_last=True)
        numbered = self.labels.to_frame().with_row_index("__place")
        found = together.to_frame().join(numbered, on="__group", how="left", nulls_equal=True, maintain_order="left")
        places = found["__place"].cast(pl.Int64).to_numpy()
        self.places: list[IntArray] = np.split(places, np.cumsum([len(part) for part in parts])[:-1])


def labels_of(part: Slice) -> pl.Series:
    """Return the groups of a slice as ``__group``: a single null without ``by=``."""
    return (
        pl.Series("__group", [None], dtype=pl.Boolean) if part.groups is None else part.groups.labels.alias("__group")
    )


def hidden(
    frame: pl.DataFrame,
    by: By | None,
    versus: object,
    min_persons: int,
    keys: Sequence[str],
    counts: Sequence[str],
    figures: Sequence[str],
    of: str,
) -> pl.DataFrame:
    """Hide the ``figures`` of small groups, with the differences of their rows and of rows compared with them."""
    if versus is None:
        return masked(frame, min_persons, counts, figures, of)
    rows = masked(frame, min_persons, counts, [*figures, *DIFFERENCE], of)
    (name,) = group_names(by)
    reference = rows.filter(pl.col(name) == versus).select(*keys, __gone=pl.col(figures[0]).is_null())
    return (
        rows.join(reference, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
        .with_columns(pl.when(~pl.col("__gone").fill_null(True)).then(pl.col(DIFFERENCE)))
        .drop("__gone")
    )
