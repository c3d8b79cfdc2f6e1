"""The steps of a funnel as tables of codes, and one row for each person who takes the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import Duration, to_us
from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.matching._tables import Compiler
from cjm.measure._by import By, slices
from cjm.measure._labels import Merged, labels_of
from cjm.measure._touchpoints import Touchpoints, chosen
from cjm.measure._unit import Unit, paths_of
from cjm.ragged import IntArray

__all__ = ["Exclude", "Steps", "Walked", "steps_of", "walk"]

Exclude = Touchpoints | Mapping[int, Touchpoints]

_ORDERS = ("ordered", "strict", "any")
_MAX_STEPS = 31


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps of a funnel, looked up in journeys.

    Attributes
    ----------
    labels : list of str
        Name of each step in a result.
    flags : ndarray of int64, shape (touchpoints,)
        Which steps a touchpoint takes and ends; see ``cjm.kernels.measure_funnel``.
    within : int
        Microseconds; -1 without a bound.
    in_order : bool
    """

    labels: list[str]
    flags: IntArray
    within: int
    in_order: bool


@dataclass(frozen=True, eq=False)
class Walked:
    """Persons who take the first step, a row each.

    Attributes
    ----------
    groups : polars.Series
        The groups; a single one without ``by=``.
    group : ndarray of int64, shape (rows,)
        Row of the person's group in ``groups``.
    reached : ndarray of uint8, shape (rows,)
        The furthest step, from 1.
    after : ndarray of int32, shape (rows,)
        Code of the touchpoint behind it, -1 for none; means nothing where all steps are taken.
    times : ndarray of int64, shape (rows, steps)
        When each step was taken, as far as the person came.
    width : int
        Number of steps.
    """

    groups: pl.Series
    group: IntArray
    reached: npt.NDArray[np.uint8]
    after: npt.NDArray[np.int32]
    times: IntArray
    width: int

    @cached_property
    def persons(self) -> IntArray:
        """How many persons of each group come as far as each step or further, shape (groups, steps)."""
        size = self.width + 1
        cells = self.group * size + self.reached
        found = np.bincount(cells, minlength=len(self.groups) * size).reshape(-1, size)[:, 1:]
        return found[:, ::-1].cumsum(axis=1)[:, ::-1]


def steps_of(
    journeys: Journeys, steps: Sequence[Touchpoints], within: Duration | None, order: str, exclude: Exclude | None
) -> Steps:
    """Check what describes a funnel and look it up."""
    if isinstance(steps, str) or not isinstance(steps, Sequence) or not steps:
        raise ArgumentError.at(
            f"must be a list of touchpoints, not {steps!r}", where="steps", hint='Write ["web:product", "web:cart"]'
        )
    if len(steps) > _MAX_STEPS:
        raise ArgumentError.at(f"a funnel has at most {_MAX_STEPS} steps, not {len(steps)}", where="steps")
    if order not in _ORDERS:
        raise ArgumentError.unknown("order", str(order), _ORDERS, where="order=")
    limit = -1 if within is None else to_us(within, "within")
    compiler = Compiler(journeys)
    found = [chosen(compiler, step, f"step {number}") for number, step in enumerate(steps, start=1)]
    flags = np.zeros(len(compiler.code), dtype=np.int64)
    for j, step in enumerate(found):
        if order == "any" and flags[step.codes].any():
            raise ArgumentError.at(
                f"{step.label!r} shares a touchpoint with a step before it",
                where=f"step {j + 1}",
                hint='With order="any" each step needs touchpoints of its own',
            )
        flags[step.codes] |= 1 << j
    if order == "strict":
        if exclude is not None:
            raise ArgumentError.at('nothing lies between the steps of order="strict"', where="exclude=")
        flags |= sum(1 << (_MAX_STEPS + j) for j in range(len(steps) - 1))
    elif exclude is not None:
        for number, what in _between(exclude, len(steps), order):
            ends = chosen(compiler, what, "exclude=")
            if order == "any" and flags[ends.codes].any():
                raise ArgumentError.at(
                    f"{ends.label!r} is a step as well",
                    where="exclude=",
                    hint='With order="any" it must be one or other',
                )
            flags[ends.codes] |= 1 << (_MAX_STEPS + number - 1)
    labels = [f"any {k} of {len(steps)}" for k in range(1, len(steps) + 1)] if order == "any" else [
        step.label for step in found
    ]  # fmt: skip
    return Steps(labels, flags, limit, order != "any")


def _between(exclude: Exclude, width: int, order: str) -> list[tuple[int, Touchpoints]]:
    """Return what may not lie behind which step, by the number of the step."""
    if not isinstance(exclude, Mapping):
        # In any order all that counts is whether there is an attempt to end.
        return [(number, exclude) for number in range(1, 2 if order == "any" else width)]
    if order == "any":
        hint = "Give a list of touchpoints"
        raise ArgumentError.at('with order="any" no step has a place', where="exclude=", hint=hint)
    for number in exclude:
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number < width:
            raise ArgumentError.at(
                f"{number!r} is no step with a step behind it",
                where="exclude=",
                hint="2 stands for what may not come between steps 2 and 3",
            )
    return list(exclude.items())


def walk(journeys: Journeys, steps: Steps, *, unit: Unit, by: By | None, result: Sequence[str]) -> Walked:
    """Walk all persons through the steps."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_funnel import walk_any, walk_ordered

    kernel = walk_ordered if steps.in_order else walk_any
    width = len(steps.labels)
    labels, groups, reached, after, times = [], [], [], [], []
    for part in slices(journeys, by, result):
        paths = paths_of(part.journeys, unit)
        persons = len(part.journeys.arrays.person)
        # Memory that is not written to is never taken from the machine.
        rows = (
            np.empty(persons, dtype=np.uint8),
            np.empty(persons, dtype=np.int64),
            np.empty(persons, dtype=np.int32),
            np.empty((persons, width), dtype=np.int64),
        )
        count = kernel(
            as_array(paths.offsets, np.int64),
            as_array(paths.owner, np.int64),
            as_array(paths.code, np.int32),
            as_array(paths.time, np.int64),
            as_array(steps.flags, np.int64),
            width,
            steps.within,
            *rows,
        )
        first = rows[1][:count] if paths.rows is None else paths.rows[rows[1][:count]]
        labels.append(labels_of(part))
        groups.append(np.zeros(count, dtype=np.int64) if part.groups is None else part.groups.code[first])
        reached.append(rows[0][:count])
        after.append(rows[2][:count])
        times.append(rows[3][:count])
    merged = Merged(labels)
    group = np.concatenate([places[code] for places, code in zip(merged.places, groups, strict=True)])
    return Walked(merged.labels, group, np.concatenate(reached), np.concatenate(after), np.concatenate(times), width)
