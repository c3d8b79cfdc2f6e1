"""What was decided is shown by action; never whose, and never a small part that others would give away."""

from __future__ import annotations

import re

import polars as pl
import report_examples as examples

from cjm.report import render


def rows(page):
    body = page.split("What may be done about them", 1)[1].split("</table>", 1)[0]
    return [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
        for row in re.findall(r"<tr>.*?</tr>", body.split("<tbody>")[1], re.DOTALL)
    ]


def page_of(decisions, **run):
    return render({"moments": examples.moments(), "decisions": decisions}, run)


def test_counts_are_those_of_the_table():
    everything = examples.decisions()
    decisions = everything.filter("in_time")
    page = page_of(everything, hide_below=1)
    shown = {(row[0], row[1]): row[2:] for row in rows(page)}
    assert len(shown) == decisions.select("action", "moment").n_unique()
    for (action, moment), group in decisions.group_by("action", "moment"):
        persons, *parts, mostly = shown[action, moment]
        assert int(persons.replace(",", "")) == group["person"].n_unique()
        kinds = [(group["decision"] == kind).sum() for kind in ("act", "alternative", "hold out", "blocked")]
        assert [int(part.replace(",", "")) for part in parts] == kinds
        reasons = group.filter(decision="blocked")["reason"].value_counts(sort=True)
        assert mostly in reasons["reason"].to_list() or (mostly == "–" and reasons.is_empty())
        assert group["basis"][0] in page
    assert "Decided 30 June 2025 00:00" in page
    assert "not on what acting changes" in page
    assert not [person for person in decisions["person"].head(50) if str(person) in page]


def test_parts_of_a_line_are_left_out_where_one_is_small():
    decisions = examples.decisions().filter("in_time")
    left_out = 0
    for row in rows(page_of(decisions, hide_below=14)):
        parts = row[3:7]
        counts = decisions.filter(action=row[0], moment=row[1])["decision"].value_counts()["count"].to_list()
        assert (set(parts) == {"–"}) == (min(counts) < 14)
        left_out += min(counts) < 14
    assert left_out > 0
    few = page_of(decisions.filter(pl.col("action") == "call").head(3))
    assert rows(few)[0][2] == "fewer than 10"


def test_no_decisions_no_words():
    assert "What may be done" not in render({"moments": examples.moments()}, {})
    assert "What may be done" not in page_of(examples.decisions().head(0))
