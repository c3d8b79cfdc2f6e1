"""Identifiers as nodes: a number for each distinct text of a kind, in the order in which they are met."""

from __future__ import annotations

from threading import Lock

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.codes import Views
from cjm.identity._numbers import hash_ids

__all__ = ["Names"]

Int16Array = npt.NDArray[np.int16]
Int32Array = npt.NDArray[np.int32]

_AT_ONCE = 1_000_000  # rows
_SHORT = 12  # bytes of a text that lies in its view
_LONG, _GONE = 0xFF, 0xFE  # instead of a length: a hash; a text that was erased
_PLACE = "place"  # keys the hash that orders identifiers, so that it is no person number


class Names:
    """Distinct identifiers. Grows only, so that several versions of a map may share it.

    A text of up to 12 bytes is told from others by the view in which Arrow stores it, a longer one by 96 bits of two
    hashes; with 50 million of them the odds that any two are taken for one are below 1 in 10^13.

    Attributes
    ----------
    places : dict of int to int
        The place of each node whose text was erased.
    """

    def __init__(self) -> None:
        self.places: dict[int, int] = {}
        self._table = Views()
        self._texts = [pl.Series(dtype=pl.String)]
        self._kinds = [np.empty(0, dtype=np.int16)]
        self._lock = Lock()

    def __len__(self) -> int:
        return self._table.count

    @property
    def texts(self) -> pl.Series:
        """Text of each node; null where it was erased."""
        with self._lock:
            if len(self._texts) > 1:
                self._texts = [pl.concat(self._texts)]
            return self._texts[0]

    @property
    def kind(self) -> Int16Array:
        """Number of each node's kind."""
        with self._lock:
            if len(self._kinds) > 1:
                self._kinds = [np.concatenate(self._kinds)]
            return self._kinds[0]

    def encode(self, texts: pl.Series, kind: int | Int16Array) -> Int32Array:
        """Return the node of each text of one kind, or of a kind a row; -1 for null."""
        found = np.empty(len(texts), dtype=np.int32)
        with self._lock:
            for start in range(0, len(texts), _AT_ONCE):
                stop = min(start + _AT_ONCE, len(texts))
                part = kind if isinstance(kind, int) else kind[start:stop]
                found[start:stop] = self._encode(texts[start:stop].rechunk(), part)
        return found

    def _encode(self, texts: pl.Series, kind: int | Int16Array) -> Int32Array:
        absent = texts.is_null().to_numpy() if texts.null_count() else np.empty(0, dtype=np.bool_)
        before = self._table.count
        nodes = self._table.encode(_keys(texts, kind), absent, long=True)
        if self._table.count > before:
            rows = self._table.rows[before : self._table.count]
            self._texts.append(texts.gather(pl.Series(rows.astype(np.uint32))))
            kinds = np.full(len(rows), kind, dtype=np.int16) if isinstance(kind, int) else kind[rows]
            self._kinds.append(kinds.astype(np.int16))
        return nodes

    @classmethod
    def of(cls, texts: pl.Series, kind: Int16Array, places: dict[int, int]) -> Names:
        """Return identifiers in the order given; where the text is null it was erased."""
        keys = _keys(texts, kind)
        gone = np.flatnonzero(texts.is_null().to_numpy())
        keys[gone, 0], keys[gone, 1] = _GONE, gone
        found = cls()
        found.places = places
        found._table.encode(keys, np.empty(0, dtype=np.bool_), long=True)
        found._texts, found._kinds = [texts], [kind]
        return found

    def without(self, nodes: Int32Array) -> Names:
        """Return the same identifiers, of which ``nodes`` have lost their text."""
        places = dict(zip(nodes.tolist(), self.place(nodes).tolist(), strict=True))
        texts = self.texts.clone().scatter(pl.Series(nodes.astype(np.uint32)), None)
        return Names.of(texts, self.kind, self.places | places)

    def place(self, nodes: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """Return for each of some nodes a hash that settles which comes first; it stays when the text is erased."""
        texts = self.texts.gather(pl.Series(nodes.astype(np.uint32)))
        found = hash_ids(texts, "", _PLACE)
        for at in np.flatnonzero(texts.is_null().to_numpy()):
            found[at] = self.places[int(nodes[at])]
        return found

    def rank(self, nodes: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """Return for each of some nodes the place of its text among theirs; equal texts share one."""
        texts = self.texts.gather(pl.Series(nodes.astype(np.uint32)))
        return texts.rank("dense").cast(pl.Int64).to_numpy()


def _keys(texts: pl.Series, kind: int | Int16Array) -> npt.NDArray[np.uint64]:
    """Return 128 bits for each text, which equal texts of one kind share and others do not."""
    if not len(texts):
        return np.empty((0, 2), dtype=np.uint64)
    texts = texts.rechunk()
    array = texts.to_arrow(compat_level=pl.CompatLevel.newest())
    views = np.frombuffer(array.buffers()[1], dtype=np.uint64)
    keys = views[2 * array.offset : 2 * (array.offset + len(texts))].reshape(-1, 2).copy()
    long = np.flatnonzero((keys[:, 0] & np.uint64(0xFFFFFFFF)) > _SHORT)
    if len(long):
        whole = texts if len(long) == len(texts) else texts.gather(pl.Series(long.astype(np.uint32)))
        keys[long, 0] = (whole.hash(1).to_numpy() & ~np.uint64(0xFFFFFFFF)) | np.uint64(_LONG)
        keys[long, 1] = whole.hash(2).to_numpy()
    keys[:, 0] |= np.asarray(kind, dtype=np.uint64) << np.uint64(8)
    return keys
