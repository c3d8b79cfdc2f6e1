"""Events and persons by calendar period and group."""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from cjm.journeys import Journeys
from cjm.measure._by import By, group_names, slices
from cjm.measure._common import summed
from cjm.measure._rates import check_mask, masked
from cjm.measure._tally import tallied
from cjm.periods import periods

__all__ = ["timeline"]

_RESULT = ["period", "events", "persons"]
# Largest table of all periods and groups (3 MB); beyond it, they are looked up.
_CELLS = 1 << 17


def timeline(
    journeys: Journeys,
    *,
    every: str = "1d",
    time_zone: str = "UTC",
    by: By | None = "channel",
    min_persons: int = 0,
) -> pl.DataFrame:
    """Count events and persons in each calendar period, channel by channel.

    Parameters
    ----------
    journeys : Journeys
    every : str
        Length of a period: a number and one of the units ``us ms s m h d w mo q y``. From ``d`` on these are calendar
        units: a day of ``time_zone`` may have 23 or 25 hours. Weeks begin on Mondays. Shorter periods are elapsed
        time from the start of each local day.
    time_zone : str
        Zone in which periods begin, such as ``"Europe/Warsaw"``.
    by : str, Cohort, Goal or list of Goal, optional
        What the events are split by instead of their channel. None: all of them together.
    min_persons : int
        Hide the figures of rows with fewer persons.

    Returns
    -------
    polars.DataFrame
        ``period`` Datetime[us, time_zone] (where it begins), ``by`` (here ``channel``), ``events``, ``persons``
        (distinct). Periods without an event in the group have no row. By period and group.

    Raises
    ------
    ArgumentError
        For a period that cannot be read, an unknown time zone or an unknown ``by``.

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
    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_timeline import timeline_batch, timeline_cells

    check_mask(min_persons)
    edges = periods(every, time_zone, journeys.start, journeys.end)
    starts = as_array(edges.starts, np.int64)
    keys = group_names(by)
    parts = []
    for part in slices(journeys, by, _RESULT):
        arrays, groups = part.journeys.arrays, part.groups
        offsets = as_array(arrays.offsets, np.int64)
        time = as_array(arrays.time, np.int64)
        group = as_array(np.zeros(len(time)) if groups is None else groups.code, np.int32)
        size = 1 if groups is None else len(groups.labels)
        given = (offsets, time, group, size, starts)
        if len(starts) * size <= _CELLS:
            cells = np.zeros((len(starts) * size, 3), dtype=np.int64)
            timeline_cells(*given, cells)
            key = np.flatnonzero(cells[:, 0])
            events, persons, _ = cells[key].T
        else:
            fill = partial(timeline_batch, *given)
            key, events, persons = tallied(fill, len(arrays.person), int(np.diff(offsets).max(initial=0)))
        number, row = np.divmod(key, max(size, 1))
        found = pl.DataFrame({"__period": number, "events": events, "persons": persons})
        parts.append(found if groups is None else found.with_columns(groups.named(row)))
    rows = summed(parts, ["__period", *keys]).sort("__period", *keys, nulls_last=True)
    rows = rows.with_columns(edges.labels(rows["__period"].to_numpy()).alias("period"))
    return masked(rows, min_persons, ["persons"], ["events", "persons"]).select("period", *keys, "events", "persons")
