"""Text as numbers: a dictionary that grows as columns are coded, so that work on text is done once a distinct text."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["Dictionary", "Numbering", "Views", "highest", "ranked"]

IntArray = npt.NDArray[np.int64]

_NULL = 2**32 - 1
_LARGE = 1 << 22  # slots from which on tables grow more slowly


class Dictionary:
    """Distinct texts, numbered in the order in which they are first met.

    Attributes
    ----------
    dtype : polars.Categorical
        Type of the coded columns.
    """

    def __init__(self) -> None:
        self.dtype = pl.Categorical(pl.Categories.random())
        self._held = pl.Series([""], dtype=self.dtype)  # Polars forgets the texts of a type that no column has
        self._size = 1
        self._lock = Lock()  # two threads may read one log
        self._forget()

    def _forget(self) -> None:
        self._short = Views()
        self._meaning = np.full(1 << 10, _NULL, dtype=np.uint32)  # of each short view

    def encode(self, column: pl.Series, clean: Callable[[pl.Series], pl.Series] | None = None) -> pl.Series:
        """Return text as a column of ``dtype``; ``clean`` is applied to each distinct text before, null stays null.

        The same ``clean`` must be given each time.

        Examples
        --------
        >>> Dictionary().encode(pl.Series([" a", "b", None, "a"]), lambda text: text.str.strip_chars()).to_list()
        ['a', 'b', None, 'a']
        """
        with self._lock:
            try:
                parts = [self._encode(part, clean) for part in column.get_chunks() if len(part)]
            except BaseException:  # stopped in the middle, perhaps by Ctrl-C: views may be known without their number
                self._forget()
                raise
        numbers = pl.concat([_nullable(*part) for part in parts], rechunk=True) if parts else pl.Series(dtype=pl.UInt32)
        return numbers.cat.to(self.dtype).alias(column.name)

    def _encode(
        self, part: pl.Series, clean: Callable[[pl.Series], pl.Series] | None
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
        """Return the numbers of one contiguous piece of a column, and where there is one.

        A text of up to 12 bytes lies in the 16 bytes of its view, so views are remembered with their number. The view
        of a longer one says where it is stored; equal texts of one page of a file mostly share the place, so within
        the piece each place is looked at once.
        """
        from cjm.kernels.coding import look_up

        array = part.to_arrow(compat_level=pl.CompatLevel.newest())
        views = np.frombuffer(array.buffers()[1], dtype=np.uint64)
        views = views[2 * array.offset : 2 * (array.offset + len(part))].reshape(-1, 2)
        absent = part.is_null().to_numpy() if part.null_count() else np.empty(0, dtype=np.bool_)
        before = self._short.count
        codes = self._short.encode(views, absent, long=False)
        count = self._short.count
        if count > len(self._meaning):
            grown = np.full(2 * count, _NULL, dtype=np.uint32)
            grown[:before] = self._meaning[:before]
            self._meaning = grown
        if count > before:
            self._meaning[before:count] = self._number(part, self._short.rows[before:count], clean)
        found, there = np.empty(len(part), dtype=np.uint32), np.empty(len(part), dtype=np.bool_)
        if look_up(codes, self._meaning, np.uint32(_NULL), found, there):
            long = np.flatnonzero(codes == -2)
            places = Views()
            place = places.encode(views[long], np.empty(0, dtype=np.bool_), long=True)
            found[long] = self._number(part, long[places.rows[: places.count]], clean)[place]
            there[long] = found[long] != _NULL
        return found, there

    def _number(
        self, part: pl.Series, rows: IntArray, clean: Callable[[pl.Series], pl.Series] | None
    ) -> npt.NDArray[np.uint32]:
        distinct = part.gather(pl.Series(rows, dtype=pl.UInt32))
        coded = (distinct if clean is None else clean(distinct)).cast(self.dtype).to_physical()
        self._size = max(self._size, highest(coded) + 1)
        return coded.fill_null(_NULL).to_numpy()

    def __len__(self) -> int:
        return self._size

    @property
    def texts(self) -> pl.Series:
        """The text of each number."""
        return self.decode(np.arange(self._size))

    def decode(self, numbers: npt.NDArray[np.integer]) -> pl.Series:
        """Return the texts of numbers."""
        return pl.Series(numbers.astype(np.uint32)).cat.to(self.dtype).cast(pl.String)


def highest(codes: pl.Series) -> int:
    """Return the highest of the codes of a column, -1 where there is none."""
    top = codes.max()
    return int(top) if isinstance(top, int) else -1


def _nullable(numbers: npt.NDArray[np.uint32], there: npt.NDArray[np.bool_]) -> pl.Series:
    """Return a column of the numbers that are ``there``, without a copy; it is null elsewhere."""
    import pyarrow as pa

    bits = None if there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))
    return pl.Series(pa.Array.from_buffers(pa.uint32(), len(numbers), [bits, pa.py_buffer(numbers)]))


class Views:
    """Distinct views of texts; see ``kernels.coding.code_views``."""

    def __init__(self) -> None:
        self._slots = np.full(1 << 12, -1, dtype=np.int32)
        self._keys = np.empty((1 << 11, 2), dtype=np.uint64)
        self.rows = np.empty(1 << 11, dtype=np.int64)
        self.count = 0

    def encode(
        self, views: npt.NDArray[np.uint64], absent: npt.NDArray[np.bool_], *, long: bool
    ) -> npt.NDArray[np.int32]:
        """Return the code of each view."""
        from cjm.kernels._jit import as_array
        from cjm.kernels.coding import code_views

        views, absent = as_array(views, np.uint64), as_array(absent, np.bool_)
        codes = np.empty(len(views), dtype=np.int32)
        row = 0
        while True:
            row, self.count = code_views(
                views, absent, self._slots, self._keys, self.rows, self.count, row, long, codes
            )
            if row == len(views):
                return codes
            known = self._keys[: self.count]
            size = len(self._slots) * (4 if len(self._slots) < _LARGE else 2)
            self._slots = np.full(size, -1, dtype=np.int32)
            self._keys = np.empty((size // 2, 2), dtype=np.uint64)
            rows = np.empty(size // 2, dtype=np.int64)
            nobody, ignored = np.empty(0, dtype=np.bool_), np.empty(self.count, dtype=np.int32)
            code_views(
                as_array(known, np.uint64),
                as_array(nobody, np.bool_),
                self._slots,
                self._keys,
                rows,
                0,
                0,
                True,
                ignored,
            )
            rows[: self.count] = self.rows[: self.count]
            self.rows = rows


def ranked(column: pl.Series) -> tuple[npt.NDArray[np.int32], pl.Series]:
    """Return for each row of a coded column the place of its text among those that occur, in order, and these texts.

    Null is -1.

    Examples
    --------
    >>> place, texts = ranked(Dictionary().encode(pl.Series(["b", None, "a", "b"])))
    >>> place.tolist(), texts.to_list()
    ([1, -1, 0, 1], ['a', 'b'])
    """
    codes = column.to_physical()
    absent = highest(codes) + 1
    number = codes.fill_null(absent).to_numpy()
    there = np.flatnonzero(np.bincount(number, minlength=absent + 1)[:absent])
    texts = pl.Series(column.name, there.astype(np.uint32)).cat.to(column.dtype).cast(pl.String)
    order = texts.arg_sort().to_numpy()
    place = np.full(absent + 1, -1, dtype=np.int32)
    place[there[order]] = np.arange(len(there), dtype=np.int32)
    return place[number], texts.gather(order)


class Numbering:
    """Distinct whole numbers, numbered in the order in which they are first met.

    Examples
    --------
    >>> numbering = Numbering()
    >>> numbering.encode(np.array([9, 7, 9])).tolist(), numbering.encode(np.array([5, 7])).tolist()
    ([0, 1, 0], [2, 1])
    >>> numbering.numbers.tolist()
    [9, 7, 5]
    """

    def __init__(self) -> None:
        self._slots = np.full(1 << 12, -1, dtype=np.int32)
        self._distinct = np.empty(1 << 11, dtype=np.int64)
        self._count = 0

    @property
    def numbers(self) -> IntArray:
        """The number behind each code."""
        return self._distinct[: self._count].copy()

    def encode(self, numbers: IntArray) -> npt.NDArray[np.int32]:
        """Return the code of each number."""
        from cjm.kernels._jit import as_array
        from cjm.kernels.coding import code_numbers

        numbers = as_array(numbers, np.int64)
        codes = np.empty(len(numbers), dtype=np.int32)
        row = 0
        while True:
            row, self._count = code_numbers(numbers, self._slots, self._distinct, self._count, row, codes)
            if row == len(numbers):
                return codes
            self._grow()

    def _grow(self) -> None:
        from cjm.kernels.coding import code_numbers

        known = self.numbers
        self._slots = np.full(4 * len(self._slots), -1, dtype=np.int32)
        self._distinct = np.empty(len(self._slots) // 2, dtype=np.int64)
        code_numbers(known, self._slots, self._distinct, 0, 0, np.empty(len(known), dtype=np.int32))
