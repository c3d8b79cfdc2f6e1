"""Association rules between touchpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.journeys import Journeys
from cjm.mining._family import By, Family, adjusted, check_choice, check_lengths, check_share, check_size, ragged_lists
from cjm.mining._itemsets import itemset_family

__all__ = ["mine_rules", "rule_metrics"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_WHERE = "mine_rules"


def mine_rules(
    journeys: Journeys,
    *,
    min_support: float,
    min_confidence: float = 0.5,
    min_improvement: float | None = None,
    towards: str | Sequence[str] | None = None,
    max_length: int | None = None,
    by: By = "session",
    max_patterns: int = 1_000_000,
    engine: Literal["numba", "mlxtend"] = "numba",
) -> pl.DataFrame:
    """Find rules "a session with these touchpoints also has those" in the frequent itemsets.

    A rule says what goes together, not what leads to what (:func:`cjm.mine_sequential_rules` asks for the order).

    Parameters
    ----------
    journeys : Journeys
    min_support : float or int
        Least share (float in (0, 1]) or count (int) of sessions that hold all touchpoints of a rule.
    min_confidence : float
        Least share, 0 to 1, of the sessions with the antecedent that have the consequent too.
    min_improvement : float, optional
        Leave out redundant rules: keep those whose confidence is higher, by more than this, than that of every rule to
        the same consequent with a part of the antecedent, or with none (which is the share of sessions with the
        consequent). 0 leaves out rules that a simpler one equals or beats.
    towards : str or sequence of str, optional
        Only rules whose consequent is this touchpoint, or one of these, alone.
    max_length : int, optional
        Most touchpoints in a rule, both sides together.
    by : {"session", "person"}
        What is counted.
    max_patterns : int
        Give up when there are more itemsets, or more rules, than this.
    engine : {"numba", "mlxtend"}
        ``mlxtend`` runs that library's ``fpgrowth`` and ``association_rules``, for audits of small data. What it does
        not know (``improvement``, ``p``, ``q``) is computed here.

    Returns
    -------
    polars.DataFrame
        Contract RULES: ``antecedent`` and ``consequent`` (each in ascending order) and Float64 metrics under mlxtend's
        names: ``support``, ``confidence``, ``lift``, ``leverage``, ``conviction`` (infinite where confidence is 1),
        ``antecedent support``, ``consequent support``, ``representativity``, ``zhangs_metric``, ``jaccard``,
        ``certainty``, ``kulczynski``. Then

        - ``improvement``: confidence less that of the best simpler rule, see ``min_improvement``;
        - ``p``: Fisher's exact test, one-sided: the chance of at least so many sessions with both sides if one said
          nothing about the other;
        - ``q``: Benjamini and Hochberg over all splits of all itemsets, also those left out here.

        The tests take sessions as independent; where persons have many, ``by="person"`` is the honest unit. Sorted by
        confidence, then support (both highest first), then by antecedent and consequent.

    Raises
    ------
    ArgumentError
        For an argument that cannot be meant.
    RunError
        If there are more than ``max_patterns`` itemsets or rules.

    References
    ----------
    Agrawal and Srikant (1994), Fast algorithms for mining association rules, VLDB. The metrics are those of
    ``mlxtend.frequent_patterns.association_rules``. Bayardo, Agrawal and Gunopulos (2000), Constraint-based rule mining
    in large, dense databases, Data Mining and Knowledge Discovery 4, for the improvement. Hämäläinen (2012),
    Kingfisher, Knowledge and Information Systems 32, for the one-sided test.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> rows = [("a", "10:00", "home"), ("a", "10:05", "cart"), ("b", "10:00", "home")]
    >>> frame = pl.DataFrame(rows, schema=["who", "at", "page"], orient="row")
    >>> frame = frame.with_columns(at="2026-01-01T" + pl.col("at") + "Z")
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="page", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.mine_rules(journeys, min_support=1).select("antecedent", "consequent", "confidence").rows()
    [(['web:cart'], ['web:home'], 1.0), (['web:home'], ['web:cart'], 0.5)]
    """
    check_share("min_confidence", min_confidence, _WHERE)
    if min_improvement is not None:
        check_share("min_improvement", min_improvement, _WHERE)
    check_choice("engine", engine, ("numba", "mlxtend"), _WHERE)
    check_lengths(1, max_length, max_patterns, _WHERE)
    marked = np.zeros(0, dtype=np.bool_)
    if towards is not None:
        marked = np.zeros(journeys.touchpoints.height, dtype=np.bool_)
        marked[journeys.codes([towards] if isinstance(towards, str) else list(towards))] = True
    family, n = itemset_family(journeys, min_support, max_length, by, max_patterns, engine, _WHERE)
    found, improvement, tried = _split(family, n, min_confidence, min_improvement, marked, max_patterns)
    whole, antecedent, consequent = found.T
    counts = family.counts
    metrics = rule_metrics(counts[whole], counts[antecedent], counts[consequent], n)
    p = _upper_tail(counts[whole], counts[antecedent], counts[consequent], n)
    codes = ragged_lists(pl.Series(family.patterns.values), family.patterns.offsets)
    names = journeys.touchpoints["touchpoint"]
    sets = ragged_lists(names.gather(pl.Series(family.patterns.values)), family.patterns.offsets)
    order = (
        pl.DataFrame(
            {
                "confidence": metrics["confidence"],
                "support": metrics["support"],
                "antecedent": codes.gather(antecedent),
                "consequent": codes.gather(consequent),
            }
        )
        .with_row_index("row")
        .sort("confidence", "support", "antecedent", "consequent", descending=[True, True, False, False])["row"]
    )
    if engine == "mlxtend":
        metrics |= _metrics_by_library(family, n, found, list(metrics))
    sides = {"antecedent": sets.gather(antecedent), "consequent": sets.gather(consequent)}
    return pl.DataFrame({**sides, **metrics, "improvement": improvement, "p": p, "q": adjusted(p, tried)})[order]


def _split(
    family: Family,
    n: int,
    min_confidence: float,
    min_improvement: float | None,
    towards: npt.NDArray[np.bool_],
    max_patterns: int,
) -> tuple[IntArray, FloatArray, int]:
    """Return rules as numbers of sets, the improvement of each, and how many were looked at."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.itemsets_rules import rules

    found, improvement, filled, tried = rules(
        as_array(family.patterns.values, np.int32),
        as_array(family.patterns.offsets, np.int64),
        as_array(family.counts, np.int64),
        n,
        float(min_confidence),
        -2.0 if min_improvement is None else float(min_improvement),
        as_array(towards, np.bool_),
        max_patterns,
    )
    check_size(filled, max_patterns, "rules", _WHERE)
    return found[:filled], improvement[:filled], tried


