"""Tables in a folder with a manifest: each file has its size and hash there, and is checked before it is believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import polars as pl

from cjm.errors import InputError
from cjm.files import created

__all__ = [
    "check_file",
    "check_size",
    "digest",
    "hashes_in",
    "mark_of",
    "read_columns",
    "read_manifest",
    "read_table",
    "write_columns",
    "write_manifest",
    "write_table",
]

_MANIFEST = "manifest.json"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def mark_of(content: Mapping[str, Any]) -> str:
    """Return a hash of what JSON can say."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a new folder; it holds a hash of itself."""
    with created(folder / _MANIFEST) as file:
        file.write(json.dumps({**manifest, "checksum": mark_of(manifest)}, indent=2).encode())


def read_manifest(folder: Path, version: int, what: str) -> dict[str, Any]:
    """Return what :func:`write_manifest` wrote.

    Raises
    ------
    InputError
        If there is none, it was written by another format version, or it is damaged.
    """
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError.at(
            f"no stored {what} here", where=str(folder), hint="Give a folder that was written"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("version") != version:
        raise InputError.at(
            f"not stored by format version {version}, which this version of cjm reads",
            where=str(folder),
            hint=f"Make the {what} again and write them to a new folder",
        )
    if manifest.pop("checksum", None) != mark_of(manifest):
        raise InputError.at("the manifest is damaged", where=str(folder / _MANIFEST), hint=_again(what))
    return manifest


def hashes_in(folder: Path) -> dict[str, str]:
    """Return the hashes of files by name, as the manifest of a folder says; nothing if there is none."""
    found: dict[str, str] = {}

    def note(part: dict[str, Any]) -> dict[str, Any]:
        found.update({name: of["sha256"] for name, of in part.items() if isinstance(of, dict) and "sha256" in of})
        return part

    path = folder / _MANIFEST
    if path.is_file():
        json.loads(path.read_text(), object_hook=note)
    return found


def write_table(path: Path, table: pl.DataFrame, dictionary: Sequence[str] = ()) -> dict[str, Any]:
    """Write a Parquet file in one row group; return its size and hash, as :func:`check_file` wants them.

    ``dictionary`` names the columns that have few different values.
    """
    import pyarrow.parquet as pq

    with created(path) as file:
        pq.write_table(
            table.to_arrow(),
            file,
            compression="lz4",
            use_dictionary=list(dictionary),
            write_page_checksum=True,
            row_group_size=max(table.height, 1),
        )
    return {"bytes": path.stat().st_size, "sha256": digest(path)}


def read_table(path: Path, what: str, wanted: Callable[[str], bool] | None = None) -> pl.DataFrame:
    """Return a table that :func:`write_table` wrote, or those of its columns that are wanted.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            names = [name for name in file.schema_arrow.names if wanted is None or wanted(name)]
            return cast("pl.DataFrame", pl.from_arrow(file.read(names, use_threads=False)))
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, what) from error


def write_columns(path: Path, table: pl.DataFrame) -> dict[str, Any]:
    """Write columns of numbers as they are in memory; return the file's size and hash.

    Such an Arrow file is larger than Parquet, but there is nothing to pack or unpack.
    """
    import pyarrow as pa

    columns = table.rechunk().to_arrow()
    with created(path) as file, pa.ipc.new_file(file, columns.schema) as writer:
        writer.write_table(columns)
    return {"bytes": path.stat().st_size, "sha256": digest(path)}


def read_columns(path: Path, mark: Mapping[str, Any], what: str) -> pl.DataFrame:
    """Return columns that :func:`write_columns` wrote.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    import pyarrow as pa

    try:
        content = path.read_bytes()
    except OSError as error:
        raise _damaged(path, what) from error
    if hashlib.sha256(content).hexdigest() != mark["sha256"]:
        raise _damaged(path, what)
    return cast("pl.DataFrame", pl.from_arrow(pa.ipc.open_file(pa.py_buffer(content)).read_all()))


def check_size(path: Path, mark: Mapping[str, Any], what: str) -> None:
    """Raise InputError unless a file has the size that :func:`write_table` told."""
    if not path.is_file() or path.stat().st_size != mark["bytes"]:
        raise _damaged(path, what)


def check_file(path: Path, mark: Mapping[str, Any], what: str) -> None:
    """Raise InputError unless a file has the size and hash that :func:`write_table` told."""
    check_size(path, mark, what)
    if digest(path) != mark["sha256"]:
        raise _damaged(path, what)


def _damaged(path: Path, what: str) -> InputError:
    return InputError.at("the file is missing or damaged", where=str(path), hint=_again(what))


def _again(what: str) -> str:
    return f"Make the {what} again and write them to a new folder"
