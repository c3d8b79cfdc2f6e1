"""Frequent sets of touchpoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import polars as pl

from cjm.journeys import Journeys
from cjm.mining._eclat import frequent_itemsets, item_counts
from cjm.mining._family import (
    By,
    Family,
    Kind,
    check_choice,
    check_lengths,
    check_number,
    check_size,
    keep_kind,
    to_frame,
    to_min_count,
    unit_offsets,
)
from cjm.ragged import Ragged

__all__ = ["itemset_family", "mine_itemsets"]

_WHERE = "mine_itemsets"


def mine_itemsets(
    journeys: Journeys,
    *,
    min_support: float,
    max_length: int | None = None,
    kind: Kind = "all",
    by: By = "session",
    max_patterns: int = 1_000_000,
    engine: Literal["numba", "mlxtend"] = "numba",
    threads: int | None = None,
) -> pl.DataFrame:
    """Find the sets of touchpoints that enough sessions (or persons) hold, whatever their order and number.

    Parameters
    ----------
    journeys : Journeys
    min_support : float or int
        A float in (0, 1] is a share: a set is kept if ``count / n >= min_support``. An int is a count.
    max_length : int, optional
        Most touchpoints in a set.
    kind : {"all", "closed", "maximal", "generator"}
        ``closed`` leaves out a set that is contained in a larger one with the same count, ``maximal`` one that is
        contained in any larger one, ``generator`` one that contains a smaller one with the same count. Only sets up to
        ``max_length`` are looked at. Without it closed and maximal sets are found without a look at the others, which
        may be many more.
    by : {"session", "person"}
        What is counted.
    max_patterns : int
        Give up when more sets than this are found: those of ``kind``, if it is found without a look at the others; else
        those that are frequent.
    engine : {"numba", "mlxtend"}
        ``mlxtend`` runs that library's FP-growth instead of the kernel, for audits of small data.
    threads : int, optional
        How many threads search; all cores if left out. The result is the same for any number.

    Returns
    -------
    polars.DataFrame
        Contract ITEMSETS: ``items`` (in ascending order), ``length``, ``count``, ``support`` (the share of sessions or
        persons). Sorted by ``count`` (most first), ``length``, ``items``.

    Raises
    ------
    ArgumentError
        For an argument that cannot be meant.
    RunError
        If there are more than ``max_patterns`` sets.

    References
    ----------
    Zaki (2000), Scalable algorithms for association mining, IEEE TKDE 12. Uno et al. (2004), An efficient algorithm for
    enumerating closed patterns in transaction databases, Discovery Science.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> rows = [("a", "10:00", "home"), ("a", "10:05", "cart"), ("b", "10:00", "cart"), ("b", "10:20", "home")]
    >>> frame = pl.DataFrame(rows, schema=["who", "at", "page"], orient="row")
    >>> frame = frame.with_columns(at="2026-01-01T" + pl.col("at") + "Z")
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="page", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.mine_itemsets(journeys, min_support=1.0, kind="maximal").rows()
    [(['web:cart', 'web:home'], 2, 2, 1.0)]
    """
    check_choice("kind", kind, ("all", "closed", "maximal", "generator"), _WHERE)
    check_choice("engine", engine, ("numba", "mlxtend"), _WHERE)
    check_lengths(1, max_length, max_patterns, _WHERE)
    if threads is not None:
        check_number("threads", threads, _WHERE)
    family, n = itemset_family(journeys, min_support, max_length, by, max_patterns, engine, _WHERE, threads, kind)
    return to_frame(family, journeys.touchpoints["touchpoint"], n, ("items", "count"))


def itemset_family(
    journeys: Journeys,
    min_support: float,
    max_length: int | None,
    by: By,
    max_patterns: int,
    engine: Literal["numba", "mlxtend"],
    where: str,
    threads: int | None = None,
    kind: Kind = "all",
) -> tuple[Family, int]:
    """Return the frequent sets of a kind and the number of sessions or persons."""

    def parts() -> Iterator[Ragged]:
        for bucket in journeys.buckets():
            yield Ragged(bucket.arrays.code, unit_offsets(bucket, by, where))

    support, n = item_counts(parts(), journeys.touchpoints.height)
    min_count = to_min_count(min_support, n, where)
    if engine == "mlxtend":
        family = _by_library(Ragged(journeys.arrays.code, unit_offsets(journeys, by, where)), min_count, max_length)
        at_once = False
    else:
        # what is longer than max_length is not looked at, and may tell a set that is not closed
        at_once = max_length is None and kind != "generator"
        family = frequent_itemsets(
            parts(),
            support,
            min_count=min_count,
            max_length=max_length,
            max_patterns=max_patterns,
            kind=kind if at_once else "all",
            threads=threads,
        )
    check_size(len(family.counts), max_patterns, "itemsets", where)
    return family if at_once else keep_kind(family, kind), n


def _by_library(baskets: Ragged, min_count: int, max_length: int | None) -> Family:
    import pandas as pd
    from mlxtend.frequent_patterns import fpgrowth
    from scipy.sparse import csc_matrix

    n = len(baskets)
    width = int(baskets.values.max(initial=-1)) + 1
    if min_count > n or width == 0:
        return Family(Ragged(np.zeros(0, dtype=np.int32), np.zeros(1, dtype=np.int64)), np.zeros(0, dtype=np.int64))
    rows, items = np.divmod(np.unique(np.repeat(np.arange(n), baskets.lengths) * width + baskets.values), width)
    matrix = csc_matrix((np.ones(len(rows), dtype=np.int8), (rows, items)), shape=(n, width))
    sparse = pd.DataFrame.sparse.from_spmatrix(matrix)  # type: ignore[attr-defined]
    frame = sparse.astype(pd.SparseDtype(bool, False))
    # half a count less: the library multiplies back and rounds up
    found = fpgrowth(frame, min_support=(min_count - 0.5) / n, max_len=max_length)
    sets = [sorted(items) for items in found["itemsets"]]
    values = np.array([item for items in sets for item in items], dtype=np.int32)
    lengths = np.array([len(items) for items in sets], dtype=np.int64)
    counts = np.rint(found["support"].to_numpy() * n).astype(np.int64)
    return Family(Ragged(values, np.concatenate(([0], np.cumsum(lengths)))), counts)
