"""Identities that change: more events and links, links undone, identifiers forgotten."""

from __future__ import annotations

import secrets
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError
from cjm.identifiers import clean_ids
from cjm.identity._coding import Region
from cjm.identity._evidence import Evidence, Log
from cjm.identity._identities import Identities
from cjm.identity._numbers import hash_ids
from cjm.identity._resolve import clusters, region_of, revise
from cjm.identity._tables import LinkTables, Table, named, table_kinds, with_apart, with_consent, with_links

__all__ = ["changed", "erase", "unlink", "update"]

Int32Array = npt.NDArray[np.int32]


def update(people: Identities, log: Log | None, links: LinkTables | None, consent: Table | None) -> Identities:
    """See :meth:`Identities.update`."""
    before = people._evidence
    tables = named(links)
    for kind in [*(log.kinds if log is not None else ()), *table_kinds(tables)]:
        if kind not in before.kinds and kind not in before.ignored:
            raise ArgumentError.unknown("kind of identifier", kind, before.kinds, where="update")
    after = before if log is None else before.with_log(log)
    after, nodes = with_consent(with_links(after, tables), consent)
    link = len(before.declared)
    return changed(people, after, np.concatenate([nodes, after.declared.a[link:], after.declared.b[link:]]))[0]


def unlink(people: Identities, kind_a: str, id_a: str, kind_b: str, id_b: str) -> Identities:
    """See :meth:`Identities.unlink`."""
    pair = pl.DataFrame({"kind_a": [kind_a], "id_a": [id_a], "kind_b": [kind_b], "id_b": [id_b]})
    after = with_apart(people._evidence, pair)
    return changed(people, after, after.apart.ravel())[0]


def erase(people: Identities, kind: str, ids: str | pl.Series) -> Identities:
    """See :meth:`Identities.erase`."""
    before = people._evidence
    if kind not in before.kinds:
        raise ArgumentError.unknown("kind of identifier", kind, before.kinds, where="erase")
    number = before.kinds.index(kind)
    texts = clean_ids(pl.Series("id", [ids] if isinstance(ids, str) else ids), where="erase").drop_nulls().unique()
    nodes = before.nodes_of(texts, number)
    texts = texts.filter(pl.Series(~np.isin(nodes, before.erased)))
    fresh = nodes[~np.isin(nodes, before.erased)]
    key = before.key or secrets.token_bytes(16)
    after = replace(
        before,
        names=before.names.without(fresh),
        erased=np.concatenate([before.erased, fresh]),
        marks=np.concatenate([before.marks, hash_ids(texts, kind, key)]),
        key=key,
        dropped=before.dropped.filter((pl.col("kind") != kind) | ~pl.col("id").is_in(texts.implode())),
    )
    return changed(replace(people, _numbers=people._numbers.without(fresh)), after, fresh)[0]


def changed(people: Identities, after: Evidence, seeds: npt.NDArray[np.integer]) -> tuple[Identities, Region]:
    """Make anew what the seeds and new events touch; return this part as well."""
    before, found = people._evidence, people._found
    hindsight = after.policy.as_of != "event"
    fixed = np.zeros(len(after.names), dtype=bool)
    if hindsight:  # who met too many connects nothing, and will not meet fewer
        fixed[: len(found.tripped)] = found.tripped
    if not people._clusters:
        old_fixed = fixed[: len(found.tripped)]
        people._clusters.append(clusters(before, np.arange(0, dtype=np.int32), old_fixed, 0, 0))
    cluster = clusters(after, people._clusters[0], fixed, before.events, len(before.declared))
    region = region_of(after, cluster, fixed, np.unique(seeds).astype(np.int32), before.events)
    revised = revise(after, found, region)
    return Identities._of(after, revised, people._numbers, [cluster], revised.person[region.rows]), region
