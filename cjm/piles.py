"""Rows that do not fit into memory: put aside in files, pile by pile, and read back."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir, mkdtemp

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import RunError
from cjm.files import created

__all__ = ["Piles", "Scratch"]


class Scratch:
    """A folder for temporary files that goes with this object.

    Parameters
    ----------
    where : str
        Who puts something aside.
    need : str
        How much room it takes, as in ``"100 million events need 1.5"`` (GB).

    Attributes
    ----------
    path : Path

    Raises
    ------
    RunError
        If it cannot be made.
    """

    def __init__(self, where: str, need: str) -> None:
        self._where, self._need = where, need
        with self.told():
            self.path = Path(mkdtemp(prefix="cjm-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say what is wrong with the disk: RunError in place of OSError."""
        try:
            yield
        except OSError as error:
            folder = gettempdir()
            free = shutil.disk_usage(folder).free / 1e9
            raise RunError.at(
                f"events that do not fit into memory cannot be put aside ({error.strerror or error})",
                where=f"{self._where}, folder for temporary files {folder}",
                hint=f"{free:,.1f} GB are free there, and {self._need}: "
                "make room, or set the environment variable TMPDIR to another folder",
            ) from error


class Piles:
    """Rows in a new folder, in the order in which they come.

    Parameters
    ----------
    scratch : Scratch
    name : str
        Of the folder there.
    count : int
        How many piles there are.

    Attributes
    ----------
    rows : list of int
        How many rows lie on each.

    Raises
    ------
    RunError
        If it cannot be written.
    """

    def __init__(self, scratch: Scratch, name: str, count: int) -> None:
        self._scratch = scratch
        self._folder = scratch.path / name
        self._files: list[list[Path]] = [[] for _ in range(count)]
        self.rows = [0] * count
        with scratch.told():
            self._folder.mkdir()

    def __len__(self) -> int:
        return len(self.rows)

    def put(self, frame: pl.DataFrame, pile: int = 0) -> None:
        """Put rows on one pile."""
        if frame.is_empty():
            return
        path = self._folder / f"{pile}-{len(self._files[pile])}.arrow"
        with self._scratch.told(), created(path) as file:
            # as views of text the file would hold what they are views of
            frame.write_ipc(file, compression="lz4", compat_level=pl.CompatLevel.oldest())
        self._files[pile].append(path)
        self.rows[pile] += frame.height

    def deal(self, frame: pl.DataFrame, pile: npt.NDArray[np.integer]) -> None:
        """Put each row on the pile that is named for it; on none where that is -1."""
        pile = pile.astype(np.int16)
        order = np.argsort(pile, kind="stable")
        first = int(np.searchsorted(pile[order], 0))
        sorted_ = frame[pl.Series(order[first:].astype(np.uint32))]
        counts = np.bincount(pile[order[first:]], minlength=len(self))
        start = 0
        for number in np.flatnonzero(counts):
            self.put(sorted_[start : start + int(counts[number])], int(number))
            start += int(counts[number])

    def pieces(self, pile: int = 0) -> Iterator[pl.DataFrame]:
        """Yield the rows of a pile, as many at a time as came together."""
        for path in self._files[pile]:
            with self._scratch.told():
                piece = pl.read_ipc(path)
            yield piece

    def take(self, pile: int = 0) -> Iterator[pl.DataFrame]:
        """Yield the same, and remove them."""
        for path, piece in zip(self._files[pile], self.pieces(pile), strict=True):
            path.unlink()
            yield piece
