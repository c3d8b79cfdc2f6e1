"""A randomised holdout: who is left alone, so that it can be seen whether acting helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import ndtr, ndtri

from cjm.errors import ArgumentError, InputError
from cjm.survival._design import FloatArray, IntArray, groups, names_of, numbers, require

__all__ = ["Holdout", "holdout"]


@dataclass(frozen=True, eq=False)
class Holdout:
    """Who is treated and who is left alone; made by :func:`holdout`.

    Attributes
    ----------
    frame : polars.DataFrame
        The persons given, sorted by person, with ``arm``: ``treated`` or ``holdout``.
    plan : polars.DataFrame
        One row: ``persons``, ``holdout`` (persons), ``share`` (of all), ``risk`` (mean, untreated), ``reduction``
        (relative, to be found), ``power``, ``least_reduction`` (that would be found with the power asked for),
        ``prevented`` (churns that the treatment would prevent if it had that effect), ``forgone`` (churns that leaving
        the holdout alone would cost).
    notes : tuple of str
        How to analyse it.
    """

    frame: pl.DataFrame
    plan: pl.DataFrame
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        plan = self.plan.row(0, named=True)
        return f"Holdout({plan['holdout']:,} of {plan['persons']:,} persons left alone, power {plan['power']:.2f})"


def holdout(
    persons: pl.DataFrame,
    *,
    risk: str | float,
    reduction: float,
    share: float | None = None,
    power: float = 0.8,
    level: float = 0.95,
    strata: str | Sequence[str] | None = None,
    seed: int = 0,
) -> Holdout:
    """Design and draw a randomised holdout for a campaign.

    That persons churn more after a path does not say that a call will keep them. Leave some of the list alone, chosen
    by lot, and compare.

    Parameters
    ----------
    persons : polars.DataFrame
        The list of the campaign, a row a person: ``person`` and perhaps attributes.
    risk : str or float
        Chance of churn within the horizon of the comparison, untreated: a column, as of ``PathHazard.predict``, or one
        number.
    reduction : float
        The effect worth finding: 0.2 if a fifth of the churns would not happen.
    share : float, optional
        Of persons left alone; by default the smallest with the power asked for, at most half.
    power : float
        Chance to find the effect if it is there.
    level : float
        1 - the chance to find an effect that is not there (two-sided).
    strata : str or sequence of str, optional
        Attributes; the lot is drawn in each combination by itself, so that arms are alike in them.
    seed : int

    Returns
    -------
    Holdout

    Raises
    ------
    ArgumentError
        For a number out of range or an unknown column.
    InputError
        For a missing or repeated person, or a missing risk.

    References
    ----------
    Fleiss, Levin and Paik (2003), Statistical methods for rates and proportions, section 4.3; Ascarza (2018), Retention
    futility: targeting high-risk customers might be ineffective, Journal of Marketing Research 55.

    Examples
    --------
    >>> people = pl.DataFrame({"person": range(4_000)})
    >>> holdout(people, risk=0.15, reduction=0.25)
    Holdout(760 of 4,000 persons left alone, power 0.80)
    """
    names = names_of(strata)
    require(persons, ["person", *names], where="holdout")
    for name, value in (("reduction", reduction), ("power", power), ("level", level), ("share", share)):
        if value is not None and not 0 < value < 1:
            raise ArgumentError.at(f"{name} is {value}", where="holdout", hint="Give a number between 0 and 1")
    if "arm" in persons.columns:
        raise ArgumentError.at("the column 'arm' is there already", where="holdout", hint="Drop or rename it")
    wrong = persons["person"].null_count() + int(persons["person"].is_duplicated().sum())
    if wrong or persons.is_empty():
        what = f"{wrong} rows have no person or one of another row" if wrong else "there are no persons"
        raise InputError.at(what, where="holdout", hint="Give one row a person")
    if isinstance(risk, str):
        require(persons, [risk], where="holdout(risk=...)")
        missing = persons[risk].null_count()
        if missing:
            raise InputError.at(f"{missing} risks are missing", where="holdout", hint="Leave these persons out")
        mean = float(numbers(persons, risk).mean())
    else:
        mean = float(risk)
    if not 0 < mean < 1:
        raise ArgumentError.at(f"the mean risk is {mean:g}", where="holdout(risk=...)", hint="Give chances")
    size = persons.height
    left = _least(size, mean, reduction, power, level) if share is None else max(1, round(size * share))
    frame = persons.sort("person")
    stratum, _ = groups(frame, names)
    alone = _drawn(stratum, left, seed)
    found = float(_power(size, left, mean, np.array([reduction]), level)[0])
    grid = np.linspace(0.001, 0.999, 999)
    enough = grid[_power(size, left, mean, grid, level) >= power]
    treated = size - left
    plan = {
        "persons": size,
        "holdout": left,
        "share": left / size,
        "risk": mean,
        "reduction": reduction,
        "power": found,
        "least_reduction": float(enough[0]) if len(enough) else None,
        "prevented": treated * mean * reduction,
        "forgone": left * mean * reduction,
    }
    notes = [
        "Drawn by lot" + (f" within {', '.join(names)}" if names else "") + f", seed {seed}: do not exchange persons",
        "Analyse all persons in the arm they were drawn for, treated or not: join arm to the subjects of the campaign, "
        'then cumulative_incidence(by="arm"), restricted_mean(by="arm") and logrank(by="arm")',
        "Time zero is the day of the draw, and the end one horizon later: do not stop early because it looks good",
    ]
    if found < power - 0.005:
        notes.append(f"Too few persons: an effect of {reduction:g} would be found with a chance of {found:.2f} only")
    columns = {"persons": pl.Int64, "holdout": pl.Int64}
    schema = {name: columns.get(name, pl.Float64) for name in plan}
    return Holdout(
        frame.with_columns(arm=pl.Series(np.where(alone, "holdout", "treated"))),
        pl.DataFrame([plan], schema=schema),
        tuple(notes),
    )


def _power(size: int, left: int, risk: float, reduction: FloatArray, level: float) -> FloatArray:
    """Return the chance that a test of two proportions finds the effect."""
    treated = size - left
    lower = risk * (1 - reduction)
    pooled = (left * risk + treated * lower) / size
    null = np.sqrt(pooled * (1 - pooled) * (1 / left + 1 / treated))
    real = np.sqrt(risk * (1 - risk) / left + lower * (1 - lower) / treated)
    return np.asarray(ndtr((risk - lower - ndtri(0.5 + level / 2) * null) / real))


def _least(size: int, risk: float, reduction: float, power: float, level: float) -> int:
    """Return the smallest holdout with the power asked for, or half."""
    low, high = 0, size // 2
    if high == 0:
        raise InputError.at("there is one person", where="holdout", hint="Two are needed, and many more are better")
    while high - low > 1:
        middle = (low + high) // 2
        if _power(size, middle, risk, np.array([reduction]), level)[0] >= power:
            high = middle
        else:
            low = middle
    return high


def _drawn(stratum: IntArray, left: int, seed: int) -> npt.NDArray[np.bool_]:
    """Say who is left alone: in each stratum its part of ``left``, by lot."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(stratum)), stratum))
    sizes = np.bincount(stratum)
    rank = np.arange(len(stratum)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    place = np.empty(len(stratum))
    place[order] = (rank + rng.random()) / np.repeat(sizes, sizes)
    chosen = np.zeros(len(stratum), dtype=bool)
    chosen[np.argsort(place, kind="stable")[:left]] = True
    return chosen
