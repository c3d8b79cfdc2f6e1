"""What the miners share: thresholds, units of counting, and families of patterns as frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError, RunError
from cjm.journeys import Journeys
from cjm.ragged import Ragged
from cjm.statistics import benjamini_hochberg

__all__ = [
    "NO_LIMIT",
    "By",
    "Family",
    "Kind",
    "adjusted",
    "check_choice",
    "check_lengths",
    "check_number",
    "check_share",
    "check_size",
    "keep_kind",
    "ragged_lists",
    "to_frame",
    "to_min_count",
    "unit_offsets",
]

IntArray = npt.NDArray[np.int64]
By = Literal["person", "session"]
Kind = Literal["all", "closed", "maximal", "generator"]
NO_LIMIT = 2**62  # as a length, a number of patterns, or microseconds


@dataclass(frozen=True)
class Family:
    """Patterns of coded items and how many units hold each.

    Attributes
    ----------
    patterns : Ragged of int32
    counts : ndarray of int64, shape (patterns,)
    """

    patterns: Ragged
    counts: IntArray


def adjusted(p: npt.NDArray[np.float64], family: int) -> npt.NDArray[np.float64]:
    """Adjust the p values of some tests of a family for all of it; the others count as tests that found nothing.

    Examples
    --------
    >>> adjusted(np.array([0.01, 0.02]), 4).tolist()
    [0.04, 0.04]
    """
    # Benjamini and Hochberg's factor of a test is the size of the family over its rank: here only the size is another
    return np.minimum(benjamini_hochberg(p) * (family / max(len(p), 1)), 1.0)


def check_choice(name: str, value: str, options: tuple[str, ...], where: str) -> None:
    """Raise unless ``value`` is one of ``options``."""
    if value not in options:
        raise ArgumentError.unknown(name, str(value), options, where=f"{where}({name}=...)")


def check_lengths(min_length: int, max_length: int | None, max_patterns: int, where: str) -> None:
    """Raise unless lengths and the largest number of patterns are whole, positive and in order."""
    given: dict[str, object] = {"min_length": min_length, "max_length": max_length, "max_patterns": max_patterns}
    for name, value in given.items():
        if value is None and name == "max_length":
            continue
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ArgumentError.at(f"{name} is {value!r}", where=where, hint="Give a whole number of 1 or more")
    if max_length is not None and max_length < min_length:
        raise ArgumentError.at(f"max_length {max_length} is less than min_length {min_length}", where=where)


def check_share(name: str, value: object, where: str) -> None:
    """Raise unless ``value`` is a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise ArgumentError.at(f"{name} is {value!r}", where=where, hint="Give a share from 0 to 1, such as 0.5")


def check_size(found: int, max_patterns: int, what: str, where: str) -> None:
    """Raise if more than ``max_patterns`` were found."""
    if found > max_patterns:
        raise RunError.at(
            f"more than {max_patterns:,} {what} are frequent enough ({found:,} when the search was stopped)",
            where=where,
            hint="Raise min_support, lower max_length, or allow more with max_patterns",
        )


def check_number(name: str, value: object, where: str) -> None:
    """Raise unless ``value`` is a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ArgumentError.at(f"{name} is {value!r}", where=where, hint="Give a whole number of 1 or more")


def to_min_count(min_support: object, n: int, where: str) -> int:
    """Return the smallest count that is enough: of a share, the smallest one with ``count / n >= share``.

    Examples
    --------
    >>> to_min_count(0.07, 100, "mine"), to_min_count(12, 100, "mine")
    (7, 12)
    """
    if not isinstance(min_support, bool) and isinstance(min_support, Integral) and int(min_support) >= 1:
        return int(min_support)
    if isinstance(min_support, Integral) or not isinstance(min_support, Real) or not 0 < float(min_support) <= 1:
        raise ArgumentError.at(
            f"min_support is {min_support!r}",
            where=where,
            hint="Give a share as a float in (0, 1], such as 0.01, or a count as an int of 1 or more",
        )
    share = float(min_support)
    count = max(1, math.floor(share * n) - 1)
    while count < n and count / n < share:  # the product above may be off by a rounding error, the quotient is not
        count += 1
    return count


def unit_offsets(journeys: Journeys, by: By, where: str) -> IntArray:
    """Return the offsets of persons or of sessions in the events."""
    check_choice("by", by, ("person", "session"), where)
    return journeys.arrays.offsets if by == "person" else journeys.arrays.session_offsets


def keep_kind(family: Family, kind: Kind, *, unbroken: bool = False, n_items: int | None = None) -> Family:
    """Keep the closed or the maximal patterns, or the generators, of a family that holds all, by one item more.

    That is enough: between a pattern and any larger one that contains it there is a chain of frequent patterns, each
    with one item more than the one before and with a support that does not rise. Where ``n_items`` are given, an item
    of that number or more joins the step before it.
    """
    if kind == "all":
        return family
    from cjm.kernels._jit import as_array
    from cjm.kernels.sequences_cover import covered
    from cjm.kernels.sequences_joined import covered_joined

    arrays = (
        as_array(family.patterns.values, np.int32),
        as_array(family.patterns.offsets, np.int64),
        as_array(family.counts, np.int64),
    )
    which = kind != "maximal", unbroken, kind == "generator"
    marked = covered(*arrays, *which) if n_items is None else covered_joined(*arrays, n_items, *which)
    lengths = family.patterns.lengths
    kept_lengths = lengths[~marked]
    values = family.patterns.values[np.repeat(~marked, lengths)]
    return Family(Ragged(values, np.concatenate(([0], np.cumsum(kept_lengths)))), family.counts[~marked])


def to_frame(family: Family, names: pl.Series, n: int, columns: tuple[str, str]) -> pl.DataFrame:
    """Return patterns as names with ``length``, count and ``support``; the most frequent, then the shortest, first.

    ``names`` are in ascending order, so codes sort as their names do.
    """
    label, count = columns
    coded = pl.DataFrame(
        {
            "codes": ragged_lists(pl.Series(family.patterns.values), family.patterns.offsets),
            "length": family.patterns.lengths,
            count: family.counts,
        },
        schema_overrides={"length": pl.Int64, count: pl.Int64},
    ).sort(count, "length", "codes", descending=[True, False, False])
    codes = coded["codes"].explode(empty_as_null=False)
    offsets = np.concatenate(([0], np.cumsum(coded["length"].to_numpy())))
    # NumPy divides; Polars multiplies by the reciprocal of a constant, so that 3 / 5 would not be 0.6
    support = pl.Series("support", coded[count].to_numpy() / max(n, 1))
    return coded.select(ragged_lists(names.gather(codes), offsets).alias(label), "length", count, support)


def ragged_lists(values: pl.Series, offsets: IntArray) -> pl.Series:
    """Return the list column whose row ``i`` is ``values[offsets[i]:offsets[i + 1]]``."""
    import pyarrow as pa

    lists = pa.LargeListArray.from_arrays(pa.array(offsets, type=pa.int64()), values.to_arrow())
    return pl.Series(values=lists, dtype=pl.List(values.dtype))
