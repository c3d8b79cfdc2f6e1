"""The public frames of a map, made when they are asked for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import CONTRACTS
from cjm.identity._assignment import REASONS, Assignment
from cjm.identity._coding import Coded, times
from cjm.identity._device_split import declared_sightings
from cjm.identity._evidence import NEVER, Evidence
from cjm.identity._links import Links, find_links, guard
from cjm.identity._merge import since

__all__ = ["alias_frame", "conflict_frame", "in_order", "known_since", "link_frame", "map_frame", "names_of", "present"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# What became of a link; the first four are the verdicts of kernels.components.
_RULES = ["joined", "unique", "max_size", "unlinked", "max_per_person", "evidence", "unused", "erased"]
_GUARDED, _EVIDENCE, _UNUSED, _ERASED = 4, 5, 6, 7


def present(coded: Coded) -> Flags:
    """Return which nodes are on an event or in a link table and were not erased."""
    found = coded.first < NEVER
    return found & ~coded.erased


def names_of(coded: Coded, nodes: npt.NDArray[np.integer], suffix: str = "") -> dict[str, pl.Series]:
    """Return kind and text of nodes, as columns."""
    kinds = pl.Series(coded.kinds, dtype=pl.String).gather(coded.kind[nodes])
    texts = coded.names.texts.gather(pl.Series(coded.named(nodes).astype(np.uint32)))
    return {f"kind{suffix}": kinds, f"id{suffix}": texts}


def known_since(coded: Coded, found: Assignment, mode: str) -> Int64Array:
    """Return the time from which it could be known that each node belongs to its anchor."""
    columns = range(len(coded.columns) if mode == "components" else coded.unique_columns)
    joins = ~found.barred if mode == "components" else ~found.barred & (coded.kind < coded.unique)
    alone = np.arange(len(joins), dtype=np.int32)
    return since(coded, columns, joins, np.where(joins, found.anchor, alone))


def map_frame(coded: Coded, found: Assignment, numbers: Int64Array, mode: str) -> pl.DataFrame:
    """Return contract IDENTITY_MAP, ordered by kind (by priority), identifier and time."""
    there = present(coded)
    if mode == "components":
        parts = [_whole(coded, found, np.flatnonzero(there), mode)]
    else:
        on_events = coded.spans[2] > 0
        of_links = _declared_only(coded, found, mode)
        elsewhere = on_events | np.isin(np.arange(len(there)), of_links["node"].to_numpy())
        whole = there & ((coded.kind < coded.unique) | ~elsewhere)
        parts = [_whole(coded, found, np.flatnonzero(whole), mode), of_links]
        parts += [_intervals(coded, found, column) for column in range(coded.unique_columns, len(coded.columns))]
    rows = pl.concat(parts)
    node = rows["node"].to_numpy()
    moments = ("valid_from", "valid_to", "known_from", "first_seen", "last_seen")
    frame = rows.with_columns(
        **names_of(coded, node),
        rank=pl.Series(coded.kind[node]),
        person=pl.Series(numbers[rows["person"].to_numpy()], dtype=pl.Int64),
        reason=pl.Series(REASONS.categories, dtype=pl.String).gather(rows["reason"]),
        order=rows["valid_from"].cast(pl.Int64),
        **{name: times(rows[name].to_numpy()) for name in moments},
    )
    columns = CONTRACTS["IDENTITY_MAP"].columns
    return frame.sort("rank", "id", "order", maintain_order=True).select(
        pl.col(name).cast(kind) for name, kind in columns.items()
    )


def _map_rows(
    *,
    node: npt.NDArray[np.integer],
    person: Int32Array,
    valid_from: Int64Array,
    valid_to: Int64Array,
    known: Int64Array,
    reason: npt.NDArray[np.integer],
    first: Int64Array,
    last: Int64Array,
    events: Int64Array,
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "node": node.astype(np.int32),
            "person": person.astype(np.int32),
            "valid_from": valid_from,
            "valid_to": valid_to,
            "known_from": known,
            "reason": reason.astype(np.uint8),
            "first_seen": first,
            "last_seen": last,
            "events": events,
        }
    )


def _whole(coded: Coded, found: Assignment, nodes: npt.NDArray[np.integer], mode: str) -> pl.DataFrame:
    """Return map rows of identifiers that belong to one person throughout."""
    from cjm.kernels.identity_walks import ANONYMOUS, ERASED, LINK, OWN, SHARED

    anchor = found.anchor[nodes]
    unique = coded.kind[nodes] < coded.unique
    reason = np.select([anchor != nodes, unique], [LINK, OWN], ANONYMOUS)
    shared = found.barred[nodes] & ~unique
    reason[shared] = np.where(found.tripped[nodes[shared]], SHARED, ERASED if mode == "components" else SHARED)
    first, last, events = (part[nodes] for part in coded.spans)
    time = np.append(coded.time, NEVER)  # the last for -1
    return _map_rows(
        node=nodes,
        person=anchor,
        valid_from=coded.first[nodes],
        valid_to=np.full(len(nodes), NEVER, dtype=np.int64),
        known=known_since(coded, found, mode)[nodes],
        reason=reason,
        first=time[first],
        last=time[last],
        events=events,
    )


def _declared_only(coded: Coded, found: Assignment, mode: str) -> pl.DataFrame:
    """Return the map rows of shared identifiers that no event carries and a link table gives to persons."""
    from cjm.kernels.identity_walks import LINK

    links = declared_sightings(coded, found.anchor)
    links = links.take((coded.spans[2][links.b] == 0) & ~found.tripped[links.b])
    links = links.take(np.argsort(links.b, kind="stable"))
    following = np.append(links.since[1:], NEVER)
    following[np.append(links.b[1:] != links.b[:-1], True)[: len(following)]] = NEVER
    valid_to = np.minimum(links.until, following[: len(links)])
    stays = ~coded.erased[links.a]
    links, valid_to = links.take(stays), valid_to[stays]
    known = known_since(coded, found, mode) if len(links) else np.empty(0, dtype=np.int64)
    never = np.full(len(links), NEVER, dtype=np.int64)
    return _map_rows(
        node=links.b,
        person=found.anchor[links.a],
        valid_from=links.since,
        valid_to=valid_to,
        known=np.maximum(links.since, known[links.a]),
        reason=np.full(len(links), LINK),
        first=never,
        last=never,
        events=np.zeros(len(links), dtype=np.int64),
    )


def _intervals(coded: Coded, found: Assignment, column: int) -> pl.DataFrame:
    """Return the map rows of a shared kind: the runs of events of one person on each identifier."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.identity_walks import REPLAY, group_rows

    person, reason, known = found.person, found.reason, found.known
    codes = as_array(coded.codes[column], np.int32)
    rows = group_rows(codes, 0, len(coded.kind))
    replayed = reason[rows] == REPLAY
    cuts = np.zeros(len(rows), dtype=bool)
    for part in (codes[rows], person[rows], replayed, np.where(replayed, known[rows], 0)):
        cuts[1:] |= part[1:] != part[:-1]
    cuts[:1] = True
    at = np.flatnonzero(cuts)
    stop = np.append(at[1:], len(rows))[: len(at)]
    start = rows[at]
    node, first = codes[start], coded.time[start]
    valid_to = np.append(first[1:], NEVER)
    valid_to[np.append(node[1:] != node[:-1], True)] = NEVER
    return _map_rows(
        node=node,
        person=person[start],
        valid_from=first,
        valid_to=valid_to[: len(node)],
        known=known[start],
        reason=np.maximum.reduceat(reason[rows], at) if len(rows) else reason[:0],
        first=first,
        last=coded.time[rows[stop - 1]],
        events=stop - at,
    )


