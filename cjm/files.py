"""What is written appears whole, or everything stays as it was: the one place that puts outputs on disk."""

from __future__ import annotations

import ctypes
import glob
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cjm.errors import ConfigError, RunError

__all__ = ["check_replaceable", "new_folder", "replaced_folder", "write_bytes", "write_text"]

_MARK = "run.json"
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
