"""Persons erased from one place, whole or not at all: a store, the state of a watch, a folder of tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import polars as pl

import cjm
from cjm.files import copied, created
from cjm.folders import replaced_folder, rewrite_folder
from cjm.identity import Identities
from cjm.journeys import Journeys
from cjm.moments import WatchState

__all__ = ["Gone", "Store", "erase_store", "erase_tables", "open_store"]

Store: TypeAlias = Identities | Journeys | WatchState

_PAIRS = (("kind", "id"), ("kind_a", "id_a"), ("kind_b", "id_b"))  # columns that hold identifiers


@dataclass(frozen=True)
class Gone:
    """Who is erased: identifiers (``kind``, ``id``, as they are stored) and person numbers."""

    ids: pl.DataFrame
    persons: pl.Series

    def rows(self, table: pl.DataFrame) -> pl.Series:
        """Return which rows of a table are theirs."""
        found = [pl.lit(False)]
        if "person" in table.columns:
            found.append(pl.col("person").is_in(self.persons.implode()))
        names = self.ids.select(_named("kind", "id")).to_series().implode()
        found += [_named(*pair).is_in(names) for pair in _PAIRS if {*pair} <= {*table.columns}]
        return table.select(pl.repeat(False, pl.len()) | pl.any_horizontal(found).fill_null(False)).to_series()


def _named(kind: str, text: str) -> pl.Expr:
    return pl.concat_str(kind, text, separator="\x1f")


def open_store(folder: Path) -> Store:
    """Open what is stored in a folder.

    Raises
    ------
    InputError
        If it is no store or damaged.
    """
    if (folder / "state.json").is_file():
        return WatchState.open(folder)
    if (folder / "nodes.parquet").is_file():
        return cjm.open_identities(folder)
    return cjm.open_journeys(folder)


def erase_store(folder: Path, store: Store, gone: Gone) -> int:
    """Erase persons from one store; return how many rows it had of them: events, persons or identifiers."""
    if isinstance(store, WatchState):
        held = pl.concat([pl.Series(layer.person) for layer in store.layers.layers] or [pl.Series(dtype=pl.Int64)])
        held = pl.concat([held, *(frame["person"] for frame in (store.pending, store.waiting, store.late))])
        count = held.unique().is_in(gone.persons.implode()).sum()
        if count:
            store.without(gone.persons).save(folder)
        return int(count)
    write: Callable[[Path], None]
    if isinstance(store, Journeys):
        kept = store.filter(~pl.col("person").is_in(gone.persons.implode()))
        count, write = store.height - kept.height, kept.write
    else:
        known = store.map.select("kind", "id").unique().join(gone.ids, on=["kind", "id"], how="semi")
        people = store
        for (kind,), part in known.group_by("kind", maintain_order=True):
            people = people.erase(str(kind), part["id"])
        count, write = known.height, people.write
    if count:
        rewrite_folder(folder, write)
    return int(count)


def erase_tables(folder: Path, tables: Path, gone: Gone) -> dict[str, int]:
    """Erase persons from the tables of an output or a batch; return how many rows of each file went."""
    rows = {path: _count(path, gone) for path in sorted(tables.glob("*.parquet"))}
    if not sum(rows.values()):
        return {}
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    lost = {path.stem: count for path, count in rows.items() if count}
    for name, count in lost.items():
        if name in manifest.get("tables", {}):
            manifest["tables"][name] -= count
    before = manifest.get("forgotten", {})
    manifest["forgotten"] = before | {name: before.get(name, 0) + count for name, count in lost.items()}
    with replaced_folder(folder) as partial:
        inside = partial / tables.relative_to(folder)
        inside.mkdir(exist_ok=True)
        for path, count in rows.items():
            if count:
                _copied_without(path, inside / path.name, gone)
            else:
                copied(path, inside / path.name)
        if (folder / "report.html").is_file():
            copied(folder / "report.html", partial / "report.html")
        with created(partial / "run.json") as file:
            file.write(json.dumps(manifest, indent=2, ensure_ascii=False).encode())
    return {str(path): count for path, count in rows.items() if count}


def _count(path: Path, gone: Gone) -> int:
    schema = pl.read_parquet_schema(path)
    wanted = [name for name in ("person", *(name for pair in _PAIRS for name in pair)) if name in schema]
    return int(gone.rows(pl.read_parquet(path, columns=wanted)).sum()) if wanted else 0


def _copied_without(source: Path, target: Path, gone: Gone) -> None:
    """Copy a table without the rows of some persons, a part of it at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with (
        pq.ParquetFile(source) as given,
        created(target) as file,
        pq.ParquetWriter(file, given.schema_arrow, compression="zstd") as writer,
    ):
        for group in range(given.num_row_groups):
            rows = given.read_row_group(group)
            kept = ~gone.rows(pl.DataFrame(pl.from_arrow(rows)))
            writer.write_table(rows.filter(pa.array(kept.to_numpy())))
