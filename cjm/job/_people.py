"""Whose identifiers they are, as a finished step has stored it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from cjm.identity import persons_in

__all__ = ["People"]


@dataclass(frozen=True)
class People:
    """What a run needs of :class:`cjm.identity.Identities` once the events have their persons: far less memory.

    Attributes
    ----------
    map : polars.LazyFrame
        Contract IDENTITY_MAP, on disk.
    """

    map: pl.LazyFrame

    def with_person(self, table: pl.DataFrame, kind: str) -> pl.DataFrame:
        """Put person numbers on a table; see :meth:`cjm.identity.Identities.with_person`."""
        of_kind = self.map.filter(pl.col("kind") == kind).select("kind", "id", "person")
        return persons_in(of_kind.collect(), table, kind)

    def anonymous(self, unique: Sequence[str]) -> pl.DataFrame:
        """Return ``person`` of those without an identifier of a unique kind."""
        known = self.map.filter(pl.col("kind").is_in(unique)).select("person").collect()
        return self.map.select("person").unique().collect().join(known, on="person", how="anti")
