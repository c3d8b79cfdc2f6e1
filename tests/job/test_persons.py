"""Who is at risk, as a configuration says it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cjm
from cjm.contracts import TIME
from cjm.durations import DAY_US
from cjm.errors import CjmError, InputError
from cjm.job import load_config, run
from cjm.job._people import People
from cjm.job._persons import at_risk

ZERO = datetime(2025, 1, 1, tzinfo=UTC)
TOML = """
[output]
dir = "out"
[sources.web]
path = "web.parquet"
time = "t"
event = "e"
ids = { customer = "customer", cookie = "cookie" }
[churn]
event = "web:cancelled"
"""


def written(folder: Path, events: pl.DataFrame, more: str = "") -> Path:
    events.write_parquet(folder / "web.parquet")
    (folder / "cjm.toml").write_text(TOML + more)
    return folder / "cjm.toml"


def events_of(*rows: tuple[float, str, str | None, str]) -> pl.DataFrame:
    day, event, customer, cookie = zip(*rows, strict=True)
    time = [ZERO + timedelta(days=d) for d in day]
    return pl.DataFrame({"t": time, "e": event, "customer": customer, "cookie": cookie})


EVENTS = events_of(
    (0, "seen", None, "k"), (9, "login", "00124", "k"), (20, "cancelled", "00124", "k"),
    (0, "login", "124", "l"), (30, "login", "124", "l"), (1, "seen", None, "stranger"),
)  # fmt: skip


def risk_of(path: Path) -> tuple[pl.DataFrame | None, cjm.Identities, list[str]]:
    config = load_config(path)
    log = cjm.scan_events({"web": config.source("web")})
    people = cjm.stitch(log)
    warnings: list[str] = []
    journeys = cjm.build_journeys(log, people)
    return at_risk(config, journeys, People(people.map.lazy()), warnings), people, warnings


def test_by_default_customers_from_their_first_event_under_their_own_number(tmp_path: Path) -> None:
    risk, people, _ = risk_of(written(tmp_path, EVENTS))
    numbers = people.map.filter(pl.col("kind") == "customer").select("person", "id")
    assert risk is not None
    entries = dict(risk.join(numbers, on="person").select("id", "entry").rows())
    assert entries == {"00124": ZERO + timedelta(days=9), "124": ZERO}


def test_identifiers_of_a_csv_stay_text(tmp_path: Path) -> None:
    (tmp_path / "crm.csv").write_text(
        "customer,plan,since\n00124,gold,2025-01-03T00:00:00+01:00\n777,blue,2025-01-01\n"
    )
    more = 'persons = "crm.csv"\nby = "plan"\nentry = "since"\n'
    risk, people, warnings = risk_of(written(tmp_path, EVENTS, more))
    assert risk is not None
    assert risk.join(people.map.filter(kind="customer"), on="person").select("id", "plan").rows() == [("00124", "gold")]
    assert risk["entry"].to_list() == [datetime(2025, 1, 2, 23, tzinfo=UTC)]
    assert warnings == ["crm.csv: 1 of 2 persons have no event and are left out"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("customer,plan\nnobody,x\n", "none of these persons has an event"),
        ("customer,plan\n124,x\n124,y\n", "2 rows are for a person that has another row"),
        ("client,plan\n124,x\n", "unknown column 'customer'"),
        ("customer,plans\n124,x\n", 'Did you mean "plans"'),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, table: str, message: str) -> None:
    (tmp_path / "crm.csv").write_text(table)
    with pytest.raises(CjmError, match=message):
        risk_of(written(tmp_path, EVENTS, 'persons = "crm.csv"\nby = "plan"\n'))


def test_a_time_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "crm.csv").write_text("customer,since\n124,soon\n")
    with pytest.raises(InputError, match='"aaaa": time unreadable'):
        risk_of(written(tmp_path, EVENTS, 'persons = "crm.csv"\nentry = "since"\n'))


def test_nobody_churned_is_a_warning(tmp_path: Path) -> None:
    quiet = 'inactive = "400d"\n'
    path = written(tmp_path, EVENTS)
    path.write_text(path.read_text().replace('event = "web:cancelled"\n', quiet))
    folder = run(load_config(path))
    assert "nobody churned" in (folder / "run.json").read_text()
    assert pl.read_parquet(folder / "tables" / "subjects.parquet")["churned"].sum() == 0


def test_anonymous_visits_before_registration_are_no_protection(tmp_path: Path) -> None:
    """Half of the customers browse before they register: nobody could cancel in between."""
    rng = np.random.default_rng(5)
    n = 1_500
    start, browse = rng.uniform(0, 60, n), np.arange(n) % 2 == 1
    own = start + np.where(browse, rng.uniform(10, 28, n), 0)
    leave = own + 0.1 + rng.exponential(60, n)
    names, cookies = [f"c{i}" for i in range(n)], [f"k{i}" for i in range(n)]

    def rows(at: np.ndarray, event: str, who: np.ndarray, known: bool) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "t": pl.Series(int(ZERO.timestamp()) * 1_000_000 + (at[who] * DAY_US).astype(np.int64)).cast(TIME),
                "e": event,
                "customer": pl.Series([names[i] if known else None for i in np.flatnonzero(who)], dtype=pl.String),
                "cookie": [cookies[i] for i in np.flatnonzero(who)],
            }
        )

    everyone = np.ones(n, dtype=bool)
    events = pl.concat(
        [
            rows(start, "offer", browse, False),
            rows(start + 0.01, "cart", browse, False),
            rows(own, "login", everyone, True),
            rows(leave, "cancelled", leave < 180, True),
        ]
    )
    patterns = '[churn.patterns]\npath = "web:offer -> web:cart"\n[mining]\ntop = 0\n'
    folder = run(load_config(written(tmp_path, events, patterns)))
    row = pl.read_parquet(folder / "tables" / "hazards.parquet").row(0, named=True)
    assert row["exposed"] > 600
    assert row["lower"] < 1 < row["upper"]


def test_how_soon_after_a_path(tmp_path: Path) -> None:
    events = events_of(
        (0, "seen", "a", "k"), (9, "left", "a", "k"), (0, "seen", "b", "l"), (4, "left", "b", "l"),
        (0, "seen", "c", "m"), (30, "login", "c", "m"), (30, "left", "d", "n"), (40, "login", "d", "n"),
    )  # fmt: skip
    more = "[churn.patterns]\nseen = 'web:seen'\nquiet = 'web:seen -> not web:login within 5d'\n[mining]\ntop = 0\n"
    path = written(tmp_path, events, more)
    path.write_text(path.read_text().replace("web:cancelled", "web:left"))
    soon = pl.read_parquet(run(load_config(path)) / "tables" / "lead_time.parquet")
    assert soon.select("term", "left", "p50").rows() == [
        ("seen", 2, timedelta(days=6, hours=12)),
        ("quiet", 1, timedelta(days=4)),
    ]