def _upper_tail(whole: IntArray, left: IntArray, right: IntArray, n: int) -> FloatArray:
    from scipy.special import gammaln

    from cjm.kernels._jit import as_array
    from cjm.kernels.itemsets_rules import upper_tail_p

    log_factorial = as_array(gammaln(np.arange(1, n + 2, dtype=np.float64)), np.float64)
    counts = as_array(whole, np.int64), as_array(left, np.int64), as_array(right, np.int64)
    return upper_tail_p(*counts, n, log_factorial)


def _metrics_by_library(family: Family, n: int, found: IntArray, names: list[str]) -> dict[str, FloatArray]:
    """Return the metrics that mlxtend gives these rules."""
    import pandas as pd
    from mlxtend.frequent_patterns import association_rules

    if len(found) == 0:
        return {}
    sets = [frozenset(items.tolist()) for items in family.patterns]
    frame = pd.DataFrame({"itemsets": sets, "support": family.counts / n})
    with np.errstate(divide="ignore", invalid="ignore"):
        rules = association_rules(frame, metric="confidence", min_threshold=0.0)
    rows = {sides: row for row, sides in enumerate(zip(rules["antecedents"], rules["consequents"], strict=True))}
    chosen = [rows[sets[left], sets[right]] for _, left, right in found.tolist()]
    return {name: rules[name].to_numpy(dtype=np.float64)[chosen] for name in names}


def rule_metrics(whole: IntArray, antecedent: IntArray, consequent: IntArray, n: int) -> dict[str, FloatArray]:
    """Return the metrics of rules from the counts of both sides together, of each side, and of all."""
    both, left, right = whole / max(n, 1), antecedent / max(n, 1), consequent / max(n, 1)
    confidence = whole / antecedent
    leverage = both - left * right
    with np.errstate(divide="ignore", invalid="ignore"):
        conviction = np.where(whole == antecedent, np.inf, (1 - right) / (1 - confidence))
        scale = np.maximum(both * (1 - left), left * (right - both))
        zhang = np.where(scale == 0, 0.0, leverage / scale)
        certainty = np.where(consequent == n, 0.0, (confidence - right) / (1 - right))
    return {
        "support": both,
        "confidence": confidence,
        "lift": confidence / right,
        "leverage": leverage,
        "conviction": conviction,
        "antecedent support": left,
        "consequent support": right,
        "representativity": np.ones(len(whole)),
        "zhangs_metric": zhang,
        "jaccard": both / (left + right - both),
        "certainty": certainty,
        "kulczynski": (confidence + whole / consequent) / 2,
    }
