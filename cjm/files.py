"""What is written appears whole, or everything stays as it was: the one place that puts outputs on disk."""

from __future__ import annotations

import ctypes
import errno
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from cjm.errors import BusyError, RunError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = [
    "copied",
    "created",
    "disk",
    "linked",
    "locked",
    "megabytes",
    "require_room",
    "room_left",
    "synced",
    "write_bytes",
    "write_files",
    "write_text",
]

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

    It becomes safe on disk with that folder; see :func:`cjm.folders.replaced_folder`.
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
            synced(target.parent)
    except OSError as error:
        raise RunError.at(
            f"the file cannot be written ({error.strerror})",
            where=str(target),
            hint=room_left(error, target, f"it takes {megabytes(len(data))}") or "Check that the folder exists",
        ) from error


def require_room(target: Path, needed: int) -> None:
    """Raise RunError if fewer bytes are free where ``target`` is to be than it needs."""
    free = shutil.disk_usage(_there(target)).free
    if free < needed:
        raise RunError.at(
            f"{megabytes(needed)} are needed on this disk and {megabytes(free)} are free",
            where=str(target),
            hint="Make room, or name another folder. Nothing was changed",
        )


def _there(target: Path) -> Path:
    """Return the nearest folder above that exists."""
    return next(folder for folder in target.absolute().parents if folder.exists())


def room_left(error: OSError, target: Path, need: str) -> str:
    """Say how much room there is and how much it takes, if that is what is wrong."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ""
    free = shutil.disk_usage(_there(target)).free
    return f"{megabytes(free)} are free there, and {need}: make room, or name another folder"


def megabytes(size: int) -> str:
    """Return a size in words."""
    return f"{size / 1e6:,.1f} MB"


def _exchange(one: Path, other: Path) -> bool:
    if sys.platform != "linux":
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    done = rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return bool(done == 0)


def synced(path: Path) -> None:
    """Make a file or the names in a folder safe on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        disk.sync(handle)
    finally:
        os.close(handle)
