"""Association rules between touchpoints."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.journeys import Journeys
from cjm.mining._family import By, check_lengths, check_share, check_size, ragged_lists
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
    max_length: int | None = None,
    by: By = "session",
    max_patterns: int = 1_000_000,
) -> pl.DataFrame:
    """Find rules "a session with these touchpoints also has those" in the frequent itemsets.

    A rule says what goes together, not what leads to what.

    Parameters
    ----------
    journeys : Journeys
    min_support : float or int
        Least share (float in (0, 1]) or count (int) of sessions that hold all touchpoints of a rule.
    min_confidence : float
        Least share, 0 to 1, of the sessions with the antecedent that have the consequent too.
    max_length : int, optional
        Most touchpoints in a rule, both sides together.
    by : {"session", "person"}
        What is counted.
    max_patterns : int
        Give up when there are more itemsets, or more rules, than this.

    Returns
    -------
    polars.DataFrame
        Contract RULES: ``antecedent`` and ``consequent`` (each in ascending order) and Float64 metrics under mlxtend's
        names: ``support``, ``confidence``, ``lift``, ``leverage``, ``conviction`` (infinite where confidence is 1),
        ``antecedent support``, ``consequent support``, ``representativity``, ``zhangs_metric``, ``jaccard``,
        ``certainty``, ``kulczynski``. Sorted by confidence, then support (both highest first), then by antecedent and
        consequent.

    Raises
    ------
    ArgumentError
        For an argument that cannot be meant.
    RunError
        If there are more than ``max_patterns`` itemsets or rules.

    References
    ----------
    Agrawal and Srikant (1994), Fast algorithms for mining association rules, VLDB. The metrics are those of
    ``mlxtend.frequent_patterns.association_rules``.

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
    check_lengths(1, max_length, max_patterns, _WHERE)
    family, n = itemset_family(journeys, min_support, max_length, by, max_patterns, "numba", _WHERE)

    from cjm.kernels._jit import as_array
    from cjm.kernels.itemsets_rules import rules

    values = as_array(family.patterns.values, np.int32)
    offsets = as_array(family.patterns.offsets, np.int64)
    found, count = rules(values, offsets, as_array(family.counts, np.int64), float(min_confidence), max_patterns)
    check_size(count, max_patterns, "rules", _WHERE)
    whole, antecedent, consequent = found[:count].T
    codes = ragged_lists(pl.Series(family.patterns.values), family.patterns.offsets)
    names = journeys.touchpoints["touchpoint"]
    sets = ragged_lists(names.gather(pl.Series(family.patterns.values)), family.patterns.offsets)
    metrics = rule_metrics(family.counts[whole], family.counts[antecedent], family.counts[consequent], n)
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
    table = pl.DataFrame({"antecedent": sets.gather(antecedent), "consequent": sets.gather(consequent), **metrics})
    return table[order]


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
