"""Saved rows of many persons, in layers: what changes is small, and what is large does not change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cjm.kernels.matching_columns import WHO

__all__ = ["Idle", "IntArray", "Layer", "Layers"]

IntArray = npt.NDArray[np.int64]
Idle = Callable[[IntArray], npt.NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class Layer:
    """Rows ``[offsets[i], offsets[i + 1])`` of ``rows`` are all that is saved of ``person[i]`` (ascending).

    ``stored`` says where it lies on disk, once it does.
    """

    person: IntArray
    offsets: IntArray
    rows: IntArray
    stored: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, person: IntArray, rows: IntArray) -> Layer:
        """Make a layer of rows whose ``WHO`` is a place in ``person``; their order is kept within a person."""
        order = np.argsort(rows[:, WHO], kind="stable")
        rows = rows[order]
        offsets = np.searchsorted(rows[:, WHO], np.arange(len(person) + 1)).astype(np.int64)
        rows[:, WHO] = person[rows[:, WHO]]
        return cls(person, offsets, rows)

    def places(self, person: IntArray) -> tuple[IntArray, npt.NDArray[np.bool_]]:
        """Return where persons are, and whether they are here at all."""
        place = np.minimum(np.searchsorted(self.person, person), max(len(self.person) - 1, 0))
        return place, self.person[place] == person if len(self.person) else np.zeros(len(person), dtype=bool)

    def without(self, person: IntArray) -> Layer:
        """Return the layer without some persons."""
        kept = ~np.isin(self.person, person)
        if kept.all():
            return self
        counts = np.diff(self.offsets)
        offsets = np.append(0, np.cumsum(counts[kept])).astype(np.int64)
        return Layer(self.person[kept], offsets, self.rows[np.repeat(kept, counts)])


class Layers:
    """Layers from the oldest to the newest; a person is as in the newest layer that has them.

    Neighbours of like size are merged, as the carries of a binary counter: a change costs about as much as it is large,
    and there are few layers.
    """

    def __init__(self, layers: Sequence[Layer] = ()) -> None:
        self.layers = tuple(layers)

    @property
    def persons(self) -> int:
        """Number of persons; one who is in several layers counts in each."""
        return sum(len(layer.person) for layer in self.layers)

    def rows_of(self, person: IntArray, width: int) -> tuple[IntArray, IntArray]:
        """Return the rows of persons (ascending), and where those of each begin."""
        todo = np.arange(len(person))
        parts, owners = [np.empty((0, width), dtype=np.int64)], [todo[:0]]
        for layer in reversed(self.layers):
            place, here = layer.places(person[todo])
            first, stop = layer.offsets[place[here]], layer.offsets[place[here] + 1]
            counts = stop - first
            parts.append(layer.rows[np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())])
            owners.append(np.repeat(todo[here], counts))
            todo = todo[~here]
        owner = np.concatenate(owners)
        order = np.argsort(owner, kind="stable")
        return np.concatenate(parts)[order], np.searchsorted(owner[order], np.arange(len(person) + 1)).astype(np.int64)

    def with_layer(self, layer: Layer, idle: Idle) -> Layers:
        """Put a layer on top; ``idle`` tells which rows no longer matter."""
        layers = [*self.layers, layer]
        while len(layers) > 1 and len(layers[-2].person) <= 2 * len(layers[-1].person):
            newer, older = layers.pop(), layers.pop()
            layers.append(_merged(older, newer, idle, last=not layers))
        return Layers(layers)

    def without(self, person: IntArray) -> Layers:
        """Return the layers without some persons; a layer that has none of them stays as it is."""
        return Layers([layer.without(person) for layer in self.layers])

    def mapped(self, change: Callable[[IntArray], IntArray]) -> Layers:
        """Return one layer of the rows that ``change`` makes of all there are; their order is kept."""
        if not self.layers:
            return self
        whole = self.layers[0]
        for layer in self.layers[1:]:
            whole = _merged(whole, layer, lambda rows: np.zeros(len(rows), dtype=bool), last=True)
        rows = change(whole.rows)
        person = np.unique(rows[:, WHO])
        offsets = np.append(np.searchsorted(rows[:, WHO], person), len(rows))
        return Layers([Layer(person, offsets.astype(np.int64), rows)])


def _merged(older: Layer, newer: Layer, idle: Idle, *, last: bool) -> Layer:
    """Return both as one layer; the last one of all need not know persons without rows."""
    _, again = newer.places(older.person)
    kept = np.flatnonzero(~again)
    person = np.concatenate([older.person[kept], newer.person])
    begin = np.concatenate([older.offsets[kept], len(older.rows) + newer.offsets[:-1]])
    stop = np.concatenate([older.offsets[kept + 1], len(older.rows) + newer.offsets[1:]])
    order = np.argsort(person, kind="stable")
    sizes = (stop - begin)[order]
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    rows = np.concatenate([older.rows, newer.rows])
    taken = np.repeat(begin[order] - offsets[:-1], sizes) + np.arange(offsets[-1])
    live = ~idle(rows)[taken]
    sums = np.concatenate(([0], np.cumsum(live)))[offsets]
    person, rows = person[order], rows[taken[live]]
    if last:
        busy = np.flatnonzero(np.diff(sums))
        person, sums = person[busy], np.append(sums[busy], sums[-1])
    return Layer(person, sums.astype(np.int64), rows)
