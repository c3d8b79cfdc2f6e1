"""The words of patterns, by the names under which tables hold them."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from cjm.report._section import Tables, has

__all__ = ["named", "pattern_names"]


def pattern_names(tables: Tables) -> dict[str, str]:
    """Return the text of each pattern by its term."""
    if not has(tables, "hazards_patterns"):
        return {}
    return dict(tables["hazards_patterns"].select(pl.col("term", "pattern").cast(pl.String)).drop_nulls().iter_rows())


def named(names: Mapping[str, str]) -> pl.Expr:
    """Return the text of the pattern of each ``term``, or the term where it is none."""
    return pl.col("term").replace_strict(names, default=pl.col("term"), return_dtype=pl.String)
