"""What the page says of paths to leaving, and where it keeps silent."""

import re
from datetime import timedelta

import polars as pl
import pytest
import report_examples as examples
from report_words import only, section, titles

from cjm.report import render


@pytest.fixture(autouse=True)
def undrawn(undrawn):
    """What is said needs no picture."""


def patterns(hazards, **more):
    names = {"hazards_patterns": examples.tables()["hazards_patterns"]}
    return render({"hazards": hazards, **names, **more}, {})


def term(*names):
    return examples.hazards().filter(pl.col("term").is_in(names))


def test_no_pattern_stands_out():
    assert titles(patterns(term("newsletter")))["patterns"] == (
        "The one path tried did not clearly tell apart those who left from those who stayed."
    )
    page = patterns(term("newsletter", "silent", "premium").with_columns(q=pl.lit(0.2)))
    assert titles(page)["patterns"] == "None of 2 paths clearly told apart those who left from those who stayed."
    assert "and then not web:checkout within 1d: who did it left 1.31 times as often" in section(page, "patterns")


def test_a_covariate_never_leads():
    assert only({"hazards": term("premium")})["patterns"] == "No path was tried, only 1 covariate."
    stronger = term("risk", "premium").with_columns(z=pl.when(term="premium").then(-99.0).otherwise("z"))
    page = patterns(stronger)
    assert titles(page)["patterns"].startswith("Customers who did web:view_offer then store:visit")
    words = section(page, "patterns")
    assert "per unit of" not in words.lower()
    assert "1,204 persons were seen after it, 240 of them left." in words
    assert "In all" not in words


def test_patterns_are_counted_without_covariates():
    words = section(patterns(examples.hazards()), "patterns")
    assert "In all, 4 of 5 patterns stand clear of 1" in words
    assert "In all, 1 of 2 patterns stands clear of 1" in section(patterns(term("risk", "newsletter")), "patterns")


@pytest.mark.parametrize(("exposed", "events", "few"), [(9, 9, True), (10, 5, False), (100, 4, True)])
def test_too_few_are_neither_called_clear_nor_measured(exposed, events, few):
    page = patterns(term("risk").with_columns(exposed=pl.lit(exposed), events=pl.lit(events)))
    words = section(page, "patterns")
    assert ("2.5 to 3.4" not in words) is few
    assert ("<0.001" not in words) is few
    assert ("too few" in words) is few
    assert ("<svg" not in page) is few
    assert titles(page)["patterns"].startswith("The one path tried did not" if few else "Customers who did")


def test_how_soon_after_the_path():
    words = section(patterns(term("risk"), lead_time=examples.tables()["lead_time"]), "patterns")
    assert "Of the 240 who left after it, half did so within 41 days (a quarter within 17 days)." in words
    assert "How soon after the path" in words
    assert "41 days 3 h" in words
    tables = {name: examples.tables()[name] for name in ("hazards_patterns", "lead_time")} | {"hazards": term("risk")}
    words = section(render(tables, {"gap_days": 10.0}), "patterns")
    assert "within 41 days (a quarter within 17 days), the silence of 10 days included." in words
    few = examples.tables()["lead_time"].with_columns(left=pl.lit(9))
    words = section(patterns(term("risk"), lead_time=few), "patterns")
    assert "half did so" not in words
    assert "41 days" not in words
    none = examples.tables()["lead_time"].with_columns(p50=pl.lit(None, pl.Duration("us")))
    assert "half did so" not in section(patterns(term("risk"), lead_time=none), "patterns")


@pytest.mark.parametrize(
    ("ratio", "hidden", "then", "said"),
    [
        (2.9, 88, 3.42, "88 anonymous persons did a step of this path on identifiers that nobody could link"),
        (2.9, 88, 3.42, "a ratio of about 3.4 would show as 2.9."),
        (2.9, 3, 2.91, "Fewer than 10 anonymous persons did a step"),
        (2.9, 88, 2.91, "the ratio would hardly change (2.9)."),
        (2.9, 88, None, "the ratio could be of any size."),
        (2.9, 0, 2.9, "and then not store:renew within 1d: no anonymous person did a step of this path."),
    ],
)
def test_what_unlinked_identifiers_may_hide_is_a_scenario(ratio, hidden, then, said):
    rows = {
        "term": ["risk"],
        "hazard_ratio": [ratio],
        "exposed": [1_204],
        "hidden_max": [hidden],
        "hazard_ratio_corrected": pl.Series([then], dtype=pl.Float64),
    }
    words = section(patterns(term("risk"), dilution=pl.DataFrame(rows)), "patterns")
    assert said in words
    assert not [phrase for phrase in ("->", "up to", "as far as", "in truth", "at most") if phrase in words]


def test_scenarios_without_a_ratio_are_left_out():
    rows = examples.tables()["dilution"].with_columns(hazard_ratio=pl.lit(None, pl.Float64))
    assert "anonymous" not in section(patterns(term("risk"), dilution=rows), "patterns")
    few = term("risk").with_columns(events=pl.lit(2))
    assert "anonymous" not in section(patterns(few, dilution=examples.tables()["dilution"]), "patterns")


def test_both_groups_are_counted_and_a_handful_is_not_compared():
    contrast = examples.tables()["contrast"]
    assert "Compared are 4,002 who left and 34,002 who stayed." in section(
        render({"contrast": contrast}, {}), "contrast"
    )
    page = render({"contrast": contrast.with_columns(of_true=pl.lit(3), of_false=pl.lit(18))}, {})
    assert titles(page)["contrast"] == "Fewer than 10 who left and 18 who stayed are too few to compare."
    assert "<svg" not in page
    assert "<table" not in page
    assert "In short" not in page


def test_a_handful_on_one_side_is_left_out_of_the_comparison():
    contrast = examples.tables()["contrast"].with_columns(n_true=pl.lit(4), rate_true=pl.lit(4 / 4_002))
    page = render({"contrast": contrast}, {})
    assert titles(page)["contrast"].startswith("None of 4 sequences")
    assert "<svg" not in page
    assert "0.10 %" not in section(page, "contrast")


def test_curves_end_where_few_are_at_risk():
    page = render({"curves": examples.curves()}, {"gap_days": 45.0})
    words = section(page, "survival")
    assert "Leaving shows as a silence of 45 days, so nobody can leave before that." in words
    assert [int(days) for days in re.findall(r"after (\d+) days", words)] == [120, 180, 365]
    assert "silence" not in section(render({"curves": examples.curves()}, {}), "survival")
    # 5 % of 6,000 are 300: the curve goes no further than those.
    late = examples.curves().filter(pl.col("group") == "premium")
    late = late.with_columns(at_risk=pl.when(pl.col("time") > 100).then(299).otherwise("at_risk"))
    assert titles(render({"curves": late}, {}))["survival"].startswith("After 90 days")
    assert titles(render({"curves": late}, {"gap_days": 99.5}))["survival"].startswith("After 100 days")


def test_moments_over_years_are_counted_by_month():
    moments = examples.moments().head(40)
    assert "by week of completion" in render({"moments": moments}, {})
    later = moments.with_columns(pl.col("end") + timedelta(days=500))
    assert "by month of completion" in render({"moments": pl.concat([moments, later])}, {})
