"""What a watch remembers between batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from cjm.moments._context import NEVER
from cjm.moments._layers import Layers

__all__ = ["NEVER", "WatchState"]


@dataclass(frozen=True, eq=False)
class WatchState:
    """What :class:`Watch` remembers between batches.

    It is a value: an update returns a new one, which shares with it what did not change.

    Attributes
    ----------
    late : polars.DataFrame
        Events that came too late and wait for :meth:`Watch.repair`, in order of arrival.
    waiting : polars.DataFrame
        Events above the watermark, in order of arrival.
    pending : polars.DataFrame
        Matches whose absence at the end is not certain yet.
    events : int
        Events received so far: those shown to the moments, those that wait and those that came late.
    batches : tuple of str
        Names of the batches that were taken in under a name.
    stored : dict
        Frames that lie on disk, and where.
    """

    moments: tuple[tuple[str, str], ...]
    context: tuple[str, ...]
    width: int
    layers: Layers
    pending: pl.DataFrame
    waiting: pl.DataFrame
    late: pl.DataFrame
    reached: int = NEVER
    complete: int = NEVER
    seen: Mapping[str, int] = field(default_factory=dict)
    events: int = 0
    suppressed: int = 0
    refused: int = 0
    batches: tuple[str, ...] = ()
    stored: dict[str, tuple[pl.DataFrame, dict[str, Any]]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"WatchState({self.events:,} events, watermark {self.watermark or 'none'}, "
            f"{self.pending.height:,} pending, {self.waiting.height:,} waiting, {self.late.height:,} late)"
        )

    @property
    def watermark(self) -> datetime | None:
        """Time up to which events were shown to the moments; None before the first.

        Events below it are late. One at it is not, unless :meth:`Watch.advance_to` said that there would be none: it
        follows those of the same time that came before.
        """
        return (
            None if self.reached == NEVER else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.reached)
        )

    def without(self, persons: pl.Series) -> WatchState:
        """Return the state without some persons: nothing tells that their events were ever taken in but their count."""
        gone = persons.implode()
        frames = {name: getattr(self, name) for name in ("pending", "waiting", "late")}
        kept = {name: frame.filter(~pl.col("person").is_in(gone)) for name, frame in frames.items()}
        return replace(self, layers=self.layers.without(persons.to_numpy()), **kept)

    def save(self, folder: str | Path) -> None:
        """Put the state on disk, in the place of a former one, in one step.

        What has not changed since it was saved there or opened from there is not written again.

        Raises
        ------
        RunError
            If it cannot be written.
        """
        from cjm.moments._state_files import save_state

        save_state(self, Path(folder))

    @classmethod
    def open(cls, folder: str | Path) -> WatchState:
        """Read a state from disk.

        Raises
        ------
        InputError
            If there is none, it is damaged, or it was written by a version with another format.
        """
        from cjm.moments._state_files import open_state

        return open_state(Path(folder))
