"""The recipe of docs/splink.md, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import cjm

PAGE = Path(__file__).resolve().parents[2] / "docs" / "splink.md"
COMPARE_TWO, STITCH_TWO, COMPARE_ONE, STITCH_ONE = re.findall(
    r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
)


def run(*blocks: str, **given: Any) -> dict[str, Any]:
    """Run blocks of the page one after the other, and return their names."""
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), given)
    return given


def log_of(**ids: list[str]) -> cjm.EventLog:
    """One event an identifier; each kind is a source of its own."""
    return cjm.scan_events(
        {
            f"by_{kind}": cjm.Source(
                pl.DataFrame({"at": "2026-01-01T10:00Z", "what": "visit", kind: found}),
                time="at",
                event="what",
                ids={kind: kind},
            )
            for kind, found in ids.items()
        }
    )


def table(shared: Path, name: str, **options: Any) -> pl.DataFrame:
    path = shared / "data" / "identity" / f"{name}.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in ../shared/data")
    return pl.read_csv(path, **options)


def quality(people: cjm.Identities, truth: pl.DataFrame) -> tuple[float, float]:
    return cjm.evaluate_identities(people.map, truth).select("pairwise_precision", "pairwise_recall").row(0)


def persons(people: cjm.Identities) -> dict[tuple[str, str], int]:
    return {(kind, text): person for kind, text, person in people.map.select("kind", "id", "person").iter_rows()}


def test_pairs_of_two_tables_join_customers_and_cards() -> None:
    pairs = pl.DataFrame(
        [
            (0.99, "card", "customer", "k1", "c1"),
            (0.97, "customer", "card", "c2", "k2"),
            (0.94, "card", "customer", "k3", "c3"),  # not likely enough
            (0.96, "card", "customer", "k2", "c1"),  # the card has an owner, and c1 has a card
        ],
        schema=["match_probability", "source_dataset_l", "source_dataset_r", "unique_id_l", "unique_id_r"],
        orient="row",
    )
    log = log_of(customer=["c1", "c2", "c3"], card=["k1", "k2", "k3"])
    people = run(STITCH_TWO, pairs=pairs, log=log)["people"]
    person = persons(people)
    assert person["customer", "c1"] == person["card", "k1"]
    assert person["customer", "c2"] == person["card", "k2"]
    assert len(set(person.values())) == 4
    assert people.conflicts.filter(rule="unique").height == 1
    chain = people.explain("card", "k1")
    assert chain["sources"].to_list() == ["splink"]
    apart = persons(people.unlink("customer", "c1", "card", "k1"))
    assert apart["customer", "c1"] != apart["card", "k1"]


def test_pairs_of_one_table_join_accounts_in_chains() -> None:
    pairs = pl.DataFrame({"match_probability": [0.95, 0.999, 0.5], "unique_id_l": [1, 2, 4], "unique_id_r": [2, 3, 5]})
    people = run(STITCH_ONE, pairs=pairs, log=log_of(account=list("12345")))["people"]
    person = persons(people)
    assert person["account", "1"] == person["account", "2"] == person["account", "3"]
    assert len({person["account", text] for text in "145"}) == 3
    assert people.sizes().select("identifiers", "persons").rows() == [(1, 2), (3, 1)]


def test_splink_finds_the_cards_of_customers(shared: Path) -> None:
    pytest.importorskip("splink", reason='Splink is not installed: pip install "cjm[splink]"')
    raw = table(shared, "febrl_dataset1", infer_schema=False)
    raw = raw.rename({name: name.strip() for name in raw.columns})
    records = raw.with_columns(pl.all().str.strip_chars().replace("", None)).rename({"rec_id": "unique_id"})
    is_card = pl.col("unique_id").str.contains("-dup-")
    crm, cards = records.filter(~is_card), records.filter(is_card)
    log = log_of(customer=crm["unique_id"].to_list(), card=cards["unique_id"].to_list())
    found = run(COMPARE_TWO, STITCH_TWO, crm=crm, cards=cards, log=log)
    truth = records.select(
        kind=pl.when(is_card).then(pl.lit("card")).otherwise(pl.lit("customer")),
        id="unique_id",
        person=pl.col("unique_id").str.extract(r"rec-(\d+)-"),
    )
    precision, recall = quality(found["people"], truth)
    assert precision > 0.99
    assert recall > 0.94


def test_splink_finds_accounts_of_one_person(shared: Path) -> None:
    pytest.importorskip("splink", reason='Splink is not installed: pip install "cjm[splink]"')
    raw = table(shared, "splink_fake_1000")
    log = log_of(account=raw["unique_id"].cast(pl.String).to_list())
    found = run(COMPARE_ONE, STITCH_ONE, records=raw.drop("cluster"), log=log)
    truth = raw.select(kind=pl.lit("account"), id=pl.col("unique_id").cast(pl.String), person="cluster")
    precision, recall = quality(found["people"], truth)
    assert precision > 0.99
    assert recall > 0.75
