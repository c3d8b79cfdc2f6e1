"""Whose identifiers they are, as a finished step has stored it."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cjm.identity import persons_in

__all__ = ["People"]


@dataclass(frozen=True)
class People:
    """What a run needs of :class:`cjm.identity.Identities` once the events have their persons: far less memory.

    Attributes
    ----------
    map : polars.DataFrame
        Contract IDENTITY_MAP.
    """

    map: pl.DataFrame

    def with_person(self, table: pl.DataFrame, kind: str) -> pl.DataFrame:
        """Put person numbers on a table; see :meth:`cjm.identity.Identities.with_person`."""
        return persons_in(self.map, table, kind)
