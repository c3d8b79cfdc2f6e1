"""When subjects completed paths, in days since time zero, and what may not be done with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cjm.durations import DAY_US
from cjm.errors import ArgumentError, InputError
from cjm.journeys import Journeys
from cjm.patterns import Pattern
from cjm.survival._bias import refuse_bias, refuse_spells
from cjm.survival._design import FloatArray
from cjm.survival._known import first_completions
from cjm.survival._rows import NEVER, completion_times, origins
from cjm.survival._subjects import Subjects

__all__ = ["PathTimes", "Patterns", "one_name", "path_times", "reasons"]

Patterns = Pattern | str | Mapping[str, Pattern | str] | Sequence[Pattern | str]

ACTS = "A path acts strictly after it is complete and its events can be known to be the person's"


@dataclass(frozen=True)
class PathTimes:
    """Days since time zero of each subject.

    Attributes
    ----------
    names : list of str
        Paths, in the order of the columns of ``first``.
    entry, exit : ndarray, shape (subjects,)
    churned : ndarray of bool
    first : ndarray, shape (subjects, paths)
        When the path was first complete and known; infinite where it never was.
    """

    names: list[str]
    entry: FloatArray
    exit: FloatArray
    churned: npt.NDArray[np.bool_]
    first: FloatArray


def path_times(
    journeys: Journeys, subjects: Subjects, patterns: Patterns, *, where: str, allow_bias: bool = False
) -> PathTimes:
    """Find the paths.

    Raises
    ------
    ArgumentError
        For churn by silence unless ``allow_bias``, and for subjects with several spells.
    InputError
        If nobody churned.
    """
    if not allow_bias:
        instead = "PathHazard, which compares events with the same number"
        refuse_bias(journeys, subjects, effect="onward", clock="time", where=where, instead=instead)
    refuse_spells(subjects, where=where)
    frame = subjects.frame
    if not frame["churned"].any():
        raise InputError.at(
            f"none of {frame.height} subjects churned", where=where, hint=f"The definition was: {subjects.churn}"
        )
    from cjm.matching import named_patterns

    named = named_patterns(patterns)
    first = completion_times(frame, first_completions(journeys, named, frame["person"].to_numpy()))
    days = (first - origins(frame)[:, None]) / DAY_US
    return PathTimes(
        list(named),
        frame["entry_days"].to_numpy(),
        frame["duration"].to_numpy(),
        frame["churned"].to_numpy(),
        np.where(first == NEVER, np.inf, days),
    )


def one_name(patterns: Patterns, *, where: str) -> str:
    """Return the name of the only pattern.

    Raises
    ------
    ArgumentError
        If there are several.
    """
    from cjm.matching import named_patterns

    named = named_patterns(patterns)
    if len(named) != 1:
        raise ArgumentError.at(f"{len(named)} patterns are given", where=where, hint="Give one")
    return next(iter(named))


def reasons(subjects: Subjects, allow_bias: bool) -> tuple[str, ...]:
    """Return the notes that every result on paths carries."""
    bias = "Biased, as asked for: churn by silence cannot follow soon after any event, so paths look protective"
    return (*subjects.notes, ACTS, *([bias] if allow_bias and subjects.churn.kind == "inactive" else []))
