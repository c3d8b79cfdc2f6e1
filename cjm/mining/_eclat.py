"""Frequent itemsets of coded baskets: passes over the rows in parts, a search over ranges of first items."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from cjm.mining._family import NO_LIMIT, Family, Kind
from cjm.ragged import Ragged

__all__ = ["frequent_itemsets", "item_counts"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
Mined: TypeAlias = tuple[CodeArray, IntArray, IntArray]
_SMALL = 1 << 17  # items in all rows, below which threads are not worth while
_RANGES = 8  # ranges of first items a thread: their costs differ a hundredfold and are not known beforehand
_PAIRS = 1 << 22  # pair counts held at once
_WORDS = 1 << 22  # words of first bit sets held at once, if the rows do not take more


def item_counts(parts: Iterable[Ragged], n_codes: int) -> tuple[IntArray, int]:
    """Return in how many coded baskets each of the codes below ``n_codes`` is, and how many baskets there are."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.sequences_index import item_supports

    support = np.zeros(n_codes, dtype=np.int64)
    n = 0
    for part in parts:
        support += item_supports(as_array(part.values, np.int32), as_array(part.offsets, np.int64), n_codes)
        n += len(part)
    return support, n


def frequent_itemsets(
    parts: Iterable[Ragged],
    support: IntArray,
    *,
    min_count: int,
    max_length: int | None = None,
    max_patterns: int = NO_LIMIT,
    kind: Kind = "all",
    threads: int | None = None,
) -> Family:
    """Mine coded baskets (codes in any order, repeats allowed), which come in parts.

    Closed and maximal sets are found without a look at the others, and without ``max_length``.

    ``support`` is what :func:`item_counts` tells of the same parts. If more than ``max_patterns`` sets are frequent,
    some number above that is returned. ``threads=None`` means one a core.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.itemsets_rows import sort_each

    cores = (os.cpu_count() or 1) if threads is None else threads
    items = np.flatnonzero(support >= min_count).astype(np.int32)
    items = items[np.argsort(support[items], kind="stable")]  # rare items first: small classes
    mined: list[Mined] = []
    with ThreadPoolExecutor(cores) as pool:
        rows = _rows(parts, items, len(support), cores, pool)
        search = _Search(
            _shares(rows, 1 if len(rows) < _SMALL else cores),
            as_array(support[items], np.int64),
            min_count,
            NO_LIMIT if max_length is None else max_length,
            max_patterns,
            kind,
            pool,
        )
        lines = max(1, _PAIRS // (max(len(items), 1) * len(search.shares)))
        for first in range(0, len(items), lines):
            mined += search.band(first, min(first + lines, len(items)), max(_WORDS, len(rows) // 4))
    if not mined:
        return Family(Ragged(np.zeros(0, dtype=np.int32), np.zeros(1, dtype=np.int64)), np.zeros(0, dtype=np.int64))
    named = items[np.concatenate([part[0] for part in mined])]
    bounds = np.concatenate(([0], np.cumsum(np.concatenate([np.diff(part[1]) for part in mined]))))
    sort_each(named, bounds)
    return Family(Ragged(named, bounds), np.concatenate([part[2] for part in mined]))


def _rows(parts: Iterable[Ragged], items: CodeArray, n_codes: int, cores: int, pool: ThreadPoolExecutor) -> CodeArray:
    """Return the rows of kept items, renumbered by their place in ``items``."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.itemsets_rows import basket_rows

    numbers = np.full(n_codes, -1, dtype=np.int32)
    numbers[items] = np.arange(len(items), dtype=np.int32)
    new_code = as_array(numbers, np.int32)
    made: list[CodeArray] = []
    for part in parts:
        code = as_array(part.values, np.int32)
        cuts = np.linspace(0, len(part), (cores if len(code) > _SMALL else 1) + 1).astype(np.int64)
        offsets = [as_array(part.offsets[lo : hi + 1], np.int64) for lo, hi in itertools.pairwise(cuts)]
        made += pool.map(lambda part, code=code: basket_rows(code, part, new_code, len(items)), offsets)
    return cast("CodeArray", as_array(np.concatenate(made) if len(made) != 1 else made[0], np.int32))


def _shares(rows: CodeArray, n: int) -> list[CodeArray]:
    """Cut rows, each of which is closed by -1, into ``n`` parts of about the same size."""
    cuts = [0]
    for wanted in np.linspace(0, len(rows), n + 1)[1:-1].astype(np.int64):
        cut = max(int(wanted), cuts[-1])
        while 0 < cut < len(rows) and rows[cut - 1] >= 0:
            cut += 1
        cuts.append(cut)
    return [rows[lo:hi] for lo, hi in itertools.pairwise([*cuts, len(rows)])]


