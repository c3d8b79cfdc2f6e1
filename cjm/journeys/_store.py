"""Journeys on disk: a folder of Parquet files and a manifest, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from cjm.errors import InputError
from cjm.files import new_folder
from cjm.journeys._core import EventArrays, Journeys
from cjm.ragged import offsets_of_sorted

__all__ = ["open_journeys", "write_journeys"]

_VERSION = 1
_MANIFEST = "manifest.json"


def write_journeys(journeys: Journeys, path: str | Path) -> None:
    """Store journeys in the new folder ``path``.

    Raises
    ------
    RunError
        If ``path`` is there already.
    """
    arrays = journeys.arrays
    coded = pl.DataFrame(
        {
            "__person": arrays.person[arrays.person_row],
            "__time": arrays.time,
            "__code": arrays.code,
            "__session": arrays.session,
            "__known": arrays.known,
        }
    )
    tables = {
        "events.parquet": pl.concat([coded, journeys.attributes], how="horizontal"),
        "touchpoints.parquet": journeys.touchpoints,
    }
    with new_folder(Path(path)) as folder:
        for name, table in tables.items():
            pq.write_table(table.to_arrow(), folder / name, compression="lz4", write_page_checksum=True)
        manifest = {
            "version": _VERSION,
            "events": len(arrays.time),
            "persons": len(arrays.person),
            "gap_us": journeys.gap,
            "end_us": journeys.end,
            "sha256": {name: _digest(folder / name) for name in tables},
        }
        (folder / _MANIFEST).write_text(json.dumps({**manifest, "checksum": _checksum(manifest)}, indent=2))


def open_journeys(path: str | Path) -> Journeys:
    """Read journeys that :meth:`Journeys.write` stored.

    Raises
    ------
    InputError
        If the folder is no store, was written by another version, or a file in it is damaged.
    """
    folder = Path(path)
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise InputError.at(
            "no stored journeys here", where=str(folder), hint="Give the folder that journeys.write made"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("version") != _VERSION:
        raise InputError.at(
            f"not stored by format version {_VERSION}, which this version of cjm reads",
            where=str(folder),
            hint="Build the journeys again and write them to a new folder",
        )
    checksum = manifest.pop("checksum", None)
    if checksum != _checksum(manifest):
        raise InputError.at(
            "the manifest is damaged", where=str(folder / _MANIFEST), hint="Build and write the journeys again"
        )
    for name, digest in manifest["sha256"].items():
        if not (folder / name).is_file() or _digest(folder / name) != digest:
            raise InputError.at(
                "the file is missing or damaged", where=str(folder / name), hint="Build and write the journeys again"
            )
    events = pl.read_parquet(folder / "events.parquet")
    person = events["__person"].to_numpy()
    offsets = offsets_of_sorted(person)
    arrays = EventArrays(
        person=person[offsets[:-1]],
        offsets=offsets,
        time=events["__time"].to_numpy(),
        code=events["__code"].to_numpy().astype(np.int32, copy=False),
        session=events["__session"].to_numpy(),
        known=events["__known"].to_numpy(),
    )
    return Journeys(
        arrays,
        pl.read_parquet(folder / "touchpoints.parquet"),
        events.select(pl.exclude("^__.*$")),
        gap=manifest["gap_us"],
        end=manifest["end_us"],
    )


def _checksum(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
