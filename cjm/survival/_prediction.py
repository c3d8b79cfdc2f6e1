"""What a fitted path model says of persons at a time."""

from __future__ import annotations

import numpy as np
import polars as pl

from cjm.journeys import Journeys
from cjm.survival._design import FloatArray, IntArray
from cjm.survival._rows import completions, numbered_events

__all__ = ["event_hazard", "groups_of", "latest_events", "paths_at", "per_event", "window_hazard"]


def per_event(base: pl.DataFrame) -> pl.DataFrame:
    """Spread pools of event numbers over their numbers; cumulative hazards."""
    spread = base.with_columns(
        pl.int_ranges(
            pl.col("time").cast(pl.Int64), pl.col("time").shift(-1).over("group").fill_null(pl.col("time") + 1)
        ).alias("time")
    ).explode("time")
    return spread.with_columns(pl.col("time").cast(pl.Float64), pl.col("hazard").cum_sum().over("group"))


def latest_events(journeys: Journeys, frame: pl.DataFrame, moment: int) -> tuple[IntArray, IntArray]:
    """Return time and number of each subject's last event up to ``moment`` (number 0: none)."""
    long_ago, now = np.full(frame.height, np.iinfo(np.int64).min), np.full(frame.height, moment, dtype=np.int64)
    subject, times, numbers = numbered_events(journeys, frame, long_ago, now)
    time, number = np.zeros(frame.height, dtype=np.int64), np.zeros(frame.height, dtype=np.int64)
    time[subject], number[subject] = times, numbers  # in order of time, so that the last one stays
    return time, number


def paths_at(
    frame: pl.DataFrame, occurrences: pl.DataFrame, names: list[str], moment: int, latest: IntArray | None
) -> FloatArray:
    """Return 1 for a path completed by ``moment`` or, with ``latest``, at that very event."""
    wanted = occurrences.filter(pl.col("pattern").is_in(names))
    if latest is None:
        return (completions(frame, wanted, names) <= moment).astype(np.float64)
    now = pl.DataFrame({"person": frame["person"], "__latest": latest})
    wanted = wanted.join(now, on="person").filter(pl.col("end").to_physical() == pl.col("__latest"))
    return (completions(frame, wanted, names) <= moment).astype(np.float64)


def groups_of(frame: pl.DataFrame, strata: pl.DataFrame) -> IntArray:
    """Return each subject's group, -1 for one that was not there when the model was fitted."""
    if not strata.width:
        return np.zeros(frame.height, dtype=np.int64)
    known = strata.cast(pl.String).with_row_index("__group")  # as text: a saved model has lost the finer types
    joined = (
        frame.select(strata.columns)
        .cast(pl.String)
        .join(known, on=strata.columns, how="left", nulls_equal=True, maintain_order="left")
    )
    return joined["__group"].cast(pl.Int64).fill_null(-1).to_numpy()


def event_hazard(baseline: pl.DataFrame, group: IntArray, number: IntArray) -> FloatArray:
    hazard = np.full(len(group), np.nan)
    for (place,), pools in baseline.sort("group", "time").group_by("group", maintain_order=True):
        ours = (group == place) & (number > 0)
        pool = np.searchsorted(pools["time"].to_numpy(), number[ours], side="right") - 1
        hazard[ours] = np.where(pool >= 0, pools["hazard"].to_numpy()[np.maximum(pool, 0)], np.nan)
    return hazard


def window_hazard(baseline: pl.DataFrame, group: IntArray, time: FloatArray, window: float) -> FloatArray:
    """Return the baseline hazard of (time, time + window], moved back to lie within follow-up."""
    hazard = np.full(len(group), np.nan)
    for (place,), steps in baseline.sort("group", "time").group_by("group", maintain_order=True):
        ours = group == place
        days = steps["time"].to_numpy()
        total = np.concatenate(([0.0], steps["hazard"].to_numpy()))
        begin = np.minimum(time[ours], max(0.0, days[-1] - window))
        after, before = (np.searchsorted(days, moment, side="right") for moment in (begin + window, begin))
        hazard[ours] = total[after] - total[before]
    return hazard
