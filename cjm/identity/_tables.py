"""Tables about identifiers: declared links, pairs to keep apart, consent, identifiers to erase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import TIME
from cjm.errors import ArgumentError, InputError
from cjm.identifiers import clean_ids, is_placeholder, suspects
from cjm.identity._evidence import ALWAYS, NEVER, Declared, Evidence, count_texts

__all__ = ["LinkTables", "Table", "named", "table_kinds", "with_apart", "with_consent", "with_links"]

Int32Array = npt.NDArray[np.int32]
Table = pl.DataFrame | pl.LazyFrame
LinkTables = Table | Mapping[str, Table]

_PAIR = ("kind_a", "id_a", "kind_b", "id_b")


def named(links: LinkTables | None) -> dict[str, pl.DataFrame]:
    """Return the link tables by name.

    Raises
    ------
    ArgumentError
        For something else than a frame or a mapping of names to frames.
    InputError
        When a column is missing.
    """
    if links is None:
        return {}
    tables = dict(links) if isinstance(links, Mapping) else {"links": links}
    found = {}
    for name, table in tables.items():
        if not isinstance(table, (pl.DataFrame, pl.LazyFrame)):
            raise ArgumentError.at(
                f"{type(table).__name__} is no frame",
                where=f"links {name!r}",
                hint="Give a Polars frame with the columns kind_a, id_a, kind_b, id_b and perhaps since and until",
            )
        found[str(name)] = _checked(table, _PAIR, f"links {name!r}")
    return found


def table_kinds(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return the kinds of identifiers in link tables, in alphabetical order."""
    kinds = [pl.concat([table["kind_a"].cast(pl.String), table["kind_b"].cast(pl.String)]).unique() for table in tables.values()]
    return sorted(set().union(*(kind.drop_nulls().to_list() for kind in kinds)))


def _checked(table: Table, columns: tuple[str, ...], where: str) -> pl.DataFrame:
    found = table.lazy().collect()
    for name in columns:
        if name not in found.columns:
            raise InputError.at(f"column {name!r} is missing", where=where, hint=f"It has {', '.join(found.columns)}")
    return found


def _moments(table: pl.DataFrame, name: str, absent: int, where: str) -> npt.NDArray[np.int64]:
    """Return a column of times in microseconds, ``absent`` for null or where there is no such column."""
    if name not in table.columns or table.schema[name] == pl.Null:
        return np.full(table.height, absent, dtype=np.int64)
    dtype = table.schema[name]
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
        raise InputError.at(
            f"column {name!r} is {dtype}, not a time with a zone", where=where, hint='Convert it: .dt.replace_time_zone("UTC")'
        )
    return cast("npt.NDArray[np.int64]", table[name].cast(TIME).to_physical().fill_null(absent).to_numpy())


def _nodes(evidence: Evidence, kind: pl.Series, column: pl.Series, where: str) -> tuple[Int32Array, list[pl.DataFrame]]:
    """Return the node of each identifier, -1 for kinds that are left out and what is no identifier, and count the latter."""
    kind = kind.cast(pl.String)
    number = kind.replace_strict(list(evidence.kinds), range(len(evidence.kinds)), default=-1, return_dtype=pl.Int16)
    number = number.fill_null(-1)
    found = np.full(len(column), -1, dtype=np.int32)
    dropped = []
    present = [at for at in number.unique().sort().to_list() if at >= 0]
    for at in present:
        whole = len(present) == 1 and number.min() == at
        rows = None if whole else (number == at).arg_true()
        nodes, of_kind = _nodes_of_kind(evidence, at, column if rows is None else column.gather(rows), where)
        dropped.append(of_kind)
        if rows is None:
            return nodes, dropped
        found[rows.to_numpy()] = nodes
    return found, dropped


def _nodes_of_kind(evidence: Evidence, kind: int, column: pl.Series, where: str) -> tuple[Int32Array, pl.DataFrame]:
    """Return the node of each identifier of one kind; they are cleaned once a distinct text."""
    name, blocked = evidence.kinds[kind], evidence.blocked.get(evidence.kinds[kind], ())
    raw = column if column.dtype == pl.String and not len(evidence.marks) else clean_ids(column, where=where)
    nodes = evidence.nodes_of(raw, kind)
    counts = np.bincount(nodes[nodes >= 0], minlength=len(evidence.names))
    seen = np.flatnonzero(counts)
    texts = evidence.names.texts.gather(pl.Series(seen, dtype=pl.UInt32))
    doubtful = (suspects(texts) | texts.is_in(list(blocked)).fill_null(False)).arg_true()
    if not len(doubtful):
        return nodes, count_texts(raw[:0], name)
    before, seen = texts.gather(doubtful), seen[doubtful.to_numpy()]
    after = clean_ids(before, where=where)
    junk = is_placeholder(after, None) | after.is_in(list(blocked)).fill_null(False)
    dropped = pl.DataFrame({"id": after, "events": counts[seen]}).filter(junk).select(pl.lit(name).alias("kind"), "id", "events")
    after = after.set(junk, None)
    meaning = np.arange(len(evidence.names), dtype=np.int32)
    changed = after.ne_missing(before)
    meaning[seen[changed.to_numpy()]] = evidence.nodes_of(after.filter(changed), kind)
    return np.where(nodes >= 0, meaning[nodes], -1).astype(np.int32), dropped


