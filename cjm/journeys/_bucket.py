"""A bucket: all events of the persons in one range of person numbers, in memory or on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.journeys._arrays import EventArrays

__all__ = ["Bucket", "KeptBucket", "MemoryBucket", "TakenBucket"]


class Bucket(Protocol):
    """What ``Journeys`` needs of a bucket."""

    @property
    def events(self) -> int:
        """Number of events."""

    @property
    def persons(self) -> int:
        """Number of persons."""

    @property
    def sessions(self) -> int:
        """Number of sessions."""

    def arrays(self) -> EventArrays:
        """Return the arrays."""

    def attributes(self, names: Sequence[str]) -> pl.DataFrame:
        """Return some attributes of the events, in the order of the arrays; text as Categorical."""


@dataclass(frozen=True, eq=False)
class MemoryBucket:
    """A bucket whose arrays and attributes are in memory."""

    held: EventArrays
    columns: pl.DataFrame

    @property
    def events(self) -> int:
        """Number of events."""
        return len(self.held.time)

    @property
    def persons(self) -> int:
        """Number of persons."""
        return len(self.held.person)

    @property
    def sessions(self) -> int:
        """Number of sessions."""
        return len(self.held.session_number)

    def arrays(self) -> EventArrays:
        """Return the arrays."""
        return self.held

    def attributes(self, names: Sequence[str]) -> pl.DataFrame:
        """Return some attributes of the events, in the order of the arrays."""
        return self.columns.select(names)


class TakenBucket:
    """Some events of another bucket, whose attributes are looked up there when they are asked for."""

    def __init__(self, bucket: Bucket, rows: npt.NDArray[np.int64]) -> None:
        self._bucket = bucket
        self._rows = rows
        self._arrays = bucket.arrays().take(rows)
        self.events = len(rows)
        self.persons = len(self._arrays.person)
        self.sessions = len(self._arrays.session_number)

    def arrays(self) -> EventArrays:
        """Return the arrays."""
        return self._arrays

    def attributes(self, names: Sequence[str]) -> pl.DataFrame:
        """Return some attributes of the events, in the order of the arrays."""
        return self._bucket.attributes(names)[self._rows]


class KeptBucket:
    """Some events of a bucket on disk, from which they are read whenever they are asked for."""

    def __init__(self, bucket: Bucket, keep: npt.NDArray[np.bool_]) -> None:
        self._bucket = bucket
        self._keep = np.packbits(keep)
        arrays = self.arrays()
        self.events = len(arrays.time)
        self.persons = len(arrays.person)
        self.sessions = len(arrays.session_number)

    @property
    def _rows(self) -> npt.NDArray[np.int64]:
        return np.flatnonzero(np.unpackbits(self._keep, count=self._bucket.events))

    def arrays(self) -> EventArrays:
        """Return the arrays."""
        return self._bucket.arrays().take(self._rows)

    def attributes(self, names: Sequence[str]) -> pl.DataFrame:
        """Return some attributes of the events, in the order of the arrays."""
        return self._bucket.attributes(names)[self._rows]
