"""``screen``: every path of a family against churn, one at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import polars as pl

from cjm.contracts import CONTRACTS
from cjm.durations import Duration
from cjm.errors import ArgumentError, ContractError, InputError
from cjm.journeys import Journeys
from cjm.patterns import Pattern
from cjm.statistics import benjamini_hochberg
from cjm.survival._bias import refuse_bias, refuse_spells
from cjm.survival._design import Completion, FloatArray, groups, require
from cjm.survival._known import first_completions
from cjm.survival._screen_tables import Entries, Found, event_tables, time_tables
from cjm.survival._subjects import Subjects

__all__ = ["screen"]

Control = Literal["bh", "by", "max-t"]
Effect = Literal["onward", "event"]

_WHERE = "screen"
_ENTRIES = 4_000_000  # completions that are compared at once, about
_PARTS = 5
_FEW_LEVELS = 10
_NO = pl.Series([False])


def screen(
    subjects: Subjects,
    journeys: Journeys,
    patterns: pl.DataFrame | Pattern | str | Mapping[str, Pattern | str] | Sequence[Pattern | str],
    *,
    adjust: Sequence[str] = (),
    control: Control = "bh",
    family: int | None = None,
    saw_outcome: bool | None = None,
    effect: Effect = "onward",
    max_gap: Duration | None = None,
    within: Duration | None = None,
    draws: int = 1000,
    seed: int = 0,
    allow_bias: bool = False,
    level: float = 0.95,
) -> pl.DataFrame:
    """Test for each of many paths, alone, whether churn differs after it.

    A path counts strictly after it is complete and known, so those exposed are compared, at each churn, with those at
    risk who have not completed it yet. Churn by silence is compared event by event, among events with about the same
    number. All paths that were mined belong in ``patterns``: what is kept may be chosen afterwards, by ``q``.

    Parameters
    ----------
    subjects : Subjects
    journeys : Journeys
        Where the paths are looked for.
    patterns : polars.DataFrame, Pattern, str, mapping of str to these, or sequence of these
        Contract SEQUENCES, or what :func:`cjm.mine_discriminative` or :func:`cjm.contrast` returned (lists of
        touchpoints in ``pattern``); or patterns, the keys of a mapping being the terms.
    adjust : sequence of str
        Attributes of the subjects known at entry: comparisons are made within each combination of their values. Numbers
        with more than 10 different values are cut into fifths.
    control : {"bh", "by", "max-t"}
        Adjustment over the family. Benjamini and Hochberg; Benjamini and Yekutieli, for any dependence; or the chance
        that the largest score of all paths is as large (multiplier resampling of the events), which controls any false
        finding at all and knows how paths overlap.
    family : int, optional
        How many paths were mined, if ``patterns`` holds only some of them; the others count as tests with p = 1. Not
        with ``"max-t"``.
    saw_outcome : bool, optional
        Whether the choice of ``patterns`` looked at who churned. If so, only the persons of the second part of
        :func:`cjm.split_persons` are tested: choose on the first. By default it is taken to have done so if
        ``patterns`` is a frame of :func:`cjm.mine_discriminative`, which says at which share of the persons it looked,
        or of :func:`cjm.contrast`.
    effect : {"onward", "event"}
        With churn by silence: whether a path counts from its completion on or at the completing event alone.
    max_gap, within : duration, optional
        Limits with which lists of touchpoints were mined.
    draws, seed : int
        Of the resampling.
    allow_bias : bool
        Go on where times of churn are those of last events, which were inferred from silence.
    level : float
        Of the intervals.

    Returns
    -------
    polars.DataFrame
        Contract HAZARDS, smallest ``p`` first, then ``observed`` and ``expected`` (churned persons among the exposed
        while exposed, and how many if the path made no difference), ``days`` (of exposed persons at risk; null with
        ``effect="event"``), ``family`` (its size), ``tested_on`` (``"everyone"`` or ``"the other part"``). ``z``, ``p``
        belong to the score test (of Mantel and Byar; with silence, of Cochran, Mantel and Haenszel); where fewer than
        ten churned persons are expected among the exposed, or among the others, ``p`` is that of a Poisson count.
        ``coef``, ``se`` and the interval belong to the hazard ratio at the maximum; they are null where it is 0 or
        infinite, or where nobody was exposed.

    Raises
    ------
    ArgumentError
        For an argument that cannot be meant, times of churn that were inferred from silence, or a choice that left
        nobody for a test.
    InputError
        If nobody churned.

    Warns
    -----
    UserWarning
        If the choice looked at the outcome of everyone, so that no part is fresh.

    References
    ----------
    Mantel and Byar (1974), JASA 69; Bourgon, Gentleman and Huber (2010), Independent filtering increases detection
    power, PNAS 107; Benjamini and Yekutieli (2001), Annals of Statistics 29; Lin, Wei and Ying (1993), Checking the Cox
    model with cumulative sums of martingale-based residuals, Biometrika 80.

    Examples
    --------
    >>> from cjm.survival._example import example, example_journeys
    >>> paths = {"help": "web:offer -> web:help", "again": "web:offer -> web:offer"}
    >>> found = screen(example(), example_journeys(), paths)
    >>> found.sort("term").select("term", "exposed", "observed", pl.col("expected").round(2)).rows()
    [('again', 3, 1, 1.07), ('help', 2, 1, 0.62)]
    """
    if control not in ("bh", "by", "max-t"):
        raise ArgumentError.unknown("control", control, ["bh", "by", "max-t"], where=f"{_WHERE}(control=...)")
    if effect not in ("onward", "event") or (effect == "event" and subjects.churn.kind != "inactive"):
        raise ArgumentError.at(
            f"effect is {effect!r}", where=_WHERE, hint='"onward"; with churn by silence, "event" too'
        )
    if not 0 < level < 1 or draws < 1:
        raise ArgumentError.at(f"level is {level}, draws {draws}", where=_WHERE, hint="Such as 0.95 and 1000")
    refuse_spells(subjects, where=_WHERE)
    if not allow_bias:
        refuse_bias(journeys, subjects, effect=effect, clock="auto", where=_WHERE)
    named = _named(patterns, max_gap, within)
    if family is not None and (family < len(named) or control == "max-t"):
        raise ArgumentError.at(
            f"family is {family}, there are {len(named)} patterns", where=_WHERE, hint="Give how many were mined, "
            'with control="bh" or "by"',
        )  # fmt: skip
    part = saw_outcome is not False and (saw_outcome is True or _saw_outcome(patterns))
    if part:
        subjects = _other_part(subjects, patterns)
    require(subjects.frame, adjust, where=f"{_WHERE}(adjust=...)")
    if not subjects.frame["churned"].any():
        raise InputError.at(
            f"none of {subjects.frame.height} subjects churned",
            where=_WHERE,
            hint=f"The definition was: {subjects.churn}",
        )
    cut = subjects.frame.with_columns(_cut(subjects.frame[name]) for name in adjust)
    group = groups(cut, list(adjust))[0]
    if subjects.churn.kind == "inactive":
        tables = event_tables(journeys, subjects, group, every=effect == "event")
    else:
        tables = time_tables(subjects, group)
    persons = subjects.frame["person"].to_numpy()
    completions = first_completions(journeys, named, persons, every=effect == "event")
    parts = []
    for block in [completions] if control == "max-t" else _blocks(completions):  # max-t draws for all paths at once
        entries = tables.place(Entries.collect(block))
        parts.append(tables.screen(entries))
    found = Found(np.concatenate([part.table for part in parts]), parts[0].deaths)
    if control == "max-t":
        q = tables.max_t(entries, np.abs(found.z), draws, seed)
    else:
        q = _adjusted(found.p, family or len(named), control)
    return _table(list(named), found.columns(level), q, family or len(named), part, effect)


def _named(
    patterns: pl.DataFrame | Pattern | str | Mapping[str, Pattern | str] | Sequence[Pattern | str],
    max_gap: Duration | None,
    within: Duration | None,
) -> dict[str, Pattern]:
    """Return the patterns by name."""
    from cjm.matching import named_patterns

    if not isinstance(patterns, pl.DataFrame):
        if max_gap is not None or within is not None:
            raise ArgumentError.at(
                "patterns have limits of their own", where=_WHERE, hint="Leave out max_gap and within"
            )
        named = named_patterns(patterns)
        if not named:
            raise ArgumentError.at("no patterns are given", where=_WHERE)
        return named
    if patterns.schema.get("pattern") != pl.List(pl.String) or patterns.is_empty():
        raise ContractError.at(
            "no rows with a column 'pattern' of type List(String)",
            where=f"{_WHERE}(patterns=...)",
            hint="Give the frame that mine_sequences returns",
        )
    made = (Pattern.from_touchpoints(path, max_gap=max_gap, within=within) for path in patterns["pattern"].to_list())
    return {str(pattern): pattern for pattern in made}


def _blocks(completions: Iterable[Completion]) -> Iterator[list[Completion]]:
    """Yield some paths at a time, with few entries in memory."""
    block: list[Completion] = []
    held = 0
    for path in completions:
        block.append(path)
        held += len(path[1])
        if held >= _ENTRIES:
            yield block
            block, held = [], 0
    if block:
        yield block


def _saw_outcome(patterns: object) -> bool:
    """Whether the rows of a frame were found, or put in order, by an outcome."""
    columns = set(patterns.columns) if isinstance(patterns, pl.DataFrame) else set()
    return "outcome_seen" in columns or {"of_true", "of_false", "p"} <= columns


def _other_part(subjects: Subjects, patterns: object) -> Subjects:
    """Return the subjects at whom the choice has not looked."""
    share = 0.5
    if isinstance(patterns, pl.DataFrame) and "outcome_seen" in patterns.columns:
        share = float(patterns["outcome_seen"].max())  # type: ignore[arg-type]
    if share >= 1 or (isinstance(patterns, pl.DataFrame) and patterns.get_column("held_out", default=_NO).any()):
        raise ArgumentError.at(
            "the choice of these paths has looked at everybody, so nobody is left for a test",
            where=f"{_WHERE}(patterns=...)",
            hint="Give the frame that mine_discriminative(..., share=0.5) returned, before it is contrasted",
        )
    first, second = subjects.split(share)
    if isinstance(patterns, pl.DataFrame) and _saw_outcome(patterns):
        looked_at = int(patterns.select(pl.col("of_true") + pl.col("of_false")).to_series()[0])
        if looked_at > 1.05 * first.frame.height + 10:
            warnings.warn(
                f"the paths were compared on {looked_at:,} persons, more than the first part has: the choice has seen "
                "those on whom it is tested. Compare on cjm.split_persons(journeys)[0]",
                UserWarning,
                stacklevel=3,
            )
    return second


def _cut(column: pl.Series) -> pl.Series:
    """Return a column with few values: numbers with many are cut into fifths."""
    if not column.dtype.is_numeric() or column.n_unique() <= _FEW_LEVELS:
        return column
    values = column.cast(pl.Float64).to_numpy()
    edges = np.unique(np.nanquantile(values, np.arange(1, _PARTS) / _PARTS))
    place = pl.Series(column.name, np.searchsorted(edges, values))
    return place.set(column.is_null(), None)


def _adjusted(p: FloatArray, family: int, control: str) -> FloatArray:
    """Return adjusted p values; a path that could not be tested counts as one with p = 1."""
    every = np.concatenate((np.nan_to_num(p, nan=1.0), np.ones(family - len(p))))
    q = benjamini_hochberg(every)[: len(p)]
    if control == "by":
        q = np.minimum(q * float((1 / np.arange(1, family + 1)).sum()), 1.0)
    return np.where(np.isnan(p), np.nan, q)


def _table(
    names: list[str], columns: Mapping[str, FloatArray], q: FloatArray, family: int, part: bool, effect: str
) -> pl.DataFrame:
    counts = dict.fromkeys(("exposed", "events", "observed"), pl.Int64)
    table = pl.DataFrame({"term": names, **columns, "q": q}).with_columns(
        pl.col(pl.Float64).fill_nan(None),
        pl.lit(family, dtype=pl.Int64).alias("family"),
        pl.lit("the other part" if part else "everyone").alias("tested_on"),
    )
    table = table.with_columns(pl.col(name).cast(dtype) for name, dtype in counts.items())
    if effect == "event":
        table = table.with_columns(days=pl.lit(None, dtype=pl.Float64))
    order = [*CONTRACTS["HAZARDS"].columns, "observed", "expected", "days", "family", "tested_on"]
    return table.select(order).sort("p", "term", nulls_last=True)
