"""Rules in which one thing comes before another."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from cjm.durations import Duration
from cjm.journeys import Journeys
from cjm.mining._family import By, check_share
from cjm.mining._rules import rule_metrics
from cjm.mining._sequences import mine_sequences

__all__ = ["mine_sequential_rules"]

_WHERE = "mine_sequential_rules"


def mine_sequential_rules(
    journeys: Journeys,
    *,
    min_support: float,
    min_confidence: float = 0.5,
    towards: str | Sequence[str] | None = None,
    max_length: int | None = None,
    max_gap: Duration | None = None,
    within: Duration | None = None,
    by: By = "person",
    max_patterns: int = 1_000_000,
) -> pl.DataFrame:
    """Find rules "who went through these touchpoints in this order came to that one afterwards".

    The antecedent is a sequence, the consequent the touchpoint after it; other events may lie between. With time limits
    the whole (antecedent and consequent) must keep them, so the confidence is the share of those with the antecedent
    who went on in time.

    ``lift`` compares with the share of persons who have the consequent at any time, before or after. Long journeys have
    more of every touchpoint, so that lifts above 1 are the rule where journeys differ in length. Whether the order
    matters, :func:`cjm.contrast` and survival models tell, not this.

    Parameters
    ----------
    journeys : Journeys
    min_support : float or int
        Least share (float in (0, 1]) or count (int) of persons with antecedent and consequent.
    min_confidence : float
        Least share, 0 to 1, of the persons with the antecedent who came to the consequent.
    towards : str or sequence of str, optional
        Only rules whose consequent is this touchpoint, or one of these.
    max_length : int, optional
        Most touchpoints in a rule, both sides together.
    max_gap, within : duration, optional
        Longest time from one touchpoint to the next, and from the first to the consequent, inclusive.
    by : {"person", "session"}
        What is counted, and what a rule must lie in.
    max_patterns : int
        Give up when more sequences than this are frequent.

    Returns
    -------
    polars.DataFrame
        Contract RULES: ``antecedent`` (in order), ``consequent`` (one touchpoint), then the metrics of
        :func:`cjm.mine_rules` (``antecedent support`` under the same limits), then ``persons`` (sessions, with
        ``by="session"``) with both, ``persons_antecedent``, ``persons_consequent``. Sorted by confidence, then support
        (both highest first), then by antecedent and consequent.

    Raises
    ------
    ArgumentError
        For an argument that cannot be meant, or an unknown touchpoint.
    RunError
        If there are more than ``max_patterns`` sequences.

    References
    ----------
    Zaki (2001), SPADE: an efficient algorithm for mining frequent sequences, Machine Learning 42. Rules from a sequence
    and its beginning are those that ``ruleInduction`` of the R package arulesSequences makes of SPADE's sequences.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> rows = [("a", "10:00", "home"), ("a", "10:05", "cart"), ("b", "10:00", "cart"), ("b", "10:01", "home")]
    >>> frame = pl.DataFrame(rows, schema=["who", "at", "page"], orient="row")
    >>> frame = frame.with_columns(at="2026-01-01T" + pl.col("at") + "Z")
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="page", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> rules = cjm.mine_sequential_rules(journeys, min_support=1, within="5m", towards="web:cart")
    >>> rules.select("antecedent", "consequent", "confidence", "lift").rows()
    [(['web:home'], ['web:cart'], 0.5, 0.5)]
    """
    check_share("min_confidence", min_confidence, _WHERE)
    wanted = [towards] if isinstance(towards, str) else towards
    if wanted is not None:
        journeys.codes(wanted)
    found = mine_sequences(
        journeys,
        min_support=min_support,
        max_length=max_length,
        max_gap=max_gap,
        within=within,
        by=by,
        max_patterns=max_patterns,
    ).select("pattern", "persons", "support")
    last = pl.col("pattern").list.last()
    rules = found.filter(pl.col("pattern").list.len() > 1).select(
        antecedent=pl.col("pattern").list.head(pl.col("pattern").list.len() - 1),
        consequent=pl.concat_list(last),
        persons="persons",
    )
    if wanted is not None:
        rules = rules.filter(pl.col("consequent").list.first().is_in(list(wanted)))
    # a beginning of a frequent sequence is frequent, within the same limits too
    rules = rules.join(found.select(antecedent="pattern", persons_antecedent="persons"), on="antecedent").join(
        found.select(consequent="pattern", persons_consequent="persons"), on="consequent"
    )
    rules = rules.filter(pl.col("persons") / pl.col("persons_antecedent") >= min_confidence)
    n = round(found["persons"][0] / found["support"][0]) if found.height else 0
    both, left, right = (rules[name].to_numpy() for name in ("persons", "persons_antecedent", "persons_consequent"))
    metrics = pl.DataFrame(rule_metrics(both, left, right, n))
    names = pl.col("antecedent", "consequent")
    return (
        rules.select(names)
        .hstack(metrics)
        .hstack(rules.select(pl.exclude("antecedent", "consequent")))
        .sort("confidence", "support", "antecedent", "consequent", descending=[True, True, False, False])
    )
