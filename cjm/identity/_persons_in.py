"""Person numbers of the identifiers in a table."""

from __future__ import annotations

import polars as pl

from cjm.errors import ArgumentError
from cjm.identifiers import clean_ids

__all__ = ["persons_in"]


def persons_in(map: pl.DataFrame, table: pl.DataFrame, kind: str, *, column: str | None = None) -> pl.DataFrame:
    """Do what :meth:`cjm.identity.Identities.with_person` does, with a map that was stored (contract IDENTITY_MAP)."""
    column = kind if column is None else column
    if column not in table.columns:
        raise ArgumentError.unknown("column", column, table.columns, where="with_person")
    numbers = map.filter(pl.col("kind") == kind).select(pl.col("id"), "person").unique()
    if numbers["id"].is_duplicated().any():
        raise ArgumentError.at(
            f"an identifier of kind {kind!r} may belong to several persons",
            where="with_person",
            hint="Name a kind that is unique",
        )
    ids = clean_ids(table[column], where="with_person").alias("id")
    person = ids.to_frame().join(numbers, on="id", how="left", maintain_order="left")["person"]
    return table.select(person, pl.exclude("person"))
