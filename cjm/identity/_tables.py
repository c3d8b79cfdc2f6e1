"""Tables about identifiers: declared links, pairs to keep apart, consent, identifiers to erase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.codes import Dictionary, ranked
from cjm.contracts import TIME
from cjm.errors import ArgumentError, InputError
from cjm.identifiers import clean_ids, is_placeholder, suspects
from cjm.identity._evidence import ALWAYS, NEVER, Declared, Evidence

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
    kinds = [
        pl.concat([table["kind_a"].cast(pl.String), table["kind_b"].cast(pl.String)]).unique()
        for table in tables.values()
    ]
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
            f"column {name!r} is {dtype}, not a time with a zone",
            where=where,
            hint='Convert it: .dt.replace_time_zone("UTC")',
        )
    return cast("npt.NDArray[np.int64]", table[name].cast(TIME).to_physical().fill_null(absent).to_numpy())


def _kind_numbers(evidence: Evidence, column: pl.Series) -> npt.NDArray[np.int16]:
    """Return the number of each kind, -1 for those that are left out and for null."""
    if isinstance(column.dtype, pl.Enum):
        place, texts = column.to_physical().cast(pl.Int32).fill_null(-1).to_numpy(), column.dtype.categories
    else:
        place, texts = ranked(Dictionary().encode(column.cast(pl.String)))
    numbers = {kind: number for number, kind in enumerate(evidence.kinds)}
    meaning = np.array([*(numbers.get(text, -1) for text in texts), -1], dtype=np.int16)  # the last for null
    return cast("npt.NDArray[np.int16]", meaning[place])


def _nodes(
    evidence: Evidence, kinds: pl.Series, column: pl.Series, where: str
) -> tuple[Int32Array, npt.NDArray[np.int16], list[pl.DataFrame]]:
    """Return node and kind of each identifier, and count texts that are none; these, and other kinds, have node -1.

    Texts are cleaned once a distinct one.
    """
    kind = _kind_numbers(evidence, kinds)
    raw = column if column.dtype == pl.String and not len(evidence.marks) else clean_ids(column, where=where)
    if (kind < 0).any():
        raw = raw.set(pl.Series(kind < 0), None)
    nodes = evidence.nodes_of(raw, kind)
    names = evidence.names
    counts = np.bincount(nodes + 1, minlength=len(names) + 1)[1:]
    seen = np.flatnonzero(counts)
    texts = names.texts if len(seen) == len(names) else names.texts.gather(pl.Series(seen.astype(np.uint32)))
    doubtful = suspects(texts).to_numpy()
    for number, name in enumerate(evidence.kinds):
        if evidence.blocked.get(name):
            doubtful = (
                doubtful
                | (names.kind[seen] == number) & texts.is_in(list(evidence.blocked[name])).fill_null(False).to_numpy()
            )
    at = np.flatnonzero(doubtful)
    if not len(at):
        return nodes, kind, []
    before, seen = texts.gather(pl.Series(at)), seen[at]
    after, of = clean_ids(before, where=where), names.kind[seen]
    junk = is_placeholder(after, None)
    for number, name in enumerate(evidence.kinds):
        junk |= pl.Series(of == number) & after.is_in(list(evidence.blocked.get(name, ()))).fill_null(False)
    dropped = pl.DataFrame({"kind": pl.Series(evidence.kinds).gather(of), "id": after, "events": counts[seen]}).filter(
        junk
    )
    after = after.set(junk, None)
    changed = after.ne_missing(before)
    where_changed = changed.to_numpy()
    meaning = np.arange(len(names), dtype=np.int32)
    meaning[seen[where_changed]] = evidence.nodes_of(after.filter(changed), of[where_changed])
    return np.where(nodes >= 0, meaning[nodes], -1).astype(np.int32), kind, [dropped]


def _pairs(
    evidence: Evidence, table: pl.DataFrame, where: str
) -> tuple[Evidence, Int32Array, Int32Array, npt.NDArray[np.bool_]]:
    """Return the ends of each link, the kind of the higher priority first, and where there is one."""
    a, kind_a, dropped_a = _nodes(evidence, table["kind_a"], table["id_a"], where)
    b, kind_b, dropped_b = _nodes(evidence, table["kind_b"], table["id_b"], where)
    turned = np.flatnonzero((kind_a > kind_b) | ((kind_a == kind_b) & (a > b)))
    a[turned], b[turned] = b[turned], a[turned]
    return evidence.with_dropped(dropped_a + dropped_b), a, b, (a >= 0) & (b >= 0) & (a != b)


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
        ends = np.flatnonzero(there & (until < NEVER))
        if evidence.policy.mode == "device split":
            ends = ends[evidence.names.kind[b[ends]] < evidence.unique]
        if len(ends):
            row = ends[0]
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
    """Return the evidence with consent, in place of what was said before about the same identifiers, and these."""
    if table is None:
        return evidence, np.empty(0, dtype=np.int32)
    found = _checked(table, ("kind", "id"), "consent")
    _known_kinds(evidence, found["kind"], "consent")
    since, until = _moments(found, "since", ALWAYS, "consent"), _moments(found, "until", NEVER, "consent")
    nodes, _, dropped = _nodes(evidence, found["kind"], found["id"], "consent")
    rows = pl.DataFrame({"node": nodes, "since": since, "until": until}).filter(pl.col("node") >= 0)
    kept = evidence.consent.filter(~pl.col("node").is_in(rows["node"].unique().implode()))
    together = pl.concat([kept, rows]).unique().sort("node", "since", "until")
    return replace(evidence.with_dropped(dropped), consent=together), rows["node"].unique().to_numpy()


def _known_kinds(evidence: Evidence, kinds: pl.Series, where: str) -> None:
    for kind in kinds.cast(pl.String).drop_nulls().unique().sort():
        if kind not in evidence.kinds:
            raise ArgumentError.unknown("kind of identifier", kind, evidence.kinds, where=where)
