"""What is written appears whole, or everything stays as it was: the one place that puts outputs on disk."""

from __future__ import annotations

import ctypes
import glob
import hashlib
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import polars as pl

from cjm.errors import ConfigError, InputError, RunError

__all__ = [
    "check_replaceable",
    "new_folder",
    "read_store",
    "read_table",
    "replaced_folder",
    "write_bytes",
    "write_store",
]
__all__ += ["write_text"]

_MARK = "run.json"
_MANIFEST = "manifest.json"
_open: set[Path] = set()  # folders that this process is writing
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def write_text(target: Path, text: str) -> None:
    """Write a file of UTF-8 text in the place of a former one, in one step.

    Raises
    ------
    RunError
        If it cannot be written.
    """
    write_bytes(target, text.encode())


def write_bytes(target: Path, data: bytes) -> None:
    """Write a file in the place of a former one, in one step.

    Raises
    ------
    RunError
        If it cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.chmod(0o644)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        _sync(target.parent)
    except OSError as error:
        raise RunError.at(
            f"the file cannot be written ({error.strerror})",
            where=str(target),
            hint="Check that the folder exists and has room",
        ) from error


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes ``target``, which must not exist, if the block ends well.

    Raises
    ------
    RunError
        If there is something at ``target``.
    """
    if target.exists():
        raise RunError.at("there is something already", where=str(target), hint="Give a folder that does not exist yet")
    with replaced_folder(target) as partial:
        yield partial


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target`` that takes its place if the block ends well.

    Until then, and if the block fails or the process is killed, ``target`` stays as it is. What a killed run left
    beside it is removed by the next one.

    Raises
    ------
    ConfigError
        If ``target`` holds something that is no output of a run.
    RunError
        If the folder cannot be written.
    """
    check_replaceable(target)
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _recover(target)
        _open.add(partial)
        partial.mkdir()
        yield partial
        _sync_tree(partial)
        _swap(partial, target)
        _sync(target.parent)
    except OSError as error:
        raise RunError.at(
            f"the folder cannot be written ({error.strerror or error})",
            where=str(target),
            hint="Is the disk full? Otherwise name another folder",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        _open.discard(partial)


def check_replaceable(target: Path) -> None:
    """Raise ConfigError if ``target`` is there and is neither empty nor the output of a run."""
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / _MARK).is_file()):
        raise ConfigError.at(
            "there is something here that is no output of cjm",
            where=f"output.dir {str(target)!r}",
            hint="Name a folder that does not exist yet",
        )


def _swap(partial: Path, target: Path) -> None:
    """Put ``partial`` in the place of ``target``, in one step where the system can exchange two names."""
    if not target.exists():
        os.rename(partial, target)
        return
    if _exchange(partial, target):
        return
    old = target.with_name(f".{target.name}.old")
    os.rename(target, old)
    os.rename(partial, target)
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    if sys.platform != "linux":
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    done = rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return bool(done == 0)


def _recover(target: Path) -> None:
    """Undo what a killed run left: put an output that was moved aside back, remove partial folders."""
    old = target.with_name(f".{target.name}.old")
    if old.exists():
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.rename(old, target)
    for partial in target.parent.glob(f".{glob.escape(target.name)}.partial-*"):
        process = partial.name.removeprefix(f".{target.name}.partial-").partition("-")[0]
        if process.isdigit() and partial not in _open and (int(process) == os.getpid() or not _alive(int(process))):
            shutil.rmtree(partial, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
            pq.write_table(table.to_arrow(), path, compression="lz4", use_dictionary=False, write_page_checksum=True)
            marks[name] = {"bytes": path.stat().st_size, "sha256": _digest(path)}
        whole = {**manifest, "files": marks}
        (folder / _MANIFEST).write_text(json.dumps({**whole, "checksum": _checksum(whole)}, indent=2))


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
