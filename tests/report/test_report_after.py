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
    assert "Of the 4,000 with the highest risk 6.5 % left, of the 4,000 with the lowest 2.1 %." in words
    assert "in 71.0 % of pairs (95 % interval 68.0 to 74.0 %): a list by risk is better than one by chance." in words
    assert "Brier score 0.0281 (one risk for all: 0.0286); observed / expected 1.02 (0.92 to 1.13)." in words
    assert "1 group of which fewer than 10 left: not drawn." in words
    assert "0.20 %" not in words
    few = examples.after()["calibration"].with_columns(churned=pl.lit(3))
    assert titles(page(calibration=few))["calibration"].startswith("Fewer than 10 of those kept out")
    unsure = examples.after()["validation"].with_columns(lower=pl.lit(0.4))
    assert "not clearly better than one by chance" in section(page(validation=unsure), "calibration")


def test_what_is_missing_is_said():
    words = section(render({}, {}), "reading")
    assert "By when to act is not said" in words
    assert "Predicted risks are not compared with what happened" in words
