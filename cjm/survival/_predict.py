"""Who stands how at a time, from what was known by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from cjm.contracts import TIME
from cjm.durations import DAY_US, Duration, to_us
from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.matching import named_patterns
from cjm.patterns import Pattern
from cjm.survival._design import FloatArray, encode
from cjm.survival._fitted import Fitted
from cjm.survival._known import known_completions
from cjm.survival._prediction import event_hazard, groups_of, latest_events, paths_at, window_hazard
from cjm.survival._rows import EventRows, at_events, completions, event_rows, origins
from cjm.survival._subjects import Moment, Subjects, moment_us
from cjm.survival._sums import linear
from cjm.survival._times import signs_of_life

__all__ = ["at_risk", "event_risks", "risks"]


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
    latest, number = latest_events(signs_of_life(journeys, subjects.churn.touchpoints), frame, moment)
    group = groups_of(frame, fitted.strata)
    occurrences = known_completions(journeys, named_patterns(dict(patterns)), every=every)
    paths = paths_at(frame, occurrences, fitted.paths, moment, latest if every else None)
    design = encode(frame, covariates, fitted.levels)
    place = [design.terms.index(term) for term in fitted.terms if term not in fitted.paths]
    x = np.column_stack([paths, design.x[:, place]])
    ratio = np.exp(linear(x - fitted.means, fitted.coef))
    if fitted.gap:
        hazard = event_hazard(fitted.baseline, group, number)
    else:
        hazard = window_hazard(fitted.baseline, group, (moment - origins(frame)) / DAY_US, window)
    columns = {"person": frame["person"], "hazard_ratio": ratio, "risk": -np.expm1(-hazard * ratio)}
    return pl.DataFrame(columns).with_columns(pl.col("hazard_ratio", "risk").fill_nan(None))


def event_risks(
    journeys: Journeys,
    subjects: Subjects,
    fitted: Fitted,
    patterns: Mapping[str, Pattern | str],
    covariates: Sequence[str],
    *,
    every: bool,
    since: int | None,
) -> tuple[EventRows, FloatArray]:
    """Return the events at which silence could begin, from ``since`` on, and the risk of each.

    Events without a risk (a missing covariate, a new stratum) are left out.
    With ``every``, paths count at the event that completes them alone.
    """
    frame = subjects.frame
    rows = event_rows(signs_of_life(journeys, subjects.churn.touchpoints), frame, subjects.churn.gap)
    occurrences = known_completions(journeys, named_patterns(dict(patterns)), every=every)
    occurrences = occurrences.filter(pl.col("pattern").is_in(fitted.paths))
    if every:
        paths = at_events(frame, rows, occurrences, fitted.paths)
    else:
        done = completions(frame, occurrences, fitted.paths)[rows.subject] <= rows.time[:, None]
        paths = done.astype(np.float64)
    design = encode(frame, covariates, fitted.levels)
    place = [design.terms.index(term) for term in fitted.terms if term not in fitted.paths]
    x = np.column_stack([paths, design.x[:, place][rows.subject]])
    ratio = np.exp(linear(x - fitted.means, fitted.coef))
    hazard = event_hazard(fitted.baseline, groups_of(frame, fitted.strata)[rows.subject], rows.number)
    risk = -np.expm1(-hazard * ratio)
    kept = ~np.isnan(risk) & (rows.time >= (rows.time if since is None else since))
    return EventRows(rows.subject[kept], rows.time[kept], rows.number[kept], rows.silent[kept]), risk[kept]