def link_frame(coded: Coded, found: Assignment, evidence: Evidence) -> pl.DataFrame:
    """Return contract LINKS and ``sources``, ordered by kinds and identifiers."""
    links = find_links(coded)
    verdict = _verdicts(coded, found, evidence, links)
    there = ~coded.erased[links.a] & ~coded.erased[links.b]
    a, b, verdict = links.a[there], links.b[there], verdict[there]
    texts = coded.rank(np.concatenate([a, b]))
    turned = (coded.kind[a] == coded.kind[b]) & (texts[: len(a)] > texts[len(a) :])
    a, b = np.where(turned, b, a), np.where(turned, a, b)
    frame = pl.DataFrame(
        {
            **names_of(coded, a, "_a"),
            **names_of(coded, b, "_b"),
            "first_seen": times(links.first[there]),
            "last_seen": times(links.last[there]),
            "events": links.events[there],
            "used": np.isin(verdict, [0, _EVIDENCE]),
            "reason": pl.Series(_RULES, dtype=pl.String).gather(verdict),
            "sources": _source_names(links.sources[there], ("events", *evidence.sources)),
        },
        schema={**CONTRACTS["LINKS"].columns, "sources": pl.String},
    )
    ranks = [pl.Series("rank_a", coded.kind[a]), pl.Series("rank_b", coded.kind[b])]
    return frame.with_columns(ranks).sort("rank_a", "id_a", "rank_b", "id_b").drop("rank_a", "rank_b")


def _source_names(bits: Int64Array, names: tuple[str, ...]) -> pl.Series:
    distinct, place = np.unique(bits, return_inverse=True)
    texts = [", ".join(name for at, name in enumerate(names) if int(mask) >> at & 1) for mask in distinct]
    return pl.Series(texts, dtype=pl.String).gather(place)


