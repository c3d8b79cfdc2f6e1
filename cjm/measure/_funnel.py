"""Ordered funnels: how many persons get how far."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from cjm.durations import Duration, to_us
from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.measure._common import event_values, interval, share

__all__ = ["funnel"]

_QUARTILES = {"time_p25": 0.25, "time_p50": 0.5, "time_p75": 0.75}
_RESULT = ["step", "touchpoint", "persons", "of", "rate", "low", "high", "step_rate", *_QUARTILES]


def funnel(
    journeys: Journeys,
    steps: Sequence[str],
    *,
    within: Duration | None = None,
    by: str | None = None,
    level: float = 0.95,
) -> pl.DataFrame:
    """Count the persons who take the steps in order, with any other events in between.

    A person reaches step k if some choice of events, one after the other in the order of the journey, matches steps
    1 to k; every event that matches step 1 may be the start. The same touchpoint twice asks for two events.

    Parameters
    ----------
    journeys : Journeys
    steps : sequence of str
        Touchpoints, such as ``["web:product", "web:cart", "store:purchase"]``.
    within : duration, optional
        Longest time from step 1 to the step reached; one exactly as long counts. Default: no bound.
    by : str, optional
        A column of ``journeys.frame``. A person belongs to the group of their first event of step 1.
    level : float
        Confidence level of the intervals, between 0 and 1.

    Returns
    -------
    polars.DataFrame
        One row a step (and group): ``by`` if given, ``step`` (from 1), ``touchpoint``, ``persons`` who reached it,
        ``of`` (persons at step 1), ``rate`` = persons / of with its Wilson interval ``low``, ``high``, ``step_rate``
        (of the persons at the step before; null at step 1), and the quartiles ``time_p25``, ``time_p50``,
        ``time_p75`` of the time since the step before (interpolated, cut to whole microseconds). The time of a person
        is taken from the attempt that is first to reach that person's furthest step, each of its events being the
        latest that fits before the next one. Empty journeys give no rows.

    Raises
    ------
    ArgumentError
        For a touchpoint that does not occur, no steps at all, an unknown ``by`` or a bad ``level``.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-02T10:00Z"],
    ...                       "what": ["home", "cart", "home"], "who": ["a", "a", "b"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.funnel(journeys, ["web:home", "web:cart"], within="1d").select("step", "persons", "of", "rate").rows()
    [(1, 2, 2, 1.0), (2, 1, 2, 0.5)]
    """
    if isinstance(steps, str) or not steps:
        raise ArgumentError.at(
            f"must be a list of touchpoints, not {steps!r}", where="steps", hint='Write ["web:product", "web:cart"]'
        )
    if not 0 < level < 1:
        raise ArgumentError.at(f"must lie between 0 and 1, not {level!r}", where="level=", hint="Write 0.95")
    persons = _persons(journeys, steps, within, by)
    keys = [by] if by else []
    parts = [
        (persons.group_by(by).agg(_totals(step)) if by else persons.select(_totals(step))).with_columns(
            step=pl.lit(step, pl.Int64), touchpoint=pl.lit(name)
        )
        for step, name in enumerate(steps, start=1)
    ]
    rows = pl.concat(parts)
    if len(journeys.arrays.time) == 0:
        rows = rows.clear()
    return (
        rows.with_columns(interval(rows, "persons", "of", level))
        .with_columns(rate=share(rows["persons"], rows["of"]), step_rate=share(rows["persons"], rows["__before"]))
        .sort(*keys, "step", nulls_last=True)
        .select(*keys, *_RESULT)
    )


def _persons(journeys: Journeys, steps: Sequence[str], within: Duration | None, by: str | None) -> pl.DataFrame:
    """Return one row a person at step 1: the furthest step, the time since the step before for each, the group."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_funnel import funnel_reach

    arrays = journeys.arrays
    reached, first, times = funnel_reach(
        as_array(arrays.offsets, "int64"),
        as_array(arrays.code, "int32"),
        as_array(arrays.time, "int64"),
        as_array(journeys.codes(steps), "int32"),
        -1 if within is None else to_us(within, "within"),
        0,
        len(arrays.person),
    )
    columns = {"__reached": pl.Series(reached), "__first": pl.Series(first)}
    for step in range(2, len(steps) + 1):
        columns[f"__time{step}"] = pl.Series(times[:, step - 1] - times[:, step - 2])
    persons = pl.DataFrame(columns).filter(pl.col("__reached") > 0)
    if by:
        values = event_values(journeys, by, _RESULT)
        persons = persons.with_columns(values.gather(persons["__first"]).alias(by))
    return persons


def _totals(step: int) -> list[pl.Expr]:
    arrived = pl.col("__reached") >= step
    before = (pl.col("__reached") >= step - 1).sum() if step > 1 else pl.lit(None)
    times = (
        {name: pl.col(f"__time{step}").filter(arrived).quantile(q, "linear") for name, q in _QUARTILES.items()}
        if step > 1
        else dict.fromkeys(_QUARTILES, pl.lit(None, pl.Float64))
    )
    return [
        arrived.sum().cast(pl.Int64).alias("persons"),
        pl.len().cast(pl.Int64).alias("of"),
        before.cast(pl.Int64).alias("__before"),
        *(time.cast(pl.Int64).cast(pl.Duration("us")).alias(name) for name, time in times.items()),
    ]
