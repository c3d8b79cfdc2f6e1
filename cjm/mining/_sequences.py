"""Frequent sequences of touchpoints."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import Duration, to_us
from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.mining._family import (
    NO_LIMIT,
    By,
    Family,
    Kind,
    check_choice,
    check_lengths,
    check_size,
    keep_kind,
    to_frame,
    to_min_count,
    unit_offsets,
)
from cjm.ragged import Ragged

__all__ = ["frequent_sequences", "mine_sequences"]

IntArray = npt.NDArray[np.int64]
_WHERE = "mine_sequences"


def mine_sequences(
    journeys: Journeys,
    *,
    min_support: float,
    min_length: int = 1,
    max_length: int | None = None,
    kind: Kind = "all",
    max_gap: Duration | None = None,
    within: Duration | None = None,
    by: By = "person",
    max_patterns: int = 1_000_000,
    engine: Literal["numba", "prefixspan"] = "numba",
) -> pl.DataFrame:
    """Find the sequences of touchpoints that enough persons (or sessions) went through.

    A person has a sequence if its touchpoints occur among the person's events in that order; other events may lie
    between. A touchpoint may occur in a sequence more than once. Outcomes are not looked at, so what is found can be
    tested against one with :func:`cjm.contrast`.

    Parameters
    ----------
    journeys : Journeys
    min_support : float or int
        A float in (0, 1] is a share: a sequence is kept if ``count / n >= min_support``. An int is a count.
    min_length, max_length : int
        Fewest and most touchpoints in a sequence. ``max_length=None`` sets no limit.
    kind : {"all", "closed", "maximal"}
        ``closed`` leaves out a sequence that is contained in a longer one with the same count, ``maximal`` one that is
        contained in any longer one. Only sequences up to ``max_length`` are looked at, so one of that length always
        stays, and the closed ones tell the counts of all. Under ``max_gap``, a sequence is contained in a longer one
        only as an unbroken part of it: leaving out a step in between would make a longer gap.
    max_gap : duration, optional
        Longest time from one touchpoint of the sequence to the next, inclusive.
    within : duration, optional
        Longest time from the first touchpoint to the last, inclusive. With limits a person counts if any of their
        occurrences keeps them.
    by : {"person", "session"}
        What is counted, and what a sequence must lie in.
    max_patterns : int
        Give up when more sequences than this are frequent (before ``kind`` leaves some out).
    engine : {"numba", "prefixspan"}
        ``prefixspan`` runs the library of that name instead of the kernel, for audits of small data. It mines all
        sequences; ``kind`` is judged here (what the library itself returns as closed is not: of the rows ``a b`` and
        ``a b a`` it keeps ``a``, though ``a b`` has the same count).

    Returns
    -------
    polars.DataFrame
        Contract SEQUENCES: ``pattern``, ``length``, ``persons`` (sessions, with ``by="session"``), ``support`` (their
        share). Sorted by ``persons`` (most first), ``length``, ``pattern``.

    Raises
    ------
    ArgumentError
        For an argument that cannot be meant, or time limits with ``engine="prefixspan"``.
    RunError
        If there are more than ``max_patterns`` sequences.

    Notes
    -----
    ``Pattern.from_touchpoints(pattern, max_gap=..., within=...)`` makes the pattern of a mined sequence;
    :func:`cjm.find` then finds exactly the persons that were counted.

    References
    ----------
    Pei et al. (2001), PrefixSpan: mining sequential patterns efficiently by prefix-projected pattern growth, ICDE.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> rows = [("a", "10:00", "home"), ("a", "10:05", "help"), ("a", "10:06", "cart"), ("b", "10:00", "home"),
    ...         ("b", "10:20", "cart")]
    >>> frame = pl.DataFrame(rows, schema=["who", "at", "page"], orient="row")
    >>> frame = frame.with_columns(at="2026-01-01T" + pl.col("at") + "Z")
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="page", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.mine_sequences(journeys, min_support=2, kind="closed").rows()
    [(['web:home', 'web:cart'], 2, 2, 1.0)]
    """
    check_choice("kind", kind, ("all", "closed", "maximal"), _WHERE)
    check_choice("engine", engine, ("numba", "prefixspan"), _WHERE)
    check_lengths(min_length, max_length, max_patterns, _WHERE)
    gap_us = None if max_gap is None else to_us(max_gap, "max_gap")
    within_us = None if within is None else to_us(within, "within")
    offsets = unit_offsets(journeys, by, _WHERE)
    n = len(offsets) - 1
    min_count = to_min_count(min_support, n, _WHERE)
    sequences = Ragged(journeys.arrays.code, offsets)
    if engine == "prefixspan":
        if max_gap is not None or within is not None:
            raise ArgumentError.at(
                "engine='prefixspan' knows no time limits",
                where=_WHERE,
                hint="Leave out max_gap and within, or use engine='numba'",
            )
        family = _by_library(sequences, min_count, min_length, max_length)
    else:
        family = frequent_sequences(
            sequences,
            min_count=min_count,
            min_length=min_length,
            max_length=max_length,
            time=journeys.arrays.time,
            max_gap=gap_us,
            within=within_us,
            max_patterns=max_patterns,
        )
    check_size(len(family.counts), max_patterns, "sequences", _WHERE)
    family = keep_kind(family, kind, unbroken=max_gap is not None)
    return to_frame(family, journeys.touchpoints["touchpoint"], n, ("pattern", "persons"))


def frequent_sequences(
    sequences: Ragged,
    *,
    min_count: int,
    min_length: int = 1,
    max_length: int | None = None,
    time: IntArray | None = None,
    max_gap: int | None = None,
    within: int | None = None,
    max_patterns: int = NO_LIMIT,
) -> Family:
    """Mine coded sequences; at most ``max_patterns + 1`` patterns are returned.

    Parameters
    ----------
    sequences : Ragged of int32
        Codes from 0.
    time : ndarray of int64, shape (events,)
        Microseconds; needed for ``max_gap`` and ``within`` (microseconds, inclusive).
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.sequences_index import item_supports, keep_items, occurrences
    from cjm.kernels.sequences_mine import frequent

    code = as_array(sequences.values, np.int32)
    row_offsets = as_array(sequences.offsets, np.int64)
    support = item_supports(code, row_offsets, int(code.max(initial=-1)) + 1)
    items = np.flatnonzero(support >= min_count).astype(np.int32)
    new_code = np.full(len(support), -1, dtype=np.int32)
    new_code[items] = np.arange(len(items), dtype=np.int32)
    code, row_offsets, source, rows = keep_items(code, row_offsets, as_array(new_code, np.int32))
    limited = max_gap is not None or within is not None
    kept_time = np.zeros(0, dtype=np.int64)
    if limited:
        assert time is not None
        kept_time = time[source]
    code, row_offsets, rows = as_array(code, np.int32), as_array(row_offsets, np.int64), as_array(rows, np.int64)
    places, place_offsets = occurrences(code, rows, len(items), not limited)
    values, bounds, counts = frequent(
        code,
        row_offsets,
        rows,
        as_array(kept_time, np.int64),
        limited,
        NO_LIMIT if max_gap is None else min(max_gap, NO_LIMIT),
        NO_LIMIT if within is None else min(within, NO_LIMIT),
        as_array(places, np.int64),
        as_array(place_offsets, np.int64),
        as_array(support[items], np.int64),
        0,
        len(items),
        min_count,
        min_length,
        NO_LIMIT if max_length is None else max_length,
        max_patterns,
    )
    return Family(Ragged(items[values], bounds), counts)


def _by_library(sequences: Ragged, min_count: int, min_length: int, max_length: int | None) -> Family:
    from prefixspan import PrefixSpan

    miner = PrefixSpan([sequence.tolist() for sequence in sequences])
    miner.minlen, miner.maxlen = min_length, NO_LIMIT if max_length is None else max_length
    found = miner.frequent(min_count)
    values = np.array([item for _, pattern in found for item in pattern], dtype=np.int32)
    lengths = np.array([len(pattern) for _, pattern in found], dtype=np.int64)
    counts = np.array([count for count, _ in found], dtype=np.int64)
    return Family(Ragged(values, np.concatenate(([0], np.cumsum(lengths)))), counts)
