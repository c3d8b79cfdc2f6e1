"""Columns of a frame as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError, InputError

__all__ = ["Completion", "Design", "encode", "groups", "names_of", "numbers", "require"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Completion: TypeAlias = tuple[str, npt.NDArray[np.int32], IntArray]
"""A path, the places of those who completed it among the subjects, and when (microseconds)."""


@dataclass(frozen=True, eq=False)
class Design:
    """Covariates as numbers.

    Attributes
    ----------
    terms : tuple of str
        The column's name, or ``column=level`` for a column of text: one term a level but the first in order.
    levels : mapping of str to list of str
        Levels of each column of text, the reference first.
    """

    terms: tuple[str, ...]
    levels: Mapping[str, list[str]]
    _sources: tuple[tuple[pl.Series, str | None], ...]
    _rows: int

    def column(self, term: int) -> FloatArray:
        """Return the values of one term; a column of floats is not copied."""
        source, level = self._sources[term]
        values = source if level is None else source.cast(pl.String) == level
        return values.cast(pl.Float64).to_numpy()

    @property
    def x(self) -> FloatArray:
        """All terms, shape (rows, terms)."""
        found = np.empty((self._rows, len(self.terms)))
        for term in range(len(self.terms)):
            found[:, term] = self.column(term)
        return found


def encode(frame: pl.DataFrame, columns: Sequence[str], levels: Mapping[str, list[str]] | None = None) -> Design:
    """Return the columns as numbers; Booleans are 0 and 1, text is compared with its first level in order.

    With ``levels`` (from an earlier call) the coding is repeated; a level not among them is an error.
    """
    sources: list[tuple[pl.Series, str | None]] = []
    terms: list[str] = []
    found: dict[str, list[str]] = {}
    for name in columns:
        column = frame[name]
        if column.dtype.is_numeric() or column.dtype == pl.Boolean:
            sources.append((column, None))
            terms.append(name)
        elif column.dtype == pl.String or isinstance(column.dtype, (pl.Categorical, pl.Enum)):
            there = sorted(column.cast(pl.String).drop_nulls().unique().to_list())
            known = there if levels is None else levels[name]
            new = sorted(set(there) - set(known))
            if new:
                raise InputError.at(
                    f"level {new[0]!r} was not there when the model was fitted", where=f"column {name!r}"
                )
            found[name] = known
            sources.extend((column, level) for level in known[1:])
            terms.extend(f"{name}={level}" for level in known[1:])
        else:
            raise InputError.at(
                f"a covariate must be a number, a Boolean or text, not {column.dtype}", where=f"column {name!r}"
            )
    return Design(tuple(terms), found, tuple(sources), frame.height)


def numbers(frame: pl.DataFrame, name: str) -> FloatArray:
    """Return a column of numbers or Booleans as float64."""
    column = frame[name]
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise InputError.at(f"must hold numbers, not {column.dtype}", where=f"column {name!r}")
    return column.cast(pl.Float64).to_numpy()


def groups(frame: pl.DataFrame, columns: Sequence[str]) -> tuple[IntArray, pl.DataFrame]:
    """Return the number of each row's group, and the groups in order (no column: a single group)."""
    if not columns:
        return np.zeros(frame.height, dtype=np.int64), pl.DataFrame()
    found = frame.select(columns).unique().sort(columns, nulls_last=True)
    row = frame.select(columns).join(
        found.with_row_index("__group"), on=list(columns), how="left", nulls_equal=True, maintain_order="left"
    )
    return row["__group"].cast(pl.Int64).to_numpy(), found


def names_of(value: str | Sequence[str] | None) -> list[str]:
    """Return one name, several or none as a list."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def require(frame: pl.DataFrame, columns: Sequence[str], *, where: str) -> None:
    """Raise for the first of ``columns`` that ``frame`` lacks, with the nearest that it has."""
    for name in columns:
        if name not in frame.columns:
            raise ArgumentError.unknown("column", name, frame.columns, where=where)
