"""``Source``: where events come from and what its columns mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zoneinfo import available_timezones

import polars as pl

from cjm.errors import ArgumentError

__all__ = ["EPOCH_UNITS", "FORMATS", "MEND_ROWS", "RESERVED", "TABLES", "Source", "without_password"]

EPOCH_UNITS = ("s", "ms", "us", "ns")
TABLES = ("sql", "delta", "iceberg")  # formats that are no files
FORMATS = ("parquet", "csv", "tsv", "ndjson", "arrow", *TABLES)
OPTIONS = ("separator", "quote", "encoding", "query", "storage")
RESERVED = frozenset({"time", "channel", "event", "value", "person", "touchpoint", "session"})

MEND_ROWS = 'Set on_error="set aside" to continue without them, or fix the file'

OnError = Literal["raise", "set aside"]


@dataclass(frozen=True)
class Source:
    """One table of events and the meaning of its columns.

    Parameters
    ----------
    path : path, glob, folder, list of these, frame, database, or object with the Arrow C stream
        Files end in ``.parquet``, ``.csv``, ``.tsv``, ``.ndjson`` / ``.jsonl`` or ``.arrow`` / ``.arrows`` unless
        ``format`` says what they are; text may be compressed (``.gz``, ``.zst``, ``.bz2``). Of a folder all files are
        read; parts of their path such as ``country=pl`` are columns (text). Parquet may lie in an object store, as in
        ``s3://bucket/log/*.parquet``. With ``format="sql"`` it is a connection or a URI, with ``"delta"`` or
        ``"iceberg"`` the place of the table. Polars (also lazy) and pandas frames, Arrow tables and DuckDB relations
        are taken as they are.
    time : str, or mapping of str to str or polars.Expr
        Column of the time of the event: a timestamp, ISO 8601 text, text in ``time_format``, or an epoch number
        (also as text, and beside ISO text). Where a row holds several events, a mapping of the event's name to the
        column, or to an expression over the columns, that has its time: ``{"created": "created_at", ...}``. Where it is
        null the event did not happen; of equal times the order is that of the mapping.
    event : str, optional
        Column of the event's name. Exactly one of ``event`` and ``event_name`` is given, none if ``time`` is a mapping.
    ids : mapping of str to str
        Kind of identifier to its column. The order is the priority of the kinds. Identifiers are text; whole numbers
        stored as floats lose their ``.0``.
    channel : str, optional
        Column of the channel. Without it the source's name is the channel.
    time_format : str, optional
        A ``strptime`` format (of text, or of numbers such as 20260131), or the unit of an epoch number: ``"s"``,
        ``"ms"``, ``"us"``, ``"ns"``.
    time_zone : str, optional
        Zone of times that carry no offset, such as ``"Europe/Warsaw"``.
    value : str, optional
        Column of a number that goes with the event, such as an amount.
    attributes : sequence of str, optional
        Columns to carry along; by default all that are left.
    event_id : str, optional
        Column that tells events apart; of usable rows with the same one the first is kept.
    drop_duplicates : bool
        Whether of rows that are equal in every column only the first is kept.
    placeholders : sequence of str, optional
        Texts that are no identifiers, instead of the usual ones (``null``, ``undefined``, ``(not set)``, zeros, ...).
        Give ``[]`` where ``NAN`` may be a real number.
    on_error : {"raise", "set aside"}
        What to do with rows that cannot be used: an unreadable or impossible time, a CSV row of the wrong length.
    format : str, optional
        ``"parquet"``, ``"csv"``, ``"tsv"``, ``"ndjson"`` or ``"arrow"``, where the file name does not tell; ``"sql"``,
        ``"delta"``, ``"iceberg"``.
    options : mapping, optional
        For CSV: ``separator``, ``quote`` (blank: quotes mean nothing), ``encoding``. For databases: ``query``. For
        object stores, Delta and Iceberg: ``storage``, the storage options of Polars.
    event_name : str, optional
        Name of all events, for a table without a column of names.
    order : str, optional
        Column that says the order of rows with equal times: numbers (also as text), text or times; nulls come last.
        Without it their order is that of the files and rows.

    Raises
    ------
    ArgumentError
        For an argument that cannot be meant.

    Examples
    --------
    >>> Source("calls.csv", time="started", time_zone="Europe/Warsaw", event="topic", ids={"customer": "number"}).time
    'started'
    """

    path: Any
    time: str | Mapping[str, str | pl.Expr]
    event: str | None = None
    ids: Mapping[str, str] = field(default_factory=dict)
    channel: str | None = None
    time_format: str | None = None
    time_zone: str | None = None
    value: str | None = None
    attributes: Sequence[str] | None = None
    event_id: str | None = None
    drop_duplicates: bool = False
    placeholders: Sequence[str] | None = None
    on_error: OnError = "raise"
    format: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    event_name: str | None = None
    order: str | None = None

    def __post_init__(self) -> None:
        self._check_ids()
        self._check_columns()
        if self.on_error not in ("raise", "set aside"):
            raise ArgumentError.unknown("on_error", str(self.on_error), ("raise", "set aside"), where="Source")
        if self.format is not None and self.format not in FORMATS:
            raise ArgumentError.unknown("format", str(self.format), FORMATS, where="Source")
        if self.time_zone is not None and self.time_zone not in available_timezones():
            raise ArgumentError.unknown("time zone", str(self.time_zone), available_timezones(), where="Source")
        check_options(self.options)
        if (self.format == "sql") != ("query" in self.options):
            raise ArgumentError.at(
                'format="sql" and options={"query": ...} go together',
                where="Source",
                hint='As in Source("sqlite:////data/shop.db", format="sql", options={"query": "select ..."}, ...)',
            )

    def _check_ids(self) -> None:
        where = "Source(ids=...)"
        pairs = list(self.ids.items()) if isinstance(self.ids, Mapping) else [(None, None)]
        if not all(isinstance(part, str) and part for pair in pairs for part in pair):
            raise ArgumentError.at(
                f"{self.ids!r} does not say which column holds which kind of identifier",
                where=where,
                hint='Write ids={"customer": "column of the customer number"}',
            )
        if not pairs:
            raise ArgumentError.at(
                "a source needs at least one identifier", where=where, hint='As in ids={"customer": "user_id"}'
            )
        for kind in self.ids:
            if kind in RESERVED or kind.startswith("__"):
                raise ArgumentError.at(
                    f"{kind!r} cannot name a kind of identifier",
                    where=where,
                    hint="It is a column of the log; choose another word",
                )

    def _check_columns(self) -> None:
        if not isinstance(self.time, str):
            self._check_times()
        elif (self.event is None) == (self.event_name is None):
            raise ArgumentError.at(
                "exactly one of event and event_name is needed",
                where="Source",
                hint="event= names a column; event_name= is the name of all events of a table without such a column",
            )
        if self.event_name is not None and not (isinstance(self.event_name, str) and self.event_name.strip()):
            raise ArgumentError.at(
                f"{self.event_name!r} is no name", where="Source(event_name=...)", hint="Give a text"
            )
        for argument in ("attributes", "placeholders"):
            if isinstance(getattr(self, argument), str):
                raise ArgumentError.at(
                    "this is one text, not a list of them",
                    where=f"Source({argument}=...)",
                    hint=f"Write {argument}=[{getattr(self, argument)!r}]",
                )
        for column, role in self.declared.items():
            if not isinstance(column, str):
                raise ArgumentError.at(f"{column!r} names no column", where=f"Source, {role}", hint="Give a text")

    def _check_times(self) -> None:
        where = "Source(time=...)"
        times = self.time if isinstance(self.time, Mapping) else {}
        named = all(isinstance(name, str) and name.strip() for name in times)
        if not times or not named or not all(isinstance(time, (str, pl.Expr)) for time in times.values()):
            raise ArgumentError.at(
                f"{self.time!r} names no column",
                where=where,
                hint='Name a column, or events with their columns: time={"created": "created_at", "paid": "paid_at"}',
            )
        if self.event is not None or self.event_name is not None:
            raise ArgumentError.at(
                "the mapping names the events already", where=where, hint="Leave out event= and event_name="
            )

    @property
    def times(self) -> dict[str, str]:
        """Columns that hold times, each with the role it plays."""
        if isinstance(self.time, str):
            return {self.time: "time"}
        roles: dict[str, str] = {}
        for name, time in self.time.items():
            columns = [time] if isinstance(time, str) else time.meta.root_names()
            roles |= dict.fromkeys(columns, f"time[{name!r}]")
        return roles

    @property
    def declared(self) -> dict[str, str]:
        """Columns that must be there, each with the role it plays."""
        roles = self.times
        roles |= {column: f"ids[{kind!r}]" for kind, column in self.ids.items()}
        for role in ("event", "channel", "value", "event_id", "order"):
            column = getattr(self, role)
            if column is not None:
                roles[column] = role
        return roles | dict.fromkeys(self.attributes or (), "attributes")

    @property
    def where(self) -> str:
        """Short text of where the rows come from, without passwords."""
        if isinstance(self.path, (str, Path)):
            return without_password(str(self.path))
        if isinstance(self.path, (list, tuple)):
            return f"{len(self.path)} files"
        return type(self.path).__name__


def without_password(uri: str) -> str:
    """Return a URI whose password, if any, is hidden.

    Examples
    --------
    >>> without_password("postgresql://reader:secret@host/shop")
    'postgresql://reader:***@host/shop'
    """
    return re.sub(r"(?<=://)([^:/@]*):[^/]*@", r"\1:***@", uri)


def check_options(options: Mapping[str, Any]) -> None:
    """Raise ArgumentError unless these are options of the CSV reader."""
    where = "Source(options=...)"
    if not isinstance(options, Mapping):
        raise ArgumentError.at(
            f"{type(options).__name__} is no mapping",
            where=where,
            hint='As in options={"separator": ";", "encoding": "cp1250"}',
        )
    for option in options:
        if option not in OPTIONS:
            raise ArgumentError.unknown("option", str(option), OPTIONS, where="Source")
    encoding = options.get("encoding", "utf8")
    try:
        "".encode(encoding)
    except (LookupError, TypeError, UnicodeError) as error:
        raise ArgumentError.at(
            f"unknown encoding {encoding!r}", where=where, hint='Known are "utf8", "utf-16", "latin-1", "cp1250", ...'
        ) from error
    separator, quote = options.get("separator", ","), options.get("quote", '"')
    if not _one_character(separator) or separator == quote:
        raise ArgumentError.at(
            f"the separator {separator!r} is not one character",
            where=where,
            hint='Use ",", ";", "|" or "\\t"; it differs from the quote',
        )
    if quote != "" and not _one_character(quote):
        raise ArgumentError.at(
            f"the quote {quote!r} is not one character",
            where=where,
            hint='Use "\'" or the like, or "" if quotes mean nothing',
        )


def _one_character(text: object) -> bool:
    return isinstance(text, str) and len(text) == 1 and text.isascii() and text not in "\r\n\0"
