"""lifelines' ``CoxTimeVaryingFitter`` on a Parquet file of (start, stop] rows; called by ``survival.py``."""

from __future__ import annotations

import sys
import warnings

import pandas as pd
from _common import tell, timed
from lifelines import CoxTimeVaryingFitter

path, small, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
warnings.filterwarnings("ignore")
rows = {name: pd.read_parquet(name) for name in (path, small)}


def fit(name: str) -> CoxTimeVaryingFitter:
    options = {"precision": 1e-12}
    return CoxTimeVaryingFitter().fit(
        rows[name], id_col="id", event_col="event", start_col="start", stop_col="stop", fit_options=options
    )


answer, cost = timed(lambda: fit(path), runs)
tell(**cost, coef=answer.params_.tolist(), se=answer.standard_errors_.tolist())
