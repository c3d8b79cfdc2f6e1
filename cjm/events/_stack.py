"""The files of a source, and the sources of a log, on top of each other; columns have the types their parts need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from cjm.codes import Dictionary
from cjm.errors import InputError
from cjm.events._source import Source
from cjm.events._table import RawTable, first_line
from cjm.events._wide import events_of_rows
from cjm.identifiers import clean_ids

if TYPE_CHECKING:
    from polars._typing import PolarsDataType

__all__ = ["Coder", "attributes_of", "stack", "together"]

Coder: TypeAlias = defaultdict[str, Dictionary]
"""The dictionary of each part that text plays, such as ``__event`` or ``__id cookie``, and of each attribute."""


def stack(tables: Sequence[RawTable], source: Source, name: str, coder: Coder) -> pl.DataFrame:
    """Return the rows of all files in order of arrival, a column for each part that a column plays.

    Returns
    -------
    polars.DataFrame
        ``__file``, ``__row``, ``__time`` and ``__value`` (as they were read), ``__event``, ``__channel``,
        ``__event_id`` and ``__id KIND`` (trimmed text), each if the source has it, then all other columns. Text is
        coded, except for times, values and event ids.

    Raises
    ------
    InputError
        For a column whose type does not suit its part, and for files that do not go together.
    """
    _refuse_mixed_types(tables, source, name)
    raw = together([_by_part(table, number, source, coder) for number, table in enumerate(tables)], f"source {name!r}")
    if source.order is None:
        return raw
    order = _sortable(raw["__order"])
    return raw.drop("__order").sort(order, nulls_last=True, maintain_order=True)


def together(frames: Sequence[pl.DataFrame], where: str) -> pl.DataFrame:
    """Stack frames; a column whose types do not go together becomes text.

    Raises
    ------
    InputError
        Where they cannot even become text.
    """
    kinds: dict[str, set[pl.DataType]] = {}
    for frame in frames:
        for name, dtype in frame.schema.items():
            kinds.setdefault(name, set()).add(dtype)
    texts = []
    for name, dtypes in kinds.items():
        known: set[pl.DataType] = {dtype for dtype in dtypes if dtype != pl.Null}
        if len(known) > 1 and not all(dtype.is_numeric() for dtype in known):
            if any(dtype.is_nested() for dtype in known):
                if not all(_alike(one, other) for one, other in combinations(known, 2)):
                    raise _not_together(name, known, where)
            else:
                texts.append(name)
    stacked = []
    for frame in frames:
        for name in texts:
            if name in frame.columns:
                frame = frame.with_columns(_as_text(frame[name], kinds[name], where))
        stacked.append(frame)
    try:
        return pl.concat(stacked, how="diagonal_relaxed", rechunk=True)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise InputError.at(
            f"attributes do not go together ({first_line(error)})",
            where=where,
            hint="Name those that are needed with attributes=[...]",
        ) from error


def _alike(one: pl.DataType, other: pl.DataType) -> bool:
    """Whether two types are nested alike: records of several fields go together, a record and a text do not."""
    if one == pl.Null or other == pl.Null:
        return True
    if isinstance(one, pl.Struct) and isinstance(other, pl.Struct):
        ours, theirs = one.to_schema(), other.to_schema()
        return all(_alike(_made(ours[field]), _made(theirs[field])) for field in ours.keys() & theirs.keys())
    if isinstance(one, pl.List) and isinstance(other, pl.List):
        return _alike(_made(one.inner), _made(other.inner))
    return one == other or not (one.is_nested() or other.is_nested())


def _made(dtype: PolarsDataType) -> pl.DataType:
    return dtype if isinstance(dtype, pl.DataType) else dtype()


def attributes_of(raw: pl.DataFrame, source: Source) -> list[str]:
    """Return the columns of a stack that are carried along."""
    if source.attributes is not None:
        return list(dict.fromkeys(source.attributes))
    return [column for column in raw.columns if not column.startswith("__")]


def _by_part(table: RawTable, number: int, source: Source, coder: Coder) -> pl.DataFrame:
    frame, where = table.frame, table.where
    event, time = source.event, source.time
    rows = pl.int_range(frame.height, dtype=pl.Int64, eager=True).alias("__row")
    if not isinstance(time, str):
        frame = events_of_rows(frame, source, where)
        event, time, rows = "__name", "__time", frame["__row"]

    def coded(column: str, role: str) -> pl.Series:
        clean = partial(clean_ids, where=where)
        text = frame[column] if frame[column].dtype == pl.String else clean(frame[column])
        return coder[role].encode(text, clean).alias(role)

    parts = [
        pl.Series("__file", [number], dtype=pl.Int64).new_from_index(0, frame.height),
        rows,
        frame[time].alias("__time"),
    ]
    for role, column in (("event", event), ("channel", source.channel)):
        if column is not None:
            _refuse(frame[column], frame[column].dtype.is_float(), where, f"names no {role}")
            parts.append(coded(column, f"__{role}"))
    parts += [coded(column, f"__id {kind}") for kind, column in source.ids.items()]
    if source.event_id is not None:
        parts.append(clean_ids(frame[source.event_id], where=where).alias("__event_id"))
    if source.value is not None:
        parts.append(_number_or_text(frame[source.value], where).alias("__value"))
    if source.order is not None:
        order = frame[source.order]
        unordered = order.dtype.is_nested() or isinstance(order.dtype, (pl.Object, pl.Binary))
        _refuse(order, unordered, where, "says no order")
        parts.append(order.alias("__order"))
    listed = source.attributes or ()
    rest = [column for column in table.frame.columns if column in listed or column not in source.declared]
    for column in rest:
        _refuse(frame[column], isinstance(frame[column].dtype, pl.Object), where, "cannot be carried along")
    text = (pl.String, pl.Categorical, pl.Enum)
    return pl.DataFrame(parts).with_columns(
        coder[column].encode(frame[column].cast(pl.String)) if isinstance(frame.schema[column], text) else frame[column]
        for column in rest
    )


def _refuse(column: pl.Series, wrong: bool, where: str, what: str) -> None:
    if wrong:
        raise InputError.at(
            f"column {column.name!r} is of type {column.dtype}, which {what}",
            where=where,
            hint="Store it as text or whole numbers, or leave it out with attributes=[...]",
        )


def _number_or_text(column: pl.Series, where: str) -> pl.Series:
    dtype = column.dtype
    if isinstance(dtype, (pl.Categorical, pl.Enum)):
        return column.cast(pl.String)
    known = dtype.is_numeric() or isinstance(dtype, (pl.String, pl.Boolean, pl.Null))
    _refuse(column, not known, where, "is no value: a value is a number")
    return column.cast(pl.Float64) if dtype.is_decimal() else column


def _refuse_mixed_types(tables: Sequence[RawTable], source: Source, name: str) -> None:
    """Refuse files that differ in the type of a column whose meaning hangs on it; all null goes with any type."""
    roles = [*source.times, source.value, source.order, *(source.attributes or ())]
    for column in filter(None, roles):
        first: RawTable | None = None
        for table in tables:
            theirs = table.frame.schema[column]
            if theirs == pl.Null:
                continue
            first = first or table
            ours = first.frame.schema[column]
            if ours != theirs and not (ours.is_numeric() and theirs.is_numeric()):
                raise InputError.at(
                    f"column {column!r} is {theirs} here and {ours} in {first.where}",
                    where=f"source {name!r}, {table.where}",
                    hint="Make it two sources, or give the files one type",
                )


def _sortable(column: pl.Series) -> pl.Series:
    """Return a column whose values sort as they are meant: numbers in text as numbers, never NaN."""
    if column.dtype.is_float():
        return column.fill_nan(None)
    if isinstance(column.dtype, (pl.Categorical, pl.Enum)):
        column = column.cast(pl.String)
    if column.dtype != pl.String:
        return column
    text = column.str.strip_chars()
    text = text.set(text == "", None)
    for dtype in (pl.Int64, pl.Float64):
        number = text.cast(dtype, strict=False)
        if number.null_count() == text.null_count():
            return number
    return text


def _as_text(column: pl.Series, dtypes: Iterable[pl.DataType], where: str) -> pl.Series:
    try:
        return column.cast(pl.String)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:  # such as a date past the calendar
        raise _not_together(column.name, dtypes, f"{where} ({first_line(error)})") from error


def _not_together(name: str, dtypes: Iterable[pl.DataType], where: str) -> InputError:
    return InputError.at(
        f"attribute {name!r} is of types that do not go together: {', '.join(sorted(map(str, dtypes)))}",
        where=where,
        hint="Leave it out with attributes=[...] or give it one type",
    )
