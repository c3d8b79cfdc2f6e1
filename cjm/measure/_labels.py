"""Groups of several slices as one list, and rows of one group beside those of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cjm.measure._by import By, Slice, group_names
from cjm.measure._common import ranked_groups
from cjm.measure._rates import DIFFERENCE, masked
from cjm.ragged import IntArray

__all__ = ["Merged", "hidden", "labels_of", "with_absent"]


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
        self.labels, places = ranked_groups(pl.concat(parts))
        self.places: list[IntArray] = np.split(places, np.cumsum([len(part) for part in parts])[:-1])


def labels_of(part: Slice) -> pl.Series:
    """Return the groups of a slice as ``__group``: a single null without ``by=``."""
    return (
        pl.Series("__group", [None], dtype=pl.Boolean) if part.groups is None else part.groups.labels.alias("__group")
    )


def with_absent(
    frame: pl.DataFrame,
    by: By | None,
    versus: object,
    keys: Sequence[str],
    counts: Sequence[str],
    of: Sequence[str],
    *,
    within: Sequence[str] = (),
    totals: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Add the rows that only other groups have to the group ``versus``, with counts of 0 and its own totals ``of``.

    A path that nobody of a group takes has no row there, but a share: none. The totals are those of the group, or of
    each of its ``within``, which are some of the ``keys``; they stand in ``totals``, by default the ``frame`` itself.
    The column ``__shown`` is false for the rows that are added; without ``versus`` there are none.
    """
    shown = frame.with_columns(__shown=True)
    if versus is None or by is None:
        return shown
    (name,) = group_names(by)
    absent = (
        frame.select(keys)
        .unique(maintain_order=True)
        .join(frame.filter(pl.col(name) == versus), on=list(keys), how="anti", nulls_equal=True)
    )
    own = (frame if totals is None else totals).filter(pl.col(name) == versus).select(name, *within, *of).unique()
    added = absent.join(own, on=list(within)) if within else absent.join(own, how="cross")
    added = added.with_columns(pl.lit(0, pl.Int64).alias(count) for count in counts)
    return pl.concat([shown, added.with_columns(__shown=False)], how="diagonal")


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
