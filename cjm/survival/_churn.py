"""What counts as churn."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from cjm.contracts import TIME
from cjm.durations import Duration, format_duration, to_us
from cjm.errors import ArgumentError, InputError
from cjm.patterns import Pattern

__all__ = ["Churn", "first_times"]


@dataclass(frozen=True, eq=False)
class Churn:
    """A definition of churn; made by :meth:`event`, :meth:`inactive` or :meth:`table`.

    It prints as text that :meth:`parse` reads back (a table only says its size), and equals another that means the
    same.

    Attributes
    ----------
    kind : {"event", "inactive", "table"}
    touchpoints : tuple of str
        Of ``event``: what is churn. Of ``inactive``: what ends a silence; all events if empty.
    gap : int
        Of ``inactive``: microseconds.

    Examples
    --------
    >>> print(Churn.event("account:cancelled"))
    event "account:cancelled"
    >>> Churn.parse("inactive 90d") == Churn.inactive("90d")
    True
    """

    kind: Literal["event", "inactive", "table"]
    touchpoints: tuple[str, ...] = ()
    gap: int = 0
    times: pl.DataFrame | None = field(default=None, repr=False)

    @classmethod
    def event(cls, *touchpoints: str) -> Churn:
        """Churn is the first of these touchpoints, such as a cancellation."""
        if not touchpoints or not all(isinstance(name, str) and name for name in touchpoints):
            raise ArgumentError.at(
                "name at least one touchpoint", where="Churn.event", hint='Such as "account:cancelled"'
            )
        return cls("event", tuple(sorted(set(touchpoints))))

    @classmethod
    def inactive(cls, gap: Duration, *activity: str) -> Churn:
        """Churn is silence longer than ``gap`` after an event; a return after it does not undo it.

        ``activity`` names the touchpoints that count as signs of life, as in a pattern: ``"store:*"``. Without it all
        events do, also those that a customer only receives.
        """
        us = to_us(gap, "Churn.inactive(gap)")
        if us == 0:
            raise ArgumentError.at("the silence must be longer than zero", where="Churn.inactive")
        for selector in activity:
            Pattern.parse(selector)
        return cls("inactive", tuple(sorted(set(activity))), us)

    @classmethod
    def table(cls, frame: pl.DataFrame) -> Churn:
        """Churn is given: columns ``person`` and ``time``; the first time of a person counts."""
        return cls("table", times=first_times(frame, where="Churn.table"))

    @classmethod
    def parse(cls, text: str) -> Churn:
        """Read the text form of ``event`` or ``inactive``.

        Raises
        ------
        ArgumentError
            If the text is neither.
        """
        word, _, rest = text.strip().partition(" ")
        rest = rest.strip()
        if word == "inactive" and rest:
            gap, _, names = rest.partition(" of ")
            return cls.inactive(gap, *_texts(names))
        if word == "event" and rest:
            return cls.event(*_texts(rest))
        raise ArgumentError.at(
            f"{text!r} is no churn definition",
            where="Churn.parse",
            hint='Such as: event "account:cancelled", inactive 90d',
        )

    def __str__(self) -> str:
        names = ", ".join(json.dumps(name, ensure_ascii=False) for name in self.touchpoints)
        if self.kind == "event":
            return f"event {names}"
        if self.kind == "inactive":
            return f"inactive {format_duration(self.gap)}" + (f" of {names}" if names else "")
        assert self.times is not None
        return f"table of {self.times.height} persons"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Churn):
            return NotImplemented
        if self.times is None or other.times is None:
            return str(self) == str(other)
        return self.times.equals(other.times)

    def __hash__(self) -> int:
        return hash(str(self))


def _texts(text: str) -> list[str]:
    """Read touchpoints: JSON texts with commas between them, or one touchpoint as it is."""
    if not text.startswith('"'):
        return [text] if text else []
    try:
        return list(json.loads(f"[{text}]"))
    except ValueError:
        return []


def first_times(frame: pl.DataFrame, *, where: str) -> pl.DataFrame:
    """Return the first ``time`` of each ``person``, sorted by person, after checking the columns."""
    for name in ("person", "time"):
        if name not in frame.columns:
            raise ArgumentError.unknown("column", name, frame.columns, where=where)
    dtype = frame.schema["time"]
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None or not frame.schema["person"].is_integer():
        raise InputError.at(
            f"person is {frame.schema['person']}, time is {dtype}",
            where=where,
            hint="person must hold person numbers (Int64), time a Datetime with a time zone",
        )
    return (
        frame.select(pl.col("person").cast(pl.Int64), pl.col("time").dt.convert_time_zone("UTC").cast(TIME))
        .drop_nulls()
        .group_by("person")
        .agg(pl.col("time").min())
        .sort("person")
    )
