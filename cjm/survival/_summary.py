"""The tables that every hazard model gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import CONTRACTS
from cjm.statistics import benjamini_hochberg, normal_quantile

__all__ = ["check_table", "hazard_table"]

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


def exposure(x: FloatArray, person: IntArray, died: npt.NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """Return, a term, the persons with it not zero in some row, and the events in such rows."""
    exposed = np.zeros(x.shape[1], dtype=np.int64)
    events = np.zeros(x.shape[1], dtype=np.int64)
    for j, column in enumerate(x.T):
        seen = np.zeros(int(person.max()) + 1, dtype=bool)
        seen[person[column != 0]] = True
        exposed[j] = seen.sum()
        events[j] = (died & (column != 0)).sum()
    return exposed, events
