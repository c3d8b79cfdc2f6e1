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
RESERVED = frozenset({"time", "channel", "event", "value", "person", "touchpoint", "session"})

MEND_ROWS = 'Set on_error="set aside" to continue without them, or fix the file'

OnError = Literal["raise", "set aside"]


@dataclass(frozen=True)
class Source:
    """One table of events and the meaning of its columns.

    Parameters
    ----------
    path : path, glob, list of these, frame, or object with the Arrow C stream
        Files end in ``.parquet``, ``.csv``, ``.tsv`` (also ``.gz``, ``.zst``), ``.ndjson`` / ``.jsonl`` or ``.arrow`` /
        ``.feather`` unless ``format`` says what they are.
    time : str
        Column of the time of the event: a timestamp, ISO 8601 text, text in ``time_format``, or an epoch number.
    event : str
        Column of the event's name.
    ids : mapping of str to str
        Kind of identifier to its column. The order is the priority of the kinds.
    channel : str, optional
        Column of the channel. Without it the source's name is the channel.
    time_format : str, optional
        A ``strptime`` format, or the unit of an epoch number: ``"s"``, ``"ms"``, ``"us"``, ``"ns"``.
    time_zone : str, optional
        Zone of times that carry no offset, such as ``"Europe/Warsaw"``.
    value : str, optional
        Column of a number that goes with the event, such as an amount.
    attributes : sequence of str, optional
        Columns to carry along; by default all that are left.
    event_id : str, optional
        Column that tells events apart; of rows with the same one the first is kept.
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
        For CSV: ``separator``, ``quote``, ``encoding``.

    Examples
    --------
    >>> Source("calls.csv", time="started", time_zone="Europe/Warsaw", event="topic", ids={"customer": "number"}).time
    'started'
    """

    path: Any
    time: str
    event: str
    ids: Mapping[str, str]
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

    def __post_init__(self) -> None:
        if not self.ids:
            raise ArgumentError.at("a source needs at least one identifier", where="Source(ids=...)")
        for kind in self.ids:
            if kind in RESERVED or kind.startswith("__"):
                raise ArgumentError.at(
                    f"{kind!r} cannot name a kind of identifier",
                    where="Source(ids=...)",
                    hint="It is a column of the log",
                )
        if self.on_error not in ("raise", "set aside"):
            raise ArgumentError.unknown("on_error", str(self.on_error), ("raise", "set aside"), where="Source")
        if self.format is not None and self.format not in FORMATS:
            raise ArgumentError.unknown("format", self.format, FORMATS, where="Source")
        if self.time_zone is not None and self.time_zone not in available_timezones():
            raise ArgumentError.unknown("time zone", self.time_zone, available_timezones(), where="Source")
        for option in self.options:
            if option not in ("separator", "quote", "encoding"):
                raise ArgumentError.unknown("option", option, ("separator", "quote", "encoding"), where="Source")

    @property
    def declared(self) -> dict[str, str]:
        """Columns that must be there, each with the role it plays."""
        roles = {self.time: "time", self.event: "event"}
        roles |= {column: f"ids[{kind!r}]" for kind, column in self.ids.items()}
        optional = {"channel": self.channel, "value": self.value, "event_id": self.event_id}
        roles |= {column: role for role, column in optional.items() if column is not None}
        return roles | dict.fromkeys(self.attributes or (), "attributes")

    @property
    def where(self) -> str:
        """Short text of where the rows come from."""
        if isinstance(self.path, (str, Path)):
            return str(self.path)
        if isinstance(self.path, (list, tuple)):
            return f"{len(self.path)} files"
        return type(self.path).__name__
