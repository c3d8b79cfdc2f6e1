"""How often patterns occur among persons with an outcome and among those without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import Duration, to_us
from cjm.errors import ArgumentError, ContractError
from cjm.journeys import Journeys
from cjm.mining._count import count_sequences
from cjm.mining._family import adjusted
from cjm.mining._groups import groups_of, known_outcome
from cjm.statistics import in_first_part, newcombe

if TYPE_CHECKING:
    from cjm.patterns import Pattern

__all__ = ["contrast"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
_WHERE = "contrast"


def contrast(
    journeys: Journeys,
    patterns: pl.DataFrame | Sequence[Sequence[str]] | Mapping[str, Pattern | str] | Sequence[Pattern | str],
    outcome: pl.DataFrame | None = None,
    *,
    versus: Journeys | None = None,
    max_gap: Duration | None = None,
    within: Duration | None = None,
    level: float = 0.95,
    family: int | None = None,
) -> pl.DataFrame:
    """Compare how often patterns occur among persons with an outcome and among persons without.

    The outcome may be any difference between two groups of persons: left or stayed, one segment or another. With
    ``versus``, two journeys are compared instead, such as those of two periods.

    Patterns that were mined without a look at the outcome may all be tested on the same persons; ``q`` then adjusts
    over the whole frame, so give every pattern that was mined and choose afterwards (or say in ``family`` how many
    there were). Patterns that were chosen because of the outcome need other persons for the test: see
    :func:`cjm.split_persons`. Those of :func:`cjm.mine_discriminative` say so themselves, and the persons of their
    search are left out.

    Two things go wrong easily. Events after the outcome must not be in ``journeys`` (filter first): what follows
    churn cannot foretell it. And persons observed for longer have more of every pattern: give each person a window of
    the same length.

    Parameters
    ----------
    journeys : Journeys
    patterns : polars.DataFrame, sequence of sequences of str, or declared patterns
        A frame with a column ``pattern`` (contract SEQUENCES), or lists of touchpoints; or patterns as
        :func:`cjm.find` takes them: a mapping of name to :class:`cjm.Pattern` or its text, or a sequence of these.
    outcome : polars.DataFrame, optional
        Columns ``person`` (each once) and ``outcome`` (Boolean). Persons of ``journeys`` that are not in it, or whose
        outcome is null, are left out; persons without events in ``journeys`` are not counted either.
    versus : Journeys, optional
        In place of ``outcome``: all persons of ``journeys`` are the group with the outcome, all of these the group
        without. Who is in both counts in both, though the test takes the groups as independent: as a rule it then
        finds less than there is.
    max_gap, within : duration, optional
        The limits with which the patterns were mined: longest time between steps, and from first to last, inclusive.
        Declared patterns have their own.
    level : float
        Confidence level of the interval, between 0 and 1.
    family : int, optional
        How many patterns were mined, if only some of them are given.

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
        - ``left_out``: persons of ``journeys`` without a known outcome, or whom the search had seen;
        - ``held_out``: the patterns were found by the outcome, and are tested on persons who took no part in that.

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
    if (outcome is None) == (versus is None):
        raise ArgumentError.at(
            "outcome and versus are two ways to say who is compared with whom", where=_WHERE, hint="Give one of them"
        )
    seen = _share_seen(patterns)
    if outcome is not None:
        known = known_outcome(outcome, _WHERE)
        samples = [(journeys, _not_seen(lambda persons: groups_of(persons, known), seen))]
    else:
        assert versus is not None
        samples = [(journeys, _not_seen(np.ones_like, seen)), (versus, _not_seen(np.zeros_like, seen))]
    if _is_declared(patterns):
        if max_gap is not None or within is not None:
            raise ArgumentError.at(
                "declared patterns have limits of their own", where=_WHERE, hint="Leave out max_gap and within"
            )
        lists, length, counts, of = _found(samples, patterns)
        same = np.zeros(len(lists), dtype=bool)
    else:
        lists = _lists(patterns)
        length = lists.list.len().cast(pl.Int64)
        gap_us = None if max_gap is None else to_us(max_gap, "max_gap")
        within_us = None if within is None else to_us(within, "within")
        counts, before, of = count_sequences(samples, lists, gap_us, within_us, _WHERE)
        same = (counts == before).all(axis=1) & (length > 1).to_numpy()
    of_false, of_true = of.tolist()
    persons = sum(len(bucket.arrays.person) for sample, _ in samples for bucket in sample.buckets())
    left_out = persons - of_true - of_false
    if of_true == 0 or of_false == 0:
        raise ArgumentError.at(
            f"{of_true:,} persons have the outcome and {of_false:,} have not ({left_out:,} of {persons:,} persons "
            "left out for want of a known outcome): there is nothing to compare",
            where=f"{_WHERE}(outcome=...)",
            hint="Both groups need persons; check that the person numbers are those of these journeys",
        )
    tests = len(lists) if family is None else family
    if isinstance(tests, bool) or not isinstance(tests, int) or tests < len(lists):
        raise ArgumentError.at(
            f"family is {family!r}, and there are {len(lists):,} patterns",
            where=_WHERE,
            hint="Give how many were found",
        )
    n_false, n_true = counts.T
    rate_true, rate_false = n_true / of_true, n_false / of_false
    lower, upper = newcombe(n_true, of_true, n_false, of_false, level)
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
            "q": adjusted(p, tests),
            "prefix_only": same,
            "left_out": np.full(len(lists), left_out),
            "held_out": np.full(len(lists), seen > 0),
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


def _share_seen(patterns: Any) -> float:
    """Return the share of persons whose outcomes the search for these patterns has seen."""
    if not isinstance(patterns, pl.DataFrame) or "outcome_seen" not in patterns.columns or patterns.is_empty():
        return 0.0
    share = float(patterns["outcome_seen"].max())  # type: ignore[arg-type]
    if share >= 1:
        raise ArgumentError.at(
            "the patterns were found by the outcome of all persons, so that nobody is left to test them on",
            where=f"{_WHERE}(patterns=...)",
            hint="Search again with a smaller share, such as mine_discriminative(..., share=0.5)",
        )
    return share


def _not_seen(groups: Callable[[IntArray], IntArray], seen: float) -> Callable[[IntArray], IntArray]:
    """Return the groups without the persons whose outcomes the search has seen."""
    return (lambda persons: np.where(in_first_part(persons, seen), -1, groups(persons))) if seen else groups


def _found(
    samples: list[tuple[Journeys, Callable[[IntArray], IntArray]]], patterns: Any
) -> tuple[pl.Series, pl.Series, IntArray, IntArray]:
    """Return names, numbers of steps, how many persons of group 0 and 1 the matcher finds, and how many there are."""
    from cjm.matching import find, named_patterns

    named = named_patterns(patterns)
    numbers = {name: number for number, name in enumerate(named)}
    counts = np.zeros((len(named), 2), dtype=np.int64)
    of = np.zeros(2, dtype=np.int64)
    for journeys, groups in samples:
        for bucket in journeys.buckets():
            persons = bucket.arrays.person
            group = groups(persons)
            of += np.bincount(group[group >= 0], minlength=2)
            sides = pl.DataFrame({"person": persons, "group": group}).filter(pl.col("group") >= 0)
            found = find(bucket, named, occurrence="first").join(sides, on="person").group_by("pattern", "group").len()
            for name, side, count in found.iter_rows():
                counts[numbers[name], side] += count
    lists = pl.Series("pattern", [[name] for name in named], dtype=pl.List(pl.String))
    return lists, pl.Series([len(one.steps) for one in named.values()], dtype=pl.Int64), counts, of


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
