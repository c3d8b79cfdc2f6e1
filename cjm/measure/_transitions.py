"""Which touchpoint follows which."""

from __future__ import annotations

import numpy as np
import polars as pl

from cjm.journeys import Journeys
from cjm.measure._common import END, START, event_values, path_offsets, share

__all__ = ["transitions"]

_RESULT = ["source", "target", "count", "share", "persons", "time_p50", "time_mean"]


def transitions(
    journeys: Journeys, *, by: str | None = None, within_session: bool = False, ends: bool = False
) -> pl.DataFrame:
    """Count how often one touchpoint directly follows another in the events of a person.

    Parameters
    ----------
    journeys : Journeys
    by : str, optional
        A column of ``journeys.frame``. A transition belongs to the group of its source event (that from
        ``(start)``: to the group of its target event).
    within_session : bool
        Leave out the transitions from one session to the next.
    ends : bool
        Add transitions from ``(start)`` to the first touchpoint and from the last one to ``(end)``, of each person,
        or of each session if ``within_session``.

    Returns
    -------
    polars.DataFrame
        ``by`` if given, ``source``, ``target``, ``count``, ``share`` (of all transitions out of the source, in the
        group), ``persons`` (distinct), ``time_p50`` and ``time_mean`` Duration between the two events, cut to whole
        microseconds; null for ``(start)`` and ``(end)``. Most frequent first, then by source and target.

    Raises
    ------
    ArgumentError
        For an unknown column in ``by``.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-02T10:00Z"],
    ...                       "what": ["home", "cart", "home"], "who": ["a", "a", "b"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.transitions(journeys).select("source", "target", "count", "share").rows()
    [('web:home', 'web:cart', 1, 1.0)]
    """
    keys = [by] if by else []
    order = [*keys, "count", "source", "target"]
    names = pl.Series([*journeys.touchpoints["touchpoint"], START, END], dtype=pl.String)
    time = pl.col("__time")
    counted = (
        _pairs(journeys, by, within_session=within_session, ends=ends)
        .group_by(*keys, "__source", "__target")
        .agg(
            count=pl.len().cast(pl.Int64),
            persons=pl.col("__person").n_unique().cast(pl.Int64),
            time_p50=time.quantile(0.5, "linear").cast(pl.Int64).cast(pl.Duration("us")),
            # 64 bits are too few for a sum of microseconds.
            time_mean=(time.cast(pl.Int128).sum() // time.count()).cast(pl.Int64).cast(pl.Duration("us")),
        )
        .with_columns(pl.col("count").sum().over(*keys, "__source").alias("__out"))
    )
    return (
        counted.with_columns(
            names.gather(counted["__source"]).alias("source"),
            names.gather(counted["__target"]).alias("target"),
            share=share(counted["count"], counted["__out"]),
        )
        .sort(order, descending=[name == "count" for name in order], nulls_last=True)
        .select(*keys, *_RESULT)
    )


def _pairs(journeys: Journeys, by: str | None, *, within_session: bool, ends: bool) -> pl.DataFrame:
    """Return one row a transition: the codes of both sides, the person, the time between, the group."""
    arrays = journeys.arrays
    events = pl.DataFrame({"__person": arrays.person_row, "__source": arrays.code})
    if by:
        events = events.with_columns(event_values(journeys, by, _RESULT).alias(by))
    offsets = path_offsets(journeys, "session" if within_session else "person")
    last = np.zeros(len(arrays.time), dtype=bool)
    last[offsets[1:] - 1] = True
    inner = np.flatnonzero(~last)
    pairs = events[inner].with_columns(
        pl.Series("__target", arrays.code[inner + 1]),
        pl.Series("__time", arrays.time[inner + 1] - arrays.time[inner]),
    )
    if not ends:
        return pairs
    start, end = (pl.lit(journeys.touchpoints.height + i, pl.Int32) for i in (0, 1))
    entries = events[offsets[:-1]].with_columns(__target=pl.col("__source"), __source=start)
    exits = events[offsets[1:] - 1].with_columns(__target=end)
    return pl.concat([pairs, entries, exits], how="diagonal")
