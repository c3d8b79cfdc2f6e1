"""``cjm.survival.cox`` on a Parquet file of (start, stop] rows; called by ``survival.py``."""

from __future__ import annotations

import sys

import polars as pl
from _common import tell, timed

from cjm.survival import cox

path, small, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
rows = {name: pl.read_parquet(name) for name in (path, small)}


def fit(name: str):
    frame = rows[name]
    terms = [column for column in frame.columns if column.startswith("x")]
    return cox(frame, start="start", stop="stop", event="event", covariates=terms)


fit(small)
answer, cost = timed(lambda: fit(path), runs)
tell(**cost, coef=answer.coef.tolist(), se=answer.se.tolist())
