"""What can be done about a moment, and how often a person may be contacted at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from cjm.durations import Duration, format_duration, to_us
from cjm.errors import ArgumentError

__all__ = ["Action", "Budget"]


@dataclass(frozen=True)
class Action:
    """Something that can be done about a moment.

    Attributes
    ----------
    name : str
    channel : str
        Where it happens, in the words of the tables of consent and contacts.
    moments : tuple of str
        Names of the moments that call for it.
    within : duration
        How long after a moment is certain it may still be done, the limit included.
    purpose : str or None
        What a person must have consented to; None if it needs no consent.
    eligible : str or None
        An SQL condition on the columns of the persons and of the matches, such as ``"premium AND tenure_days >= 90"``
        (names that are words of SQL stand in double quotes); null is false. None: everybody is.
    cost : float
        Of doing it once, in units of the persons' value.
    value : float or None
        What success is worth where it is not the person's value: the margin of a sale, say, instead of that of staying.
    despite : tuple of str
        Reasons of suppression that do not hold it back.
    counts : bool
        Whether it is a contact: contacts are held back by a used-up budget; a banner that waits for a visit is none.

    Raises
    ------
    ArgumentError
        If the condition cannot be read, no moment is named, or the cost or value is no number.

    Examples
    --------
    >>> print(Action("retention call", "call", ("offer, no renewal",), within="2d", purpose="marketing", cost=4))
    retention call by call within 2d of offer, no renewal
    """

    name: str
    channel: str
    moments: tuple[str, ...]
    within: Duration
    purpose: str | None = None
    eligible: str | None = None
    cost: float = 0.0
    value: float | None = None
    despite: tuple[str, ...] = ()
    counts: bool = True

    def __post_init__(self) -> None:
        where = f"action {self.name!r}"
        for name in ("moments", "despite"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise ArgumentError.at(f"{name} is the text {value!r}", where=where, hint=f"Write ({value!r},)")
            object.__setattr__(self, name, tuple(value))
        if not self.moments:
            raise ArgumentError.at("no moment calls for it", where=where, hint="Name one in moments")
        for name in ("cost", "value"):
            amount = getattr(self, name)
            if amount is not None and not math.isfinite(amount):
                raise ArgumentError.at(f"{name} is {amount}", where=where, hint="Give a finite number")
        to_us(self.within, f"within of {where}")
        self.condition()

    def __str__(self) -> str:
        limit = format_duration(to_us(self.within))
        return f"{self.name} by {self.channel} within {limit} of {', '.join(self.moments)}"

    def condition(self) -> pl.Expr:
        """Return who is eligible, as an expression.

        Raises
        ------
        ArgumentError
            If the condition cannot be read.
        """
        if self.eligible is None:
            return pl.lit(True)
        try:
            return pl.sql_expr(self.eligible).fill_null(False)
        except pl.exceptions.PolarsError as error:
            raise ArgumentError.at(
                f"the condition {self.eligible!r} cannot be read ({error})",
                where=f"action {self.name!r}, eligible",
                hint="Write an SQL condition on columns, such as \"segment = 'gold' AND tenure_days >= 90\"",
            ) from error


@dataclass(frozen=True)
class Budget:
    """At most so many contacts of a person in so much time, whoever makes them.

    Attributes
    ----------
    contacts : int
    within : duration
    channel : str or None
        Count contacts of this channel only, and hold back only its actions; None: all channels together.

    Examples
    --------
    >>> print(Budget(2, "7d"))
    2 contacts in 7d
    """

    contacts: int
    within: Duration
    channel: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.contacts, bool) or not isinstance(self.contacts, int) or self.contacts < 1:
            raise ArgumentError.at(
                f"contacts is {self.contacts!r}", where="budget", hint="Give a whole number from 1 on"
            )
        to_us(self.within, "within of a budget")

    def __str__(self) -> str:
        by = f" by {self.channel}" if self.channel is not None else ""
        return (
            f"{self.contacts} contact{'' if self.contacts == 1 else 's'}{by} in {format_duration(to_us(self.within))}"
        )