def _pairs(
    evidence: Evidence, table: pl.DataFrame, where: str
) -> tuple[Evidence, Int32Array, Int32Array, npt.NDArray[np.bool_]]:
    a, dropped_a = _nodes(evidence, table["kind_a"], table["id_a"], where)
    b, dropped_b = _nodes(evidence, table["kind_b"], table["id_b"], where)
    there = (a >= 0) & (b >= 0) & (a != b)
    kind = evidence.names.kind
    turned = (kind[a] > kind[b]) | ((kind[a] == kind[b]) & (a > b))
    a, b = np.where(turned, b, a), np.where(turned, a, b)
    return evidence.with_dropped(dropped_a + dropped_b), a, b, there


def with_links(evidence: Evidence, tables: Mapping[str, pl.DataFrame]) -> Evidence:
    """Return the evidence with the links of tables.

    Raises
    ------
    InputError
        For a column of another type, or ``until`` before ``since``.
    ArgumentError
        For ``until`` on a link that joins persons: these are not undone by a time.
    """
    for name, table in tables.items():
        where = f"links {name!r}"
        since, until = _moments(table, "since", ALWAYS, where), _moments(table, "until", NEVER, where)
        if np.any(until < since):
            row = int(np.argmax(until < since))
            raise InputError.at("until is before since", where=f"{where}, row {row}", hint="Exchange or correct them")
        evidence, a, b, there = _pairs(evidence, table, where)
        kind = evidence.names.kind
        joins = (kind[b] < evidence.unique) if evidence.policy.mode == "device split" else np.ones(len(b), dtype=bool)
        if np.any(there & joins & (until < NEVER)):
            row = int(np.argmax(there & joins & (until < NEVER)))
            raise ArgumentError.at(
                "until needs a link between a unique and a shared identifier in mode 'device split'",
                where=f"{where}, row {row}",
                hint="A person is not undone by a time: leave until empty, or leave the link out",
            )
        if name in evidence.sources:
            number = evidence.sources.index(name)
        else:
            number = len(evidence.sources)
            evidence = replace(evidence, sources=(*evidence.sources, name))
        source = np.full(len(a), number, dtype=np.int16)
        links = Declared(a, b, since, until, source)
        evidence = replace(evidence, declared=evidence.declared + (links if there.all() else links.take(there)))
    return evidence


def with_apart(evidence: Evidence, table: Table | None) -> Evidence:
    """Return the evidence with pairs of identifiers that no link may bring together."""
    if table is None:
        return evidence
    found = _checked(table, _PAIR, "deny")
    for side in ("kind_a", "kind_b"):
        _known_kinds(evidence, found[side], "deny")
    evidence, a, b, there = _pairs(evidence, found, "deny")
    pairs = np.concatenate([evidence.apart, np.stack([a[there], b[there]], axis=1)])
    return replace(evidence, apart=np.unique(pairs, axis=0))


def with_consent(evidence: Evidence, table: Table | None) -> tuple[Evidence, Int32Array]:
    """Return the evidence with consent; what was said before about the same identifiers is replaced; and their nodes."""
    if table is None:
        return evidence, np.empty(0, dtype=np.int32)
    found = _checked(table, ("kind", "id"), "consent")
    _known_kinds(evidence, found["kind"], "consent")
    since, until = _moments(found, "since", ALWAYS, "consent"), _moments(found, "until", NEVER, "consent")
    nodes, dropped = _nodes(evidence, found["kind"], found["id"], "consent")
    rows = pl.DataFrame({"node": nodes, "since": since, "until": until}).filter(pl.col("node") >= 0)
    kept = evidence.consent.filter(~pl.col("node").is_in(rows["node"].unique().implode()))
    together = pl.concat([kept, rows]).unique().sort("node", "since", "until")
    return replace(evidence.with_dropped(dropped), consent=together), rows["node"].unique().to_numpy()


def _known_kinds(evidence: Evidence, kinds: pl.Series, where: str) -> None:
    for kind in kinds.cast(pl.String).drop_nulls().unique().sort():
        if kind not in evidence.kinds:
            raise ArgumentError.unknown("kind of identifier", kind, evidence.kinds, where=where)
