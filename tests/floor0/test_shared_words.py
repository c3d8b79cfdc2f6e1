"""Durations, statistics, contracts, errors, ragged arrays."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from cjm.contracts import CONTRACTS, TIME
from cjm.durations import format_duration, to_us
from cjm.errors import ArgumentError, CjmError, ContractError, InputError, did_you_mean
from cjm.ragged import Ragged, offsets_of_sorted
from cjm.statistics import benjamini_hochberg, normal_quantile, wilson


@given(st.integers(0, 10**15))
def test_duration_text_round_trips(us: int) -> None:
    assert to_us(format_duration(us)) == us


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10_000)))
def test_timedelta_is_exact(value: timedelta) -> None:
    assert timedelta(microseconds=to_us(value)) == value


@pytest.mark.parametrize("value", [30, 1.5, "30", "", "3 d", "1mo", "-1d", "d", "1y", timedelta(days=-1), None, True])
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ArgumentError):
        to_us(value)  # type: ignore[arg-type]


@given(st.lists(st.floats(0, 1), max_size=40))
def test_benjamini_hochberg_is_scipys(p: list[float]) -> None:
    expected = scipy.stats.false_discovery_control(p) if p else []
    np.testing.assert_allclose(benjamini_hochberg(p), expected, atol=1e-15)


def test_benjamini_hochberg_leaves_out_what_was_not_tested() -> None:
    np.testing.assert_allclose(benjamini_hochberg([0.01, np.nan, 0.02]), [0.02, np.nan, 0.02])


@given(st.integers(0, 500), st.integers(1, 500), st.sampled_from([0.9, 0.95, 0.99]))
def test_wilson_is_scipys(successes: int, trials: int, level: float) -> None:
    successes = min(successes, trials)
    expected = scipy.stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    low, high = wilson([successes], [trials], level)
    np.testing.assert_allclose([low[0], high[0]], [expected.low, expected.high], atol=1e-12)


def test_no_trials_have_no_interval() -> None:
    assert np.isnan(wilson([0], [0])[0][0])
    assert normal_quantile(0.95) == pytest.approx(1.959963984540054)


@given(st.lists(st.integers(0, 5)))
def test_offsets_cut_runs(keys: list[int]) -> None:
    keys.sort()
    ragged = Ragged(np.array(keys, dtype=np.int64), offsets_of_sorted(np.array(keys, dtype=np.int64)))
    assert [part.tolist() for part in ragged] == [[key] * keys.count(key) for key in sorted(set(keys))]
    assert ragged.lengths.sum() == len(keys)


def test_contract_names_what_is_wrong() -> None:
    events = CONTRACTS["EVENTS"]
    good = pl.DataFrame(schema={"time": TIME, "channel": pl.String, "event": pl.Categorical, "cookie": pl.String})
    events.validate(good)
    events.validate(good.lazy())
    with pytest.raises(ContractError, match="'event' is missing"):
        events.validate(good.drop("event"))
    with pytest.raises(ContractError, match="'time' is"):
        events.validate(good.with_columns(pl.lit("x").alias("time")))
    with pytest.raises(ContractError, match="order"):
        events.validate(good.select("channel", "time", "event"))
    with pytest.raises(ContractError, match="does not belong"):
        CONTRACTS["QUALITY"].validate(CONTRACTS["QUALITY"].empty().with_columns(pl.lit(1).alias("more")))


def test_errors_have_one_root_and_a_hint() -> None:
    error = InputError.at("no such column", where="web.csv", hint="Rename it")
    assert str(error) == "web.csv: no such column. Rename it"
    assert isinstance(error, CjmError)
    assert 'Did you mean "time"?' in str(ArgumentError.unknown("key", "tme", ["time", "event"]))
    assert did_you_mean("q", []) == "There are none"
    assert did_you_mean("q", [f"long{n}" for n in range(20)]).endswith("... (20 in all)")
