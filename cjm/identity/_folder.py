"""Tables in a folder with a manifest: written whole or not at all, checked before they are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import polars as pl

from cjm.errors import InputError
from cjm.files import created, new_folder

__all__ = ["read_store", "read_table", "write_store"]

_MANIFEST = "manifest.json"


def write_store(target: Path, manifest: Mapping[str, Any], tables: Mapping[str, pl.DataFrame]) -> None:
    """Store tables as Parquet files in the new folder ``target``, with a manifest that holds their hashes.

    Raises
    ------
    RunError
        If there is something at ``target`` or it cannot be written.
    """
    import pyarrow.parquet as pq

    with new_folder(target) as folder:
        marks = {}
        for name, table in tables.items():
            path = folder / f"{name}.parquet"
            with created(path) as file:
                pq.write_table(
                    table.to_arrow(), file, compression="lz4", use_dictionary=False, write_page_checksum=True
                )
            marks[name] = {"bytes": path.stat().st_size, "sha256": _digest(path)}
        whole = {**manifest, "files": marks}
        with created(folder / _MANIFEST) as file:
            file.write(json.dumps({**whole, "checksum": _checksum(whole)}, indent=2).encode())


def read_store(target: Path, version: int, what: str) -> dict[str, Any]:
    """Return the manifest that :func:`write_store` wrote, after a check of all files.

    Raises
    ------
    InputError
        If the folder is no such store, was written by another version, or a file in it is damaged.
    """
    try:
        manifest = json.loads((target / _MANIFEST).read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError.at(
            f"no stored {what} here", where=str(target), hint="Give a folder that was written"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("version") != version:
        raise InputError.at(
            f"not stored by format version {version}, which this version of cjm reads",
            where=str(target),
            hint=f"Make the {what} again and write them to a new folder",
        )
    if manifest.pop("checksum", None) != _checksum(manifest):
        raise InputError.at("the manifest is damaged", where=str(target / _MANIFEST), hint=f"Write the {what} again")
    for name, mark in manifest["files"].items():
        path = target / f"{name}.parquet"
        if not path.is_file() or path.stat().st_size != mark["bytes"] or _digest(path) != mark["sha256"]:
            raise InputError.at("the file is missing or damaged", where=str(path), hint=f"Write the {what} again")
    return manifest


def read_table(target: Path, name: str) -> pl.DataFrame:
    """Return one table of a store."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(target / f"{name}.parquet", page_checksum_verification=True) as file:
        return cast("pl.DataFrame", pl.from_arrow(file.read(use_threads=False)))


def _checksum(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
