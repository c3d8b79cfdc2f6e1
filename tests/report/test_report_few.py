"""Groups of fewer persons than ``hide_below`` are told nowhere on the page, in no table and no sentence."""

import re
from html import unescape

import polars as pl
import pytest
import report_examples as examples
from report_words import text_of

from cjm.report import render

OF_PERSONS = re.compile(r"persons|customers|left\b|stayed|who ", re.IGNORECASE)
HIDDEN = re.compile(r"|–|0|(?:\d[\d,]* of )?fewer than .*", re.IGNORECASE)


def cells_of_persons(page):
    """Return heading and text of each cell of a column that counts persons."""
    found = []
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        rows = [
            [text_of(unescape(cell)).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
            for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)
        ]
        heads = rows[0] if rows else []
        for place, head in enumerate(heads):
            if OF_PERSONS.search(head):
                found += [(head, row[place]) for row in rows[1:]]
    return found


@pytest.mark.usefixtures("undrawn")
def test_no_table_counts_a_small_group():
    tables = examples.tables()
    told = cells_of_persons(render(tables, examples.run(hide_below=1)))
    assert len({head for head, cell in told if re.search("[1-9]", cell)}) > 5
    hidden = cells_of_persons(render(tables, examples.run(hide_below=10**9)))
    assert [(head, cell) for head, cell in hidden if not HIDDEN.fullmatch(cell)] == []


@pytest.mark.usefixtures("undrawn")
def test_no_sentence_counts_a_small_group():
    page = text_of(render(examples.tables(), examples.run(hide_below=10**9)))
    counted = re.findall(r"(?<![\d,.])([\d,]+) (?:persons|customers)", page)
    assert {count.replace(",", "") for count in counted} <= {"1000000000", str(examples.run()["persons"])}


@pytest.mark.usefixtures("undrawn")
def test_nothing_tells_when_a_few_did_something():
    funnel = pl.DataFrame(
        {
            "step": [1, 2],
            "touchpoint": ["web:a", "web:b"],
            "persons": [7, 3],
            "of": [7, 7],
            "rate": [1.0, 3 / 7],
            "low": [0.6, 0.1],
            "high": [1.0, 0.8],
            "step_rate": [1.0, 3 / 7],
            "time_p25": pl.Series([None, 61_000_000], dtype=pl.Duration("us")),
            "time_p50": pl.Series([None, 62_000_000], dtype=pl.Duration("us")),
            "time_p75": pl.Series([None, 63_000_000], dtype=pl.Duration("us")),
        }
    )
    page = text_of(render({"funnel": funnel, "moments": examples.moments().head(4)}, {"hide_below": 10}))
    assert "1 min" not in page
    assert not re.search(r"\b7\b", page.split("The steps of the funnel")[1].split("Moments found")[0])
    open_page = text_of(render({"funnel": funnel, "moments": examples.moments().head(4)}, {"hide_below": 1}))
    assert "1 min" in open_page


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("few", ["persons_known", "persons_anonymous"])
def test_persons_of_whom_a_few_are_of_one_kind(few):
    counts = {"persons": 5000, "persons_known": 4996, "persons_anonymous": 4996} | {few: 4}
    summary = pl.DataFrame(
        {
            "measure": list(counts),
            "count": list(counts.values()),
            "share": [count / 5000 for count in counts.values()],
            "meaning": "",
        }
    )
    page = text_of(render({"identity_summary": summary}, {"hide_below": 10}))
    assert "4,996" not in page
    assert page.count("fewer than 10 of one kind") == 2
    assert "4,996" in text_of(render({"identity_summary": summary}, {"hide_below": 4}))
