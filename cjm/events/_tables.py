"""Tables that are no files of ours: frames, Arrow streams, databases, Delta and Iceberg."""

from __future__ import annotations

from typing import Any

import polars as pl

from cjm.errors import ArgumentError, InputError
from cjm.events._source import Source
from cjm.events._table import first_line

__all__ = ["table_of"]

_EXTRAS = {"sql": "adbc", "delta": "delta", "iceberg": "iceberg"}


def table_of(source: Source, name: str) -> pl.DataFrame | pl.LazyFrame:
    """Return the table that a source names, lazy where it can be.

    Raises
    ------
    InputError
        If it cannot be read, or what reads it is not installed.
    ArgumentError
        If it is no table.
    """
    where = f"source {name!r}"
    if source.format in _EXTRAS:
        try:
            return _opened(source)
        except ImportError as error:
            raise InputError.at(
                f"format {source.format!r} needs a package that is not installed ({first_line(error)})",
                where=where,
                hint=f"Install it with: pip install 'cjm[{_EXTRAS[source.format]}]'",
            ) from error
        except (Exception, pl.exceptions.PanicException) as error:
            raise InputError.at(
                f"the table cannot be read ({first_line(error)})",
                where=f"{where}, {source.where}",
                hint="Check the address, the rights and, for a database, the query",
            ) from error
    data = source.path
    if isinstance(data, (pl.DataFrame, pl.LazyFrame)):
        return data
    if hasattr(data, "__arrow_c_stream__"):
        try:
            return pl.DataFrame(data)
        except (Exception, pl.exceptions.PanicException) as error:
            raise InputError.at(
                f"the Arrow stream of {type(data).__name__} cannot be read ({first_line(error)})",
                where=where,
                hint="Give a Polars frame or an Arrow table; a column must not mix texts and numbers",
            ) from error
    raise ArgumentError.at(
        f"cannot read events from {type(data).__name__}",
        where=where,
        hint="Give a path, a glob, a list of them, a Polars frame or an object with the Arrow C stream",
    )


def _opened(source: Source) -> pl.DataFrame | pl.LazyFrame:
    storage: dict[str, Any] | None = source.options.get("storage")
    if source.format != "sql":
        scan = pl.scan_delta if source.format == "delta" else pl.scan_iceberg
        table = scan(source.path, storage_options=storage)
        table.collect_schema()  # a scan that cannot work says so only when it is asked for something
        return table
    query = source.options["query"]
    if isinstance(source.path, str):
        return pl.read_database_uri(query, source.path, engine="adbc")
    return pl.read_database(query, source.path, infer_schema_length=None)
