"""One scan of the risk sets of a Cox model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["cox_scan"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@kernel
def cox_scan(
    x: FloatArray,
    eta: FloatArray,
    weight: FloatArray,
    event: npt.NDArray[np.bool_],
    last: IntArray,
    first: IntArray,
    by_first: IntArray,
    scale: FloatArray,
    efron: bool,
    means: FloatArray,
    drift: FloatArray,
    drift_tied: FloatArray,
) -> tuple[float, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Walk from the last event time to the first, adding rows as they end and removing them as they start.

    Row ``i`` is at risk at event times ``first[i] .. last[i]``; rows are sorted by falling ``last``, events first, and
    ``by_first`` orders them by falling ``first``. Event times of different strata have different indices, so a change
    of stratum needs no care: its rows are all removed before the next one's are added. ``scale`` multiplies what each
    event time contributes (all ones for the likelihood, functions of time for the test of proportional hazards).

    Tied events are treated by Breslow or by Efron. Efron's d terms a time, (S1 - f D1) / (S0 - f D0) with f = 0, 1/d,
    ..., differ only in three scalar sums, so that a time costs O(d + p^2) and not O(d p^2).

    Returns the log partial likelihood, its gradient, the sum of outer products of risk-set means, the hazard at each
    event time, and what of it does not fall on the tied events themselves. Where ``means`` has rows, it receives the
    mean of ``x`` at each event time, ``drift`` hazard times mean, and ``drift_tied`` the part that spares tied events.
    """
    n, p = x.shape
    times = len(scale)
    keep_means = len(means) > 0
    loglik = 0.0
    score = np.zeros(p, dtype=np.float64)
    outer = np.zeros((p, p), dtype=np.float64)
    hazard = np.zeros(times, dtype=np.float64)
    tied = np.zeros(times, dtype=np.float64)
    s0 = 0.0
    s1 = np.zeros(p, dtype=np.float64)
    d1 = np.zeros(p, dtype=np.float64)
    added = 0
    removed = 0
    for k in range(times - 1, -1, -1):
        while removed < added and first[by_first[removed]] > k:
            i = by_first[removed]
            risk = weight[i] * np.exp(eta[i])
            s0 -= risk
            for a in range(p):
                s1[a] -= risk * x[i, a]
            removed += 1
        if removed == added:  # nobody is left: drop what rounding has left behind
            s0 = 0.0
            s1[:] = 0.0
        d0 = 0.0
        d1[:] = 0.0
        deaths = 0
        death_weight = 0.0
        while added < n and last[added] == k:
            i = added
            risk = weight[i] * np.exp(eta[i])
            s0 += risk
            for a in range(p):
                s1[a] += risk * x[i, a]
            if event[i]:
                deaths += 1
                death_weight += weight[i]
                d0 += risk
                loglik += scale[k] * weight[i] * eta[i]
                for a in range(p):
                    d1[a] += risk * x[i, a]
                    score[a] += scale[k] * weight[i] * x[i, a]
            added += 1
        # sums over the terms of this time: f^j / s and f^j / s^2
        b0 = b1 = c0 = c1 = c2 = 0.0
        terms = deaths if efron else 1
        each = death_weight / terms
        for term in range(terms):
            f = term / terms
            s = s0 - f * d0
            loglik -= scale[k] * each * np.log(s)
            b0 += each / s
            b1 += each * f / s
            c0 += each / (s * s)
            c1 += each * f / (s * s)
            c2 += each * f * f / (s * s)
        hazard[k] = scale[k] * b0
        tied[k] = scale[k] * b1
        for a in range(p):
            score[a] -= scale[k] * (b0 * s1[a] - b1 * d1[a])
            for b in range(a + 1):
                outer[a, b] += scale[k] * (
                    c0 * s1[a] * s1[b] - c1 * (s1[a] * d1[b] + d1[a] * s1[b]) + c2 * d1[a] * d1[b]
                )
        if keep_means:
            for a in range(p):
                means[k, a] = (b0 * s1[a] - b1 * d1[a]) / death_weight
                drift[k, a] = c0 * s1[a] - c1 * d1[a]
                drift_tied[k, a] = c1 * s1[a] - c2 * d1[a]
    for a in range(p):
        for b in range(a):
            outer[b, a] = outer[a, b]
    return loglik, score, outer, hazard, tied
