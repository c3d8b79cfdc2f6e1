"""SurPyval's ``CoxPH.fit_tvc`` on a Parquet file of (start, stop] rows; called by ``survival.py``."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import polars as pl
from _common import tell, timed
from surpyval import CoxPH

path, small, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
warnings.filterwarnings("ignore")


def load(name: str) -> dict[str, Any]:
    frame = pl.read_parquet(name)
    columns = {"i": "id", "xl": "start", "xr": "stop"}
    terms = [column for column in frame.columns if column.startswith("x")]
    given = {name: frame[column].to_numpy() for name, column in columns.items()}
    return {**given, "c": 1 - frame["event"].to_numpy().astype(np.int64), "Z": frame.select(terms).to_numpy()}


CoxPH.fit_tvc(**load(small))
rows = load(path)
answer, cost = timed(lambda: CoxPH.fit_tvc(**rows), runs)
tell(**cost, coef=np.asarray(answer.beta).tolist(), se=np.asarray(answer.standard_errors()).tolist())
