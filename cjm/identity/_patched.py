"""Tables of identities of which only a part was made anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.identity._assignment import Assignment
from cjm.identity._coding import Coded, Region, code
from cjm.identity._evidence import Evidence
from cjm.identity._frames import conflict_frame, in_order, link_frame, map_frame, names_of
from cjm.identity._identities import Identities
from cjm.identity._merge import Refused

__all__ = ["patched"]

Flags = npt.NDArray[np.bool_]


def patched(people: Identities, region: Region, former: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Return ``map``, ``links`` and ``conflicts``.

    Rows that name an identifier of the region are made anew, of all events that carry one of them; all others are those
    of the former tables.

    Parameters
    ----------
    people : Identities
    region : Region
        What was made anew.
    former : mapping of str to polars.DataFrame
        The tables as they were before.
    """
    evidence, found = people._evidence, people._found
    wanted = np.zeros(len(evidence.names), dtype=bool)
    wanted[region.nodes] = True
    around = _around(evidence, found, region, wanted)
    coded = code(evidence, around)
    local = _local(found, around, coded, wanted)
    ids = pl.DataFrame(names_of(coded, np.flatnonzero(wanted[around.nodes]))).to_struct().implode()

    def is_named(end: str = "") -> pl.Expr:
        return pl.struct(pl.col(f"kind{end}").alias("kind"), pl.col(f"id{end}").alias("id")).is_in(ids)

    def mended(name: str, fresh: pl.DataFrame, rows: pl.Expr) -> pl.DataFrame:
        return pl.concat([former[name].filter(~rows), fresh.filter(rows)])

    map_ = map_frame(coded, local, people._numbers.of[around.nodes], evidence.policy.mode)
    map_ = mended("map", map_, is_named())
    links = mended("links", link_frame(coded, local, evidence), is_named("_a") | is_named("_b"))
    no_identifier = pl.col("rule") == "placeholder"
    conflicts = mended("conflicts", conflict_frame(coded, local, evidence), is_named() | no_identifier)
    kinds = pl.Enum(evidence.kinds)
    return {
        "map": map_.sort(pl.col("kind").cast(kinds), "id", maintain_order=True),
        "links": links.sort(pl.col("kind_a").cast(kinds), "id_a", pl.col("kind_b").cast(kinds), "id_b"),
        "conflicts": in_order(conflicts),
    }


def _around(evidence: Evidence, found: Assignment, region: Region, wanted: Flags) -> Region:
    """Return all events of the wanted nodes, and every node that says something about these."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.identity_walks import rows_with

    rows = region.rows
    if region.stuck.any():  # the region has only some of their events
        flags = as_array(wanted, np.bool_)
        rows = np.flatnonzero(np.concatenate([rows_with(part.codes, flags) for part in evidence.parts]))
    there = wanted.copy()
    ends = np.cumsum([0, *(len(part.time) for part in evidence.parts)])
    for part, (start, stop) in zip(evidence.parts, pairwise(ends), strict=True):
        codes = part.codes[:, rows[slice(*np.searchsorted(rows, (start, stop)))] - start]
        there[codes[codes >= 0]] = True
    persons = found.person[rows]
    there[persons[persons >= 0]] = True
    there[found.anchor[there]] = True
    nodes = np.flatnonzero(there).astype(np.int32)
    return Region(nodes, rows, region.links, np.zeros(len(nodes), dtype=bool))


def _local(found: Assignment, around: Region, coded: Coded, wanted: Flags) -> Assignment:
    """Return the assignment of a region, which has only some events of nodes that are not wanted: these join none."""
    nodes, rows, old = around.nodes, around.rows[coded.order], found.refused
    local = np.full(len(wanted) + 1, -1, dtype=np.int32)  # the last for -1
    local[nodes] = np.arange(len(nodes), dtype=np.int32)
    inside = wanted[old.a] & wanted[old.b]
    return replace(
        found,
        anchor=local[found.anchor[nodes]],
        barred=found.barred[nodes] | ~wanted[nodes],
        tripped=found.tripped[nodes],
        refused=Refused(local[old.a[inside]], local[old.b[inside]], old.rule[inside], old.events[inside]),
        person=local[found.person[rows]],
        reason=found.reason[rows],
        known=found.known[rows],
    )
