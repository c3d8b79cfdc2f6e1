"""A run leaves out events and list entries without consent, and says how many."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from small_run import small_run

from cjm import job
from cjm.errors import ArgumentError, ConfigError, InputError
from cjm.job._persons import read_table


def with_consent(folder: Path, section: str, rows: list[str]) -> Path:
    path = small_run(folder)
    path.write_text(f'{path.read_text()}\n[consent]\ntable = "consent.csv"\n{section}')
    (folder / "consent.csv").write_text("\n".join(["customer,purpose,given,from,to", *rows]))
    return path


def test_a_run_needs_consent_for_analysis_and_for_lists(tmp_path: Path) -> None:
    plain = job.run(job.load_config(small_run(tmp_path)), output=tmp_path / "plain")
    every = [f"c{n},analytics,true,2026-01-01T00:00Z," for n in range(6)]
    some = [f"c{n},mail,true,2026-01-01T00:00Z," for n in range(3)] + ["c1,mail,false,2026-02-01T00:00Z,"]
    later = "c5,analytics,false,2026-01-20T00:00Z,2026-02-10T00:00Z"
    path = with_consent(tmp_path, 'analysis = "analytics"\nlists = "mail"', [*every, *some, later])
    out = job.run(job.load_config(path))
    events = {name: pl.read_parquet(folder / "tables" / "journey_events.parquet")
              for name, folder in (("all", plain), ("kept", out))}  # fmt: skip
    assert 0 < events["kept"].height < events["all"].height
    persons = pl.read_parquet(out / "tables" / "identity_map.parquet").filter(pl.col("kind") == "customer")
    number = dict(persons.select("id", "person").iter_rows())
    assert set(events["kept"]["person"]) == {number[f"c{n}"] for n in range(6)}
    refused = events["kept"].filter(pl.col("person") == number["c5"])["time"].dt.strftime("%m-%d")
    assert not refused.is_between(pl.lit("01-20"), pl.lit("02-09")).any()
    moments = pl.read_parquet(out / "tables" / "moments.parquet")
    everybody = pl.read_parquet(plain / "tables" / "moments.parquet")["person"]
    assert number["c3"] in set(everybody)
    assert set(moments["person"]) == set(everybody) & {number["c0"], number["c2"]}
    notes = json.loads((out / "run.json").read_text())["notes"]
    lost = events["all"].height - events["kept"].height
    assert any(f"are left out: {lost:,} of {events['all'].height:,}" in note for note in notes)
    assert any("are left out of the table moments" in note and "fewer than 10 of" in note for note in notes)
    inputs = json.loads((out / "run.json").read_text())["inputs"]
    assert [read["source"] for read in inputs] == ["web", "consent"]


def test_the_table_of_consent_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cjm.job import _consent

    reads = []

    def counted(path: Path, ids: str, *, times: tuple[str, ...]) -> pl.DataFrame:
        reads.append(path.name)
        return read_table(path, ids, times=times)

    monkeypatch.setattr(_consent, "read_table", counted)
    rows = [f"c{n},{purpose},true,2026-01-01T00:00Z," for n in range(7) for purpose in ("analytics", "mail")]
    path = with_consent(tmp_path, 'analysis = "analytics"\nlists = "mail"', rows)
    path.write_text(path.read_text() + '\n[churn]\ninactive = "20d"\npatterns = { cart = "web:home -> web:cart" }\n')
    job.run(job.load_config(path))
    assert reads == ["consent.csv"]


def test_consent_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    row = ["c1,analytics,true,2026-01-01T00:00Z,"]
    with pytest.raises(ArgumentError, match="unknown purpose 'analytic'"):
        job.run(job.load_config(with_consent(tmp_path, 'analysis = "analytic"', row)))
    with pytest.raises(InputError, match="no event is left"):
        job.run(
            job.load_config(with_consent(tmp_path, 'analysis = "analytics"', ["c1,analytics,false,2026-01-01T00:00Z,"]))
        )
    with pytest.raises(ConfigError, match="name the purpose"):
        job.load_config(with_consent(tmp_path, "", row))
    assert not (tmp_path / "out").exists()
