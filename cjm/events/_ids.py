"""Identifiers are text; placeholders are no identifiers."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

__all__ = ["clean_ids", "is_placeholder"]

# What systems write where they know nobody: blank, zeros and dashes, -1, and words, in any case.
_WORDS = (
    r"null|none|nan|undefined|unknown|anonymous|guest|not set|\(not set\)|\(none\)"
    r"|true|false|\[object object\]|-1"
)
_PLACEHOLDER = rf"(?i)^(?:[0\-\s]*|{_WORDS})$"


def clean_ids(column: pl.Series) -> pl.Series:
    """Return identifiers as trimmed text; whole numbers stored as floats lose their ``.0``."""
    if column.dtype.is_float():
        whole = ((column == column.floor()) | column.is_null() | column.is_nan()).all()
        column = column.fill_nan(None)
        if whole:
            column = column.cast(pl.Int64)
    if column.dtype == pl.Binary:
        column = column.bin.encode("hex")
    return column.cast(pl.String).str.strip_chars()


def is_placeholder(column: pl.Series, placeholders: Sequence[str] | None) -> pl.Series:
    """Return where a text is a placeholder: one of the usual ones, or of those given instead. Blank always is."""
    distinct = column.unique().drop_nulls()
    if placeholders is None:
        found = distinct.filter(distinct.str.contains(_PLACEHOLDER))
    else:
        found = distinct.filter(distinct.is_in(["", *placeholders]))
    return column.is_in(found.implode()).fill_null(False)
