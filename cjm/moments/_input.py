"""Tables as the verbs of moments need them: the columns that are asked for, in the types that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from cjm.contracts import TIME
from cjm.errors import ArgumentError, InputError, did_you_mean

__all__ = ["instant", "taken"]

_HINTS = {
    "person": "Persons are numbers: see cjm.person_numbers and people.with_person",
    "time": "Give times with a zone, for example .dt.replace_time_zone(...)",
}


def taken(
    frame: pl.DataFrame,
    where: str,
    *,
    keys: Sequence[str] = (),
    texts: Sequence[str] = (),
    times: Sequence[str] = (),
    numbers: Sequence[str] = (),
    flags: Sequence[str] = (),
    spans: Sequence[str] = (),
    open: Sequence[str] = (),
) -> pl.DataFrame:
    """Return the named columns of a table, cast; only those in ``open`` may be null.

    Raises
    ------
    InputError
        If a column is missing, is of a type that means something else, or holds a null.
    """
    kinds: dict[str, pl.DataType | type[pl.DataType]] = dict.fromkeys(keys, pl.Int64)
    kinds |= dict.fromkeys(texts, pl.String) | dict.fromkeys(times, TIME)
    kinds |= dict.fromkeys(numbers, pl.Float64) | dict.fromkeys(flags, pl.Boolean)
    kinds |= dict.fromkeys(spans, pl.Duration("us"))
    for name, kind in kinds.items():
        if name not in frame.columns:
            raise InputError.at(f"column {name!r} is missing", where=where, hint=did_you_mean(name, frame.columns))
        found = frame.schema[name]
        if found != pl.Null and not _means(found, kind):
            hint = _HINTS.get("time" if kind == TIME else name, "")
            raise InputError.at(f"column {name!r} is {found}, not {kind}", where=where, hint=hint)
    result = frame.select(pl.col(name).cast(kind) for name, kind in kinds.items())
    for name in kinds:
        empty = result[name].null_count() if name not in open else 0
        if empty:
            raise InputError.at(
                f"column {name!r} is null in {empty:,} of {result.height:,} rows", where=where, hint="Leave these out"
            )
    return result


def _means(found: pl.DataType, kind: pl.DataType | type[pl.DataType]) -> bool:
    if kind == pl.Int64:
        return found.is_integer()
    if kind == pl.Float64:
        return found.is_numeric()
    if kind == TIME:
        return isinstance(found, pl.Datetime) and found.time_zone is not None
    if kind == pl.String:
        return found == pl.String or isinstance(found, (pl.Categorical, pl.Enum))
    return isinstance(found, pl.Duration) if kind == pl.Duration("us") else bool(found == kind)


def instant(at: datetime, where: str) -> pl.Expr:
    """Return a time with a zone as a literal.

    Raises
    ------
    ArgumentError
        If it is no time, or has no zone.
    """
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise ArgumentError.at(
            f"at must be a datetime with a time zone, not {at!r}",
            where=where,
            hint="Write datetime(2026, 1, 31, 9, tzinfo=timezone.utc)",
        )
    return pl.lit(at.astimezone(UTC), dtype=TIME)
