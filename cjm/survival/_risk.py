"""Risk sets: which rows are at risk at which event time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cjm.survival._design import FloatArray, IntArray
from cjm.survival._sums import gram, linear

__all__ = ["RiskSets", "Scan", "same_times"]


@dataclass(frozen=True)
class Scan:
    """Log partial likelihood, gradient, information matrix and the hazard at each event time."""

    loglik: float
    score: FloatArray
    information: FloatArray
    hazard: FloatArray


@dataclass(frozen=True, eq=False)
class RiskSets:
    """Rows in the order of the scan, and the event times they cover.

    Rows that cover no event time tell nothing and are not kept. Row ``i`` is at risk at the event times
    ``first[i] .. last[i]``, which are numbered over all strata.

    Attributes
    ----------
    x : ndarray, shape (rows, terms)
    weight, event, first, last, row : ndarray, shape (rows,)
        ``row`` is the place of the row in the input; rows are sorted by falling ``last``, events first.
    by_first : ndarray of int64
        Rows by falling ``first``.
    times, stratum : ndarray
        Time and stratum of each event time.
    size : int
        Rows of the input.
    efron : bool
        Whether tied events are treated by Efron, else by Breslow.
    km_before : ndarray
        Kaplan-Meier curve of all rows together just before each event time.
    """

    x: FloatArray
    weight: FloatArray
    event: npt.NDArray[np.bool_]
    first: IntArray
    last: IntArray
    row: IntArray
    by_first: IntArray
    times: FloatArray
    stratum: IntArray
    size: int
    efron: bool
    km_before: FloatArray

    @classmethod
    def build(
        cls,
        x: FloatArray,
        start: FloatArray,
        stop: FloatArray,
        event: npt.NDArray[np.bool_],
        stratum: IntArray,
        weight: FloatArray,
        *,
        efron: bool,
    ) -> RiskSets:
        """Return the risk sets of (start, stop] rows: number the event times, sort the rows."""
        times = np.unique(stop[event])
        base = stratum * len(times)
        begun = np.searchsorted(times, start, side="right")
        ended = np.searchsorted(times, stop, side="right")
        keys = np.unique(base[event] + ended[event] - 1)
        first = np.searchsorted(keys, base + begun)
        last = np.searchsorted(keys, base + ended) - 1
        kept = np.flatnonzero(first <= last)
        order = kept[np.lexsort((~event[kept], -last[kept]))]
        deaths = np.bincount(ended[event] - 1, minlength=len(times))
        joined = np.cumsum(np.bincount(begun, minlength=len(times) + 1))[:-1]
        gone = np.cumsum(np.bincount(ended, minlength=len(times) + 1))[:-1]
        after = np.cumprod(1 - deaths / (joined - gone))
        before = np.concatenate(([1.0], after[:-1]))
        return cls(
            x=np.ascontiguousarray(x[order]),
            weight=weight[order],
            event=event[order],
            first=first[order],
            last=last[order],
            row=order,
            by_first=np.argsort(-first[order], kind="stable"),
            times=times[keys % len(times)],
            stratum=keys // len(times),
            size=len(stop),
            efron=efron,
            km_before=before[keys % len(times)],
        )

    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Return weighted means and standard deviations of the covariates (1 where one does not vary)."""
        means = np.average(self.x, axis=0, weights=self.weight)
        spread = np.sqrt(np.average((self.x - means) ** 2, axis=0, weights=self.weight))
        return means, np.where(spread > 1e-12 * (1 + np.abs(means)), spread, 1.0)

    def with_x(self, x: FloatArray) -> RiskSets:
        """Return the same risk sets with other covariates."""
        return replace(self, x=np.ascontiguousarray(x))

    def scan(self, beta: FloatArray, means: FloatArray, scale: FloatArray | None = None) -> Scan:
        """Evaluate the partial likelihood at ``beta``, covariates taken from ``means``.

        The information is X' diag(c) X, with c the expected events of a row, less the outer products of risk-set
        means: one product of matrices in place of one update of p^2 numbers a row.

        ``scale`` multiplies the contribution of each event time.
        """
        x = self.x - means if means.any() else self.x
        eta = linear(x, beta)
        top = float(eta.max())
        loglik, score, outer, hazard, tied = self._run(
            x, eta - top, scale, np.empty((0, 0)), np.empty((0, 0)), np.empty((0, 0))
        )
        expected = self.weight * np.exp(eta - top) * self._over_rows(hazard, tied)
        information = gram(x, expected) - outer
        return Scan(loglik, score, information, hazard * np.exp(-top))

    def score_residuals(self, beta: FloatArray, group: IntArray) -> FloatArray:
        """Return each group's contribution to the gradient, shape (groups, terms); ``group`` is by input row."""
        x = self.x
        eta = linear(x, beta)
        top = float(eta.max())
        means, drift, drift_tied = (np.zeros((len(self.times), x.shape[1])) for _ in range(3))
        _, _, _, hazard, tied = self._run(x, eta - top, None, means, drift, drift_tied)
        risk = (self.weight * np.exp(eta - top))[:, None]
        residual = risk * (self._over_rows(drift, drift_tied) - x * self._over_rows(hazard, tied)[:, None])
        died = self.event
        residual[died] += self.weight[died, None] * (x[died] - means[self.last[died]])
        total = np.zeros((int(group.max()) + 1, x.shape[1]))
        np.add.at(total, group[self.row], residual)
        return total

    def time_function(self, name: str) -> FloatArray:
        """Return a function of time at each event time, centred: ``km``, ``identity`` or ``log``."""
        if name == "km":
            values = 1 - self.km_before
        elif name == "identity":
            values = self.times
        else:
            values = np.log(self.times)
        return np.asarray(values - values.mean())

    def _over_rows(self, increments: FloatArray, tied: FloatArray) -> FloatArray:
        """Sum ``increments`` over the event times that each row covers, less ``tied`` at its own event."""
        total = np.concatenate((np.zeros((1, *increments.shape[1:])), np.cumsum(increments, axis=0)))
        summed = total[self.last + 1] - total[self.first]
        summed[self.event] -= tied[self.last[self.event]]
        return np.asarray(summed)

    def _run(
        self,
        x: FloatArray,
        eta: FloatArray,
        scale: FloatArray | None,
        means: FloatArray,
        drift: FloatArray,
        drift_tied: FloatArray,
    ) -> tuple[float, FloatArray, FloatArray, FloatArray, FloatArray]:
        from cjm.kernels._jit import as_array
        from cjm.kernels.cox import cox_scan

        return cox_scan(
            as_array(x, np.float64),
            as_array(eta, np.float64),
            as_array(self.weight, np.float64),
            as_array(self.event, np.bool_),
            as_array(self.last, np.int64),
            as_array(self.first, np.int64),
            as_array(self.by_first, np.int64),
            as_array(np.ones(len(self.times)) if scale is None else scale, np.float64),
            self.efron,
            means,
            drift,
            drift_tied,
        )


def same_times(start: FloatArray, stop: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Make times equal that differ by no more than rounding, such as 60 + 7/12 reached in two ways.

    Examples
    --------
    >>> same_times(np.array([-np.inf, 0.3]), np.array([0.1 + 0.2, 1.0]))[1].tolist()
    [0.3, 1.0]
    """
    known = np.unique(np.concatenate((start[np.isfinite(start)], stop)))
    apart = np.ones(len(known), dtype=bool)
    apart[1:] = np.diff(known) > 8 * np.finfo(np.float64).eps * np.abs(known).max()
    if apart.all():
        return start, stop
    kept = known[apart]
    start = np.where(np.isfinite(start), kept[np.maximum(np.searchsorted(kept, start, side="right") - 1, 0)], start)
    return start, kept[np.searchsorted(kept, stop, side="right") - 1]
