"""Fit the two kinds of path model; both end as :class:`Fitted`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import format_duration
from cjm.errors import InputError
from cjm.journeys import Journeys
from cjm.survival._cox import cox
from cjm.survival._design import FloatArray, IntArray, encode, groups
from cjm.survival._fitted import Fitted
from cjm.survival._rows import at_events, completions, event_rows, first_numbers, path_rows
from cjm.survival._silence import fit_silence
from cjm.survival._subjects import Subjects
from cjm.survival._summary import check_table, exposure, hazard_table
from cjm.survival._times import signs_of_life

__all__ = ["fit_events", "fit_times"]

def fit_times(
    subjects: Subjects,
    occurrences: pl.DataFrame,
    names: Sequence[str],
    covariates: Sequence[str],
    strata: Sequence[str],
    *,
    level: float,
) -> Fitted:
    """Fit a Cox model with paths as time-varying covariates."""
    frame = subjects.frame
    rows = path_rows(frame, completions(frame, occurrences, names))
    terms = _Terms(subjects, names, covariates, strata, rows.subject, rows.x)
    columns = {"__start": rows.start, "__stop": rows.stop, "__churned": rows.churned, "__stratum": terms.group}
    table = pl.concat([pl.DataFrame(columns), pl.DataFrame(terms.x, schema=list(terms.used))], how="horizontal")
    result = cox(
        table, start="__start", stop="__stop", event="__churned", covariates=terms.used, strata="__stratum", level=level
    )
    baseline = result.baseline().rename({"__stratum": "group", "cumulative_hazard": "hazard"})
    return terms.fitted(
        subjects,
        gap=0,
        coef=result.coef,
        se=result.se,
        means=result.means,
        died=rows.churned,
        baseline=baseline,
        chi2=result.check()["chi2"].fill_null(float("nan")).to_numpy(),
        notes=(
            "A path acts strictly after it is complete and its events can be known to be the person's",
            *result.notes,
        ),
        level=level,
    )


def fit_events(
    journeys: Journeys,
    subjects: Subjects,
    occurrences: pl.DataFrame,
    names: Sequence[str],
    covariates: Sequence[str],
    strata: Sequence[str],
    *,
    every: bool,
    level: float,
) -> Fitted:
    """Fit an event-level model of silence."""
    frame = subjects.frame
    gap = subjects.churn.gap
    rows = event_rows(signs_of_life(journeys, subjects.churn.touchpoints), frame, gap)
    if every:
        x = at_events(frame, rows, occurrences, names)
    else:
        x = (completions(frame, occurrences, names)[rows.subject] <= rows.time[:, None]).astype(np.float64)
    terms = _Terms(subjects, names, covariates, strata, rows.subject, x)
    complete = ~np.isnan(terms.x).any(axis=1)
    pools = first_numbers(rows.number[complete], rows.silent[complete])
    pool = np.searchsorted(pools, rows.number, side="right") - 1
    stratum = terms.group * len(pools) + pool
    fit = fit_silence(
        terms.x[complete],
        rows.silent[complete],
        stratum[complete],
        rows.subject[complete],
        rows.number[complete],
        terms.used,
    )
    place = np.arange(len(fit.intercepts))
    hazard = np.exp(np.minimum(fit.intercepts, 4.0))  # a hazard of exp(4) is certain churn
    baseline = pl.DataFrame(
        {"group": place // len(pools), "time": pools[place % len(pools)].astype(np.float64), "hazard": hazard}
    )
    notes = [
        f"An event counts as the last if nothing follows within {format_duration(gap)}; {len(rows.number)} events were "
        "observed for so long",
        f"Strata: event number, {len(pools)} pools; errors allow for dependence inside a person, and are never smaller "
        "than without",
        "A path acts at the event at which it is complete and known" + ("" if every else " and at all later events"),
    ]
    if not complete.all():
        notes.append(f"{int((~complete).sum())} events of persons with a missing covariate are left out")
    return terms.fitted(
        subjects,
        gap=gap,
        coef=fit.coef,
        # with few exposed persons the robust error is far too small
        se=np.sqrt(np.maximum(np.diag(fit.covariance), np.diag(fit.model_covariance))),
        means=fit.means,
        died=rows.silent,
        baseline=baseline,
        chi2=fit.check,
        notes=(*notes, *fit.notes),
        level=level,
    )


class _Terms:
    """Paths and covariates of rows; paths that nobody completed while at risk are set apart."""

    def __init__(
        self,
        subjects: Subjects,
        names: Sequence[str],
        covariates: Sequence[str],
        strata: Sequence[str],
        subject: IntArray,
        x: FloatArray,
    ) -> None:
        if not subjects.frame["churned"].any():
            raise InputError.at(
                f"none of {subjects.frame.height} subjects churned, so no hazard can be estimated",
                where="PathHazard.fit",
                hint=f"The definition was: {subjects.churn}. See subjects.audit()",
            )
        self.design = encode(subjects.frame, covariates)
        group, self.strata = groups(subjects.frame, strata)
        self.group = group[subject]
        self.subject = subject
        self.paths = [name for j, name in enumerate(names) if x[:, j].any()]
        self.all = [*names, *self.design.terms]
        self.used = [*self.paths, *self.design.terms]
        if not self.used:
            raise InputError.at("no subject completed any of the paths while at risk", where="PathHazard.fit")
        seen = x[:, [names.index(name) for name in self.paths]]
        self.x = np.column_stack([seen, self.design.x[subject]])

    def fitted(
        self,
        subjects: Subjects,
        *,
        gap: int,
        coef: FloatArray,
        se: FloatArray,
        means: FloatArray,
        died: npt.NDArray[np.bool_],
        baseline: pl.DataFrame,
        chi2: FloatArray,
        notes: Sequence[str],
        level: float,
    ) -> Fitted:
        place = np.array([self.all.index(term) for term in self.used])
        wide = np.full((2, len(self.all)), np.nan)
        counts = np.zeros((2, len(self.all)), dtype=np.int64)
        wide[:, place] = coef, se
        complete = ~np.isnan(self.x).any(axis=1)
        counts[:, place] = exposure(self.x[complete].T, self.subject[complete], died[complete])
        missing = [f"{name!r} was completed by nobody at risk" for name in self.all if name not in self.used]
        references = [f"{name} is compared with {known[0]!r}" for name, known in self.design.levels.items() if known]
        return Fitted(
            churn=str(subjects.churn),
            gap=gap,
            terms=self.used,
            paths=self.paths,
            coef=coef,
            means=means,
            levels=dict(self.design.levels),
            strata=self.strata,
            baseline=baseline.select("group", "time", "hazard"),
            summary=hazard_table(self.all, *wide, *counts, level=level),
            check=check_table(self.used, chi2),
            notes=(*subjects.notes, *notes, *references, *missing),
        )
