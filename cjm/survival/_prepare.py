"""From a frame of (start, stop] rows to a likelihood: what is checked and left out before a Cox model is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError, InputError
from cjm.survival._covariates import Covariates
from cjm.survival._design import Design, FloatArray, IntArray, encode, groups, names_of, numbers, require
from cjm.survival._likelihood import Likelihood
from cjm.survival._risk import RiskSets, same_times

__all__ = ["Problem", "prepare"]


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows to fit: their likelihood, and what a summary needs.

    ``cluster`` numbers the clusters by row; ``kept`` are the rows of the frame that are complete, None for all of them.
    """

    likelihood: Likelihood
    design: Design
    died: npt.NDArray[np.bool_]
    weight: FloatArray | None
    cluster: IntArray | None
    strata: pl.DataFrame
    kept: IntArray | None
    notes: tuple[str, ...]

    @property
    def deaths(self) -> float:
        """Sum of the weights of the events."""
        return float(self.died.sum() if self.weight is None else self.weight[self.died].sum())

    def evaluate(self, beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Return log-likelihood, gradient and information at coefficients by term, of unit scale."""
        covariates = self.likelihood.covariates
        scan = self.likelihood.scan(covariates.by_place(beta))
        return scan.loglik, covariates.by_term(scan.score), covariates.by_term(scan.information)


def prepare(
    frame: pl.DataFrame,
    *,
    stop: str,
    event: str,
    covariates: Sequence[str],
    start: str | None,
    ties: str,
    strata: str | Sequence[str] | None,
    weights: str | None,
    cluster: str | None,
    where: str,
) -> Problem:
    """Check a frame of rows and put it into the form of the scan; parameters as for :func:`cjm.survival.cox`."""
    by = names_of(strata)
    used = [stop, event, *covariates, *by, *(name for name in (start, weights, cluster) if name is not None)]
    require(frame, used, where=where)
    if ties not in ("efron", "breslow"):
        raise ArgumentError.unknown("treatment of ties", ties, ["efron", "breslow"], where=f"{where}(ties=...)")
    if not covariates:
        raise ArgumentError.at("no covariates are given", where=where, hint="Name at least one column")
    notes = [f"Ties: {ties}"]
    complete, kept = _complete(frame.select(list(dict.fromkeys(used))))
    if kept is not None:
        notes.append(f"{frame.height - complete.height} of {frame.height} rows have a missing value and are left out")
    design = encode(complete, covariates)
    notes += [f"{name} is compared with {known[0]!r}" for name, known in design.levels.items() if known]
    for name in covariates:
        if complete.schema[name].is_float() and not isfinite(complete[name].sum()):
            raise InputError.at(
                "a covariate is infinite or nearly so", where=f"column {name!r}", hint="Leave such rows out"
            )
    died = _events(complete, event)
    if not died.any():
        raise InputError.at("there are no events, so no hazard can be estimated", where=f"column {event!r}")
    weight = numbers(complete, weights) if weights else None
    if weight is not None and (weight <= 0).any():
        raise InputError.at("weights must be above zero", where=f"column {weights!r}", hint="Filter such rows out")
    begins, ends = same_times(numbers(complete, start) if start else None, numbers(complete, stop))
    wrong = int((begins >= ends).sum()) if begins is not None else 0
    if wrong:
        raise InputError.at(
            f"{wrong} of {complete.height} rows do not end after they start", where=f"columns {start!r}, {stop!r}"
        )
    group, found = groups(complete, by) if by else (None, pl.DataFrame())
    sets = RiskSets.build(begins, ends, died, group, weight)
    clusters = groups(complete, [cluster])[0] if cluster else None
    person = np.arange(complete.height) if clusters is None else clusters
    compressed = Covariates.build(design.column, len(design.terms), sets.row, sets.weight, person, died)
    return Problem(
        likelihood=Likelihood(sets, compressed, ties == "efron"),
        design=design,
        died=died,
        weight=weight,
        cluster=clusters,
        strata=found,
        kept=kept,
        notes=tuple(notes),
    )


def _complete(frame: pl.DataFrame) -> tuple[pl.DataFrame, IntArray | None]:
    """Return the rows without a missing value, and which they are; a frame without one is not copied."""
    missing = pl.Series([False]).new_from_index(0, frame.height)
    for column in frame:
        if column.null_count():
            missing |= column.is_null()
        if column.dtype.is_float() and not isfinite(column.sum()):
            missing |= column.is_nan().fill_null(False)
    if not missing.any():
        return frame, None
    return frame.filter(~missing), np.flatnonzero(~missing.to_numpy())


def _events(frame: pl.DataFrame, event: str) -> npt.NDArray[np.bool_]:
    if frame.schema[event] == pl.Boolean:
        return frame[event].to_numpy()
    values = numbers(frame, event)
    died = values == 1.0
    if not (died | (values == 0.0)).all():
        raise InputError.at("an event is true or false, 1 or 0", where=f"column {event!r}")
    return np.asarray(died)
