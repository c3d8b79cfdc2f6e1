"""Identifiers joined into persons by links, with refusals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import CONTRACTS
from cjm.identity._coding import Coded
from cjm.identity._links import GUARDED, Guard, Links, strongest_first

__all__ = ["Merged", "conflict_frame", "guard_conflicts", "link_conflicts", "merge", "owner_conflicts"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Merged:
    """Persons made of nodes.

    Attributes
    ----------
    anchor : ndarray of int32, shape (nodes,)
        The node that names the person.
    since : ndarray of int64, shape (nodes,)
        Time at which it could be known that the node belongs to the anchor.
    verdict : ndarray of uint8, shape (links,)
        Verdict of the kernel on each link; ``GUARDED`` for links that were not tried.
    """

    anchor: Int32Array
    since: Int64Array
    verdict: npt.NDArray[np.uint8]


def merge(coded: Coded, links: Links, chosen: npt.NDArray[np.bool_], max_size: int | None) -> Merged:
    """Join nodes by the chosen links: no person with two values of a unique kind, none above ``max_size`` nodes."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.components import ACCEPTED, anchors, guarded_components, known_since

    nodes = len(coded.ids)
    order = strongest_first(coded, links, chosen)
    unique_kind = np.where(coded.kind < coded.unique, coded.kind, -1)
    root, verdict_in_order = guarded_components(
        as_array(links.a[order], np.int32),
        as_array(links.b[order], np.int32),
        as_array(unique_kind, np.int16),
        coded.unique,
        nodes if max_size is None else max_size,
    )
    verdict = np.full(len(links.a), GUARDED, dtype=np.uint8)
    verdict[order] = verdict_in_order
    anchor = anchors(root, as_array(coded.kind, np.int16), as_array(coded.first, np.int64))

    accepted = np.flatnonzero(verdict == ACCEPTED)
    first = coded.time[links.first[accepted]]
    by_time = np.argsort(first, kind="stable")
    since = coded.first.copy()
    known_since(
        as_array(links.a[accepted[by_time]], np.int32),
        as_array(links.b[accepted[by_time]], np.int32),
        as_array(first[by_time], np.int64),
        as_array(anchor, np.int32),
        since,
    )
    return Merged(anchor, since, verdict)


def conflict_frame(
    coded: Coded,
    rule: str,
    nodes: npt.NDArray[np.integer],
    persons: Int64Array,
    events: Int64Array,
    decision: str | pl.Series,
) -> pl.DataFrame:
    """Return rows of contract CONFLICTS."""
    columns = {
        "kind": coded.name_kinds(nodes),
        "id": coded.name_ids(nodes),
        "persons": persons,
        "events": events,
    }
    return (
        pl.DataFrame(columns)
        .with_columns(rule=pl.lit(rule), decision=pl.lit(decision))
        .select(list(CONTRACTS["CONFLICTS"].columns))
    )


def guard_conflicts(coded: Coded, guarded: Guard, decision: str) -> pl.DataFrame:
    """Report the identifiers that met too many values of a unique kind."""
    nodes = np.flatnonzero(guarded.tripped)
    return conflict_frame(coded, "max_per_person", nodes, guarded.met[nodes], coded.events[nodes], decision)


def link_conflicts(coded: Coded, links: Links, merged: Merged) -> pl.DataFrame:
    """Report the links that were refused."""
    from cjm.kernels.components import TOO_LARGE, TWO_VALUES

    frames = []
    for rule, code in (("unique", TWO_VALUES), ("max_size", TOO_LARGE)):
        at = np.flatnonzero(merged.verdict == code)
        partner = pl.DataFrame({"kind": coded.name_kinds(links.a[at]), "id": coded.name_ids(links.a[at])})
        decision = partner.select(pl.format("link to {} {} refused", "kind", "id")).to_series()
        two = np.full(len(at), 2, dtype=np.int64)
        frames.append(conflict_frame(coded, rule, links.b[at], two, links.events[at], decision))
    return pl.concat(frames)


def owner_conflicts(coded: Coded, owner: Int32Array, anchor: Int32Array) -> pl.DataFrame:
    """Report unique identifiers that stand on events of another person, whose identifier has the higher priority."""
    losers = [pl.DataFrame(schema={"node": pl.Int32, "owner": pl.Int32})]
    for codes in coded.codes[1 : coded.unique]:
        at = np.flatnonzero(codes >= 0)
        at = at[anchor[codes[at]] != owner[at]]
        losers.append(pl.DataFrame({"node": codes[at], "owner": owner[at]}))
    counted = (
        pl.concat(losers)
        .group_by("node")
        .agg(persons=pl.col("owner").n_unique().cast(pl.Int64) + 1, events=pl.len().cast(pl.Int64))
        .sort("node")
    )
    nodes, persons, events = (counted[name].to_numpy() for name in ("node", "persons", "events"))
    decision = "an identifier of a higher priority owns the event"
    return conflict_frame(coded, "one_event", nodes, persons, events, decision)
