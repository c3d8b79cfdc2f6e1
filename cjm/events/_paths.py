"""Which files a source names: paths, globs, folders, places in an object store."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from glob import glob, has_magic
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl

from cjm.errors import InputError
from cjm.events._source import FORMATS, Source, without_password
from cjm.events._table import COMPRESSED, POLARS_FAILS, first_line

__all__ = ["File", "files_of", "is_uri"]

_SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".arrows": "arrow",
    ".ipc": "arrow",
}
_NOTHING = "__HIVE_DEFAULT_PARTITION__"  # how a folder says null


@dataclass(frozen=True)
class File:
    """A file of a source.

    Attributes
    ----------
    path : Path or str
        A str is a URI in an object store.
    format : str
    columns : dict of str to str or None
        What the folders between the source's folder and the file say: ``country=pl`` is a column.
    """

    path: Path | str
    format: str
    columns: dict[str, str | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Short name for messages."""
        return self.path.name if isinstance(self.path, Path) else self.path.rpartition("/")[2]


def is_uri(path: str) -> bool:
    """Tell whether a path lies in an object store or database rather than on this machine."""
    return re.match(r"[a-z][a-z0-9+.-]*://", path) is not None


def files_of(source: Source, name: str) -> list[File] | None:
    """Return the files of a source in order, None if it is no path.

    Raises
    ------
    InputError
        For a file that is missing or named twice, and a glob or folder without files.
    """
    given = source.path
    if isinstance(given, (str, Path)):
        given = [given]
    if not isinstance(given, (list, tuple)):
        return None
    if not given:
        raise InputError.at("the list of files is empty", where=f"source {name!r}", hint="Give at least one file")
    found: list[File] = []
    for item in given:
        if not isinstance(item, (str, Path)):
            raise InputError.at(
                f"{type(item).__name__} is no path",
                where=f"source {name!r}",
                hint="A list may hold paths and globs only",
            )
        found += _files_at(item, source, name)
    _refuse_twice(found, name)
    return found


def _files_at(item: str | Path, source: Source, name: str) -> list[File]:
    text = str(item)
    where = f"source {name!r}, {without_password(text)}"
    if isinstance(item, str) and is_uri(text):
        return [File(uri, _format(uri, source, name)) for uri in _remote(text, source, where)]
    if has_magic(text) and not os.path.exists(text):
        matches = sorted(Path(match) for match in glob(text, recursive=True) if Path(match).is_file())
        if not matches:
            raise InputError.at(
                f"no file matches {text!r}", where=f"source {name!r}", hint="Check the folder and the pattern"
            )
        return [File(path, _format(path.name, source, name)) for path in matches]
    if os.path.isfile(text):
        return [File(Path(text), _format(Path(text).name, source, name))]
    if not os.path.isdir(text):
        raise InputError.at("there is no such file", where=where, hint="Check the path")
    inside = [path for path in sorted(Path(text).rglob("*")) if path.is_file() and not _hidden(path, text)]
    if not inside:
        raise InputError.at("this is a folder without files", where=where, hint="Check the path")
    return [
        File(path, _format(path.name, source, name), _columns(path.relative_to(text).parts[:-1])) for path in inside
    ]


def _hidden(path: Path, folder: str) -> bool:
    """Tell what writers of folders leave beside the data, such as ``_SUCCESS`` and ``.crc``."""
    return any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts)


def _columns(folders: Sequence[str]) -> dict[str, str | None]:
    pairs = [folder.split("=", 1) for folder in folders if "=" in folder]
    return {unquote(key): None if value == _NOTHING else unquote(value) for key, value in pairs}


def _remote(uri: str, source: Source, where: str) -> list[str]:
    """Return the files that a URI with or without a pattern names, in order."""
    if not has_magic(uri):
        return [uri]
    storage: dict[str, Any] | None = source.options.get("storage")
    try:
        names = pl.scan_parquet(uri, storage_options=storage, hive_partitioning=False, include_file_paths="__path")
        return names.select(pl.col("__path").unique().sort()).collect()["__path"].to_list()
    except (*POLARS_FAILS, ValueError) as error:
        raise InputError.at(
            f"the files cannot be listed ({first_line(error)})",
            where=where,
            hint='Check the address, and options={"storage": {...}} for the keys',
        ) from error


def _refuse_twice(files: list[File], name: str) -> None:
    seen: set[Path | str] = set()
    for file in files:
        place = file.path.resolve() if isinstance(file.path, Path) else file.path
        if place in seen:
            raise InputError.at(
                "the file is named twice, so its events would count twice",
                where=f"source {name!r}, {file.path}",
                hint="Name it once; do two globs of the list match it?",
            )
        seen.add(place)


def _format(file: str, source: Source, name: str) -> str:
    if source.format is not None:
        return source.format
    suffixes = [suffix.lower() for suffix in Path(file).suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    if not suffixes or suffixes[-1] not in _SUFFIXES:
        raise InputError.at(
            "the file name does not tell the format",
            where=f"source {name!r}, {Path(file).name}",
            hint=f"Set format= to one of {', '.join(FORMATS[:5])}",
        )
    return _SUFFIXES[suffixes[-1]]
