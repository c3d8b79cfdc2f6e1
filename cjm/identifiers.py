"""Identifiers are text; placeholders are no identifiers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import InputError

__all__ = ["clean_ids", "is_placeholder", "suspects"]

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


# The first two letters of placeholders that are words.
_STARTS = ("nu", "no", "na", "un", "an", "gu", "tr", "fa", "(n", "[o", "-1")


def _suspect_edges() -> npt.NDArray[np.bool_]:
    """Return which bytes may be blank: those up to the space, and all beyond ASCII."""
    return np.array([byte <= 32 or byte >= 127 for byte in range(256)])


def _suspect_starts() -> npt.NDArray[np.bool_]:
    """Return which pairs of first bytes, the first times 256 plus the second, a placeholder may have."""
    table = np.repeat(_suspect_edges(), 256)
    words = [
        one + other for text in _STARTS for one in (text[0], text[0].upper()) for other in (text[1], text[1].upper())
    ]
    for pair in [*words, "00", "0-", "-0", "--"]:
        table[ord(pair[0]) << 8 | ord(pair[1])] = True
    table.reshape(256, 256)[[ord("0"), ord("-")]] |= _suspect_edges()  # a zero byte: nothing follows
    return table


def suspects(column: pl.Series) -> pl.Series:
    r"""Return where a text may need cleaning or be a placeholder: a quick look at its first and last letters.

    Examples
    --------
    >>> suspects(pl.Series(["c17", "NULL", " c17", "c17\t", "0", None])).to_list()
    [False, True, True, True, True, False]
    """
    if not len(column):
        return pl.Series(column.name, [], dtype=pl.Boolean)
    from cjm.kernels.coding import suspect_views

    array = column.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
    letters = np.frombuffer(array.buffers()[1], dtype=np.uint8)
    letters = letters[16 * array.offset : 16 * (array.offset + len(column))].reshape(-1, 16)  # length, then the start
    found, long = suspect_views(letters, _suspect_starts(), _suspect_edges())
    suspect = pl.Series(column.name, found)
    if long:
        suspect |= column.str.contains(r"\s$|^[0\-\s]*$").fill_null(False)
    return suspect & column.is_not_null()
