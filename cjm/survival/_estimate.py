"""Fit the two kinds of path model; both end as :class:`Fitted`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import format_duration
from cjm.errors import InputError
from cjm.journeys import Journeys
from cjm.survival._cox import cox
from cjm.survival._design import FloatArray, IntArray, encode, groups
from cjm.survival._fitted import Fitted
from cjm.survival._rows import NEVER, at_events, completions, event_rows, first_numbers, path_rows
from cjm.survival._silence import fit_silence
from cjm.survival._subjects import Subjects
from cjm.survival._summary import check_table, exposure, hazard_table
from cjm.survival._times import signs_of_life

__all__ = ["Options", "fit_events", "fit_times"]


@dataclass(frozen=True)
class Options:
    """What a path model is asked for, apart from its paths: parameters of ``PathHazard`` of the same names."""

    covariates: Sequence[str]
    strata: Sequence[str]
    weights: str | None
    cluster: str | None
    ties: Literal["efron", "breslow"]
    penalty: float
    l1_ratio: float
    level: float


def fit_times(subjects: Subjects, first: IntArray, names: Sequence[str], options: Options, *, ever: bool) -> Fitted:
    """Fit a Cox model with paths as covariates that change in time; ``first`` from ``completions``.

    With ``ever``, a path is a fixed property of those who completed it by their exit.
    """
    frame = subjects.frame
    if ever:
        done = np.where(first <= frame["exit"].to_physical().to_numpy()[:, None], np.iinfo(np.int64).min, NEVER)
        rows = path_rows(frame, done)
    else:
        rows = path_rows(frame, first)
    terms = _Terms(subjects, names, options, rows.subject, rows.x)
    columns = {"__start": rows.start, "__stop": rows.stop, "__churned": rows.churned, "__stratum": terms.group}
    more = [name for name in (options.weights, options.cluster) if name is not None]
    table = pl.DataFrame({**columns, **terms.columns}).hstack(
        frame[rows.subject].select(pl.col(name).alias(f"__{name}") for name in dict.fromkeys(more))
    )
    result = cox(
        table,
        start="__start",
        stop="__stop",
        event="__churned",
        covariates=terms.used,
        strata="__stratum",
        weights=options.weights and f"__{options.weights}",
        cluster=options.cluster and f"__{options.cluster}",
        ties=options.ties,
        penalty=options.penalty,
        l1_ratio=options.l1_ratio,
        level=options.level,
    )
    baseline = result.baseline().rename({"__stratum": "group", "cumulative_hazard": "hazard"})
    how = "A path acts strictly after it is complete and its events can be known to be the person's"
    if ever:
        how = "BIASED: a path counts as a fixed property of whoever completed it at any time"
    return terms.fitted(
        subjects,
        gap=0,
        coef=result.coef,
        se=result.se,
        means=result.means,
        died=rows.churned,
        baseline=baseline,
        chi2=result.check()["chi2"].fill_null(float("nan")).to_numpy(),
        notes=(how, *result.notes),
        level=options.level,
    )


def fit_events(
    journeys: Journeys,
    subjects: Subjects,
    occurrences: pl.DataFrame,
    names: Sequence[str],
    options: Options,
    *,
    every: bool,
) -> Fitted:
    """Fit an event-level model of silence."""
    frame = subjects.frame
    gap = subjects.churn.gap
    rows = event_rows(signs_of_life(journeys, subjects.churn.touchpoints), frame, gap)
    x: npt.NDArray[Any]
    if every:
        x = at_events(frame, rows, occurrences, names)
    else:
        x = completions(frame, occurrences, names)[rows.subject] <= rows.time[:, None]
    terms = _Terms(subjects, names, options, rows.subject, x)
    matrix = np.column_stack([column.astype(np.float64) for column in terms.columns.values()])
    complete = ~np.isnan(matrix).any(axis=1)
    pools = first_numbers(rows.number[complete], rows.silent[complete])
    pool = np.searchsorted(pools, rows.number, side="right") - 1
    stratum = terms.group * len(pools) + pool
    fit = fit_silence(
        matrix[complete],
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
        level=options.level,
    )


class _Terms:
    """Paths and covariates of rows; paths that nobody completed while at risk are set apart."""

    def __init__(
        self, subjects: Subjects, names: Sequence[str], options: Options, subject: IntArray, x: npt.NDArray[Any]
    ) -> None:
        if not subjects.frame["churned"].any():
            raise InputError.at(
                f"none of {subjects.frame.height} subjects churned, so no hazard can be estimated",
                where="PathHazard.fit",
                hint=f"The definition was: {subjects.churn}. See subjects.audit()",
            )
        self.design = encode(subjects.frame, options.covariates)
        group, self.strata = groups(subjects.frame, options.strata)
        self.group = group[subject]
        self.subject = subject
        self.columns = {name: x[:, j] for j, name in enumerate(names) if x[:, j].any()}
        self.paths = list(self.columns)
        self.columns |= {term: self.design.column(j)[subject] for j, term in enumerate(self.design.terms)}
        self.all = [*names, *self.design.terms]
        self.used = list(self.columns)
        if not self.used:
            raise InputError.at("no subject completed any of the paths while at risk", where="PathHazard.fit")

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
        missing = np.zeros(len(self.subject), dtype=bool)
        for column in self.columns.values():
            missing |= column != column
        columns = (np.where(missing, 0, column) for column in self.columns.values())
        counts[:, place] = exposure(columns, self.subject, died)
        nobody = [f"{name!r} was completed by nobody at risk" for name in self.all if name not in self.columns]
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
            notes=(*subjects.notes, *notes, *references, *nobody),
        )
