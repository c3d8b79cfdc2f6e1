"""Bridges to lifelines: the same rows for its Cox model, and its parametric models on subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from cjm.errors import ArgumentError, CjmError
from cjm.journeys import Journeys
from cjm.survival._cox import cox
from cjm.survival._curves import times_of
from cjm.survival._design import FloatArray, encode, groups, names_of, require
from cjm.survival._path_times import Patterns, path_times
from cjm.survival._subjects import Subjects

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Parametric", "cox_with_lifelines", "parametric", "verified"]

Model = Literal["weibull", "log-normal", "log-logistic", "spline", "cure"]

_AGREE = 1e-5
_SAMPLE = 20_000


@dataclass(frozen=True, eq=False)
class Parametric:
    """A parametric model of lifelines; made by :func:`parametric`.

    Attributes
    ----------
    summary : polars.DataFrame
        ``parameter``, ``term``, ``coef``, ``se``, ``lower``, ``upper``, ``p``: as lifelines names and computes them.
    aic : float
        Akaike's criterion: of models of the same subjects, the lowest fits best for its size.
    fitter : object
        The fitted object of lifelines, with all that it can do.
    notes : tuple of str
    """

    summary: pl.DataFrame
    aic: float
    fitter: Any
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Parametric({type(self.fitter).__name__}, AIC {self.aic:.1f})"

    def survival(self, days: Sequence[float]) -> pl.DataFrame:
        """Return the survival curve of the model, also beyond the follow-up; covariates at their means.

        Returns
        -------
        polars.DataFrame
            ``time`` (days), ``survival``.
        """
        wanted = np.asarray(days, dtype=np.float64)
        if hasattr(self.fitter, "survival_function_at_times"):
            curve = self.fitter.survival_function_at_times(wanted).to_numpy()
        else:
            centre = self.fitter._central_values
            curve = self.fitter.predict_survival_function(centre, times=wanted).to_numpy()[:, 0]
        return pl.DataFrame({"time": wanted, "survival": curve})


def parametric(
    subjects: Subjects,
    *,
    model: Model = "weibull",
    covariates: Sequence[str] = (),
    formula: str | None = None,
    level: float = 0.95,
) -> Parametric:
    """Fit a parametric model with lifelines: for extrapolation, and for times to churn as ratios of days.

    Parameters
    ----------
    subjects : Subjects
        At most a million or so: lifelines is slow on more.
    model : {"weibull", "log-normal", "log-logistic", "spline", "cure"}
        Accelerated failure time models (covariates stretch time); proportional hazards with a baseline of cubic splines
        (three knots; needs covariates); a share that never churns and a Weibull curve for the others (no covariates).
    covariates : sequence of str
        Attributes known at entry.
    formula : str, optional
        In the place of ``covariates``, as lifelines reads it: ``"plan * age"``.
    level : float
        Of the intervals.

    Returns
    -------
    Parametric

    Raises
    ------
    ArgumentError
        For an unknown model or column, or covariates that the model cannot take or lacks.
    CjmError
        If lifelines finds no maximum.

    References
    ----------
    Davidson-Pilon (2019), lifelines: survival analysis in Python, JOSS 4; Royston and Parmar (2002), Flexible
    parametric proportional-hazards and proportional-odds models, Statistics in Medicine 21.

    Examples
    --------
    >>> from cjm.survival._example import example
    >>> parametric(example(), model="weibull").summary.select("parameter", "term").rows()
    [('lambda_', 'Intercept'), ('rho_', 'Intercept')]
    """
    if model not in ("weibull", "log-normal", "log-logistic", "spline", "cure"):
        raise ArgumentError.unknown(
            "model", model, ["weibull", "log-normal", "log-logistic", "spline", "cure"], where="parametric(model=...)"
        )
    require(subjects.frame, covariates, where="parametric(covariates=...)")
    varied = bool(covariates) or formula is not None
    if (model == "cure" and varied) or (model == "spline" and not varied):
        says = "takes no covariates" if model == "cure" else "needs covariates"
        raise ArgumentError.at(f"the model {model!r} {says}", where="parametric")
    import lifelines

    entry, exit_, churned = times_of(subjects, where="parametric")
    if formula is None:
        design = encode(subjects.frame, covariates)
        attributes = pl.DataFrame(dict(zip(design.terms, design.x.T, strict=True)))
        said = None if design.terms else "1"
    else:
        own = ("person", "entry", "exit", "duration", "churned", "end", "entry_days")
        attributes, said = subjects.frame.drop(own), formula
    table = (
        attributes.with_columns(__days=exit_, __churned=churned, __entry=entry)
        if attributes.width
        else pl.DataFrame({"__days": exit_, "__churned": churned, "__entry": entry})
    )
    table = table.drop_nulls().drop_nans()
    frame = _pandas(table)
    alpha = 1 - level
    try:
        if model == "cure":
            fitter = lifelines.MixtureCureFitter(base_fitter=lifelines.WeibullFitter(), alpha=alpha)
            fitter.fit(frame["__days"], frame["__churned"], entry=frame["__entry"])
        else:
            fitter = {
                "weibull": lifelines.WeibullAFTFitter,
                "log-normal": lifelines.LogNormalAFTFitter,
                "log-logistic": lifelines.LogLogisticAFTFitter,
                "spline": lifelines.CoxPHFitter,
            }[model](
                alpha=alpha,
                **({"baseline_estimation_method": "spline", "n_baseline_knots": 3} if model == "spline" else {}),
            )
            fitter.fit(frame, "__days", event_col="__churned", entry_col="__entry", formula=said)
    except (lifelines.exceptions.ConvergenceError, ValueError) as error:
        raise CjmError.at(
            f"lifelines did not fit: {error}".splitlines()[0],
            where=f"parametric(model={model!r})",
            hint="Fewer covariates, or another model, may do",
        ) from error
    lost = subjects.frame.height - table.height
    notes = [*subjects.notes, "Fitted by lifelines", *([f"{lost} persons with a missing covariate"] if lost else [])]
    return Parametric(_summary(fitter), float(fitter.AIC_), fitter, tuple(notes))


def cox_with_lifelines(
    journeys: Journeys,
    subjects: Subjects,
    patterns: Patterns,
    *,
    covariates: Sequence[str] = (),
    strata: str | Sequence[str] | None = None,
    persons: int = _SAMPLE,
    seed: int = 0,
) -> tuple[Any, pl.DataFrame]:
    """Fit lifelines' Cox model with time-varying covariates to a sample of persons; return it and its rows."""
    import lifelines

    if subjects.churn.kind == "inactive":
        raise ArgumentError.at(
            "lifelines has no model of silence event by event", where="to_lifelines", hint="Use churn that is an event"
        )
    frame = subjects.frame
    if frame.height > persons:
        chosen = np.random.default_rng(seed).choice(frame.height, size=persons, replace=False)
        subjects = subjects.filter(pl.int_range(pl.len()).is_in(chosen))
    rows, terms = _rows(journeys, subjects, patterns, covariates, names_of(strata))
    fitter = lifelines.CoxTimeVaryingFitter()
    fitter.fit(
        _pandas(rows.select("id", "start", "stop", "churned", *terms, *(["stratum"] if names_of(strata) else []))),
        id_col="id",
        event_col="churned",
        start_col="start",
        stop_col="stop",
        strata=["stratum"] if names_of(strata) else None,
        fit_options={"step_size": 0.5},  # it has no step-halving, and may overflow with full steps
    )
    return fitter, rows


