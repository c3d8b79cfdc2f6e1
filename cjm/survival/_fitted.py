"""What a fitted path model knows, apart from the data; as JSON and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cjm.contracts import CONTRACTS
from cjm.errors import InputError
from cjm.files import write_text
from cjm.survival._design import FloatArray

__all__ = ["Fitted", "read_json", "write_json"]

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Fitted:
    """Results of :meth:`PathHazard.fit`.

    Attributes
    ----------
    churn : str
        Text of the churn definition.
    gap : int
        Microseconds of silence, 0 for churn that is an event.
    terms : list of str
        Estimated terms: paths first, then covariates.
    paths : list of str
        Those of ``terms`` that are paths.
    coef, means : ndarray, shape (terms,)
    levels : dict
        Levels of covariates of text.
    strata : polars.DataFrame
        Values of the strata columns, row ``i`` for group ``i``; without columns if there are none.
    baseline : polars.DataFrame
        ``group``, ``time``, ``hazard`` at the means: with events, days since time zero and the cumulative hazard; with
        silence, the first event number of a pool and the hazard of one event in it.
    summary, check : polars.DataFrame
    notes : tuple of str
    """

    churn: str
    gap: int
    terms: list[str]
    paths: list[str]
    coef: FloatArray
    means: FloatArray
    levels: dict[str, list[str]]
    strata: pl.DataFrame
    baseline: pl.DataFrame
    summary: pl.DataFrame
    check: pl.DataFrame
    notes: tuple[str, ...]


def write_json(path: str | Path, params: dict[str, Any], fitted: Fitted) -> None:
    """Write parameters and results; the file is whole or absent. Dates among the strata are written as text."""
    results = {name: _plain(value) for name, value in vars(fitted).items()}
    stored = {"format": _FORMAT, "params": params, "results": results}
    text = json.dumps(stored, indent=1, ensure_ascii=False, allow_nan=False, default=str)
    write_text(Path(path), text)


def read_json(path: str | Path) -> tuple[dict[str, Any], Fitted]:
    """Read what :func:`write_json` wrote.

    Raises
    ------
    InputError
        If the file is no model, or of another format.
    """
    try:
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
        if stored["format"] != _FORMAT:
            raise InputError.at(
                f"the model has format {stored['format']}, this is {_FORMAT}", where=str(path), hint="Fit it again"
            )
        results = stored["results"]
        fitted = Fitted(
            **{
                **results,
                "coef": np.array(results["coef"], dtype=np.float64),
                "means": np.array(results["means"], dtype=np.float64),
                "strata": pl.DataFrame(results["strata"]),
                "baseline": pl.DataFrame(
                    results["baseline"], schema={"group": pl.Int64, "time": pl.Float64, "hazard": pl.Float64}
                ),
                "summary": pl.DataFrame(results["summary"], schema=dict(CONTRACTS["HAZARDS"].columns)),
                "check": pl.DataFrame(
                    results["check"], schema={"term": pl.String, "chi2": pl.Float64, "df": pl.Int64, "p": pl.Float64}
                ),
                "notes": tuple(results["notes"]),
            }
        )
        return stored["params"], fitted
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError.at(
            "no saved model here", where=str(path), hint="Give the file that PathHazard.save wrote"
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, pl.DataFrame):
        return value.to_dict(as_series=False)
    return value.tolist() if isinstance(value, np.ndarray) else value
