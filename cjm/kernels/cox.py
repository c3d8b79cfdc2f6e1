"""Sums over the risk sets of a Cox model, in ranges of event times and ranges of rows.

Rows are sorted by falling ``last``, events first; row ``i`` is at risk at event times ``first[i] .. last[i]``. Terms
are the rare indicators, then the others: row ``i`` has a one at the indicators ``ones[at[i]:at[i + 1]]``, in ascending
order, and the values ``dense[i]``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = [
    "bucket_sums",
    "bucket_times",
    "group_scores",
    "linear_predictor",
    "pass_times",
    "row_sums",
    "scan_times",
    "schoenfeld",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
RowArray = npt.NDArray[np.int32]


@kernel
def linear_predictor(low, high, at, ones, dense, beta, eta):  # type: ignore[no-untyped-def]
    """Write ``x @ beta`` of rows ``[low, high)`` to ``eta``.

    Signature: (int64, int64, int64[:], uint16[:], float64[:, :], float64[:], float64[:]) -> none.
    """
    width = dense.shape[1]
    rare = len(beta) - width
    for i in range(low, high):
        total = 0.0
        for place in range(at[i], at[i + 1]):
            total += beta[ones[place]]
        for d in range(width):
            total += dense[i, d] * beta[rare + d]
        eta[i] = total


@kernel
def _add(table, k, i, factor, at, ones, dense):  # type: ignore[no-untyped-def]
    """Add ``factor`` times (the covariates of row ``i``, 1) to row ``k`` of ``table``."""
    width = dense.shape[1]
    end = table.shape[1] - 1
    for place in range(at[i], at[i + 1]):
        table[k, ones[place]] += factor
    for d in range(width):
        table[k, end - width + d] += factor * dense[i, d]
    table[k, end] += factor


@kernel
def bucket_sums(low, high, at, ones, dense, risk, event, last, first, stays, sums, dead):  # type: ignore[no-untyped-def]
    """Add risks and risks times covariates of rows ``[low, high)`` where they end, and take them off where they start.

    Sums from the last event time down to one are then those of its risk set. ``dead`` holds the rows with an event.
    ``stays[k]`` says whether some row is at risk at event time ``k`` and at the one before. If not, sums begin afresh,
    and nothing need be taken off.

    Signature: (int64, int64, int64[:], uint16[:], float64[:, :], float64[:], bool[:], int32[:], int32[:], bool[:],
    float64[:, :], float64[:, :]) -> none.
    """
    for i in range(low, high):
        _add(sums, last[i], i, risk[i], at, ones, dense)
        if stays[first[i]]:
            _add(sums, first[i] - 1, i, -risk[i], at, ones, dense)
        if event[i]:
            _add(dead, last[i], i, risk[i], at, ones, dense)


@kernel
def bucket_times(  # type: ignore[no-untyped-def]
    sums, dead, stays, deaths, death_weight, scale, efron, outer, hazard, tied, means, drift, drift_tied
):
    """Collect what :func:`scan_times` does from the sums of :func:`bucket_sums`, which are overwritten.

    Signature: (float64[:, :], float64[:, :], bool[:], int64[:], float64[:], float64[:], bool, float64[:, :],
    float64[:], float64[:], float64[:, :], float64[:, :], float64[:, :]) -> float64.
    """
    loglik = 0.0
    mixed = np.zeros(sums.shape[1] - 1, dtype=np.float64)
    for k in range(len(sums) - 1, -1, -1):
        if stays[k + 1]:  # else rounding errors end here
            for a in range(sums.shape[1]):
                sums[k, a] += sums[k + 1, a]
        loglik += _time(
            k, sums[k], dead[k], deaths[k], death_weight[k], scale, efron, mixed, outer, hazard, tied, means, drift,
            drift_tied,
        )  # fmt: skip
    return loglik


@kernel
def _time(  # type: ignore[no-untyped-def]
    k, sums, dead, deaths, death_weight, scale, efron, mixed, outer, hazard, tied, means, drift, drift_tied
):
    """Collect the sums of one event time; return its part of the log partial likelihood, predictors apart.

    Efron's d terms a time, (S1 - f D1) / (S0 - f D0) with f = 0, 1/d, ..., differ only in three scalar sums, so that a
    time costs O(d + p^2) and not O(d p^2).
    """
    p = len(sums) - 1
    loglik = 0.0
    b0 = b1 = c0 = c1 = c2 = 0.0  # sums over the terms of this time: f^j / s and f^j / s^2
    terms = deaths if efron else 1
    each = death_weight / terms
    for term in range(terms):
        f = term / terms
        s = sums[p] - f * dead[p]
        if not s > 0.0:  # so far out that nothing is left of the risks but rounding: no step ends here
            hazard[k] = 0.0
            tied[k] = 0.0
            return -np.inf
        loglik -= scale[k] * each * np.log(s)
        b0 += each / s
        b1 += each * f / s
        c0 += each / (s * s)
        c1 += each * f / (s * s)
        c2 += each * f * f / (s * s)
    hazard[k] = scale[k] * b0
    tied[k] = scale[k] * b1
    # c0 S S' - c1 (S D' + D S') + c2 D D' as two products
    share = c1 / c0
    rest = scale[k] * (c2 - c1 * share)
    for a in range(p):
        mixed[a] = sums[a] - share * dead[a]
    for a in range(p):
        left = scale[k] * c0 * mixed[a]
        for b in range(a, p):
            outer[a, b] += left * mixed[b]
    if terms > 1:
        for a in range(p):
            left = rest * dead[a]
            if left != 0.0:
                for b in range(a, p):
                    outer[a, b] += left * dead[b]
    if len(means) > 0:
        for a in range(p):
            means[k, a] = (b0 * sums[a] - b1 * dead[a]) / death_weight
            drift[k, a] = scale[k] * (c0 * sums[a] - c1 * dead[a])
            drift_tied[k, a] = scale[k] * (c1 * sums[a] - c2 * dead[a])
    return loglik


@kernel
def pass_times(low, high, added, removed, sums, at, ones, dense, risk, last, first, by_first):  # type: ignore[no-untyped-def]
    """Walk over event times ``[low, high)`` from the last to the first, adding rows as they end to ``sums``.

    They are removed as they start. Returns whether the risk set was empty in between, so that ``sums`` began afresh.

    Signature: (int64, int64, int64, int64, float64[:, :], int64[:], uint16[:], float64[:, :], float64[:], int32[:],
    int32[:], int32[:]) -> bool.
    """
    afresh = False
    for k in range(high - 1, low - 1, -1):
        while removed < added and first[by_first[removed]] > k:
            i = by_first[removed]
            _add(sums, 0, i, -risk[i], at, ones, dense)
            removed += 1
        if removed == added:  # nobody is left: drop what rounding has left behind
            sums[:] = 0.0
            afresh = True
        while added < len(last) and last[added] == k:
            _add(sums, 0, added, risk[added], at, ones, dense)
            added += 1
    return afresh


@kernel
def scan_times(  # type: ignore[no-untyped-def]
    low, high, added, removed, sums, at, ones, dense, risk, event, last, first, by_first, deaths, death_weight, scale,
    efron, outer, hazard, tied, means, drift, drift_tied,
):  # fmt: skip
    """Walk over event times ``[low, high)`` as :func:`pass_times` does and collect the sums of a Cox model.

    Tied events are treated by Breslow or by Efron. ``scale`` multiplies what each event time contributes (ones for the
    likelihood, functions of time for the test of proportional hazards).

    Written are the upper half of the sum of outer products of risk-set means (``outer``), the hazard at each event
    time, and what of it does not fall on the tied events themselves (``tied``). Where ``means`` has rows, it receives
    the mean of the covariates at each event time, ``drift`` hazard times mean, and ``drift_tied`` the part that spares
    tied events.

    Signature: (int64, int64, int64, int64, float64[:, :], int64[:], uint16[:], float64[:, :], float64[:], bool[:],
    int32[:], int32[:], int32[:], int64[:], float64[:], float64[:], bool, float64[:, :], float64[:], float64[:],
    float64[:, :], float64[:, :], float64[:, :]) -> float64, the log partial likelihood, predictors of events apart.
    """
    dead = np.zeros((1, sums.shape[1]), dtype=np.float64)
    mixed = np.zeros(sums.shape[1] - 1, dtype=np.float64)
    loglik = 0.0
    for k in range(high - 1, low - 1, -1):
        while removed < added and first[by_first[removed]] > k:
            i = by_first[removed]
            _add(sums, 0, i, -risk[i], at, ones, dense)
            removed += 1
        if removed == added:
            sums[:] = 0.0
        dead[:] = 0.0
        while added < len(last) and last[added] == k:
            _add(sums, 0, added, risk[added], at, ones, dense)
            if event[added]:
                _add(dead, 0, added, risk[added], at, ones, dense)
            added += 1
        loglik += _time(
            k, sums[0], dead[0], deaths[k], death_weight[k], scale, efron, mixed, outer, hazard, tied, means, drift,
            drift_tied,
        )  # fmt: skip
    return loglik


@kernel
def row_sums(  # type: ignore[no-untyped-def]
    low, high, at, ones, dense, risk, weight, event, last, first, total, tied, scale, gram, score
):
    """Add the observed less the expected covariates of rows to ``score``, and X' diag(expected) X to ``gram``.

    ``total[k]`` is the hazard before event time ``k``, ``tied`` what an event is spared at its own time. Only the upper
    half of ``gram`` is filled.

    Signature: (int64, int64, int64[:], uint16[:], float64[:, :], float64[:], float64[:], bool[:], int32[:], int32[:],
    float64[:], float64[:], float64[:], float64[:, :], float64[:]) -> none.
    """
    width = dense.shape[1]
    rare = len(score) - width
    wide = gram[rare:, rare:]
    share = np.empty(high - low, dtype=np.float64)
    for i in range(low, high):
        hazard = total[last[i] + 1] - total[first[i]]
        observed = 0.0
        if event[i]:
            hazard -= tied[last[i]]
            observed = scale[last[i]] * weight[i]
        expected = risk[i] * hazard
        excess = observed - expected
        share[i - low] = expected
        row = dense[i]
        for place in range(at[i], at[i + 1]):
            a = ones[place]
            score[a] += excess
            for other in range(place, at[i + 1]):
                gram[a, ones[other]] += expected
            beside = gram[a, rare:]
            for d in range(width):
                beside[d] += expected * row[d]
        for d in range(width):
            score[rare + d] += excess * row[d]
    i = low
    while i < high:  # four rows at once: half as many loads and stores a product
        if i + 4 > high:
            for d in range(width):
                left = share[i - low] * dense[i, d]
                for e in range(d, width):
                    wide[d, e] += left * dense[i, e]
            i += 1
            continue
        for d in range(width):
            l0, l1 = share[i - low] * dense[i, d], share[i - low + 1] * dense[i + 1, d]
            l2, l3 = share[i - low + 2] * dense[i + 2, d], share[i - low + 3] * dense[i + 3, d]
            target, r0, r1, r2, r3 = wide[d, d:], dense[i, d:], dense[i + 1, d:], dense[i + 2, d:], dense[i + 3, d:]
            for e in range(len(target)):
                target[e] += l0 * r0[e] + l1 * r1[e] + l2 * r2[e] + l3 * r3[e]
        i += 4


@kernel
def group_scores(  # type: ignore[no-untyped-def]
    at, ones, dense, risk, weight, event, last, first, total, tied, means, drift, drift_tied, group, found
):
    """Add each row's contribution to the gradient to the row ``group[i]`` of ``found``.

    Its last column is observed less expected events.
    ``total`` and ``drift`` are sums over the event times before each; ``tied`` and ``drift_tied`` what an event is
    spared at its own time; ``means`` the covariate means at each event time.

    Signature: (int64[:], uint16[:], float64[:, :], float64[:], float64[:], bool[:], int32[:], int32[:], float64[:],
    float64[:], float64[:, :], float64[:, :], float64[:, :], int64[:], float64[:, :]) -> none.
    """
    p = found.shape[1] - 1
    for i in range(len(risk)):
        begun, ended = first[i], last[i]
        hazard = total[ended + 1] - total[begun]
        for a in range(p):
            found[group[i], a] += risk[i] * (drift[ended + 1, a] - drift[begun, a])
        factor = -risk[i] * hazard
        if event[i]:
            factor += weight[i] + risk[i] * tied[ended]
            for a in range(p):
                found[group[i], a] -= weight[i] * means[ended, a] + risk[i] * drift_tied[ended, a]
        _add(found, group[i], i, factor, at, ones, dense)


@kernel
def schoenfeld(at, ones, dense, weight, event, last, means, found):  # type: ignore[no-untyped-def]
    """Write, for each row with an event, its weight times (covariates less their mean among those at risk).

    Signature: (int64[:], uint16[:], float64[:, :], float64[:], bool[:], int32[:], float64[:, :], float64[:, :]) ->
    none.
    """
    p = found.shape[1] - 1
    place = 0
    for i in range(len(event)):
        if event[i]:
            for a in range(p):
                found[place, a] = -weight[i] * means[last[i], a]
            _add(found, place, i, weight[i], at, ones, dense)
            place += 1
