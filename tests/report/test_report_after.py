"""What the page says of the time after a path, and of predicted risks."""

import polars as pl
import pytest
import report_examples as examples
from report_words import drawn, section, titles

from cjm.report import render

NAMES = {"hazards_patterns": examples.tables()["hazards_patterns"]}
PATH = "web:view_offer then store:visit within 3d and then not store:renew within 1d"


def page(**more):
    return render({**NAMES, **examples.after(), **more}, {})


def test_when_says_by_when_to_act():
    said = page()
    assert titles(said)["when"] == (
        f"Of 100 customers who did {PATH}, 12 more left within 60 days than would have without it; "
        "half of them by day 30."
    )
    words = section(said, "when")
    assert (
        "Whoever acts later than day 30 (95 % interval 25 to 36) after the path is late for half of these 12" in words
    )
    assert "1 more left within 60 days than would have without it, which is not clear of none" in words
    assert "test that all ratios are the same: p = 0.31" in words
    assert "only a trial with a group left alone by lot can" in words
    pictures = drawn(said)
    assert sum("act by day 30 (25 to 36)" in picture for picture in pictures) == 2  # in both widths


def test_stretches_in_which_few_left_are_blank():
    words = section(page(), "when")
    assert "40.2" in words
    assert "3.1" not in words
    assert "fewer than 10" in words
    assert any("hidden" in picture for picture in drawn(page()))


@pytest.mark.parametrize("count", ["persons", "churned"])
def test_a_path_of_a_handful_is_not_followed(count):
    few = examples.after()["when"].with_columns(pl.lit(9).alias(count))
    assert titles(page(when=few))["when"].startswith("Fewer than 10 persons left after a path")
    assert "<svg" not in render(
        {**NAMES, **examples.after(), "when": few, "path_curves": few.clear(), "calibration": few.clear()}, {}
    )


def test_curves_with_and_without_a_path_are_from_a_landmark():
    said = page()
    assert titles(said)["path_curves"] == (
        f"Of customers still there on day 59, 76.0 % of those who had done {PATH} by then still were on day 180, "
        "and 88.0 % of those who had not."
    )
    words = section(said, "path_curves")
    assert "from a landmark, day 59: who completes the path later stays where they are" in words
    assert "Log-rank test of both: p < 0.001." in words
    assert "Of these customers, 97.6 % of those who had done app:login then app:transfer" in words
    few = examples.after()["path_curves"].with_columns(at_risk=pl.lit(9))
    assert titles(page(path_curves=few))["path_curves"].startswith("Of every path too few had done it")


def test_predicted_risks_beside_what_happened():
    said = page()
    assert titles(said)["calibration"] == (
        "Of 12,000 customers kept out of the fit, 2.9 % left within 30 days; 2.9 % were predicted to."
    )
    words = section(said, "calibration")
    assert "Among the 4,000 with the highest risk it was 6.5 %, among the 4,000 with the lowest 2.1 %." in words
    assert "in 71.0 % of pairs (95 % interval 68.0 to 74.0 %): a list by risk is better than one by chance." in words
    assert "Brier score 0.0281 (one risk for all: 0.0286); observed / expected 1.02 (0.92 to 1.13)." in words
    assert "1 group of which fewer than 10 left: not drawn." in words
    assert "0.20 %" not in words
    few = examples.after()["calibration"].with_columns(churned=pl.lit(3))
    assert titles(page(calibration=few))["calibration"].startswith("Fewer than 10 of those kept out")
    unsure = examples.after()["validation"].with_columns(lower=pl.lit(0.4))
    assert "not clearly better than one by chance" in section(page(validation=unsure), "calibration")


def test_events_before_a_silence_are_counted_as_events():
    table = examples.after()["calibration"].with_columns(events=pl.col("persons") * 9, horizon=pl.lit(45.0))
    said = page(calibration=table)
    assert titles(said)["calibration"] == (
        "Of 108,000 events of customers kept out of the fit, 2.9 % were the last before a silence of 45 days; "
        "2.9 % were predicted to."
    )
    words = section(said, "calibration")
    assert "Among the 36,000 with the highest risk" in words
    assert "Of an event that was the last and one that was not, the last had the higher risk" in words


def test_other_silences_are_said_and_listed():
    ratios = pl.DataFrame(
        {
            "gap": pl.Series([22, 45, 90] * 2).cast(pl.Int64) * 86_400_000_000, "churned": [700, 400, 9] * 2,
            "false_churn": [0.6, 0.3, 0.1] * 2, "term": ["newsletter"] * 3 + ["risk"] * 3,
            "hazard_ratio": [1.0, 1.1, 1.2, 2.1, 2.9, 3.3], "lower": 0.5, "upper": 3.0, "exposed": 500,
            "events": [90, 50, 9, 90, 50, 4],
        }
    ).with_columns(pl.col("gap").cast(pl.Duration("us")))  # fmt: skip
    words = section(page(hazards=examples.hazards(), sensitivity=ratios), "patterns")
    assert (
        f"For {PATH}, the ratio hangs on how long a silence counts as leaving: 2.1 at 22 days, 2.9 at 45 days." in words
    )
    assert "If another silence counted as leaving" in words
    assert "3.3" not in words.split("If another silence")[1]
    assert "last before the silence" in section(render({"hazards": examples.hazards()}, {"gap_days": 45.0}), "patterns")
    assert "last before the silence" not in words


def test_what_is_missing_is_said():
    words = section(render({}, {}), "reading")
    assert "By when to act is not said" in words
    assert "Predicted risks are not compared with what happened" in words
