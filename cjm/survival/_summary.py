"""The tables that every hazard model gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import CONTRACTS
from cjm.statistics import benjamini_hochberg, normal_quantile
from cjm.survival._newton import Maximum, solve_symmetric

__all__ = ["check_table", "exposure", "fit_tests", "hazard_table"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def hazard_table(
    terms: Sequence[str], coef: FloatArray, se: FloatArray, exposed: IntArray, events: IntArray, *, level: float
) -> pl.DataFrame:
    """Return contract HAZARDS; terms whose ``coef`` is NaN (not estimated) have nulls."""
    from scipy.special import ndtr

    width = normal_quantile(level) * se
    z = coef / se
    p = 2 * ndtr(-np.abs(z))
    low, middle, high = (np.exp(np.clip(value, -700, 700)) for value in (coef - width, coef, coef + width))
    columns = {
        "term": list(terms),
        "coef": coef,
        "hazard_ratio": middle,
        "lower": low,
        "upper": high,
        "se": se,
        "z": z,
        "p": p,
        "q": benjamini_hochberg(p),
        "exposed": exposed,
        "events": events,
    }
    return pl.DataFrame(columns, schema=dict(CONTRACTS["HAZARDS"].columns)).with_columns(
        pl.col(pl.Float64).fill_nan(None)
    )


def check_table(terms: Sequence[str], chi2: FloatArray) -> pl.DataFrame:
    """Return ``term``, ``chi2``, ``df``, ``p`` for one test a term and, last, the test of all."""
    from scipy.special import chdtrc

    df = np.append(np.ones(len(terms), dtype=np.int64), len(terms))
    table = pl.DataFrame({"term": [*terms, "GLOBAL"], "chi2": chi2, "df": df, "p": chdtrc(df, chi2)})
    return table.with_columns(pl.col("chi2", "p").fill_nan(None))


def fit_tests(best: Maximum | None, covariance: FloatArray) -> pl.DataFrame:
    """Return the likelihood ratio, Wald and score test that all terms are zero: ``test``, ``chi2``, ``df``, ``p``."""
    from scipy.special import chdtrc

    chi2 = []
    if best is not None:
        _, gradient, information = best.first
        wald = best.beta @ solve_symmetric(covariance, best.beta)
        score = gradient @ solve_symmetric(information, gradient)
        chi2 = [2 * (best.loglik - best.first[0]), float(wald), float(score)]
    df = len(covariance)
    names = ["likelihood ratio", "wald", "score"][: len(chi2)]
    p = [float(chdtrc(df, value)) for value in chi2]
    schema = {"test": pl.String, "chi2": pl.Float64, "df": pl.Int64, "p": pl.Float64}
    return pl.DataFrame({"test": names, "chi2": chi2, "df": [df] * len(chi2), "p": p}, schema=schema)


def exposure(columns: Iterable[FloatArray], person: IntArray, died: npt.NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """Return, a term, the persons with it not zero in some row, and the events in such rows."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.covariates import exposed

    marks = np.zeros(int(person.max()) + 1, dtype=np.int32)
    person, died = as_array(person, np.int64), as_array(died, np.bool_)
    found = [exposed(as_array(column, np.float64), person, died, j + 1, marks) for j, column in enumerate(columns)]
    counts = np.array(found, dtype=np.int64).reshape(-1, 2)
    return counts[:, 0], counts[:, 1]
