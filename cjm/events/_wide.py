"""Rows that hold several events, such as an order with the times when it was created, paid and shipped."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from cjm.errors import InputError
from cjm.events._source import Source
from cjm.events._table import first_line

__all__ = ["events_of_rows"]


def events_of_rows(frame: pl.DataFrame, source: Source, where: str) -> pl.DataFrame:
    """Return one row an event, in order of rows and, within one, of the source's mapping.

    A row without any time stays, once, with neither time nor name.

    Returns
    -------
    polars.DataFrame
        ``__row``, ``__time``, ``__name``, then the columns of ``frame``.

    Raises
    ------
    InputError
        For an expression that cannot be computed, and for times of several types.
    """
    if not isinstance(source.time, Mapping):
        raise TypeError("the source has one event a row")
    rows = pl.int_range(frame.height, dtype=pl.Int64, eager=True).alias("__row")
    parts: list[pl.DataFrame] = []
    for place, (name, time) in enumerate(source.time.items()):
        try:
            found = frame.select((pl.col(time) if isinstance(time, str) else time).alias("__time"))["__time"]
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise InputError.at(
                f"the time of event {name!r} cannot be computed ({first_line(error)})",
                where=where,
                hint="Try the expression on the table itself",
            ) from error
        if len(found) != frame.height:
            raise InputError.at(
                f"the time of event {name!r} has {len(found):,} values for {frame.height:,} rows",
                where=where,
                hint="Give an expression with one value a row",
            )
        if found.dtype == pl.String:
            found = found.set(found.str.strip_chars() == "", None)
        there = pl.DataFrame([rows, found]).filter(pl.col("__time").is_not_null())
        parts.append(there.with_columns(pl.lit(name).alias("__name"), pl.lit(place).alias("__place")))
    dtypes = {str(part.schema["__time"]) for part in parts if part.schema["__time"] != pl.Null}
    if len(dtypes) > 1:
        raise InputError.at(
            f"the times of one row are of several types: {', '.join(sorted(dtypes))}",
            where=where,
            hint="Give them one type with expressions: time={'paid': pl.col('paid').cast(pl.String), ...}",
        )
    events = pl.concat(parts, how="vertical_relaxed")
    without = pl.DataFrame([rows]).filter(~pl.col("__row").is_in(events["__row"].unique().implode()))
    events = pl.concat([events, without], how="diagonal_relaxed").sort("__row", "__place")
    return pl.concat([events.drop("__place"), frame[events["__row"]]], how="horizontal")
