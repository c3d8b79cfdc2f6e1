"""Sums of the expressions of a key figure, the same to the last bit in whatever order the rows are added."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError
from cjm.measure._kpi_registry import Kpi
from cjm.ragged import IntArray

__all__ = ["ONE", "sums_of", "totals_of"]

# Totals are whole multiples of 2**-64.
ONE = 1 << 64


def totals_of(sums: IntArray) -> list[int]:
    """Return the total of each group, as a multiple of 1 / ONE, from four columns of :func:`sums_of`."""
    return [(high << 96) + (low << 64) + (upper << 32) + lower for high, low, upper, lower in sums.tolist()]


def sums_of(figure: Kpi, table: pl.LazyFrame, group: npt.NDArray[np.int32], groups: int) -> IntArray:
    """Return the sums of numerator and denominator of each group of the rows of a table, four columns each.

    Sums of the parts of a table add up to those of the whole.

    Raises
    ------
    ArgumentError
        For an expression that fails on the table, or does not give a number a row.
    """
    where = f"kpi({figure.name!r})"
    above = _sum(figure.numerator.expr, table, group, groups, f"{where}, numerator=")
    if figure.denominator is None:
        below = np.zeros((groups, 4), dtype=np.int64)
        below[:, 1] = np.bincount(group, minlength=groups)
    else:
        below = _sum(figure.denominator.expr, table, group, groups, f"{where}, denominator=")
    return np.hstack([above, below])


def _sum(expr: pl.Expr, table: pl.LazyFrame, group: npt.NDArray[np.int32], groups: int, where: str) -> IntArray:
    from cjm.kernels._jit import as_array
    from cjm.kernels.exact_sums import add_floats, add_integers

    columns = table.collect_schema().names()
    for name in expr.meta.root_names():
        if name not in columns:
            raise ArgumentError.unknown("column", name, columns, where=where)
    try:
        values = table.select(expr.alias("__value")).collect()["__value"]
        whole = values.dtype == pl.Boolean or values.dtype.is_integer() or values.dtype == pl.Null
        if whole or values.dtype.is_numeric():
            values = values.cast(pl.Int64 if whole else pl.Float64).fill_null(0)
    except pl.exceptions.PolarsError as error:
        raise ArgumentError.at(f"the expression {expr} fails: {error}", where=where) from error
    if len(values) != len(group):
        hint = "Sums are taken of it: give a value a row"
        raise ArgumentError.at(f"{expr} gives {len(values)} values for {len(group)} rows", where=where, hint=hint)
    if not values.dtype.is_numeric():
        hint = "Give a number or a Boolean; of a duration take .dt.total_seconds()"
        raise ArgumentError.at(f"{expr} gives {values.dtype}", where=where, hint=hint)
    sums = np.zeros((groups, 4), dtype=np.int64)
    if whole:
        add_integers(as_array(values.to_numpy(), np.int64), as_array(group, np.int32), sums)
    elif not add_floats(as_array(values.to_numpy(), np.float64), as_array(group, np.int32), sums):
        raise ArgumentError.at(f"{expr} gives numbers too large to add up", where=where)
    return sums
