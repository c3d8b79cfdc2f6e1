"""``Source``: where events come from and what its columns mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zoneinfo import available_timezones

from cjm.errors import ArgumentError

__all__ = ["EPOCH_UNITS", "FORMATS", "MEND_ROWS", "RESERVED", "Source"]

EPOCH_UNITS = ("s", "ms", "us", "ns")
FORMATS = ("parquet", "csv", "tsv", "ndjson", "arrow")
OPTIONS = ("separator", "quote", "encoding")
RESERVED = frozenset({"time", "channel", "event", "value", "person", "touchpoint", "session"})

MEND_ROWS = 'Set on_error="set aside" to continue without them, or fix the file'

OnError = Literal["raise", "set aside"]


@dataclass(frozen=True)
class Source:
    """One table of events and the meaning of its columns.

    Parameters
    ----------
    path : path, glob, list of these, frame, or object with the Arrow C stream
        Files end in ``.parquet``, ``.csv``, ``.tsv``, ``.ndjson`` / ``.jsonl`` or ``.arrow`` / ``.feather`` unless
        ``format`` says what they are; text may be compressed (``.gz``, ``.zst``, ``.bz2``).
    time : str
        Column of the time of the event: a timestamp, ISO 8601 text, text in ``time_format``, or an epoch number
        (also as text, and beside ISO text).
    event : str, optional
        Column of the event's name. Exactly one of ``event`` and ``event_name`` is given.
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
        ``"parquet"``, ``"csv"``, ``"tsv"``, ``"ndjson"`` or ``"arrow"``, where the file name does not tell.
    options : mapping, optional
        For CSV: ``separator``, ``quote`` (blank: quotes mean nothing), ``encoding``.
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
    time: str
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
        if (self.event is None) == (self.event_name is None):
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

    @property
    def declared(self) -> dict[str, str]:
        """Columns that must be there, each with the role it plays."""
        roles = {self.time: "time"}
        roles |= {column: f"ids[{kind!r}]" for kind, column in self.ids.items()}
        for role in ("event", "channel", "value", "event_id", "order"):
            column = getattr(self, role)
            if column is not None:
                roles[column] = role
        return roles | dict.fromkeys(self.attributes or (), "attributes")

    @property
    def where(self) -> str:
        """Short text of where the rows come from."""
        if isinstance(self.path, (str, Path)):
            return str(self.path)
        if isinstance(self.path, (list, tuple)):
            return f"{len(self.path)} files"
        return type(self.path).__name__


def check_options(options: Mapping[str, Any]) -> None:
    """Raise ArgumentError unless these are options of the CSV reader."""
    where = "Source(options=...)"
    if not isinstance(options, Mapping):
        raise ArgumentError.at(
            f"{options!r} is no mapping", where=where, hint='As in options={"separator": ";", "encoding": "cp1250"}'
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
