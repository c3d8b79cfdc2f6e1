"""The page: what stands on it, in which words, and that it is one safe file."""

import re
import subprocess
import sys

import polars as pl
import pytest
import report_examples as examples
from report_words import only, text_of, titles

from cjm.errors import RunError
from cjm.report import render, write_report

CAUSAL = ("because", "cause", "leads to churn", "drive", "due to", "effect of", "impact", "makes them", "prevents")


# Tables that are shown with another one, or not at all.
PARTS = {"hazards_patterns", "decisions", "dilution", "lead_time", "audit", "goal_overlap", "funnel_next"}
PARTS |= set(examples.after())


@pytest.fixture(scope="module")
def page():
    return render(examples.tables(), examples.run())


def test_every_table_has_its_section(page):
    assert list(titles(page)) == [
        "quality",
        "stitching",
        "kpis",
        "timeline",
        "paths",
        "funnel",
        "goals",
        "transitions",
        "steps",
        "sequences",
        "retention",
        "patterns",
        "when",
        "path_curves",
        "contrast",
        "survival",
        "calibration",
        "moments",
        "reading",
    ]


def test_titles_say_the_figures_of_the_tables(page):
    said = titles(page)
    rows = 901_442 + 241_020 + 40_332 + 26_410
    assert f"brought {rows:,} rows; {1_220 + 442:,} were set aside (0.14 % of the rows)" in said["quality"]
    assert "3,210 dropped as duplicates" in said["quality"]
    assert "1,204,332 events belong to 48,210 persons" in said["stitching"]
    assert "243 identifiers met one of 2 rules" in said["stitching"]
    assert said["kpis"] == "Conversion: 12.3 % (5,949 of 48,210; 95 % interval 12.1 to 12.6 %)."
    events = examples.timeline()["events"].sum()
    web = examples.timeline().filter(pl.col("channel") == "web")["events"].sum()
    assert f"Of {events:,} events, web carried {web:,} ({100 * web / events:.1f} %)" in said["timeline"]
    first = examples.flow().filter(pl.col("step") == 1)
    home = first.filter(pl.col("source") == "web:home")["persons"].sum()
    whole = first["persons"].sum()
    assert f"{100 * home / whole:.1f} % of paths ({home:,} of {whole:,}) began with web:home" in said["paths"]
    assert "web:product came next (9,220 of 19,924)" in said["paths"]
    assert "(3,204 of 14,222; 95 % interval 21.9 to 23.2 %)" in said["funnel"]
    assert said["funnel"].startswith("22.5 % of those who did web:product came as far as store:purchase")
    assert said["transitions"].endswith(
        "from web:home to web:product: 22,110 times, 41.0 % of all that followed web:home."
    )
    assert said["steps"] == "At step 1, 60.0 % of paths (600 of 1,000) were at web:home, more than anywhere else."
    assert "18,204 persons (37.8 %) did web:home then web:product" in said["sequences"]
    assert said["retention"].startswith(
        "72.0 % of persons (5,760 of 8,000) came back in the period after their first (periods of 7 days)"
    )
    assert said["patterns"] == (
        "Customers who did call:billing then call:complaint within 7d "
        "left 4.1 times as often (95 % interval 3.3 to 5.1)."
    )
    assert (
        "13.0 % of customers who left (520 of 4,002) and 27.1 % of customers who stayed (9,220 of 34,002)"
        in said["contrast"]
    )
    assert said["survival"].startswith(
        "After 365 days, 79.7 % of group premium were still customers (95 % interval 78.2 to 81.2 %)"
    )
    assert "46.4 % of group basic (45.7 to 47.2 %)" in said["survival"]
    assert (
        said["moments"] == "3 moments were found 2,290 times among 1,080 persons; empty cart most often, 1,440 times."
    )


def test_counts_of_the_sources_come_before_the_findings():
    sources = pl.DataFrame(
        {"source": ["web", "app"], "read": [100, 50], "kept": [91, 50], "set_aside": [6, 0], "duplicates": [3, 0]}
    )
    said = only({"sources": sources, "quality": examples.tables()["quality"]})
    assert (
        said["quality"]
        == "2 sources brought 150 rows; 6 were set aside (4.0 % of the rows) and 3 dropped as duplicates."
    )


def test_where_a_hazard_was_measured_is_shown():
    page = render({"hazards": examples.hazards().with_columns(tested_on=pl.lit("the other half"))}, {})
    assert "measured on" in page
    assert page.count("the other half") == examples.hazards().height


def test_the_pattern_of_a_term_is_said_in_words():
    hazards = examples.hazards().filter(pl.col("term") == "risk")
    said = only({"hazards": hazards, "hazards_patterns": examples.tables()["hazards_patterns"]})["patterns"]
    assert said == (
        "Customers who did web:view_offer then store:visit within 3d and then not store:renew within 1d "
        "left 2.9 times as often (95 % interval 2.5 to 3.4)."
    )


def test_the_axis_of_the_curves_starts_where_the_caption_says():
    high = examples.curves().filter(pl.col("group") == "premium")
    page = render({"curves": high}, {})
    assert "The vertical axis starts at 70.0\xa0%." in page
    ticks = re.findall(r">(\d+\xa0%)<", re.search(r"<svg.*?</svg>", page, re.DOTALL)[0])
    assert "70\xa0%" in ticks
    assert "0\xa0%" not in ticks


