"""What is written appears whole, or everything stays as it was: the one place that puts outputs on disk."""

from __future__ import annotations

import ctypes
import errno
import glob
import io
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from cjm.errors import BusyError, ConfigError, RunError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = [
    "check_replaceable",
    "copied",
    "created",
    "disk",
    "folder_size",
    "linked",
    "locked",
    "moved",
    "new_folder",
    "replaced_folder",
    "require_room",
    "rewrite_folder",
    "write_bytes",
    "write_files",
    "write_text",
]

_MARK = "run.json"
_open: set[Path] = set()  # folders that this process is writing
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class _Disk:
    """The calls that change what is on disk, in one place: a test can let any one of them fail."""

    def write(self, handle: int, data: memoryview) -> int:
        return os.write(handle, data)

    def sync(self, handle: int) -> None:
        os.fsync(handle)

    def mkdir(self, folder: Path) -> None:
        folder.mkdir()

    def link(self, source: Path, target: Path) -> None:
        os.link(source, target)

    def rename(self, source: Path, target: Path) -> None:
        os.replace(source, target)

    def exchange(self, one: Path, other: Path) -> bool:
        """Exchange two names in one step; False where the system cannot."""
        return _exchange(one, other)


disk = _Disk()


class _File(io.RawIOBase):
    """A file that is written through ``disk``."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._size = 0
        self.error: BaseException | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while len(rest):
                rest = rest[disk.write(self._handle, rest) :]
        except BaseException as error:
            self.error = error
            raise
        self._size += size
        return size

    def tell(self) -> int:
        return self._size

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._handle)


@contextmanager
def created(path: Path) -> Iterator[BinaryIO]:
    """Yield a new file to write bytes to, inside a folder that is not yet in its place.

    It becomes safe on disk with that folder; see :func:`replaced_folder`.
    """
    file = _File(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644))
    try:
        yield cast("BinaryIO", file)
    except Exception:
        if file.error is not None:  # libraries that write to the file wrap it in errors of their own, Ctrl-C as well
            raise file.error from None
        raise
    finally:
        file.close()


def copied(source: Path, target: Path) -> None:
    """Copy a file to a new one; see :func:`created`."""
    with source.open("rb") as given, created(target) as file:
        while piece := given.read(1 << 22):
            file.write(piece)


def linked(source: Path, target: Path) -> None:
    """Give a file that will not change a second name, or copy it where that cannot be done; see :func:`created`."""
    try:
        disk.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        copied(source, target)


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
        _sync(target.parent)
    except OSError as error:
        raise RunError.at(
            f"the folder cannot be moved ({error.strerror or error})", where=str(target), hint="Run again"
        ) from error
    shutil.rmtree(source, ignore_errors=True)


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Let no other process into a block with the same ``target``; the system lifts the lock of one that is killed.

    Raises
    ------
    BusyError
        If another process is in such a block.
    """
    lock = target.with_name(f".{target.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = _locked(lock)
    if handle is None:
        raise BusyError.at(
            "another run is writing this output", where=str(target), hint="Start again when it has ended"
        )
    try:
        yield
    finally:
        with suppress(OSError):  # not every system removes an open file; an old one does no harm
            lock.unlink()
        os.close(handle)


def _locked(path: Path) -> int | None:
    """Return an open, locked file, or None if another process has it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(handle)):
                return handle
        except (BlockingIOError, PermissionError):
            os.close(handle)
            return None
        except OSError:
            os.close(handle)
            raise
        os.close(handle)  # its holder has removed it since it was opened


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
    write_files({target: data})


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write files of one folder, each in the place of a former one in one step; at the end all are safe on disk.

    Raises
    ------
    RunError
        If one cannot be written.
    """
    try:
        for target, data in files.items():
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
            partial = Path(name)
            try:
                with _File(handle) as file:
                    file.write(data)
                    disk.sync(handle)
                partial.chmod(0o644)
                disk.rename(partial, target)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        if files:
            _sync(target.parent)
    except OSError as error:
        raise RunError.at(
            f"the file cannot be written ({error.strerror})",
            where=str(target),
            hint=_room(error, target, f"it takes {_megabytes(len(data))}") or "Check that the folder exists",
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
    partial = _partial_of(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _recover(target)
        _open.add(partial)
        disk.mkdir(partial)
        yield partial
        _sync_tree(partial)
        _swap(partial, target)
        _sync(target.parent)
    except OSError as error:
        so_far = folder_size(partial)
        raise RunError.at(
            f"the folder cannot be written ({error.strerror or error})",
            where=str(target),
            hint=_room(error, target, f"more than {_megabytes(so_far)} are needed") or "Name another folder",
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
        _sync(target.parent)
    except OSError as error:
        raise RunError.at(
            f"the folder cannot be written ({error.strerror or error})",
            where=str(target),
            hint=_room(error, target, f"more than {_megabytes(folder_size(hold))} are needed"),
        ) from error
    finally:
        shutil.rmtree(hold, ignore_errors=True)
        _open.discard(hold)


def _partial_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial-{os.getpid()}-{secrets.token_hex(4)}")


def folder_size(folder: Path) -> int:
    """Return how many bytes the files below a folder have; none where there is no folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def require_room(target: Path, needed: int) -> None:
    """Raise RunError if fewer bytes are free where ``target`` is to be than it needs."""
    free = shutil.disk_usage(_there(target)).free
    if free < needed:
        raise RunError.at(
            f"{_megabytes(needed)} are needed on this disk and {_megabytes(free)} are free",
            where=str(target),
            hint="Make room, or name another folder. Nothing was changed",
        )


def _there(target: Path) -> Path:
    """Return the nearest folder above that exists."""
    return next(folder for folder in target.absolute().parents if folder.exists())


def _room(error: OSError, target: Path, need: str) -> str:
    """Say how much room there is and how much it takes, if that is what is wrong."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ""
    free = shutil.disk_usage(_there(target)).free
    return f"{_megabytes(free)} are free there, and {need}: make room, or name another folder"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


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
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        disk.sync(handle)
    finally:
        os.close(handle)
