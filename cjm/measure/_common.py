"""What several measures share: labels, sums over slices, checks of arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from cjm.errors import ArgumentError
from cjm.ragged import IntArray

__all__ = ["END", "OTHER", "START", "check_count", "ranked_groups", "summed"]

# A touchpoint holds a ":", so none of these can be one.
START, END, OTHER = "(start)", "(end)", "(other)"


def summed(parts: Iterable[pl.DataFrame], keys: Sequence[str]) -> pl.DataFrame:
    """Add up the counts of all slices, row by row where ``keys`` are equal; in no particular order."""
    listed = list(parts)
    if len(listed) == 1:
        return listed[0]
    stacked = pl.concat(listed)
    if not keys:
        return stacked.sum()
    return stacked.group_by(keys).sum()


def ranked_groups(groups: pl.Series) -> tuple[pl.Series, IntArray]:
    """Return the distinct groups, sorted with null last, and the place of each one given among them.

    Examples
    --------
    >>> labels, places = ranked_groups(pl.Series(["b", None, "a"]))
    >>> labels.to_list(), places.tolist()
    (['a', 'b', None], [1, 2, 0])
    """
    labels = groups.unique().sort(nulls_last=True)
    numbered = labels.to_frame().with_row_index("__place")
    found = groups.to_frame().join(numbered, on=groups.name, how="left", nulls_equal=True, maintain_order="left")
    return labels, found["__place"].cast(pl.Int64).to_numpy()


def check_count(name: str, value: int) -> None:
    """Raise unless ``value`` is a whole number above zero."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ArgumentError.at(f"must be a whole number above zero, not {value!r}", where=f"{name}=")
