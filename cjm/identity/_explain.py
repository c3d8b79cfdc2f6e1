"""The shortest chain of evidence from an identifier to its person."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import polars as pl

from cjm.errors import ArgumentError, masked
from cjm.identity._coding import Coded
from cjm.identity._frames import names_of
from cjm.identity._numbers import Numbers

__all__ = ["explain"]

_LINK = ("kind_a", "id_a", "kind_b", "id_b", "first_seen", "last_seen", "events", "reason", "sources")
_Id = tuple[str, str]


def explain(map: pl.DataFrame, links: pl.DataFrame, numbers: Numbers, coded: Coded, source: _Id) -> pl.DataFrame:
    """See :meth:`Identities.explain`; ``numbers`` of all identifiers."""
    kind, text = source
    mine = map.filter((pl.col("kind") == kind) & (pl.col("id") == text))
    if mine.is_empty():
        known = map["kind"].unique().to_list()
        if kind not in known:
            raise ArgumentError.unknown("kind of identifier", kind, known, where="explain")
        raise ArgumentError.at(
            f'no identifier "{masked(text)}" of kind {kind!r} was seen',
            where="explain",
            hint="See people.map for those that were",
        )
    rows = []
    for person in mine["person"].unique(maintain_order=True):
        anchor = pl.DataFrame(names_of(coded, np.flatnonzero(numbers.of == person))).row(0)
        chain = _chain(_links_of(person, map, links), source, anchor)
        rows += [{"person": person, "step": step, **link} for step, link in enumerate(chain, 1)]
        if not chain:
            rows.append({"person": person, "step": 1, "kind_a": kind, "id_a": text})
    empty = links.clear().select(pl.lit(0, pl.Int64).alias("person"), pl.lit(0, pl.Int64).alias("step"), *_LINK)
    return pl.DataFrame(rows, schema=empty.schema)


def _links_of(person: int, map: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """Return the links between identifiers that are or were a person's, but those that a rule refused."""
    ids = map.filter(pl.col("person") == person).select("kind", "id").unique()
    found = links.filter(pl.col("reason").is_in(["joined", "evidence", "unused"]))
    for side in ("a", "b"):
        found = found.join(ids, left_on=[f"kind_{side}", f"id_{side}"], right_on=["kind", "id"], how="semi")
    return found.select(_LINK)


def _chain(links: pl.DataFrame, source: _Id, target: _Id) -> list[dict[str, Any]]:
    """Return the shortest way along links, by breadth-first search; each link turned so that it leads on."""
    table = links.to_dicts()
    near: dict[_Id, list[tuple[_Id, int]]] = defaultdict(list)
    for at, link in enumerate(table):
        a, b = (link["kind_a"], link["id_a"]), (link["kind_b"], link["id_b"])
        near[a].append((b, at))
        near[b].append((a, at))
    came: dict[_Id, tuple[_Id, int] | None] = {source: None}
    reached = [source]
    while reached and target not in came:
        following = []
        for here in reached:
            for there, at in sorted(near[here]):
                if there not in came:
                    came[there] = (here, at)
                    following.append(there)
        reached = following
    chain = []
    step = came.get(target)
    here = target
    while step is not None:
        before, at = step
        ends = {"kind_a": before[0], "id_a": before[1], "kind_b": here[0], "id_b": here[1]}
        chain.append(table[at] | ends)
        here, step = before, came[before]
    return chain[::-1]