def test_an_interval_clear_of_one_is_grey_where_many_were_tried():
    grey = "#8b9299"
    hazards = examples.hazards().filter(pl.col("term") == "risk")
    names = {"hazards_patterns": examples.tables()["hazards_patterns"]}
    assert grey not in render({"hazards": hazards, **names}, {})
    page = render({"hazards": hazards.with_columns(q=pl.lit(0.2)), **names}, {})
    assert grey in page
    assert "did not clearly tell apart" in titles(page)["patterns"]


def test_labels_of_groups_can_be_read():
    name = "premium customers: true"
    page = render({"curves": examples.curves().with_columns(group=pl.lit(name))}, {})
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 2
    assert all(name in picture for picture in pictures)
    assert f"of those with {name} were still customers" in titles(page)["survival"]


def test_the_findings_stand_at_the_top_with_links(page):
    told = re.search(r'<div class="short".*?</div>', page, re.DOTALL)[0]
    keys = re.findall(r'<li><a href="#(\w+)">', told)
    assert keys == ["patterns", "when", "contrast", "survival", "moments", "goals", "funnel", "paths"]
    assert page.index(told) < page.index("<nav")
    said = titles(page)
    assert all(said[key] in text_of(told) for key in keys)
    assert "In short" not in render({"kpis": examples.tables()["kpis"]}, {})


def test_infinite_and_missing_hazards_are_listed_but_not_drawn():
    hazards = examples.hazards().with_columns(upper=pl.lit(float("inf")), lower=pl.lit(0.0))
    page = render({"hazards": hazards}, {})
    assert "<svg" not in page
    assert "∞" in page
    assert "<svg" not in render({"hazards": hazards.with_columns(hazard_ratio=pl.lit(None, pl.Float64))}, {})


def test_no_causal_words(page):
    words = text_of(page).lower()
    assert [word for word in CAUSAL if word in words] == []


def test_every_picture_stands_by_its_table(page):
    for section in re.findall(r"<section.*?</section>", page, re.DOTALL):
        assert section.count("<figure>") == 0 or section.count("<table>") >= 1
        assert section.count("<svg") == 2 * section.count("<figure>")


def test_one_file_without_scripts_or_addresses(page):
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert not re.search(r"<(script|iframe|object|embed|form|link(?! rel=\"icon\" href=\"data:,\"))", page)
    assert set(re.findall(r'(?:href|src|action)="([^"]*)"', page)) == {"data:,"} | {f"#{key}" for key in titles(page)}
    assert re.findall(r"https?://[^\"' ]*", page.replace("http://www.w3.org/", "")) == []
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_ids_in_the_page_are_unique(page):
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= set(ids)


def test_nobody_is_shown(page):
    assert "canary" not in page
    assert "731264" not in page
    assert "7,312,64" not in page


def test_small_groups_are_shown_as_small_only():
    variants = pl.DataFrame(
        {"path": [["a"], ["b"]], "length": [1, 1], "count": [90, 3], "share": [0.9, 0.03], "coverage": [0.9, 0.93]}
    )
    page = render({"variants": variants, "flow": examples.flow()}, {"hide_below": 10})
    assert "fewer than 10" in page
    assert "3.0\xa0%" not in page
    assert (
        "fewer than 10" not in render({"variants": variants}, {"hide_below": 1}).split("How to read this page</p>")[0]
    )
    few = examples.moments().head(4)
    said = render({"moments": few}, {})
    assert titles(said)["moments"] == "offer without renewal was found among fewer than 10 persons."
    assert "4 times" not in said


def test_without_tables_the_page_says_why():
    page = render({}, {})
    assert list(titles(page)) == ["reading"]
    assert "No funnel was declared." in page
    assert "<svg" not in page


@pytest.mark.parametrize("name", sorted(set(examples.tables()) - {"quality"}))
def test_an_empty_table_is_as_good_as_none(name):
    assert render({name: examples.tables()[name].clear()}, {}) == render({}, {})


@pytest.mark.parametrize("name", sorted(set(examples.tables()) - PARTS))
def test_one_row_is_enough(name):
    page = render({name: examples.tables()[name].head(1)}, {})
    assert len(titles(page)) == 2
    assert "nan" not in text_of(page).lower().split()


def test_long_tables_are_cut_and_say_so():
    rows = pl.DataFrame(
        {"path": [[f"web:p{i}"] for i in range(100)], "count": range(1000, 900, -1), "share": [0.01] * 100}
    )
    page = render({"variants": rows}, {})
    assert "The first 25 of 100 rows." in page
    assert "web:p24" in page
    assert "web:p25" not in page


def test_the_closing_section(page):
    words = text_of(page)
    assert examples.CHURN in words
    assert "web: 1,220 rows, set aside (time cannot be read)" in words
    assert "0.68.0" in words
    assert "6 January 2025 to 30 June 2025" in words
    assert "06:12:44" not in words
    assert "Only an experiment" in words


def test_same_input_same_bytes(page):
    assert render(examples.tables(), examples.run()) == page


def test_written_in_one_step(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    assert write_report({}, {"title": "Über uns"}, path) == path
    assert path.read_bytes().decode() == render({}, {"title": "Über uns"})
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


def test_a_failed_write_leaves_the_old_page(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(RunError, match="No space left"):
        write_report({}, {}, path)
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(RunError, match="Check that the folder exists"):
        write_report({}, {}, tmp_path / "none" / "report.html")


def test_import_is_light():
    heavy = ("altair", "vl_convert", "jinja2", "numba", "pandas", "lifelines")
    code = f"import sys, cjm.report; print([name for name in {heavy!r} if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
