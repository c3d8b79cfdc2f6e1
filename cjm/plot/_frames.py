"""What a picture asks of its frame: the columns of the measure, no row twice, one group or several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from cjm.errors import ArgumentError
from cjm.plot._words import day, known_as, number, short

__all__ = ["COUNT", "GROUP", "HIDDEN", "NAME", "NO_ROWS", "SHARE", "SPAN", "WHEN", "Measured", "measured"]

HIDDEN = "hidden"
NO_ROWS = "There is nothing to draw: the frame has no rows."
GROUP = "__group"


@dataclass(frozen=True)
class _Kind:
    """What a column holds: its name for people, which types do, and the form in which it is drawn."""

    name: str
    fits: Callable[[pl.DataType], bool]
    form: Callable[[pl.Expr], pl.Expr]


def _is_text(kind: pl.DataType) -> bool:
    return kind == pl.String or isinstance(kind, (pl.Categorical, pl.Enum))


COUNT = _Kind("a number", lambda kind: kind.is_numeric(), lambda column: column.cast(pl.Int64, strict=False))
SHARE = _Kind("a number", lambda kind: kind.is_numeric(), lambda column: column.cast(pl.Float64).fill_nan(None))
NAME = _Kind("text", _is_text, lambda column: column.cast(pl.String).fill_null("(none)"))
SPAN = _Kind("a duration", lambda kind: kind == pl.Duration, lambda column: column)
WHEN = _Kind("a time", lambda kind: kind.is_temporal() and kind != pl.Duration, lambda column: column)


@dataclass(frozen=True)
class Measured:
    """The columns that are drawn, with the label of each row's group in ``__group``.

    Attributes
    ----------
    frame : polars.DataFrame
    groups : list of str
        Labels in the order of the frame; ``[""]`` where the measure was not asked for groups.
    by : str
        What the groups are of, or nothing.
    """

    frame: pl.DataFrame
    groups: list[str]
    by: str


def measured(
    frame: pl.DataFrame,
    measure: str,
    columns: Mapping[str, _Kind],
    keys: Sequence[str],
    *,
    optional: Mapping[str, _Kind] | None = None,
    call: str = "journeys",
    returned: str = "",
    groups: bool = False,
) -> Measured:
    """Return what is drawn of a frame.

    Unknown columns before the first figure are those of ``by=``; unknown columns behind it are left alone. ``returned``
    is the call that returns the frame, where that is not ``cjm.<measure>(<call>)``.

    Raises
    ------
    ArgumentError
        If the frame is not that of the measure, holds a row twice, or holds several groups and ``groups`` is false.
    """
    where, hint = f"plot.{measure}", f"Give it the frame that {returned or f'cjm.{measure}({call})'} returns"
    if not isinstance(frame, pl.DataFrame):
        raise ArgumentError.at(f"needs a polars.DataFrame, not {type(frame).__name__}", where=where, hint=hint)
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        said = ("column " if len(missing) == 1 else "columns ") + ", ".join(repr(name) for name in missing)
        raise ArgumentError.at(f"the frame lacks the {said}", where=where, hint=hint)
    known = dict(columns) | {name: kind for name, kind in (optional or {}).items() if name in frame.columns}
    for name, kind in known.items():
        if not kind.fits(frame.schema[name]) and frame.schema[name] != pl.Null:
            raise ArgumentError.at(
                f"the column {name!r} must hold {kind.name}, not {frame.schema[name]}", where=where, hint=hint
            )
    figures = min(frame.columns.index(name) for name in known if name not in keys)
    by = [name for name in frame.columns[:figures] if name not in known]
    labels = pl.Series(GROUP, _labels(frame.select(by)) if by else [""] * frame.height, pl.String)
    drawn = frame.select(labels, *(kind.form(pl.col(name)).alias(name) for name, kind in known.items()))
    found = drawn[GROUP].unique(maintain_order=True).to_list() or [""]
    if len(found) > 1 and not groups:
        value = frame[by[0]][0]
        raise ArgumentError.at(
            f"the frame holds {number(len(found))} groups by {short(', '.join(by), 60)}, and this picture shows one",
            where=where,
            hint=f"Choose one, as in frame.filter(pl.col({by[0]!r}) == {short(repr(value), 60)})",
        )
    if drawn.select(GROUP, *keys).is_duplicated().any():
        raise ArgumentError.at(f"the frame holds two rows of the same {' and '.join(keys)}", where=where, hint=hint)
    return Measured(drawn, found, ", ".join(known_as(name) for name in by))


def _labels(values: pl.DataFrame) -> list[str]:
    """Return the label of each row; groups that would read the same are numbered."""
    label_of: dict[str, str] = {}
    used: dict[str, int] = {}
    labels = []
    for row in values.iter_rows():
        key = repr(row)
        if key not in label_of:
            label = " · ".join(_value(value) for value in row)
            used[label] = used.get(label, 0) + 1
            label_of[key] = label if used[label] == 1 else f"{label} ({used[label]})"
        labels.append(label_of[key])
    return labels


def _value(value: Any) -> str:
    if value is None:
        return "(none)"
    return day(value) if isinstance(value, date) else known_as(value)
