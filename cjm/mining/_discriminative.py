"""The sequences that tell two groups of persons apart best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import Duration, to_us
from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.mining._family import (
    NO_LIMIT,
    check_lengths,
    check_number,
    check_share,
    check_size,
    ragged_lists,
    to_min_count,
)
from cjm.mining._groups import groups_of, known_outcome
from cjm.statistics import in_first_part

__all__ = ["mine_discriminative"]

IntArray = npt.NDArray[np.int64]
_WHERE = "mine_discriminative"


def mine_discriminative(
    journeys: Journeys,
    outcome: pl.DataFrame,
    *,
    top_k: int = 20,
    min_support: float = 0.01,
    max_length: int = 5,
    max_gap: Duration | None = None,
    within: Duration | None = None,
    share: float = 0.5,
    max_patterns: int = 1_000_000,
) -> pl.DataFrame:
    """Find the sequences of touchpoints that differ most between persons with an outcome and those without.

    The search goes only where a sequence, or one that continues it, can still be among the best, and finds exactly the
    best. They are the best *because* of the outcome, so a test on the same persons would prove
    nothing. The search therefore looks only at one part of the persons (see :func:`cjm.split_persons`), says so in
    ``outcome_seen``, and :func:`cjm.contrast` tests the sequences on the other part. The rates here are too far apart
    for the same reason; those of ``contrast`` are not.

    Parameters
    ----------
    journeys : Journeys
        Without events after the outcome, and with a window of the same length for everybody: see :func:`cjm.contrast`.
    outcome : polars.DataFrame
        Columns ``person`` (each once) and ``outcome`` (Boolean); persons without a known outcome are left out.
    top_k : int
        How many sequences.
    min_support : float or int
        Least share or number of the persons searched who have a sequence.
    max_length : int
        Most touchpoints in a sequence.
    max_gap, within : duration, optional
        Longest time between steps, and from first to last, inclusive. Give ``contrast`` the same.
    share : float
        About which share of persons the search may look at, 0 to 1. With 1 nobody is left for a test.
    max_patterns : int
        Give up when more sequences than this had to be looked at: where little differs, little can be left out.

    Returns
    -------
    polars.DataFrame
        The best first, then the shorter, then by ``pattern``; none that the same persons have without its last step:

        - ``pattern``, ``length``;
        - ``n_true``, ``of_true``, ``rate_true``, ``n_false``, ``of_false``, ``rate_false``, ``difference``, as
          :func:`cjm.contrast` has them, of the persons searched;
        - ``score``: Pearson's chi-square;
        - ``outcome_seen``: the ``share``.

    Raises
    ------
    ArgumentError
        For an argument that cannot be meant, or if one of the groups is empty.
    RunError
        If more than ``max_patterns`` sequences had to be looked at.
    ContractError
        If ``outcome`` lacks a column or has another type.

    References
    ----------
    Morishita and Sese (2000), Traversing itemset lattices with statistical metric pruning, PODS: the bound. Pei et al.
    (2001), PrefixSpan, ICDE: the search.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> rows = [(i, f"2026-01-01T10:0{k}Z", page) for i in range(40)
    ...         for k, page in enumerate(["help", "cart"] if i % 2 else ["cart", "help"])]
    >>> frame = pl.DataFrame(rows, schema=["who", "at", "page"], orient="row").with_columns(pl.col("who").cast(str))
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="page", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> last = journeys.frame.group_by("person").agg(outcome=pl.col("event").last() == "help").collect()
    >>> best = cjm.mine_discriminative(journeys, last, top_k=1)
    >>> best.select("pattern", "rate_true", "rate_false", "outcome_seen").rows()
    [(['web:cart', 'web:help'], 1.0, 0.0, 0.5)]
    >>> cjm.contrast(journeys, best, last).select("held_out", pl.col("p") < 0.001).row(0)
    (True, True)
    """
    check_share("share", share, _WHERE)
    check_lengths(1, max_length, max_patterns, _WHERE)
    check_number("top_k", top_k, _WHERE)
    gap_us = None if max_gap is None else to_us(max_gap, "max_gap")
    within_us = None if within is None else to_us(within, "within")
    known = known_outcome(outcome, _WHERE)
    code, time, offsets, group = _searched(journeys, known, share)
    of_true = int(group.sum())
    of_false = len(group) - of_true
    if of_true == 0 or of_false == 0:
        raise ArgumentError.at(
            f"{of_true:,} of the persons searched have the outcome and {of_false:,} have not: nothing to compare",
            where=_WHERE,
            hint="Both groups need persons; check the person numbers, or raise share",
        )
    min_count = to_min_count(min_support, len(group), _WHERE)

    from cjm.kernels._jit import as_array
    from cjm.kernels.discriminative import best_sequences

    limited = max_gap is not None or within is not None
    paths, lengths, counts, scores, tried = best_sequences(
        as_array(code, np.int32),
        as_array(offsets, np.int64),
        as_array(time, np.int64),
        as_array(group, np.int64),
        journeys.touchpoints.height,
        limited,
        NO_LIMIT if gap_us is None else min(gap_us, NO_LIMIT),
        NO_LIMIT if within_us is None else min(within_us, NO_LIMIT),
        int(top_k),
        min_count,
        int(min(max_length, np.diff(offsets).max(initial=1))),
        max_patterns,
    )
    check_size(tried, max_patterns, "sequences", _WHERE)
    steps = journeys.touchpoints["touchpoint"].gather(paths[np.arange(paths.shape[1]) < lengths[:, None]])
    n_false, n_true = counts.T
    found = len(scores)
    return pl.DataFrame(
        {
            "pattern": ragged_lists(steps.cast(pl.String), np.concatenate(([0], np.cumsum(lengths)))),
            "length": lengths,
            "n_true": n_true,
            "of_true": np.full(found, of_true),
            "rate_true": n_true / of_true,
            "n_false": n_false,
            "of_false": np.full(found, of_false),
            "rate_false": n_false / of_false,
            "difference": n_true / of_true - n_false / of_false,
            "score": scores,
            "outcome_seen": np.full(found, float(share)),
        }
    )


def _searched(
    journeys: Journeys, known: pl.DataFrame, share: float
) -> tuple[npt.NDArray[np.int32], IntArray, IntArray, IntArray]:
    """Return code, time and offsets of the events of the persons who may be looked at, and the groups of these."""
    codes, times, lengths, groups = [], [], [], []
    for bucket in journeys.buckets():
        arrays = bucket.arrays
        group = np.where(in_first_part(arrays.person, share), groups_of(arrays.person, known), -1)
        length = np.diff(arrays.offsets)
        kept = np.repeat(group >= 0, length)
        codes.append(arrays.code[kept])
        times.append(arrays.time[kept])
        lengths.append(length[group >= 0])
        groups.append(group[group >= 0])
    offsets = np.concatenate(([0], np.cumsum(np.concatenate(lengths))))
    return np.concatenate(codes), np.concatenate(times), offsets, np.concatenate(groups)
