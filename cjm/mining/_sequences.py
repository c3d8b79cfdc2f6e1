"""Frequent sequences of touchpoints."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import Duration
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
    ragged_lists,
    to_min_count,
)
from cjm.mining._in_parts import search_in_parts
from cjm.mining._limits import check_whole, limits_of
from cjm.mining._search import supports
from cjm.mining._units import Taxonomy, Units, codes_of, units_of
from cjm.ragged import Ragged

__all__ = ["mine_sequences"]

IntArray = npt.NDArray[np.int64]
_WHERE = "mine_sequences"
_TOGETHER = " & "
_ODD = re.compile(r'^"|(^| )&( |$)')
_KINDS = ("all", "closed", "maximal", "generator")


def mine_sequences(
    journeys: Journeys,
    *,
    min_support: float | None = None,
    top_k: int | None = None,
    min_length: int = 1,
    max_length: int | None = None,
    kind: Kind = "all",
    max_gap: Duration | None = None,
    min_gap: Duration | None = None,
    within: Duration | None = None,
    max_gap_events: int | None = None,
    min_gap_events: int | None = None,
    by: By | pl.DataFrame = "person",
    start: str | Sequence[str] = (),
    end: str | Sequence[str] = (),
    required: str | Sequence[str] = (),
    forbidden: str | Sequence[str] = (),
    taxonomy: Taxonomy | None = None,
    collapse: bool = False,
    simultaneous: bool = False,
    max_patterns: int = 1_000_000,
    threads: int | None = None,
    engine: Literal["numba", "prefixspan"] = "numba",
) -> pl.DataFrame:
    """Find the sequences of touchpoints that enough persons (sessions, journeys) went through.

    A person has a sequence if its touchpoints occur among the person's events in that order; other events may lie
    between. A touchpoint may occur in a sequence more than once. Outcomes are not looked at, so what is found can be
    tested against one with :func:`cjm.contrast`.

    Events at one time have an order too, that of their sources and arrival. Where it means nothing (all that is on one
    receipt), ``simultaneous=True`` takes them together, and a step is what was found at one time.

    Parameters
    ----------
    journeys : Journeys
    min_support : float or int, optional
        A float in (0, 1] is a share: a sequence is kept if ``count / n >= min_support``. An int is a count. It may be
        left out where ``top_k`` is given.
    top_k : int, optional
        Only the first so many rows of the result. The threshold is lowered step by step until there are as many.
    min_length, max_length : int
        Fewest and most touchpoints in a sequence. ``max_length=None`` sets no limit.
    kind : {"all", "closed", "maximal", "generator"}
        ``closed`` leaves out a sequence that is contained in a longer one with the same count, ``maximal`` one that is
        contained in any longer one, ``generator`` one that contains a shorter one with the same count. It is judged
        among the sequences that all other options let through (so one of ``max_length`` is always closed, and the
        closed ones tell the counts of all). Under a longest gap, a sequence is contained in a longer one only as an
        unbroken part of it: leaving out a step in between would make a longer gap.
    max_gap, min_gap : duration, optional
        Longest and shortest time from one touchpoint of the sequence to the next, inclusive.
    within : duration, optional
        Longest time from the first touchpoint to the last, inclusive. With limits a person counts if any of their
        occurrences keeps them.
    max_gap_events, min_gap_events : int, optional
        The same in events: 1 is the very next event of the person (session, journey), 2 the one after it.
    by : {"person", "session"} or DataFrame
        What is counted, and what a sequence must lie in. The frame that ``cjm.goal_events(journeys, goals)`` returns
        stands for journeys towards goals.
    start, end : str or sequence of str
        The sequence begins (ends) with one of these touchpoints.
    required, forbidden : str or sequence of str
        All of these touchpoints, none of these are in the sequence. Events of forbidden ones still count as events for
        gaps.
    taxonomy : mapping of str to str or sequence of str, optional
        The group or groups of a touchpoint, and of a group. A step may be a touchpoint or a group, on any level; no
        event makes two steps. Groups can be named in ``start``, ``end``, ``required`` and ``forbidden``.
    collapse : bool
        Take events of one touchpoint in a row as one, the first.
    simultaneous : bool
        Take the events of a person (session, journey) at one time together, as a set. A step is then one or several
        touchpoints at one time, and the next step is strictly later. A step of several is written as its touchpoints
        in ascending order with " & " between them, ``"store:bread & store:milk"``; a touchpoint with a "&" that stands
        as a word of its own is written in double quotes, as in JSON. Lengths still count touchpoints (those of all
        steps together), gaps in events count times, ``start`` and ``end`` ask for a touchpoint in the first and last
        step, and a step is contained in one that holds all its touchpoints. Not with ``taxonomy``, ``collapse``.
    max_patterns : int
        Give up when more sequences than this are frequent (before ``kind``, ``end`` and ``required`` leave some out).
        The message says how many there are of few steps.
    threads : int, optional
        How many threads share the work; all processors by default. The result does not depend on it.
    engine : {"numba", "prefixspan"}
        ``prefixspan`` runs the library of that name instead of the kernel, for audits of small data. It mines all
        sequences; ``kind`` is judged here (what the library itself returns as closed is not: of the rows ``a b`` and
        ``a b a`` it keeps ``a``, though ``a b`` has the same count).

    Returns
    -------
    polars.DataFrame
        Contract SEQUENCES: ``pattern``, ``length``, ``persons`` (sessions with ``by="session"``, journeys with a
        frame), ``support`` (their share). Sorted by ``persons`` (most first), ``length``, ``pattern``.

    Raises
    ------
    ArgumentError
        For an argument that cannot be meant, for ``simultaneous`` with ``taxonomy`` or ``collapse``, or for limits, a
        taxonomy or ``simultaneous`` with ``engine="prefixspan"``.
    RunError
        If there are more than ``max_patterns`` sequences.

    Notes
    -----
    ``Pattern.from_touchpoints(pattern, max_gap=..., min_gap=..., within=...)`` makes the pattern of a mined sequence;
    :func:`cjm.find` then finds exactly the persons that were counted. Patterns have no steps of several touchpoints
    at one time (``{a, b}`` in a pattern is a or b), so what ``simultaneous`` found is a table to read.

    References
    ----------
    Pei et al. (2001), PrefixSpan: mining sequential patterns efficiently by prefix-projected pattern growth, ICDE.
    Srikant and Agrawal (1996), Mining sequential patterns: generalizations and performance improvements, EDBT.

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

    >>> at_once = frame.with_columns(at=pl.col("at").str.replace("10:06", "10:05"))
    >>> log = cjm.scan_events({"web": cjm.Source(at_once, time="at", event="page", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.mine_sequences(journeys, min_support=1, kind="maximal", simultaneous=True).rows()
    [(['web:home', 'web:cart & web:help'], 3, 1, 0.5)]
    """
    check_choice("kind", kind, _KINDS, _WHERE)
    check_choice("engine", engine, ("numba", "prefixspan"), _WHERE)
    check_lengths(min_length, max_length, max_patterns, _WHERE)
    for name, value in {"top_k": top_k, "threads": threads}.items():
        check_whole(name, value, _WHERE)
    if min_support is None and top_k is None:
        raise ArgumentError.at("neither min_support nor top_k is given", where=_WHERE, hint="Give one of them")
    limits = limits_of(max_gap, min_gap, within, max_gap_events, min_gap_events, _WHERE, joined=simultaneous)
    if engine == "prefixspan" and (limits.given or taxonomy is not None):
        raise ArgumentError.at(
            "engine='prefixspan' knows no limits on gaps and span, no taxonomy and no simultaneous events",
            where=_WHERE,
            hint="Leave them out, or use engine='numba'",
        )
    if simultaneous and (taxonomy is not None or collapse):
        raise ArgumentError.at(
            "simultaneous=True goes neither with a taxonomy nor with collapse=True",
            where=_WHERE,
            hint="Leave them out, or rename the touchpoints to their groups before you build journeys",
        )
    units = units_of(
        journeys,
        by,
        where=_WHERE,
        taxonomy=taxonomy,
        collapse=collapse,
        simultaneous=simultaneous,
        required=_some(required),
        end=_some(end),
    )
    support, n = supports(units)
    support[codes_of(_some(forbidden), units.names, "forbidden", _WHERE)] = 0
    starts = codes_of(_some(start), units.names, "start", _WHERE)
    first = np.full(len(support), not starts or simultaneous)
    first[starts] = True
    if simultaneous:  # a second time, as items that join the step before: see sequences_limits
        support, first = np.concatenate((support, support)), np.concatenate((first, np.zeros_like(first)))
    least = to_min_count(1 if min_support is None else min_support, n, _WHERE)

    def mined(min_count: int) -> Family:
        if engine == "prefixspan":
            family = _by_library(units, support, min_count, min_length, max_length, first)
            check_size(len(family.counts), max_patterns, "sequences", _WHERE)
        else:
            family = search_in_parts(
                units,
                support,
                min_count=min_count,
                first=first,
                min_length=min_length,
                max_length=max_length,
                limits=limits,
                max_patterns=max_patterns,
                threads=threads,
            )
        wanted = _wanted(family, units, starts)
        return keep_kind(wanted, kind, unbroken=limits.unbroken, n_items=len(units.names) if simultaneous else None)

    # what is maximal depends on the threshold; what else is kept of a count does not
    min_count = least if top_k is None or kind == "maximal" else max(least, int(support.max(initial=0)))
    family = mined(min_count)
    while min_count > least and top_k is not None and len(family.counts) < top_k:
        min_count = max(least, int(min_count * 0.8))
        family = mined(min_count)
    to_frame = _steps_to_frame if simultaneous else _to_frame
    return to_frame(family, units.names, n).head(top_k if top_k is not None else len(family.counts))


def _some(names: str | Sequence[str]) -> list[str]:
    """Return one name, or several, as a list."""
    return [names] if isinstance(names, str) else list(names)


def _wanted(family: Family, units: Units, starts: Sequence[int]) -> Family:
    """Keep the sequences that start and end as asked and hold all that is required."""
    if not (len(starts) or len(units.ends) or len(units.required)):
        return family
    values, offsets = family.patterns.values, family.patterns.offsets
    item = values % len(units.names)
    step = np.cumsum(values < len(units.names))
    keep = np.ones(len(family.counts), dtype=np.bool_)
    for asked, place in ((starts, offsets[:-1]), (units.ends, offsets[1:] - 1)):
        if len(asked):
            keep &= np.isin(step[place], step[np.isin(item, asked)])
    for one in units.required:
        held = np.concatenate(([0], np.cumsum(item == one)))
        keep &= held[offsets[1:]] > held[offsets[:-1]]
    lengths = family.patterns.lengths
    kept = np.concatenate(([0], np.cumsum(lengths[keep]))).astype(np.int64)
    return Family(Ragged(values[np.repeat(keep, lengths)], kept), family.counts[keep])


def _to_frame(family: Family, names: pl.Series, n: int) -> pl.DataFrame:
    """Return patterns, given in the order of a dictionary, as names; the most frequent, then the shortest, first."""
    lengths = family.patterns.lengths
    order = np.lexsort((lengths, -family.counts))
    offsets = np.concatenate(([0], np.cumsum(lengths[order]))).astype(np.int64)
    shift = np.repeat(family.patterns.offsets[:-1][order] - offsets[:-1], lengths[order])
    codes = family.patterns.values[np.arange(offsets[-1]) + shift]
    counts = family.counts[order]
    return pl.DataFrame(
        [
            ragged_lists(names.gather(pl.Series(codes)), offsets).alias("pattern"),
            pl.Series("length", lengths[order], dtype=pl.Int64),
            pl.Series("persons", counts, dtype=pl.Int64),
            pl.Series("support", counts / max(n, 1), dtype=pl.Float64),
        ]
    )


def _steps_to_frame(family: Family, names: pl.Series, n: int) -> pl.DataFrame:
    """Return patterns in which an item of ``len(names)`` or more joins the step before it, rows as above."""
    values, lengths = family.patterns.values, family.patterns.lengths
    opens = np.append(values < len(names), True)
    written = pl.Series([json.dumps(name, ensure_ascii=False) if _ODD.search(name) else name for name in names])
    items = written.cast(pl.String).gather(pl.Series(values % len(names)))
    steps = ragged_lists(items, np.flatnonzero(opens)).list.join(_TOGETHER)
    return pl.DataFrame(
        [
            ragged_lists(steps, (np.cumsum(opens) - 1)[family.patterns.offsets]).alias("pattern"),
            pl.Series("length", lengths, dtype=pl.Int64),
            pl.Series("persons", family.counts, dtype=pl.Int64),
            pl.Series("support", family.counts / max(n, 1), dtype=pl.Float64),
        ]
    ).sort("persons", "length", "pattern", descending=[True, False, False])


def _by_library(
    units: Units,
    support: IntArray,
    min_count: int,
    min_length: int,
    max_length: int | None,
    first: npt.NDArray[np.bool_],
) -> Family:
    from prefixspan import PrefixSpan

    rows = [row[support[row] > 0].tolist() for part in units.parts() for row in Ragged(part.code, part.offsets)]
    miner = PrefixSpan(rows)
    miner.minlen, miner.maxlen = min_length, NO_LIMIT if max_length is None else max_length
    found = sorted((pattern, count) for count, pattern in miner.frequent(min_count) if first[pattern[0]])
    values = np.array([item for pattern, _ in found for item in pattern], dtype=np.int32)
    lengths = np.array([len(pattern) for pattern, _ in found], dtype=np.int64)
    counts = np.array([count for _, count in found], dtype=np.int64)
    return Family(Ragged(values, np.concatenate(([0], np.cumsum(lengths)))), counts)
