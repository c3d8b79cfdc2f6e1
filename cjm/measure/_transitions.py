"""Which touchpoint follows which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.measure._by import By, group_names, slices
from cjm.measure._chains import ChainWalk
from cjm.measure._common import ranked_groups, summed
from cjm.measure._labels import hidden, with_absent
from cjm.measure._order import ordered
from cjm.measure._rates import DIFFERENCE, check_level, check_mask, compared, interval, share
from cjm.measure._times import quantile_columns, quantile_names
from cjm.measure._unit import Unit

__all__ = ["transitions"]

_RESULT = ["source", "target", "count", "of", "share", "low", "high", "persons", "time_mean"]


def transitions(
    journeys: Journeys,
    *,
    order: int = 1,
    unit: Unit = "person",
    by: By | None = None,
    ends: bool = False,
    quantiles: Sequence[float] = (),
    level: float = 0.95,
    versus: object = None,
    min_persons: int = 0,
) -> pl.DataFrame:
    """Count how often one touchpoint directly follows another.

    Parameters
    ----------
    journeys : Journeys
    order : int
        How many touchpoints in a row make the source: 1, 2 or 3.
    unit : {"person", "session"} or Goal
        Whose events follow each other: those of a ``"person"``, of a ``"session"``, or of a journey towards a goal.
    by : str, Cohort, Period, Goal or list of Goal, optional
        A transition belongs to the group of the (last) source event; that from ``(start)``, of the target event.
    ends : bool
        Add the transitions from ``(start)`` to the first touchpoint of each path and from the last one to ``(end)``.
        At order 2 and 3 sources that reach back before the path begin with as many ``(start)`` as are missing.
    quantiles : sequence of float
        Quantiles of the time on the edge, such as ``[0.5]`` for the median. They cost a second pass over the events.
    level : float
        Confidence level of the intervals, between 0 and 1.
    versus : object, optional
        A group of ``by``: adds what the share is above that of this group (0 for a target that it never goes to from
        the source; null if it has no transition out of the source).
    min_persons : int
        Hide the figures of transitions that fewer persons than this made.

    Returns
    -------
    polars.DataFrame
        One row a transition that occurs (and group): the column of ``by`` if given, ``source``, ``target``,
        ``count``, ``of`` (all transitions out of the source, in the group), ``share`` = count / of with its Wilson
        interval ``low``, ``high``, ``persons`` (distinct), ``time_mean`` and one column a quantile (``time_p50`` for
        0.5): time between the last source event and the target event, Duration, cut to whole microseconds and null
        for ``(start)`` and ``(end)``. With ``versus``: ``difference``, ``difference_low``, ``difference_high``
        (Newcombe). By group, most frequent first, then by the touchpoints of the source and the target.

        The intervals take the transitions as independent. Those of one person are not, so the intervals are too
        narrow where a few persons make most of the transitions.

        At order 2 and 3 the source is written as a pattern is: ``web:home -> web:cart``, names with odd characters in
        double quotes.

    Raises
    ------
    ArgumentError
        For an unknown ``by``, ``unit`` or ``versus``, or an ``order``, quantile, ``level`` or ``min_persons`` that
        cannot be.

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
    if order not in (1, 2, 3) or isinstance(order, bool):
        raise ArgumentError.at(f"must be 1, 2 or 3, not {order!r}", where="order=")
    check_level(level)
    check_mask(min_persons)
    times = quantile_names(quantiles)
    walk = ChainWalk(journeys, unit, order, ends)
    keys = [*group_names(by), *walk.sources, "__target"]

    parts = [walk.count(part).frame for part in slices(journeys, by, [*_RESULT, *times, *DIFFERENCE])]
    rows = summed(parts, keys)
    timed = walk.timed(rows)
    rows = rows.with_columns(
        pl.col("count").sum().over(keys[:-1]).alias("of"),
        pl.when(timed)
        .then(pl.col("__time") // pl.col("count"))
        .cast(pl.Int64)
        .cast(pl.Duration("us"))
        .alias("time_mean"),
    )
    if times:
        counts = np.where(timed.to_numpy(), rows["count"].to_numpy(), 0)
        edges = rows.select(keys)
        rows = rows.with_columns(
            quantile_columns(counts, quantiles, lambda *held: walk.fill(slices(journeys, by, ()), edges, *held))
        )
    groups = [ranked_groups(rows[name])[1] for name in group_names(by)]
    count = rows["count"].to_numpy()
    rows = walk.named(rows[ordered([*groups, count.max(initial=0) - count, *walk.ranks(rows)])])
    edge = ["source", "target"]
    rows = with_absent(rows, by, versus, edge, ["count", "persons"], ["of"], within=["source"])
    rows = rows.with_columns(*interval(rows, "count", "of", level), share=share(rows["count"], rows["of"]))
    rows = compared(rows, by, versus, edge, "count", "of", level)
    figures = [name for name in (*_RESULT, *times) if name not in (*edge, "of")]
    rows = hidden(rows, by, versus, min_persons, edge, ["persons"], figures, of="persons")
    rows = rows if versus is None else rows.filter("__shown")
    return rows.select(*group_names(by), *_RESULT, *times, *(DIFFERENCE if versus is not None else []))
