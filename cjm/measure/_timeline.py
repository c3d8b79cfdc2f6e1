"""Events and persons by calendar period and channel."""

from __future__ import annotations

import re

import polars as pl

from cjm.contracts import TIME
from cjm.errors import ArgumentError
from cjm.journeys import Journeys

__all__ = ["timeline"]

_EVERY = re.compile(r"([1-9]\d*)(us|ms|s|m|h|d|w|mo|q|y)")


def timeline(journeys: Journeys, *, every: str = "1d", time_zone: str = "UTC") -> pl.DataFrame:
    """Count events and persons in each calendar period, channel by channel.

    Parameters
    ----------
    journeys : Journeys
    every : str
        Length of a period: a number and one of the units ``us ms s m h d w mo q y``. From ``d`` on these are calendar
        units: a day of ``time_zone`` may have 23 or 25 hours. Weeks begin on Mondays.
    time_zone : str
        Zone in which periods begin, such as ``"Europe/Warsaw"``.

    Returns
    -------
    polars.DataFrame
        ``period`` Datetime[us, time_zone] (where it begins), ``channel``, ``events``, ``persons`` (distinct). Periods
        without an event in the channel have no row. By period and channel.

    Raises
    ------
    ArgumentError
        For a period that cannot be read or an unknown time zone.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-02T10:00Z"],
    ...                       "what": ["home", "cart", "home"], "who": ["a", "a", "b"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.timeline(journeys, every="1mo").select("channel", "events", "persons").rows()
    [('web', 3, 2)]
    """
    match = _EVERY.fullmatch(every) if isinstance(every, str) else None
    if match is None:
        raise ArgumentError.at(f"cannot be read: {every!r}", where="every=", hint='Write "1d", "1w" or "1mo"')
    try:
        label = pl.Series([0], dtype=TIME).dt.convert_time_zone(time_zone).dtype
    except pl.exceptions.ComputeError:
        hint = 'Write a name such as "Europe/Warsaw"'
        raise ArgumentError.at(f"unknown time zone {time_zone!r}", where="time_zone=", hint=hint) from None
    arrays = journeys.arrays
    local = pl.col("__time").cast(label)
    if match[2] in ("d", "w", "mo", "q", "y"):
        # Where clocks go back over midnight a day has two of them, and truncating aware times would cut it in two.
        window = local.dt.replace_time_zone(None).dt.truncate(every)
    else:
        window = local.dt.truncate(every)
    rows = (
        pl.DataFrame({"__time": arrays.time, "person": arrays.person_row})
        .with_columns(journeys.touchpoints["channel"].gather(pl.Series(arrays.code)).alias("channel"))
        .group_by(window.alias("period"), "channel")
        .agg(events=pl.len().cast(pl.Int64), persons=pl.col("person").n_unique().cast(pl.Int64), first=local.min())
    )
    if rows.schema["period"] != label:
        # Where midnight is skipped, the period begins right after it, as truncating aware times finds.
        midnight = pl.col("period").dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
        rows = rows.with_columns(midnight.fill_null(pl.col("first").dt.truncate(every)))
    return rows.drop("first").sort("period", "channel")