@dataclass
class _Search:
    """What a search knows, and how many sets it has found."""

    shares: list[CodeArray]
    support: IntArray
    min_count: int
    longest: int
    max_patterns: int
    kind: Kind
    pool: ThreadPoolExecutor
    found: int = 0

    def band(self, first: int, stop: int, room: int) -> list[Mined]:
        """Return the sets whose smallest item is in ``[first, stop)``; first bit sets may take ``room`` words."""
        from cjm.kernels._jit import as_array
        from cjm.kernels.itemsets_classes import classes, count_pairs

        pairs = np.zeros((len(self.shares), stop - first, len(self.support)), dtype=np.int32)
        whole = self.kind != "all"
        if self.longest > 1:
            self._each(
                count_pairs, [(share, first, stop, whole, pairs[part]) for part, share in enumerate(self.shares)]
            )
        line = np.arange(stop - first)
        words = (pairs[:, line, first + line].astype(np.int64) + 63) >> 6
        slots = pairs.sum(axis=0, dtype=np.int32)
        members, supports, bounds = classes(slots, first, self.min_count)
        size = np.diff(bounds)
        words[:, (size < (1 if whole else 2)) | (self.longest < 3)] = 0
        made = _Classes(
            first,
            as_array(slots, np.int32),
            as_array(members, np.int64),
            as_array(supports, np.int64),
            as_array(bounds, np.int64),
            as_array(words.sum(axis=0), np.int64),
            as_array(np.cumsum(words, axis=0) - words, np.int64),
        )
        ends = np.concatenate(([0], np.cumsum(made.stride * size)))
        mined: list[Mined] = []
        begin = 0
        while begin < stop - first:
            ready = max(int(np.searchsorted(ends, ends[begin] + room, side="right")) - 1, begin + 1)
            mined += self._range(made, first + begin, first + ready, ends - ends[begin], int(ends[ready] - ends[begin]))
            begin = ready
        return mined

    def _range(self, made: _Classes, begin: int, stop: int, base: IntArray, words: int) -> list[Mined]:
        """Return the sets whose smallest item is in ``[begin, stop)``; ``base`` tells where their first bits begin."""
        from cjm.kernels._jit import as_array
        from cjm.kernels.itemsets_classes import fill_bits
        from cjm.kernels.itemsets_closed import closed
        from cjm.kernels.itemsets_eclat import frequent

        bits = np.zeros(words, dtype=np.uint64)
        used = np.zeros_like(made.at)
        whole = self.kind != "all"
        base = as_array(base[:-1], np.int64)
        if words:
            self._each(
                fill_bits,
                [
                    (
                        share,
                        made.first,
                        begin,
                        stop,
                        made.slots,
                        base,
                        made.stride,
                        made.at[part],
                        used[part],
                        whole,
                        bits,
                    )
                    for part, share in enumerate(self.shares)
                ],
            )
        used = as_array(used, np.int64)
        bits = as_array(bits, np.uint64)

        def search(lo: int, hi: int) -> Mined:
            if self.found > self.max_patterns:
                return np.zeros(0, dtype=np.int32), np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64)
            given = (
                made.first, lo, hi, self.support, made.members, made.supports, made.bounds, base, made.stride, made.at,
                used, bits, self.min_count,
            )  # fmt: skip
            if whole:
                mined = closed(*given, self.max_patterns, self.kind == "maximal")
            else:
                mined = frequent(*given, self.longest, self.max_patterns)
            self.found += len(mined[2])
            return mined

        if len(self.shares) == 1:
            return [search(begin, stop)]
        lo, hi = begin - made.first, stop - made.first
        weight = np.cumsum((made.stride * np.diff(made.bounds) ** 2)[lo:hi] + 1)
        n = _RANGES * len(self.shares)
        cuts = np.unique([0, *np.searchsorted(weight, weight[-1] * np.arange(1, n) / n).tolist(), hi - lo]) + begin
        return list(self.pool.map(search, cuts[:-1].tolist(), cuts[1:].tolist()))

    def _each(self, function: Callable[..., object], calls: list[tuple[Any, ...]]) -> None:
        """Make all calls, on as many threads."""
        if len(calls) == 1:
            function(*calls[0])
        else:
            for done in [self.pool.submit(function, *call) for call in calls]:
                done.result()


@dataclass(frozen=True)
class _Classes:
    """Classes of the items from ``first`` on: see ``cjm.kernels.itemsets_classes``."""

    first: int
    slots: npt.NDArray[np.int32]
    members: IntArray
    supports: IntArray
    bounds: IntArray
    stride: IntArray
    at: IntArray
