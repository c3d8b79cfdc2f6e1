"""How often patterns occur among persons with an outcome and among those without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import Duration, to_us
from cjm.errors import ArgumentError, ContractError
from cjm.journeys import Journeys
from cjm.mining._family import NO_LIMIT
from cjm.statistics import benjamini_hochberg, wilson

if TYPE_CHECKING:
    from cjm.patterns import Pattern

__all__ = ["contrast"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
_WHERE = "contrast"


def contrast(
    journeys: Journeys,
    patterns: pl.DataFrame | Sequence[Sequence[str]] | Mapping[str, Pattern | str] | Sequence[Pattern | str],
    outcome: pl.DataFrame,
    *,
    max_gap: Duration | None = None,
    within: Duration | None = None,
    level: float = 0.95,
) -> pl.DataFrame:
    """Compare how often patterns occur among persons with an outcome and among persons without.

    Patterns that were mined without a look at the outcome may all be tested on the same persons; ``q`` then adjusts
    over the whole frame, so give every pattern that was mined and choose afterwards. Patterns that were chosen because
    of the outcome need other persons for the test.

    Two things go wrong easily. Events after the outcome must not be in ``journeys`` (filter first): what follows
    churn cannot foretell it. And persons observed for longer have more of every pattern: give each person a window of
    the same length.

    Parameters
    ----------
    journeys : Journeys
    patterns : polars.DataFrame, sequence of sequences of str, or declared patterns
        A frame with a column ``pattern`` (contract SEQUENCES), or lists of touchpoints; or patterns as
        :func:`cjm.find` takes them: a mapping of name to :class:`cjm.Pattern` or its text, or a sequence of these.
    outcome : polars.DataFrame
        Columns ``person`` (each once) and ``outcome`` (Boolean). Persons of ``journeys`` that are not in it, or whose
        outcome is null, are left out; persons without events in ``journeys`` are not counted either.
    max_gap, within : duration, optional
        The limits with which the patterns were mined: longest time between steps, and from first to last, inclusive.
        Declared patterns have their own.
    level : float
        Confidence level of the interval, between 0 and 1.

    Returns
    -------
    polars.DataFrame
        One row a pattern, the smallest ``p`` first, then the largest difference, then by pattern:

        - ``pattern`` (of a declared one: its name, alone in the list), ``length`` (steps);
        - ``n_true`` of ``of_true`` persons with the outcome have the pattern, which is ``rate_true``; in the same way
          ``n_false``, ``of_false``, ``rate_false`` for persons without it;
        - ``difference`` of the rates, with ``lower`` and ``upper`` (Newcombe's interval from Wilson limits);
        - ``lift``: rate of the outcome among those with the pattern over the rate among all; null if nobody has it;
        - ``p``: Fisher's exact test, two-sided; ``z``: the normal deviate of ``p`` with the sign of the difference,
          finite even where ``p`` is too small for a float; ``q``: Benjamini and Hochberg over the frame;
        - ``prefix_only``: exactly the same persons have the pattern without its last step, which then adds nothing;
        - ``left_out``: persons of ``journeys`` without a known outcome.

    Raises
    ------
    ArgumentError
        For an unknown touchpoint, an empty pattern, or an argument that cannot be meant.
    ContractError
        If ``patterns`` or ``outcome`` lacks a column or has another type.

    References
    ----------
    Fisher (1934), Statistical methods for research workers, 5th ed. Newcombe (1998), Interval estimation for the
    difference between independent proportions, Statistics in Medicine 17, method 10. Benjamini and Hochberg (1995).

    Examples
    --------
    >>> import polars as pl, cjm
    >>> rows = [(who, f"2026-01-01T10:0{i}Z", page) for who in "abcdefgh"
    ...         for i, page in enumerate(["home", "help" if who < "e" else "cart"])]
    >>> frame = pl.DataFrame(rows, schema=["who", "at", "page"], orient="row")
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="page", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> churned = journeys.frame.group_by("person").agg(outcome=(pl.col("event") == "help").any()).collect()
    >>> table = cjm.contrast(journeys, [["web:home"], ["web:home", "web:help"]], churned)
    >>> table.select("pattern", "rate_true", "rate_false", pl.col("p").round(4)).rows()
    [(['web:home', 'web:help'], 1.0, 0.0, 0.0286), (['web:home'], 1.0, 1.0, 1.0)]
    """
    if not 0 < level < 1:
        raise ArgumentError.at(f"level is {level!r}", where=_WHERE, hint="Give a number between 0 and 1, such as 0.95")
    members = journeys.arrays.person
    group = _groups(members, outcome)
    left_out = int(np.sum(group < 0))
    of_true, of_false = int(np.sum(group == 1)), int(np.sum(group == 0))
    if of_true == 0 or of_false == 0:
        raise ArgumentError.at(
            f"{of_true:,} persons have the outcome and {of_false:,} have not ({left_out:,} of {len(members):,} persons "
            "left out for want of a known outcome): there is nothing to compare",
            where=f"{_WHERE}(outcome=...)",
            hint="Both groups need persons; check that the person numbers are those of these journeys",
        )
    if _is_declared(patterns):
        if max_gap is not None or within is not None:
            raise ArgumentError.at(
                "declared patterns have limits of their own", where=_WHERE, hint="Leave out max_gap and within"
            )
        lists, length, counts = _found(journeys, patterns, group)
        same = np.zeros(len(lists), dtype=bool)
    else:
        lists = _lists(patterns)
        length = lists.list.len().cast(pl.Int64)
        gap_us = NO_LIMIT if max_gap is None else to_us(max_gap, "max_gap")
        within_us = NO_LIMIT if within is None else to_us(within, "within")
        counts, before = _counts(journeys, lists, group, gap_us, within_us)
        same = (counts == before).all(axis=1) & (length > 1).to_numpy()
    n_false, n_true = counts.T
    rate_true, rate_false = n_true / of_true, n_false / of_false
    lower, upper = _newcombe(n_true, of_true, n_false, of_false, level)
    log_p = _fisher(n_true, n_true + n_false, of_true, of_true + of_false)
    with np.errstate(invalid="ignore"):
        lift = (n_true / (n_true + n_false)) / (of_true / (of_true + of_false))
    p = np.exp(log_p)
    difference = rate_true - rate_false
    table = pl.DataFrame(
        {
            "pattern": lists,
            "length": length,
            "n_true": n_true,
            "of_true": np.full(len(lists), of_true),
            "rate_true": rate_true,
            "n_false": n_false,
            "of_false": np.full(len(lists), of_false),
            "rate_false": rate_false,
            "difference": difference,
            "lower": lower,
            "upper": upper,
            "lift": pl.Series(lift).fill_nan(None),
            "z": _deviate(log_p, difference),
            "p": p,
            "q": benjamini_hochberg(p),
            "prefix_only": same,
            "left_out": np.full(len(lists), left_out),
        }
    )
    order = pl.DataFrame({"log_p": log_p, "size": -np.abs(difference), "pattern": lists}).with_row_index("row")
    return table[order.sort("log_p", "size", "pattern")["row"]]


def _is_declared(patterns: Any) -> bool:
    """Tell patterns for the matcher from lists of touchpoints."""
    if isinstance(patterns, pl.DataFrame):
        return False
    from cjm.patterns import Pattern

    return isinstance(patterns, (Mapping, str, Pattern)) or any(isinstance(one, (str, Pattern)) for one in patterns)


def _found(journeys: Journeys, patterns: Any, group: IntArray) -> tuple[pl.Series, pl.Series, IntArray]:
    """Return names, numbers of steps, and how many persons of group 0 and 1 the matcher finds."""
    from cjm.matching import find, named_patterns

    named = named_patterns(patterns)
    groups = pl.DataFrame({"person": journeys.arrays.person, "group": group}).filter(pl.col("group") >= 0)
    counted = find(journeys, named, occurrence="first").join(groups, on="person").group_by("pattern", "group").len()
    numbers = {name: number for number, name in enumerate(named)}
    counts = np.zeros((len(named), 2), dtype=np.int64)
    for name, side, count in counted.iter_rows():
        counts[numbers[name], side] = count
    lists = pl.Series("pattern", [[name] for name in named], dtype=pl.List(pl.String))
    return lists, pl.Series([len(one.steps) for one in named.values()], dtype=pl.Int64), counts


def _lists(patterns: Any) -> pl.Series:
    """Return lists of touchpoints as a column."""
    if isinstance(patterns, pl.DataFrame):
        if patterns.schema.get("pattern") != pl.List(pl.String):
            raise ContractError.at(
                "no column 'pattern' of type List(String)",
                where=f"{_WHERE}(patterns=...)",
                hint="Give the frame that mine_sequences returns, or a list of lists of touchpoints",
            )
        lists = patterns["pattern"]
    else:
        lists = pl.Series("pattern", [list(pattern) for pattern in patterns], dtype=pl.List(pl.String))
    if lists.null_count() or (lists.list.len() == 0).any() or lists.explode(empty_as_null=False).null_count():
        raise ArgumentError.at(
            "a pattern is null, has no steps, or has a null step",
            where=f"{_WHERE}(patterns=...)",
            hint="Leave such rows out",
        )
    return lists


def _groups(members: IntArray, outcome: pl.DataFrame) -> IntArray:
    """Return 1, 0, or -1 (not known) for each person."""
    for name, dtype in (("person", pl.Int64), ("outcome", pl.Boolean)):
        if outcome.schema.get(name) != dtype:
            raise ContractError.at(
                f"column {name!r} is {outcome.schema.get(name, 'missing')}, not {dtype}",
                where=f"{_WHERE}(outcome=...)",
                hint="Give a frame of person (Int64) and outcome (Boolean)",
            )
    known = outcome.select("person", "outcome").drop_nulls()
    twice = known["person"].is_duplicated().sum()
    if twice:
        raise ArgumentError.at(
            f"{twice:,} rows share a person with another row",
            where=f"{_WHERE}(outcome=...)",
            hint="Give one row a person",
        )
    joined = pl.DataFrame({"person": members}).join(known, on="person", how="left", maintain_order="left")
    return joined["outcome"].cast(pl.Int64).fill_null(-1).to_numpy()


def _counts(
    journeys: Journeys, lists: pl.Series, group: IntArray, max_gap: int, within: int
) -> tuple[IntArray, IntArray]:
    """Return how many persons of group 0 and 1 hold each pattern, and each pattern without its last step."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.sequences_count import count_in_groups
    from cjm.kernels.sequences_index import keep_items, occurrences

    order = lists.to_frame("pattern").with_row_index("row").sort("pattern")["row"].to_numpy()
    ordered = lists.gather(order)
    codes = journeys.codes(ordered.explode(empty_as_null=False).to_list())
    items = np.unique(codes)
    new_code = np.full(journeys.touchpoints.height, -1, dtype=np.int32)
    new_code[items] = np.arange(len(items), dtype=np.int32)
    arrays = journeys.arrays
    kept_person = np.repeat(group >= 0, np.diff(arrays.offsets))
    kept_offsets = np.concatenate(([0], np.cumsum(np.diff(arrays.offsets)[group >= 0])))
    code, _, source, rows = keep_items(
        as_array(arrays.code[kept_person], np.int32), as_array(kept_offsets, np.int64), as_array(new_code, np.int32)
    )
    limited = max_gap < NO_LIMIT or within < NO_LIMIT
    time = arrays.time[kept_person][source] if limited else np.zeros(0, dtype=np.int64)
    rows = as_array(rows, np.int64)
    places, place_offsets = occurrences(as_array(code, np.int32), rows, len(items), False)
    bounds = np.concatenate(([0], np.cumsum(ordered.list.len().to_numpy())))
    found = count_in_groups(
        as_array(new_code[codes], np.int32),
        as_array(bounds, np.int64),
        rows,
        as_array(time, np.int64),
        limited,
        min(max_gap, NO_LIMIT),
        min(within, NO_LIMIT),
        as_array(places, np.int64),
        as_array(place_offsets, np.int64),
        as_array(group[group >= 0], np.int64),
    )
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    return found[0][back], found[1][back]


def _newcombe(a: IntArray, n_a: int, b: IntArray, n_b: int, level: float) -> tuple[FloatArray, FloatArray]:
    low_a, high_a = wilson(a, np.full(len(a), n_a), level)
    low_b, high_b = wilson(b, np.full(len(b), n_b), level)
    rate_a, rate_b = a / n_a, b / n_b
    difference = rate_a - rate_b
    lower = difference - np.hypot(rate_a - low_a, high_b - rate_b)
    upper = difference + np.hypot(high_a - rate_a, rate_b - low_b)
    return lower, upper


def _fisher(observed: IntArray, drawn: IntArray, marked: int, total: int) -> FloatArray:
    from scipy.special import gammaln

    from cjm.kernels._jit import as_array
    from cjm.kernels.sequences_fisher import fisher_log_p

    log_factorial = gammaln(np.arange(1, total + 2, dtype=np.float64))
    log_p = fisher_log_p(
        as_array(observed, np.int64), as_array(drawn, np.int64), marked, total, as_array(log_factorial, np.float64)
    )
    return np.round(log_p, 9)  # tables that are equally likely differ by rounding errors; now they tie


def _deviate(log_p: FloatArray, difference: FloatArray) -> FloatArray:
    from scipy.special import ndtri_exp

    size: FloatArray = -ndtri_exp(log_p - np.log(2.0))
    return np.where(difference < 0, -size, size) + 0.0  # no -0.0
