"""Two groups of persons, and persons kept apart for a test."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError, ContractError
from cjm.journeys import Journeys
from cjm.mining._family import check_share
from cjm.ragged import places_in_sorted
from cjm.statistics import in_first_part

__all__ = ["groups_of", "known_outcome", "split_persons"]

IntArray = npt.NDArray[np.int64]


def known_outcome(outcome: pl.DataFrame, where: str) -> pl.DataFrame:
    """Return persons with a known outcome, in ascending order, after a check of columns and rows."""
    for name, dtype in (("person", pl.Int64), ("outcome", pl.Boolean)):
        if outcome.schema.get(name) != dtype:
            raise ContractError.at(
                f"column {name!r} is {outcome.schema.get(name, 'missing')}, not {dtype}",
                where=f"{where}(outcome=...)",
                hint="Give a frame of person (Int64) and outcome (Boolean)",
            )
    known = outcome.select("person", "outcome").drop_nulls().sort("person")
    person = known["person"].to_numpy()
    if (person[1:] == person[:-1]).any():
        twice = known["person"].is_duplicated().sum()
        raise ArgumentError.at(
            f"{twice:,} rows share a person with another row",
            where=f"{where}(outcome=...)",
            hint="Give one row a person",
        )
    return known


def groups_of(persons: IntArray, known: pl.DataFrame) -> IntArray:
    """Return 1, 0, or -1 (not known) for each person."""
    outcome = np.append(known["outcome"].to_numpy().astype(np.int64), -1)
    return outcome[places_in_sorted(known["person"].to_numpy(), persons)]


def split_persons(journeys: Journeys, *, share: float = 0.5) -> tuple[Journeys, Journeys]:
    """Split persons in two parts that have nobody in common, always in the same way.

    What is chosen with a look at an outcome has to be tested on other persons: choose on the first part, test on the
    second. Whole persons go to one part or the other, by a hash of their number: the split is the same in every run,
    and does not change for those who were there when others are added.

    Parameters
    ----------
    journeys : Journeys
    share : float
        About which share of persons goes to the first part, 0 to 1.

    Returns
    -------
    tuple of two Journeys

    Raises
    ------
    ArgumentError
        If ``share`` is no share.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"who": list("abcdef"), "page": "home", "at": "2026-01-01T10:00Z"})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="page", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> chosen_on, tested_on = cjm.split_persons(journeys)
    >>> chosen_on.height + tested_on.height
    6
    """
    check_share("share", share, "split_persons")
    chosen = [
        np.repeat(in_first_part(bucket.arrays.person, share), np.diff(bucket.arrays.offsets))
        for bucket in journeys.buckets()
    ]
    first = np.concatenate(chosen)
    return journeys.keep(first), journeys.keep(~first)
