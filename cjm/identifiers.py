"""Identifiers are text; placeholders are no identifiers."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from cjm.errors import InputError

__all__ = ["clean_ids", "is_placeholder"]

# What systems write where they know nobody: blank, zeros and dashes, -1, and words, in any case.
_WORDS = (
    r"null|none|nan|undefined|unknown|anonymous|guest|not set|\(not set\)|\(none\)"
    r"|true|false|\[object object\]|-1"
)
_PLACEHOLDER = rf"(?i)^(?:[0\-\s]*|{_WORDS})$"

# From here on neighbouring whole numbers are the same float, so digits of an identifier may be lost.
_EXACT_BELOW = {"Float16": 2.0**11, "Float32": 2.0**24, "Float64": 2.0**53}


def clean_ids(column: pl.Series, *, where: str = "") -> pl.Series:
    """Return identifiers as trimmed text; whole numbers stored as floats or decimals lose their ``.0``.

    Parameters
    ----------
    column : polars.Series
        Text, whole numbers, floats, decimals or Booleans. ``NaN`` is null.
    where : str
        Where the column comes from, for messages.

    Raises
    ------
    InputError
        For a column of another type, and for floats so large that digits may be lost.

    Examples
    --------
    >>> clean_ids(pl.Series([12345678.0, 1.5, None])).to_list()
    ['12345678', '1.5', None]
    """
    dtype = column.dtype
    if dtype.is_float():
        return _from_floats(column, where)
    text = isinstance(dtype, (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null))
    if not (text or dtype.is_integer() or dtype.is_decimal()):
        raise InputError.at(
            f"column {column.name!r} is of type {dtype}, which names nothing",
            where=where,
            hint="Store it as text or whole numbers, or name another column",
        )
    trimmed = column.cast(pl.String).str.strip_chars()
    return trimmed.str.replace(r"\.0+$", "") if dtype.is_decimal() else trimmed


def _from_floats(column: pl.Series, where: str) -> pl.Series:
    column = column.fill_nan(None)
    limit = _EXACT_BELOW[str(column.dtype)]
    if (column.abs() >= limit).any():
        raise InputError.at(
            f"column {column.name!r} holds {column.dtype} numbers from {limit:.0f} on, whose last digits may be lost",
            where=where,
            hint="Store it as text (or as whole numbers, without nulls in pandas)",
        )
    number, text = pl.lit(column), pl.lit(column.cast(pl.String))
    return (
        pl.select(pl.when(number == number.floor()).then(number.cast(pl.Int64).cast(pl.String)).otherwise(text))
        .to_series()
        .rename(column.name)
    )


def is_placeholder(column: pl.Series, placeholders: Sequence[str] | None) -> pl.Series:
    """Return where a text is a placeholder: one of the usual ones, or of those given instead. Blank always is."""
    distinct = column.unique().drop_nulls()
    if placeholders is None:
        found = distinct.filter(distinct.str.contains(_PLACEHOLDER))
    else:
        found = distinct.filter(distinct.is_in(["", *placeholders]))
    return column.is_in(found.implode()).fill_null(False)
