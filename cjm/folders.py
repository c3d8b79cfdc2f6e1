"""Folders that appear whole, or leave what was there as it was."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cjm.errors import ConfigError, RunError
from cjm.files import disk, megabytes, room_left, synced

__all__ = ["check_replaceable", "folder_size", "moved", "new_folder", "replaced_folder", "rewrite_folder"]

_MARK = "run.json"
_open: set[Path] = set()  # folders that this process is writing


def moved(source: Path, target: Path) -> None:
    """Put a finished folder in the place of a former one, which is removed.

    Raises
    ------
    RunError
        If it cannot be moved.
    """
    try:
        _recover(target)
        _swap(source, target)
        synced(target.parent)
    except OSError as error:
        raise RunError.at(
            f"the folder cannot be moved ({error.strerror or error})", where=str(target), hint="Run again"
        ) from error
    shutil.rmtree(source, ignore_errors=True)


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
    partial = _partial_of(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _recover(target)
        _open.add(partial)
        disk.mkdir(partial)
        yield partial
        _sync_tree(partial)
        _swap(partial, target)
        synced(target.parent)
    except OSError as error:
        so_far = folder_size(partial)
        raise RunError.at(
            f"the folder cannot be written ({error.strerror or error})",
            where=str(target),
            hint=room_left(error, target, f"more than {megabytes(so_far)} are needed") or "Name another folder",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        _open.discard(partial)


def rewrite_folder(target: Path, write: Callable[[Path], None]) -> None:
    """Put the new folder that ``write`` makes in the place of ``target``, in one step.

    Raises
    ------
    RunError
        If it cannot be written; ``target`` stays as it is.
    """
    hold = _partial_of(target)
    try:
        _recover(target)
        _open.add(hold)
        disk.mkdir(hold)
        write(hold / "new")
        _swap(hold / "new", target)
        synced(target.parent)
    except OSError as error:
        raise RunError.at(
            f"the folder cannot be written ({error.strerror or error})",
            where=str(target),
            hint=room_left(error, target, f"more than {megabytes(folder_size(hold))} are needed"),
        ) from error
    finally:
        shutil.rmtree(hold, ignore_errors=True)
        _open.discard(hold)


def _partial_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial-{os.getpid()}-{secrets.token_hex(4)}")


def folder_size(folder: Path) -> int:
    """Return how many bytes the files below a folder have; none where there is no folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


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
        disk.rename(partial, target)
        return
    if disk.exchange(partial, target):
        return
    old = target.with_name(f".{target.name}.old")
    disk.rename(target, old)
    disk.rename(partial, target)
    shutil.rmtree(old, ignore_errors=True)


def _recover(target: Path) -> None:
    """Undo what a killed run left: put an output that was moved aside back, remove partial folders."""
    old = target.with_name(f".{target.name}.old")
    if old.exists():
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            disk.rename(old, target)
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
        synced(path)
    synced(folder)
