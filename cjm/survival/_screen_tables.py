"""Who is at risk when, as counts, and what a screen of paths finds in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from cjm.journeys import Journeys
from cjm.statistics import normal_quantile
from cjm.survival._design import Completion, FloatArray, IntArray
from cjm.survival._risk import RiskSets
from cjm.survival._rows import event_rows, first_numbers, origins
from cjm.survival._subjects import Subjects
from cjm.survival._threads import in_threads
from cjm.survival._times import signs_of_life

__all__ = ["Entries", "Found", "Tables", "event_tables", "time_tables"]

_LOOKUP_BITS = 12
_ENTRIES_A_TASK = 1_000_000
_PATHS_A_TASK = 16
_DRAWS_AT_ONCE = 64
_FEW = 10  # deaths
_NO_POOLS = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, eq=False)
class Entries:
    """Who completed which path when: entries of path ``j`` are ``offsets[j] .. offsets[j + 1]``, by person.

    ``first`` is the event time from which a person is exposed (-1: never), ``days`` the time at risk from then on, and
    ``until`` says when the person's time at risk ends, and how (see the kernel).
    """

    offsets: IntArray
    subject: npt.NDArray[np.int32]
    time: IntArray
    first: npt.NDArray[np.int32]
    until: npt.NDArray[np.int32]
    days: FloatArray

    @classmethod
    def collect(cls, completions: Iterable[Completion]) -> Entries:
        """Return the completions, given the places of the subjects and times of each path."""
        rows, times = [], []
        for _, place, time in completions:
            rows.append(place)
            times.append(time)
        offsets = np.concatenate(([0], np.cumsum([len(part) for part in rows]))).astype(np.int64)
        nothing = np.empty(0, dtype=np.int32)
        return cls(offsets, np.concatenate(rows), np.concatenate(times), nothing, nothing, np.empty(0))


@dataclass(frozen=True, eq=False)
class Found:
    """What the screen finds, a row a path, in the columns of the kernel ``screen``; and the deaths of all subjects."""

    table: FloatArray
    deaths: int

    @property
    def z(self) -> FloatArray:
        """Deviates of the score test; NaN where nothing could be compared."""
        score, variance = self.table[:, 4], self.table[:, 5]
        out = np.full(len(score), np.nan)
        np.divide(score, np.sqrt(variance), out=out, where=variance > 0)
        return out

    @property
    def p(self) -> FloatArray:
        """Two-sided p values of the score test.

        Few expected deaths have no normal distribution. Where fewer than ten are expected among those exposed, or
        among the others, the p value is twice the smaller mid-p of a Poisson count (Lancaster 1961, JASA 56).
        """
        from scipy.special import ndtr

        observed, expected = self.table[:, 2], self.table[:, 3]
        p = 2 * ndtr(-np.abs(self.z))
        for count, mean in ((observed, expected), (self.deaths - observed, self.deaths - expected)):
            p = np.where(np.isfinite(p) & (mean < _FEW), _of_poisson(count, np.maximum(mean, 0)), p)
        return np.asarray(p)

    def columns(self, level: float) -> Mapping[str, FloatArray]:
        """Return the columns of contract HAZARDS, ``q`` and ``term`` apart, and of the counts."""
        persons, days, observed, expected, _, _, coef, information = self.table.T
        estimated = np.isfinite(coef) & (information > 0)
        coef = np.where(estimated, coef, np.nan)
        se = np.divide(1.0, np.sqrt(information), out=np.full(len(coef), np.nan), where=estimated)
        width = normal_quantile(level) * se
        ratio = np.where(self.table[:, 6] == -np.inf, 0.0, np.exp(coef))
        return {
            "coef": coef, "hazard_ratio": ratio, "lower": np.exp(coef - width), "upper": np.exp(coef + width), "se": se,
            "z": self.z, "p": self.p, "exposed": persons, "events": observed, "observed": observed,
            "expected": expected, "days": days,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tables:
    """All persons at risk, by event time or pool of event numbers.

    Attributes
    ----------
    until : ndarray of int64, shape (subjects,)
        Twice the number of the last event time at which a subject is at risk, from 1, plus one for churn then.
    pools : ndarray of int32
        Pool of each event time; empty if each is its own.
    at_risk, deaths : ndarray of int64
        Of all subjects, by event time or pool.
    every : bool
        Whether an entry is exposure at its event time alone.
    _place : callable
        The kernel that places the entries of a range of paths, given all and where to write.
    """

    until: IntArray
    pools: npt.NDArray[np.int32]
    at_risk: IntArray
    deaths: IntArray
    every: bool
    _place: Callable[..., None]

    def place(self, entries: Entries) -> Entries:
        """Return the entries with ``first``, ``until`` and ``days``."""
        size = len(entries.subject)
        first, until, days = np.empty(size, dtype=np.int32), np.empty(size, dtype=np.int32), np.empty(size)
        paths, tasks = len(entries.offsets) - 1, -(-size // _ENTRIES_A_TASK)
        cuts = np.searchsorted(entries.offsets, np.linspace(0, size, tasks + 1)[1:-1])
        given = (entries.offsets, entries.subject, entries.time)
        in_threads(lambda low, high: self._place(low, high, *given, first, until, days), pairwise([0, *cuts, paths]))
        return replace(entries, first=first, until=until, days=days)

    def screen(self, entries: Entries) -> Found:
        """Return the score test and the hazard ratio of each path."""
        from cjm.kernels import screen as kernels

        found = np.zeros((len(entries.offsets) - 1, 8))
        in_threads(
            lambda low, high: kernels.screen(
                low, high, entries.offsets, entries.subject, entries.first, entries.until, entries.days, self.every,
                self.pools, self.at_risk, self.deaths, len(self.pools) > 0, found,
            ),
            _paths(found),
        )  # fmt: skip
        return Found(found, int(self.deaths.sum()))

    def max_t(self, entries: Entries, z: FloatArray, draws: int, seed: int) -> FloatArray:
        """Return, a path, the chance that the largest score of all paths is as large as its own."""
        from cjm.kernels import screen as kernels

        rng = np.random.default_rng(seed)
        fatal = np.flatnonzero(self.until & 1)
        number = np.zeros(len(self.until), dtype=np.int64)
        number[fatal] = np.arange(len(fatal))
        place = (self.until[fatal] >> 1) - 1
        place = self.pools[place] if len(self.pools) else place
        ranges = _paths(z)
        largest = []
        for start in range(0, draws, _DRAWS_AT_ONCE):
            width = min(_DRAWS_AT_ONCE, draws - start)
            multipliers = rng.standard_normal((len(fatal), width))
            by_time = np.zeros((len(self.at_risk), width))
            np.add.at(by_time, place, multipliers)
            best = {part: np.zeros(width) for part in ranges}

            def part(low: int, high: int, multipliers=multipliers, by_time=by_time, best=best) -> None:  # type: ignore[no-untyped-def]
                kernels.resample(
                    low, high, entries.offsets, entries.subject, entries.first, entries.until, self.every, self.pools,
                    self.at_risk, self.deaths, number, multipliers, by_time, best[low, high],
                )  # fmt: skip

            in_threads(part, ranges)
            largest.append(np.max(list(best.values()), axis=0))
        ranked = np.sort(np.concatenate(largest))
        at_least = draws - np.searchsorted(ranked, np.nan_to_num(z), side="left")
        return np.where(np.isnan(z), np.nan, (1 + at_least) / (1 + draws))


def time_tables(subjects: Subjects, group: IntArray) -> Tables:
    """Return the tables of churn at a time; ``group`` has a clock of its own for each value."""
    from cjm.kernels import screen as kernels

    frame = subjects.frame
    origin = origins(frame)
    entry, exit_ = (frame[name].to_physical().to_numpy() for name in ("entry", "exit"))
    begins, ends = (entry - origin).astype(np.float64), (exit_ - origin).astype(np.float64)
    sets = RiskSets.build(begins, ends, frame["churned"].to_numpy(), group if group.any() else None, None)
    times = sets.times.astype(np.int64)
    until = np.zeros(frame.height, dtype=np.int64)
    until[sets.row] = 2 * (sets.last.astype(np.int64) + 1) + sets.event
    at_risk = sets.ended[:-1] - sets.begun[1:]
    size = int(group.max()) + 1
    starts = np.searchsorted(sets.stratum, np.arange(size + 1))
    shift = max(0, int(times.max()).bit_length() - _LOOKUP_BITS)
    edges = np.arange(2**_LOOKUP_BITS) << shift
    lookup = np.stack([np.searchsorted(times[low:high], edges, side="right") for low, high in pairwise(starts)]).astype(
        np.int32
    )
    who = np.column_stack((entry, exit_, origin, (group << 32) + until))

    def place(low: int, high: int, offsets: Any, subject: Any, time: Any, *written: Any) -> None:
        kernels.place_times(low, high, offsets, subject, time, who, times, starts, lookup, shift, *written)

    return Tables(until, _NO_POOLS, at_risk, sets.deaths, False, place)


def event_tables(journeys: Journeys, subjects: Subjects, group: IntArray, *, every: bool) -> Tables:
    """Return the tables of churn by silence: event numbers in pools, for each group its own."""
    from cjm.kernels import screen as kernels

    frame = subjects.frame
    rows = event_rows(signs_of_life(journeys, subjects.churn.touchpoints), frame, subjects.churn.gap)
    number = rows.number - 1
    size = int(number.max(initial=0)) + 1
    starts = first_numbers(rows.number, rows.silent) - 1
    pool_of_number = (np.searchsorted(starts, np.arange(size), side="right") - 1).astype(np.int32)
    shift = group * size
    groups_ = int(group.max(initial=0)) + 1
    pools = (pool_of_number[None, :] + len(starts) * np.arange(groups_, dtype=np.int32)[:, None]).ravel()
    place_of_row = shift[rows.subject] + number
    row_start = np.searchsorted(rows.subject, np.arange(frame.height + 1))
    there = row_start[1:] > row_start[:-1]
    until = np.zeros(frame.height, dtype=np.int64)
    until[there] = 2 * (place_of_row[row_start[1:][there] - 1] + 1)
    until[rows.subject[rows.silent]] += 1
    counts = len(starts) * groups_
    at_risk = np.bincount(pools[place_of_row], minlength=counts)
    deaths = np.bincount(pools[place_of_row[rows.silent]], minlength=counts)
    entry, exit_ = (frame[name].to_physical().to_numpy() for name in ("entry", "exit"))
    who = np.column_stack((entry, exit_, row_start[:-1], row_start[1:], shift, until))

    def place(low: int, high: int, offsets: Any, subject: Any, time: Any, *written: Any) -> None:
        kernels.place_events(low, high, offsets, subject, time, who, rows.time, number, every, *written)

    return Tables(until, pools.astype(np.int32), at_risk, deaths, every, place)


def _of_poisson(count: FloatArray, mean: FloatArray) -> FloatArray:
    from scipy.special import gammaln, pdtr, pdtrc, xlogy

    mean = np.maximum(mean, 0.0)
    half = np.exp(xlogy(count, mean) - mean - gammaln(count + 1)) / 2
    return 2 * np.minimum(pdtr(count, mean) - half, pdtrc(count, mean) + half)


def _paths(values: FloatArray) -> list[tuple[int, int]]:
    return [(low, min(low + _PATHS_A_TASK, len(values))) for low in range(0, len(values), _PATHS_A_TASK)]
