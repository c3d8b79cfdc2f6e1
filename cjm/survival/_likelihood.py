"""The partial likelihood of a Cox model: sums over risk sets and rows, in ranges that do not depend on threads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cjm.survival._covariates import Covariates
from cjm.survival._design import FloatArray, IntArray
from cjm.survival._risk import RiskSets
from cjm.survival._threads import cuts, in_threads

__all__ = ["Likelihood", "Scan"]

_ROWS_A_TASK = 100_000
_PARTS = 8
"""Most parts for which tables of all event times are held at once."""
_TABLE = 2**18
"""Most numbers in such a table."""
_NONE = np.empty((0, 0))


@dataclass(frozen=True)
class Scan:
    """Log partial likelihood, gradient, information matrix and the hazard at each event time; terms by place."""

    loglik: float
    score: FloatArray
    information: FloatArray
    hazard: FloatArray


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Risk sets and covariates; coefficients are those of ``Covariates``, by place and of unit scale."""

    sets: RiskSets
    covariates: Covariates
    efron: bool

    def scan(self, beta: FloatArray, scale: FloatArray | None = None) -> Scan:
        """Evaluate the partial likelihood at ``beta``; ``scale`` multiplies the contribution of each event time.

        The information is X' diag(c) X, with c the expected events of a row, less the outer products of risk-set
        means: one product of matrices in place of one update of p^2 numbers a row.
        """
        from cjm.kernels import cox

        scale = np.ones(len(self.sets.times)) if scale is None else scale
        eta, risk, top = self._risks(beta)
        loglik, outer, hazard, tied = self._over_times(eta, risk, scale, (_NONE, _NONE, _NONE))
        total = np.concatenate(([0.0], np.cumsum(hazard)))
        p = len(beta)

        def part(low: int, high: int) -> tuple[FloatArray, FloatArray]:
            gram, score = np.zeros((p, p)), np.zeros(p)
            cox.row_sums(
                low, high, *self._x(), risk, self.sets.weight, self.sets.event, self.sets.last, self.sets.first,
                total, tied, scale, gram, score,
            )  # fmt: skip
            return gram, score

        parts = in_threads(part, cuts(len(risk), _ROWS_A_TASK))
        upper = np.triu(sum((gram for gram, _ in parts), -outer))
        information = upper + np.triu(upper, 1).T
        return Scan(loglik, np.sum([score for _, score in parts], axis=0), information, hazard * np.exp(-top))

    def group_scores(self, beta: FloatArray, group: IntArray) -> FloatArray:
        """Return each group's contribution to the gradient and, last, its observed less expected events.

        ``group`` is by input row; shape (groups, terms + 1).
        """
        from cjm.kernels import cox
        from cjm.kernels._jit import as_array

        sets = self.sets
        eta, risk, _ = self._risks(beta)
        (means, drift, drift_tied), hazard, tied = self._means(eta, risk)
        zero = np.zeros((1, len(beta)))
        found = np.zeros((int(group.max()) + 1, len(beta) + 1))
        cox.group_scores(
            *self._x(), risk, sets.weight, sets.event, sets.last, sets.first,
            np.concatenate(([0.0], np.cumsum(hazard))), tied, means,
            np.concatenate((zero, np.cumsum(drift, axis=0))), drift_tied, as_array(group[sets.row], np.int64), found,
        )  # fmt: skip
        return found

    def schoenfeld(self, beta: FloatArray) -> FloatArray:
        """Return, for each row with an event (in the order of the scan), its weighted Schoenfeld residual by place."""
        from cjm.kernels import cox

        means = self._means(*self._risks(beta)[:2])[0][0]
        found = np.zeros((int(self.sets.event.sum()), len(beta) + 1))
        cox.schoenfeld(*self._x(), self.sets.weight, self.sets.event, self.sets.last, means, found)
        return found[:, :-1]

    def _x(self) -> tuple[IntArray, npt.NDArray[np.uint16], FloatArray]:
        return self.covariates.at, self.covariates.ones, self.covariates.dense

    def _risks(self, beta: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """Return the linear predictor less its maximum, the weighted risks that follow, and the maximum."""
        from cjm.kernels import cox

        eta = np.empty(len(self.sets.row))
        in_threads(
            lambda low, high: cox.linear_predictor(low, high, *self._x(), beta, eta), cuts(len(eta), _ROWS_A_TASK)
        )
        top = float(eta.max())
        eta -= top
        risk = np.exp(eta)
        risk *= self.sets.weight
        return eta, risk, top

    def _means(
        self, eta: FloatArray, risk: FloatArray
    ) -> tuple[tuple[FloatArray, FloatArray, FloatArray], FloatArray, FloatArray]:
        """Return means, drift and spared drift at each event time, hazard, and what tied events are spared of it."""
        shape = len(self.sets.times), len(self.covariates.order)
        filled = (np.zeros(shape), np.zeros(shape), np.zeros(shape))
        _, _, hazard, tied = self._over_times(eta, risk, np.ones(len(self.sets.times)), filled)
        return filled, hazard, tied

    def _over_times(
        self, eta: FloatArray, risk: FloatArray, scale: FloatArray, filled: tuple[FloatArray, FloatArray, FloatArray]
    ) -> tuple[float, FloatArray, FloatArray, FloatArray]:
        """Return log-likelihood, outer products, hazard and its spared part.

        They come from tables of all event times if these are few, else from a walk over them.
        """
        sets = self.sets
        died = sets.event
        observed = float(np.sum(scale[sets.last[died]] * sets.weight[died] * eta[died]))
        few = len(sets.times) * (len(self.covariates.order) + 1) <= _TABLE
        loglik, outer, hazard, tied = (self._tables if few else self._walk)(risk, scale, filled)
        return observed + loglik, outer, hazard, tied

    def _tables(
        self, risk: FloatArray, scale: FloatArray, filled: tuple[FloatArray, FloatArray, FloatArray]
    ) -> tuple[float, FloatArray, FloatArray, FloatArray]:
        from cjm.kernels import cox

        sets = self.sets
        p = len(self.covariates.order)

        stays = (sets.ended > sets.begun) & (np.arange(len(sets.ended)) > 0)

        def part(low: int, high: int) -> FloatArray:
            tables = np.zeros((2, len(sets.times), p + 1))
            cox.bucket_sums(low, high, *self._x(), risk, sets.event, sets.last, sets.first, stays, *tables)
            return tables

        sums, dead = sum(in_threads(part, cuts(len(risk), max(_ROWS_A_TASK, -(-len(risk) // _PARTS)))))
        outer, hazard, tied = np.zeros((p, p)), np.empty(len(sets.times)), np.empty(len(sets.times))
        loglik = cox.bucket_times(
            sums, dead, stays, sets.deaths, sets.death_weight, scale, self.efron, outer, hazard, tied,
            *filled,
        )  # fmt: skip
        return loglik, outer, hazard, tied

    def _walk(
        self, risk: FloatArray, scale: FloatArray, filled: tuple[FloatArray, FloatArray, FloatArray]
    ) -> tuple[float, FloatArray, FloatArray, FloatArray]:
        from cjm.kernels import cox

        sets = self.sets
        p = len(self.covariates.order)
        ranges = sets.ranges()
        hazard, tied = np.empty(len(sets.times)), np.empty(len(sets.times))

        def counts(high: int) -> tuple[int, int]:
            """Rows that have come and gone before the walk reaches event time ``high - 1``."""
            return int(sets.ended[high]), int(sets.begun[high + 1]) if high < len(sets.times) else 0

        def gained(low: int, high: int) -> tuple[bool, FloatArray]:
            sums = np.zeros((1, p + 1))
            afresh = cox.pass_times(
                low, high, *counts(high), sums, *self._x(), risk, sets.last, sets.first, sets.by_first
            )
            return afresh, sums

        starts = [np.zeros((1, p + 1))]
        for afresh, sums in in_threads(gained, ranges[:-1]):
            starts.append(sums if afresh else starts[-1] + sums)
        state = dict(zip(ranges, starts, strict=True))

        def part(low: int, high: int) -> tuple[float, FloatArray]:
            outer = np.zeros((p, p))
            loglik = cox.scan_times(
                low, high, *counts(high), state[low, high], *self._x(), risk, sets.event, sets.last, sets.first,
                sets.by_first, sets.deaths, sets.death_weight, scale, self.efron, outer, hazard, tied, *filled,
            )  # fmt: skip
            return loglik, outer

        parts = in_threads(part, ranges)
        return sum(loglik for loglik, _ in parts), np.sum([outer for _, outer in parts], axis=0), hazard, tied
