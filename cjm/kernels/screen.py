"""A hazard ratio for each of many paths at once, each alone in the model.

Entries are the persons who completed a path: entries of path ``j`` are ``offsets[j] .. offsets[j + 1]``. The person of
an entry is exposed from event time ``first`` on (-1: never while at risk), and ``until`` is twice the number of the
last event time at which the person is at risk, counted from 1 (0: none), plus one if the person churns then.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["place_events", "place_times", "resample", "screen"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# columns of what ``screen`` finds
PERSONS, DAYS, OBSERVED, EXPECTED, SCORE, VARIANCE, COEF, INFORMATION = range(8)
_STEPS = 50
_WALKS_OFF = 30.0
_PERSONS_AT_ONCE = 16_384  # of whom what is looked up stays in the cache


@kernel
def place_times(low, high, offsets, subject, time, who, times, group_start, lookup, shift, first, until, days):  # type: ignore[no-untyped-def]
    """Write ``first``, ``until`` and the days at risk after completion for the entries of paths ``[low, high)``.

    The paths take turns, some thousands of persons at a time: entries of a path are by person.

    Rows of ``who``: entry, exit, time zero, ``until`` plus 2^32 times the group. Event times of a group are
    ``times[group_start[g]:group_start[g + 1]]``, since time zero; ``lookup[g, b]`` is how many of them lie at or before
    ``b`` times 2^``shift``. All times are microseconds.

    Signature: (int64, int64, int64[:], int32[:], int64[:], int64[:, 4], int64[:], int64[:], int32[:, :], int64,
    int32[:], int32[:], float64[:]) -> none.
    """
    at = offsets[low:high].copy()
    for end in range(_PERSONS_AT_ONCE, len(who) + _PERSONS_AT_ONCE, _PERSONS_AT_ONCE):
        for j in range(low, high):
            e = at[j - low]
            while e < offsets[j + 1] and subject[e] < end:
                i = subject[e]
                begins = max(time[e], who[i, 0])
                until[e] = who[i, 3] & 0xFFFFFFFF
                if begins >= who[i, 1]:
                    first[e] = -1
                    days[e] = 0.0
                else:
                    days[e] = (who[i, 1] - begins) / 86_400_000_000
                    g = who[i, 3] >> 32
                    since = max(begins - who[i, 2], 0)
                    k = group_start[g] + lookup[g, min(since >> shift, lookup.shape[1] - 1)]
                    while k < group_start[g + 1] and times[k] <= since:
                        k += 1
                    first[e] = k
                e += 1
            at[j - low] = e


@kernel
def place_events(low, high, offsets, subject, time, who, row_time, row_number, every, first, until, days):  # type: ignore[no-untyped-def]
    """Write ``first``, ``until`` and the days at risk after completion for the entries of paths ``[low, high)``.

    The paths take turns, as in ``place_times``. ``first`` is the first event at or after completion or, with ``every``,
    at it. Rows of ``who``: entry, exit, first and last (exclusive) row of the events, what is added to the number of an
    event to give its place, ``until``.

    Signature: (int64, int64, int64[:], int32[:], int64[:], int64[:, 6], int64[:], int64[:], bool, int32[:], int32[:],
    float64[:]) -> none.
    """
    at = offsets[low:high].copy()
    for end in range(_PERSONS_AT_ONCE, len(who) + _PERSONS_AT_ONCE, _PERSONS_AT_ONCE):
        for j in range(low, high):
            e = at[j - low]
            while e < offsets[j + 1] and subject[e] < end:
                i = subject[e]
                start, stop = who[i, 2], who[i, 3]
                until[e] = who[i, 5]
                k = start + np.searchsorted(row_time[start:stop], time[e], side="left")
                if k == stop or (every and row_time[k] != time[e]):
                    first[e] = -1
                    days[e] = 0.0
                else:
                    first[e] = who[i, 4] + row_number[k]
                    days[e] = (who[i, 1] - max(time[e], who[i, 0])) / 86_400_000_000
                e += 1
            at[j - low] = e


@kernel
def _exposed(start, stop, subject, first, until, every, at_risk, deaths):  # type: ignore[no-untyped-def]
    """Count exposed persons at risk and exposed events at each event time; return the persons ever exposed."""
    at_risk[:] = 0
    deaths[:] = 0
    persons = 0
    before = -1
    for e in range(start, stop):
        k = first[e]
        if k < 0:
            continue
        if subject[e] != before:
            persons += 1
            before = subject[e]
        last = (until[e] >> 1) - 1
        if k > last:
            continue
        at_risk[k] += 1
        at_risk[k + 1 if every else last + 1] -= 1
        if until[e] & 1 and (k == last or not every):
            deaths[last] += 1
    total = 0
    for k in range(len(deaths)):
        total += at_risk[k]
        at_risk[k] = total
    return persons


@kernel
def _pool(pools, at_risk, deaths):  # type: ignore[no-untyped-def]
    """Add up event times of one pool in place, ``pools[k]`` is the pool of event time ``k``, in rising order."""
    if len(pools) == 0:
        return
    risk, died = np.int64(0), np.int64(0)
    for k in range(len(pools)):
        risk += at_risk[k]
        died += deaths[k]
        if k + 1 == len(pools) or pools[k + 1] != pools[k]:
            at_risk[pools[k]] = risk
            deaths[pools[k]] = died
            risk, died = np.int64(0), np.int64(0)


@kernel
def screen(  # type: ignore[no-untyped-def]
    low, high, offsets, subject, first, until, days, every, pools, all_risk, all_deaths, grouped, found
):
    """Compare the exposed with the others for paths ``[low, high)``.

    ``all_risk`` and ``all_deaths`` are counts of all persons at each event time, or in each pool of event times where
    ``pools`` has any. ``grouped`` says that these are groups of events each of which may be the last (a complementary
    log-log model with an intercept a group); else the partial likelihood with Breslow's treatment of ties. ``coef`` is
    infinite where all or none of the telling events are exposed.

    Signature: (int64, int64, int64[:], int32[:], int32[:], int32[:], float64[:], bool, int32[:], int64[:], int64[:],
    bool, float64[:, 8]) -> none.
    """
    size = len(pools) if len(pools) > 0 else len(all_risk)
    at_risk = np.zeros(size + 1, dtype=np.int64)
    deaths = np.zeros(size, dtype=np.int64)
    cells = np.empty((len(all_risk), 4), dtype=np.float64)
    for j in range(low, high):
        found[j, PERSONS] = _exposed(offsets[j], offsets[j + 1], subject, first, until, every, at_risk, deaths)
        total = 0.0
        for e in range(offsets[j], offsets[j + 1]):
            total += days[e]
        found[j, DAYS] = total
        _pool(pools, at_risk, deaths)
        count = 0
        observed = expected = variance = ours = 0.0
        for k in range(len(all_risk)):
            n, d, n1 = all_risk[k], all_deaths[k], at_risk[k]
            if d == 0 or n1 == 0:
                continue
            share = n1 / n
            observed += deaths[k]
            expected += d * share
            if n1 == n:
                continue
            spread = d * share * (1 - share)
            if grouped:
                spread *= (n - d) / (n - 1)
            variance += spread
            cells[count, 0], cells[count, 1] = n1, n - n1
            cells[count, 2], cells[count, 3] = deaths[k], d - deaths[k]
            count += 1
        found[j, OBSERVED] = observed
        found[j, EXPECTED] = expected
        found[j, SCORE] = observed - expected
        found[j, VARIANCE] = variance
        for k in range(count):
            ours += cells[k, 2]
        others = cells[:count, 3].sum()
        if ours == 0.0 or others == 0.0:
            found[j, COEF] = -np.inf if others > 0.0 else (np.inf if ours > 0.0 else np.nan)
            found[j, INFORMATION] = 0.0
        elif grouped:
            found[j, COEF], found[j, INFORMATION] = _grouped(cells[:count])
        else:
            found[j, COEF], found[j, INFORMATION] = _partial(cells[:count], (observed - expected) / variance)


@kernel
def _partial(cells, guess):  # type: ignore[no-untyped-def]
    """Maximise the partial likelihood of one indicator; return the coefficient and its information."""
    beta = min(max(guess, -2.0), 2.0)
    information = 0.0
    for _ in range(_STEPS):
        ratio = np.exp(beta)
        slope = information = 0.0
        for k in range(len(cells)):
            d = cells[k, 2] + cells[k, 3]
            share = cells[k, 0] * ratio / (cells[k, 1] + cells[k, 0] * ratio)
            slope += cells[k, 2] - d * share
            information += d * share * (1 - share)
        step = slope / information
        if step * slope < 1e-12:
            break
        beta += min(max(step, -2.0), 2.0)
    return beta, information


@kernel
def _grouped(cells):  # type: ignore[no-untyped-def]
    """Maximise the complementary log-log likelihood with an intercept a group; return coefficient and information.

    A group in which nobody or everybody churned tells nothing: its intercept is infinite.
    """
    count = len(cells)
    intercept = np.zeros(count, dtype=np.float64)
    for k in range(count):
        share = (cells[k, 2] + cells[k, 3]) / (cells[k, 0] + cells[k, 1])
        intercept[k] = np.log(-np.log1p(-min(share, 1 - 1e-9)))
    beta = 0.0
    information = 0.0
    for _ in range(_STEPS):
        slope = information = 0.0
        for k in range(count):
            n = cells[k, 0] + cells[k, 1]
            d = cells[k, 2] + cells[k, 3]
            if d >= n:
                continue
            s1 = i1 = s0 = i0 = 0.0
            for _ in range(_STEPS):
                h1 = min(np.exp(intercept[k] + beta), 30.0)
                h0 = min(np.exp(intercept[k]), 30.0)
                o1, o0 = h1 / np.expm1(h1), h0 / np.expm1(h0)
                s1 = cells[k, 2] * o1 - (cells[k, 0] - cells[k, 2]) * h1
                s0 = cells[k, 3] * o0 - (cells[k, 1] - cells[k, 3]) * h0
                i1, i0 = cells[k, 0] * h1 * o1, cells[k, 1] * h0 * o0
                move = (s1 + s0) / (i1 + i0)
                intercept[k] += min(max(move, -2.0), 2.0)
                if abs(move) < 1e-12:
                    break
            slope += s1
            information += i1 * i0 / (i1 + i0)
        if information <= 0.0:
            break
        step = slope / information
        if step * slope < 1e-12:
            break
        beta += min(max(step, -2.0), 2.0)
        if abs(beta) > _WALKS_OFF:
            break
    return beta, information


@kernel
def resample(  # type: ignore[no-untyped-def]
    low, high, offsets, subject, first, until, every, pools, all_risk, all_deaths, number, draws, draws_at, best
):
    """Raise ``best[b]`` to the largest standardised score that draw ``b`` gives to paths ``[low, high)``.

    ``draws[number[i]]`` are the multipliers of the event of person ``i``, ``draws_at[k]`` their sums at each event time
    or pool. A score is the sum over events of exposure less its mean at that time, each times its multiplier.

    Signature: (int64, int64, int64[:], int32[:], int32[:], int32[:], bool, int32[:], int64[:], int64[:], int64[:],
    float64[:, :], float64[:, :], float64[:]) -> none.
    """
    size = len(pools) if len(pools) > 0 else len(all_risk)
    at_risk = np.zeros(size + 1, dtype=np.int64)
    deaths = np.zeros(size, dtype=np.int64)
    sums = np.empty(draws.shape[1], dtype=np.float64)
    for j in range(low, high):
        _exposed(offsets[j], offsets[j + 1], subject, first, until, every, at_risk, deaths)
        _pool(pools, at_risk, deaths)
        sums[:] = 0.0
        variance = 0.0
        for e in range(offsets[j], offsets[j + 1]):
            k, last = first[e], (until[e] >> 1) - 1
            if k >= 0 and until[e] & 1 and (k == last if every else k <= last):
                own = draws[number[subject[e]]]
                for b in range(len(sums)):
                    sums[b] += own[b]
        for k in range(len(all_risk)):
            if at_risk[k] > 0 and all_deaths[k] > 0:
                share = at_risk[k] / all_risk[k]
                own = draws_at[k]
                for b in range(len(sums)):
                    sums[b] -= share * own[b]
                variance += deaths[k] * (1 - share) ** 2 + (all_deaths[k] - deaths[k]) * share**2
        if variance > 0.0:
            for b in range(len(sums)):
                best[b] = max(best[b], abs(sums[b]) / np.sqrt(variance))