def _verdicts(coded: Coded, found: Assignment, evidence: Evidence, links: Links) -> npt.NDArray[np.int64]:
    from cjm.kernels.components import APART

    a, b = links.a, links.b
    barred, tripped = found.barred[a] | found.barred[b], found.tripped[a] | found.tripped[b]
    apart = np.zeros(len(a), dtype=bool)
    if evidence.policy.mode == "components":
        verdict = np.zeros(len(a), dtype=np.int64)
    else:
        to_shared = coded.kind[b] >= coded.unique
        verdict = np.where(to_shared, _EVIDENCE, 0)
        late = found.tripped[b]
        if evidence.policy.as_of == "event":
            tripped_at = guard(coded, evidence.policy.max_per_person).tripped_at[b]
            late = late & (links.first >= np.append(coded.time, NEVER)[np.minimum(tripped_at, len(coded.time))])
        barred, tripped = np.where(to_shared, late, barred), np.where(to_shared, late, tripped)
        pairs = (found.anchor[coded.apart[:, 0]].astype(np.int64) << 32) | coded.apart[:, 1]
        apart = to_shared & np.isin((found.anchor[a].astype(np.int64) << 32) | b, pairs)
    refused = (found.refused.a.astype(np.int64) << 32) | found.refused.b
    if len(refused):
        order = np.argsort(refused)
        key = (a.astype(np.int64) << 32) | b
        at = order[np.minimum(np.searchsorted(refused[order], key), len(order) - 1)]
        met = refused[at] == key
        verdict[met] = found.refused.rule[at[met]]
    verdict[apart] = APART
    verdict[barred] = np.where(tripped[barred], _GUARDED, _ERASED)
    if evidence.policy.mode != "components":
        verdict[coded.kind[a] >= coded.unique] = _UNUSED
    return verdict


def conflict_frame(coded: Coded, found: Assignment, evidence: Evidence) -> pl.DataFrame:
    """Return contract CONFLICTS, rule by rule, ordered by kind and identifier."""
    components = evidence.policy.mode == "components"
    met = guard(coded, evidence.policy.max_per_person).met
    nodes = np.flatnonzero(found.tripped & ~coded.erased)
    kept = "links nothing" + ("" if components else ", and events without a unique identifier stay with it")
    frames = [_conflicts(coded, "max_per_person", nodes, met[nodes], coded.spans[2][nodes], kept)]
    refused = found.refused
    a, b = refused.a, refused.b
    texts = coded.rank(np.concatenate([a, b]))
    turned = (coded.kind[a] == coded.kind[b]) & (texts[: len(a)] > texts[len(a) :])
    a, b = np.where(turned, b, a), np.where(turned, a, b)
    for code, rule in enumerate(_RULES[:4]):
        at = np.flatnonzero(refused.rule == code)
        said = pl.DataFrame(names_of(coded, a[at])).select(pl.format("link to {} {} refused", "kind", "id")).to_series()
        two = np.full(len(at), 2, dtype=np.int64)
        frames.append(_conflicts(coded, rule, b[at], two, refused.events[at], said))
    frames.append(_on_one_event(coded, found.anchor))
    nothing = pl.lit(0, dtype=pl.Int64)
    frames.append(
        evidence.dropped.select(
            pl.lit("placeholder").alias("rule"), "kind", "id", nothing.alias("persons"), "events",
            pl.lit("is no identifier").alias("decision"),
        )
    )  # fmt: skip
    return in_order(pl.concat(frames))


def in_order(conflicts: pl.DataFrame) -> pl.DataFrame:
    """Return conflicts rule by rule, ordered by kind and identifier."""
    rules = pl.Enum(["max_per_person", *_RULES[:4], "one_event", "placeholder"])
    return conflicts.sort(pl.col("rule").cast(rules), "kind", "id", "decision", maintain_order=True)


def _conflicts(
    coded: Coded,
    rule: str,
    nodes: npt.NDArray[np.integer],
    persons: Int64Array,
    events: Int64Array,
    decision: str | pl.Series,
) -> pl.DataFrame:
    columns = {**names_of(coded, nodes), "persons": persons, "events": events}
    frame = pl.DataFrame(columns).with_columns(rule=pl.lit(rule), decision=pl.lit(decision))
    return frame.select(list(CONTRACTS["CONFLICTS"].columns))


def _on_one_event(coded: Coded, anchor: Int32Array) -> pl.DataFrame:
    """Report unique identifiers that stand on events of another person, whose identifier has the higher priority."""
    columns = range(coded.unique_columns)
    code = coded.first_code(columns)
    owner = np.where((code >= 0) & ~coded.erased[code], anchor[code], -1)
    losers = [pl.DataFrame(schema={"node": pl.Int32, "owner": pl.Int32})]
    for column in columns:
        codes = coded.codes[column]
        at = np.flatnonzero((codes >= 0) & (owner >= 0) & ~coded.erased[codes])
        at = at[anchor[codes[at]] != owner[at]]
        losers.append(pl.DataFrame({"node": codes[at], "owner": owner[at].astype(np.int32)}))
    counted = (
        pl.concat(losers)
        .group_by("node")
        .agg(persons=pl.col("owner").n_unique().cast(pl.Int64) + 1, events=pl.len().cast(pl.Int64))
    )
    nodes, persons, events = (counted[name].to_numpy() for name in ("node", "persons", "events"))
    return _conflicts(coded, "one_event", nodes, persons, events, "an identifier of a higher priority owns the event")


def alias_frame(old: Int64Array, new: Int64Array, merged: Int64Array) -> pl.DataFrame:
    """Return ``old_person``, ``person``, ``merged_at``, ordered by the first."""
    columns = {"old_person": old, "person": new, "merged_at": times(merged)}
    return pl.DataFrame(columns, schema_overrides={"old_person": pl.Int64, "person": pl.Int64}).sort("old_person")
