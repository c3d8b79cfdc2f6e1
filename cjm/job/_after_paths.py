"""What comes after the clearest paths, by when to act, and whether predicted risks came true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from cjm.durations import DAY_US, to_us
from cjm.errors import InputError
from cjm.journeys import Journeys
from cjm.mining import split_persons
from cjm.patterns import Pattern
from cjm.survival import PathHazard, Subjects, landmark, when

__all__ = ["after_paths", "came_true", "the_other_half", "usual_window"]

_PATHS, _FEW, _SURE = 3, 5, 0.05
_LONGEST, _STRETCHES = 90, 6
_MOST_GROUPS = 10
_MONTH = "30d"

Tables = dict[str, pl.DataFrame]


_WHEN = {
    "term": pl.String,
    "persons": pl.Int64,
    "churned": pl.Int64,
    **dict.fromkeys(("horizon", "excess", "lower", "upper"), pl.Float64),
    **dict.fromkeys(("act_by", "act_by_lower", "act_by_upper", "constant_p"), pl.Float64),
}


def after_paths(
    journeys: Journeys,
    subjects: Subjects,
    hazards: pl.DataFrame,
    patterns: Mapping[str, Pattern],
    *,
    covariates: Sequence[str],
    window: str,
    smallest: int,
) -> tuple[Tables, list[str]]:
    """Follow the clearest paths: churn by time since each, and curves of those with and without it.

    Parameters
    ----------
    hazards : polars.DataFrame
        Contract HAZARDS with ``tested_on``: a path is followed among the persons on whom its ratio was measured.
    covariates : sequence of str
        Attributes for which churn by time since a path is adjusted.
    window : str
        The landmark, since time zero.
    smallest : int
        Fewest persons with a path.

    Returns
    -------
    dict of str to polars.DataFrame
        ``when``, ``when_excess``, ``when_stretches`` (paths that come before more churn), ``path_curves``,
        ``path_tests`` (before more or less); empty where no path is clear or churn is silence, which cannot be
        followed by time since a path.
    list of str
        Notes.
    """
    clear = hazards.filter(
        pl.col("term").is_in(list(patterns))
        & ((pl.col("lower") > 1) | (pl.col("upper") < 1))
        & (pl.col("q") < _SURE)
        & (pl.col("exposed") >= smallest)
        & (pl.col("events") >= _FEW)
    )
    clear = clear.sort(pl.col("z").abs(), descending=True, maintain_order=True).head(_PATHS)
    if subjects.churn.kind == "inactive" or clear.is_empty():
        return {}, []
    found: list[Tables] = []
    notes: list[str] = []
    horizon = _horizon(subjects)
    for (where,), of_part in clear.group_by("tested_on", maintain_order=True):
        seen = (journeys, subjects) if where == "everyone" else the_other_half(journeys, subjects)
        ours = {term: patterns[term] for term in of_part["term"]}
        try:
            more = of_part.filter(pl.col("hazard_ratio") > 1)["term"]
            found += [_followed(*seen, term, ours[term], covariates, horizon) for term in more]
            found.append(_with_and_without(*seen, ours, window))
        except InputError as error:
            notes.append(f"What comes after the paths measured on {where} could not be followed in full: {error}")
    names = dict.fromkeys(name for tables in found for name in tables)
    return {name: pl.concat(tables[name] for tables in found if name in tables) for name in names}, notes


def came_true(journeys: Journeys, subjects: Subjects, model: PathHazard, *, smallest: int) -> tuple[Tables, list[str]]:
    """Fit a model on one half of the persons and compare its risks with what happened to the other.

    Returns
    -------
    dict of str to polars.DataFrame
        ``calibration`` and ``validation`` (the scores), with ``horizon`` (days); empty where it cannot be said.
    list of str
        Notes.
    """
    train, test = subjects.split(0.5)
    judged = test.frame.filter("churned")
    if test.churn.kind != "inactive":
        judged = judged.filter(pl.col("exit").to_physical() > test.end - to_us(_MONTH))
    groups = min(max(judged.height // (2 * smallest), 2), _MOST_GROUPS)
    try:
        found = PathHazard(**model.get_params()).fit(journeys, train).validate(test, horizon=_MONTH, groups=groups)
    except InputError as error:
        return {}, [f"Whether predicted risks come true could not be seen: {error}"]
    horizon = pl.lit(found.horizon).alias("horizon")
    tables = {"calibration": found.calibration, "validation": found.scores}
    return {name: table.with_columns(horizon) for name, table in tables.items()}, []


def the_other_half(journeys: Journeys, subjects: Subjects) -> tuple[Journeys, Subjects]:
    """Return the persons who took no part in the choice of paths."""
    return split_persons(journeys)[1], subjects.split(0.5)[1]


def usual_window(subjects: Subjects) -> str:
    """Return a third of the median time under observation, in whole days, at least one."""
    return f"{max(1, int(_median_days(subjects) / 3))}d"


def _horizon(subjects: Subjects) -> str:
    """Return half of the median time under observation, so that many are seen to its end; it is cut into six."""
    days = min(int(_median_days(subjects) / 2), _LONGEST)
    return f"{max(days - days % _STRETCHES, _STRETCHES)}d"


def _median_days(subjects: Subjects) -> float:
    days = (subjects.frame["exit"] - subjects.frame["entry"]).dt.total_seconds() / 86_400
    return float(np.median(days.to_numpy()))


def _followed(
    journeys: Journeys, subjects: Subjects, term: str, pattern: Pattern, covariates: Sequence[str], horizon: str
) -> Tables:
    """Return what ``when`` says of one path: a row of the whole, the curve of the excess, and the stretches."""
    found = when(subjects, journeys, {term: pattern}, horizon=horizon, adjust=covariates)
    early, late = found.act_by_interval or (None, None)
    last = found.excess.row(-1, named=True)
    row = {
        "term": term,
        "persons": found.persons,
        "churned": found.frame.filter(pl.col("until").is_not_null())["churned"].sum(),
        "horizon": last["day"],
        **{name: last[name] for name in ("excess", "lower", "upper")},
        "act_by": found.act_by,
        "act_by_lower": early,
        "act_by_upper": late,
        "constant_p": found.constant_p,
    }
    named = [frame.select(pl.lit(term).alias("term"), pl.all()) for frame in (found.excess, found.frame)]
    return {"when": pl.DataFrame([row], schema=_WHEN), "when_excess": named[0], "when_stretches": named[1]}


def _with_and_without(journeys: Journeys, subjects: Subjects, paths: Mapping[str, Pattern], window: str) -> Tables:
    """Return curves from the landmark, and their tests."""
    found = landmark(subjects, journeys, paths, at=window)
    tests = found.test.with_columns(landmark=pl.lit(to_us(window) / DAY_US))
    return {"path_curves": found.frame.rename({"path": "term"}), "path_tests": tests.rename({"path": "term"})}