def verified(
    journeys: Journeys,
    subjects: Subjects,
    patterns: Patterns,
    *,
    covariates: Sequence[str] = (),
    strata: str | Sequence[str] | None = None,
) -> str:
    """Fit a sample of at most 20,000 persons with lifelines and with :func:`cox`; return how far they agree.

    Raises
    ------
    CjmError
        If a coefficient differs by more than a hundred-thousandth of its error.
    """
    fitter, rows = cox_with_lifelines(journeys, subjects, patterns, covariates=covariates, strata=strata)
    terms = list(fitter.params_.index)
    ours = cox(rows, start="start", stop="stop", event="churned", covariates=terms, strata="stratum")
    apart = np.abs(fitter.params_.to_numpy() - ours.coef) / ours.se
    worst = int(apart.argmax())
    if not apart[worst] <= _AGREE:
        raise CjmError.at(
            f"lifelines gives {fitter.params_.iloc[worst]:.8g} and cjm {ours.coef[worst]:.8g}",
            where=f"verify, term {terms[worst]!r}",
            hint="Look for a term that nearly is a combination of others; if there is none, report it",
        )
    return f"Verified: lifelines agrees on {rows['id'].n_unique()} persons to {apart[worst]:.1e} of a standard error"


def _rows(
    journeys: Journeys, subjects: Subjects, patterns: Patterns, covariates: Sequence[str], strata: list[str]
) -> tuple[pl.DataFrame, list[str]]:
    """Return ``id``, ``start``, ``stop``, ``churned``, ``stratum`` and the terms, cut where a path is completed."""
    times = path_times(journeys, subjects, patterns, where="to_lifelines")
    size = len(times.entry)
    base = pl.DataFrame({"id": np.arange(size), "exit": times.exit, "left": times.churned})
    subject, path = np.nonzero((times.first > times.entry[:, None]) & (times.first < times.exit[:, None]))
    starts = pl.DataFrame(
        {
            "id": np.concatenate((np.arange(size), subject)),
            "start": np.concatenate((times.entry, times.first[subject, path])),
        }
    )
    rows = starts.unique().sort("id", "start").join(base, on="id", how="left", maintain_order="left")
    rows = rows.with_columns(stop=pl.col("start").shift(-1).over("id").fill_null(pl.col("exit")))
    who = rows["id"].to_numpy()
    done: FloatArray = (times.first[who] <= rows["start"].to_numpy()[:, None]).astype(np.float64)
    design = encode(subjects.frame, covariates)
    columns = {name: done[:, j] for j, name in enumerate(times.names) if done[:, j].any()}
    columns |= {term: design.x[who, j] for j, term in enumerate(design.terms)}
    group, _ = groups(subjects.frame, strata)
    rows = rows.select(
        "id", "start", "stop", (pl.col("left") & (pl.col("stop") == pl.col("exit"))).alias("churned")
    ).with_columns(stratum=group[who], **columns)
    return rows.drop_nans(), list(columns)


def _summary(fitter: Any) -> pl.DataFrame:
    table = fitter.summary.reset_index()
    names = {"param": "parameter", "covariate": "term", "index": "parameter", "se(coef)": "se"}
    bounds = {column: column.split()[1] for column in table.columns if column.startswith("coef ") and "%" in column}
    frame = pl.DataFrame({str(name): table[name].to_list() for name in table.columns})
    frame = frame.rename({name: new for name, new in {**names, **bounds}.items() if name in frame.columns})
    for name, filled in (("parameter", "coef"), ("term", "Intercept")):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(filled).alias(name))
    return frame.select("parameter", "term", "coef", "se", "lower", "upper", "p")


def _pandas(frame: pl.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            name: frame[name].to_list() if frame[name].dtype == pl.String else frame[name].to_numpy()
            for name in frame.columns
        }
    )
