"""Penalised Cox fits: the conditions of a maximum, and the limits."""

import numpy as np
import polars as pl
import pytest

from cjm.errors import ArgumentError
from cjm.survival import cox


def world(seed=1, rows=600):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 6)) * [1, 5, 0.2, 1, 1, 1] + 3
    x[:, 3:] = rng.uniform(size=(rows, 3)) < [0.1, 0.3, 0.5]
    start = rng.integers(0, 5, rows)
    wait = rng.exponential(10 * np.exp(-0.5 * x[:, 0] + 0.8 * x[:, 3]))
    frame = pl.DataFrame(x, schema=[f"x{j}" for j in range(6)])
    return frame.with_columns(
        start=pl.Series(start), stop=pl.Series(start + np.ceil(np.minimum(wait, 30))), event=pl.Series(wait < 30),
        group=pl.Series(np.arange(rows) % 2),
    )  # fmt: skip


COLUMNS = [f"x{j}" for j in range(6)]
OPTIONS = {"start": "start", "stop": "stop", "event": "event", "covariates": COLUMNS}


def gradient_and_scale(frame, coef, ties="breslow"):
    """Gradient of the log partial likelihood over the events, and the spread of covariates among those at risk."""
    start, stop, event = (frame[name].to_numpy() for name in ("start", "stop", "event"))
    x = frame.select(COLUMNS).to_numpy()
    slope, square = np.zeros(6), np.zeros(6)
    for time in np.unique(stop[event]):
        risk = (start < time) & (stop >= time)
        died = event & (stop == time)
        weight = np.exp(x[risk] @ coef)
        slope += x[died].sum(axis=0) - died.sum() * weight @ x[risk] / weight.sum()
        square += died.sum() * x[risk].var(axis=0)
    return slope / event.sum(), np.sqrt(square / event.sum())


@pytest.mark.parametrize("penalty", [0.003, 0.03, 0.1])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_the_conditions_of_a_maximum_hold(penalty, l1_ratio):
    frame = world()
    fit = cox(frame, ties="breslow", penalty=penalty, l1_ratio=l1_ratio, **OPTIONS)
    slope, scale = gradient_and_scale(frame, fit.coef)
    b = fit.coef * scale
    pull = slope / scale - penalty * (1 - l1_ratio) * b
    at_zero = fit.coef == 0
    assert np.abs(pull[at_zero]).max(initial=0) <= penalty * l1_ratio + 1e-9
    np.testing.assert_allclose(pull[~at_zero], penalty * l1_ratio * np.sign(b[~at_zero]), rtol=0, atol=1e-9)
    assert fit.summary["se"].null_count() == fit.summary["p"].null_count() == 6
    assert fit.tests.is_empty()
    assert fit.check()["p"].null_count() == 7
    if l1_ratio == 1.0 and penalty == 0.1:
        assert at_zero.any()


def test_limits():
    frame = world(2)
    free = cox(frame, **OPTIONS)
    np.testing.assert_allclose(cox(frame, penalty=1e-10, **OPTIONS).coef, free.coef, atol=1e-6)
    assert cox(frame, penalty=10.0, l1_ratio=1.0, **OPTIONS).coef.tolist() == [0.0] * 6
    cut = pl.concat(
        [frame.with_columns(stop=pl.col("start") + 0.5, event=pl.lit(False)),
         frame.with_columns(start=pl.col("start") + 0.5)],
        how="vertical_relaxed",
    )  # fmt: skip
    net = {"penalty": 0.02, "l1_ratio": 0.5}
    np.testing.assert_allclose(cox(cut, **net, **OPTIONS).coef, cox(frame, **net, **OPTIONS).coef, atol=1e-8)


def test_a_ridge_holds_what_would_walk_off_and_what_is_collinear():
    frame = pl.DataFrame({"stop": [1, 2, 3, 4, 5, 6], "event": [1, 1, 1, 0, 0, 0], "x": [1, 1, 1, 0, 0, 0]})
    twice = frame.with_columns(y="x")
    fit = cox(twice, stop="stop", event="event", covariates=["x", "y"], penalty=0.1)
    assert 0 < fit.coef[0] == pytest.approx(fit.coef[1])
    assert fit.coef[0] < 5


@pytest.mark.parametrize("wrong", [{"penalty": -1.0}, {"penalty": np.nan}, {"penalty": 1.0, "l1_ratio": 1.1}])
def test_wrong_penalties(wrong):
    with pytest.raises(ArgumentError, match="penalty"):
        cox(world(), **wrong, **OPTIONS)
