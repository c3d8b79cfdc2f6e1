"""Who stands how at a time, from what was known by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from cjm.contracts import TIME
from cjm.durations import DAY_US, Duration, to_us
from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.patterns import Pattern
from cjm.survival._design import FloatArray, IntArray, encode
from cjm.survival._fitted import Fitted
from cjm.survival._known import known_completions
from cjm.survival._rows import completions, numbered_events, origins
from cjm.survival._subjects import Moment, Subjects, moment_us
from cjm.survival._sums import linear
from cjm.survival._times import signs_of_life

__all__ = ["at_risk", "risks"]


def at_risk(subjects: Subjects, at: Moment | None) -> tuple[pl.DataFrame, int]:
    """Return the subjects who are at risk at a time, and the time in microseconds (default: the end of observation)."""
    moment = subjects.end if at is None else moment_us(at, "at")
    if moment > subjects.end:
        raise ArgumentError.at(
            "the time is later than the end of observation", where="predict(at=...)", hint="Leave it out to take that"
        )
    now = pl.lit(moment).cast(TIME)
    still = (pl.col("exit") > now) | ((pl.col("exit") == now) & (pl.col("end") == "censored"))
    return subjects.frame.filter((pl.col("entry") <= now) & still), moment


def risks(
    journeys: Journeys,
    subjects: Subjects,
    fitted: Fitted,
    patterns: Mapping[str, Pattern | str],
    covariates: Sequence[str],
    *,
    every: bool,
    at: Moment | None,
    horizon: Duration,
) -> pl.DataFrame:
    """Return ``person``, ``hazard_ratio`` and ``risk``; see ``PathHazard.predict``.

    With ``every``, paths count at the event that completes them alone.
    """
    window = to_us(horizon, "horizon") / DAY_US
    frame, moment = at_risk(subjects, at)
    if frame.is_empty():
        return pl.DataFrame(schema={"person": pl.Int64, "hazard_ratio": pl.Float64, "risk": pl.Float64})
    latest, number = _latest(signs_of_life(journeys, subjects.churn.touchpoints), frame, moment)
    group = _group_of(frame, fitted.strata)
    occurrences = known_completions(journeys, patterns, every=every)
    paths = _paths_at(frame, occurrences, fitted.paths, moment, latest if every else None)
    design = encode(frame, covariates, fitted.levels)
    place = [design.terms.index(term) for term in fitted.terms if term not in fitted.paths]
    x = np.column_stack([paths, design.x[:, place]])
    ratio = np.exp(linear(x - fitted.means, fitted.coef))
    if fitted.gap:
        hazard = _event_hazard(fitted.baseline, group, number)
    else:
        hazard = _window_hazard(fitted.baseline, group, (moment - origins(frame)) / DAY_US, window)
    columns = {"person": frame["person"], "hazard_ratio": ratio, "risk": -np.expm1(-hazard * ratio)}
    return pl.DataFrame(columns).with_columns(pl.col("hazard_ratio", "risk").fill_nan(None))


def _latest(journeys: Journeys, frame: pl.DataFrame, moment: int) -> tuple[IntArray, IntArray]:
    """Return time and number of each subject's last event up to ``moment`` (number 0: none)."""
    events = numbered_events(journeys, frame)
    known = events.time <= moment
    time, number = np.zeros(frame.height, dtype=np.int64), np.zeros(frame.height, dtype=np.int64)
    time[events.subject[known]] = events.time[known]  # in order of time, so that the last one stays
    number[events.subject[known]] = events.number[known]
    return time, number


def _paths_at(
    frame: pl.DataFrame, occurrences: pl.DataFrame, names: list[str], moment: int, latest: IntArray | None
) -> FloatArray:
    """Return 1 for a path completed by ``moment`` or, with ``latest``, at that very event."""
    wanted = occurrences.filter(pl.col("pattern").is_in(names))
    if latest is None:
        return (completions(frame, wanted, names) <= moment).astype(np.float64)
    now = pl.DataFrame({"person": frame["person"], "__latest": latest})
    wanted = wanted.join(now, on="person").filter(pl.col("end").to_physical() == pl.col("__latest"))
    return (completions(frame, wanted, names) <= moment).astype(np.float64)


def _group_of(frame: pl.DataFrame, strata: pl.DataFrame) -> IntArray:
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


def _event_hazard(baseline: pl.DataFrame, group: IntArray, number: IntArray) -> FloatArray:
    hazard = np.full(len(group), np.nan)
    for (place,), pools in baseline.sort("group", "time").group_by("group", maintain_order=True):
        ours = (group == place) & (number > 0)
        pool = np.searchsorted(pools["time"].to_numpy(), number[ours], side="right") - 1
        hazard[ours] = np.where(pool >= 0, pools["hazard"].to_numpy()[np.maximum(pool, 0)], np.nan)
    return hazard


def _window_hazard(baseline: pl.DataFrame, group: IntArray, time: FloatArray, window: float) -> FloatArray:
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
