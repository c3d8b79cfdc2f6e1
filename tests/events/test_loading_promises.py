"""Times keep their instant, order and copies of the input do not matter, and text from data stays text."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cjm
from cjm import cli
from cjm.errors import InputError, printable
from cjm.job import load_config, run

ZONES = ["UTC", "Europe/Warsaw", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]
INSTANTS = [
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(2024, 2, 29, 23, 59, 59, 999_999, UTC),
    datetime(2024, 3, 10, 6, 59, 59, tzinfo=UTC),
    datetime(2024, 3, 10, 7, tzinfo=UTC),
    datetime(2024, 3, 31, 0, 59, 59, tzinfo=UTC),
    datetime(2024, 3, 31, 1, tzinfo=UTC),
    datetime(2024, 4, 6, 14, 45, tzinfo=UTC),
    datetime(2024, 10, 5, 15, 30, tzinfo=UTC),
    datetime(2024, 10, 27, 0, 30, tzinfo=UTC),
    datetime(2024, 10, 27, 1, 30, tzinfo=UTC),
    datetime(2024, 11, 3, 5, 30, tzinfo=UTC),
    datetime(1990, 1, 1, 0, 0, 0, 1, UTC),
]
PLAIN = cjm.Source(pl.DataFrame(), time="at", event="what", ids={"customer": "who"})


def log_of(column: pl.Series, **more: object) -> cjm.EventLog:
    frame = pl.DataFrame({"at": column}).with_columns(what=pl.lit("e"), who=pl.lit("a"))
    return cjm.scan_events({"web": replace(PLAIN, path=frame, on_error="set aside", **more)})


@pytest.mark.parametrize("zone", ZONES)
def test_sixty_instants_keep_their_place(zone: str) -> None:
    local = [instant.astimezone(ZoneInfo(zone)) for instant in INSTANTS]
    us = [(instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) for instant in INSTANTS]
    forms = {
        "offset": pl.Series([time.isoformat(timespec="microseconds") for time in local]),
        "Z": pl.Series([f"{instant:%Y-%m-%d %H:%M:%S.%f}Z" for instant in INSTANTS]),
        "ns": pl.Series(us) * 1000,
        "us": pl.Series(us),
        "zoned": pl.Series(us).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone),
    }
    for name, column in forms.items():
        unit = {"time_format": name} if name in ("ns", "us") else {}
        assert log_of(column, **unit).frame.collect()["time"].to_list() == INSTANTS, name
    for unit, per in (("s", 10**6), ("ms", 10**3)):
        column = pl.Series([number // per for number in us])
        expected = [
            instant - timedelta(microseconds=number % per) for instant, number in zip(INSTANTS, us, strict=True)
        ]
        found = log_of(column, time_format=unit).frame.collect()["time"].to_list()
        assert found == [time for time in expected if time >= datetime(1990, 1, 1, tzinfo=UTC)]

    # wall clock without offset: exact, except that the second pass of a repeated hour is read as the first, and counted
    wall = pl.Series([f"{time:%Y-%m-%dT%H:%M:%S.%f}" for time in local])
    log = log_of(wall, time_zone=zone)
    second = [time.fold == 1 for time in local]
    back = timedelta(minutes=30 if "Lord" in zone else 60)
    assert log.frame.collect()["time"].to_list() == [
        instant - back if again else instant for instant, again in zip(INSTANTS, second, strict=True)
    ]
    repeated = sum(time.utcoffset() != time.replace(fold=1 - time.fold).utcoffset() for time in local)
    counts = dict(log.quality().select("check", "rows").rows())
    assert counts.get("time in the repeated hour read as its first pass", 0) == repeated >= sum(second)


ROWS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=12)


def digest(frame: pl.DataFrame, folder: Path, parts: int) -> str:
    """Return a hash of the journeys that come of a frame in several files."""
    for part in range(parts):
        frame[part::parts].write_parquet(folder / f"{part}.parquet")
    source = cjm.Source(
        f"{folder}/*.parquet", time="at", event="what", ids={"customer": "who"}, event_id="id", order="n"
    )
    journeys = cjm.build_journeys(cjm.scan_events({"web": source}), person="customer")
    hashed = hashlib.sha256()
    for table in (journeys.frame, journeys.sessions, journeys.persons):
        hashed.update(repr(table.collect().rows()).encode())
    return hashed.hexdigest()


@settings(deadline=None, max_examples=60)
@given(ROWS, st.integers(1, 3), st.randoms(use_true_random=False))
def test_shuffled_repeated_and_split_input_gives_the_same_journeys(rows: list, parts: int, random: object) -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    events = [(f"id{n}", n, start + timedelta(minutes=at * 20), what, who) for n, (at, what, who) in enumerate(rows)]
    mixed = events + random.choices(events, k=len(events) // 2)  # type: ignore[attr-defined]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    schema = ["id", "n", "at", "what", "who"]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        whole = digest(pl.DataFrame(events, schema=schema, orient="row"), Path(one), 1)
        assert digest(pl.DataFrame(mixed, schema=schema, orient="row"), Path(other), parts) == whole


HARMFUL = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "</td></table>", "'\"><b>",
    "<!--", "-->", "javascript:alert(1)", "data:text/html,x", "&lt;", "&#60;script>", "]]>", "<?xml?>",
    "<style>*{}</style>", "<a href=//x>", "<iframe src=//x>", "=1+1", "=cmd|' /C calc'!A0", "+1+1", "-1+1",
    "@SUM(A1)", '=HYPERLINK("//x")', "%0d%0aSet-Cookie:x", "=IMPORTXML(A1)", "\x1b[31mred", "\x1b]0;title\x07",
    "\x1b[2J", "\x9b31m", "a\x08b", "a\rb", "a\x00b", "a\x7fb", "\u202eevil", "\u2066x\u2069", "\ufeffx", "x\u200by",
    "'; drop table log; --", '" or 1=1', "${jndi:ldap://x}", "{{7*7}}", "{% raw %}", "$(id)", "`id`", "|id", ";id",
    "&& id", "%s%s%n", "{0}", "\\x41", "../../etc/passwd", "..\\..\\x", "/dev/null", "C:\\x", "file:///etc/passwd",
    "CON", "a/b", "a:b", "a->b", "a\nb", "😀", "x" * 10_000,
]  # fmt: skip


@pytest.mark.parametrize("format", ["csv", "ndjson", "parquet"])
def test_harmful_text_is_carried_unchanged_and_told_harmlessly(format: str, tmp_path: Path) -> None:
    assert len(HARMFUL) >= 60
    frame = pl.DataFrame(
        {"at": "2025-01-01T00:00:00Z", "what": HARMFUL, "who": HARMFUL, "where": HARMFUL, "plan": HARMFUL}
    )
    path = tmp_path / f"log.{format}"
    getattr(frame, f"write_{format}")(path)
    source = replace(PLAIN, path=path, channel="where", value="plan")
    log = cjm.scan_events({"web": source})
    found = log.frame.collect()
    for column in ("event", "channel", "customer"):
        assert found[column].to_list() == [text.strip() for text in HARMFUL]
    assert all(text.isprintable() for text in log.quality()["example"])
    for text in HARMFUL:
        if "\0" in text:
            continue
        renamed = frame.rename({"what": text})[:1]
        carried = cjm.scan_events({"web": replace(PLAIN, path=renamed, event="where")}).frame.collect()
        assert carried[text].to_list() == HARMFUL[:1]
        one = frame[:1].with_columns(at=pl.lit(text))
        for wrong in (replace(PLAIN, path=one), replace(PLAIN, path=renamed, ids={"customer": "whom"})):
            with pytest.raises(InputError) as caught:
                cjm.scan_events({"web": wrong}).require()
            assert str(caught.value).isprintable()


def test_a_zero_byte_in_the_name_of_a_column_is_refused() -> None:
    frame = pl.DataFrame({"at": ["2025-01-01T00:00:00Z"], "what": "e", "who": "a", "a\0b": 1})
    with pytest.raises(InputError, match=r"the name of column 'a\\x00b' holds a zero byte"):
        cjm.scan_events({"web": replace(PLAIN, path=frame)}).require()


def test_printable_leaves_ordinary_text_alone() -> None:
    assert printable('zażółć "gęślą" 日本 😀 -> a\tb') == 'zażółć "gęślą" 日本 😀 -> a\\tb'


def test_messages_stay_short() -> None:
    frame = pl.DataFrame({"at": ["x" * 10**6], "what": "e", "who": "a", "y" * 10**6: 1})
    for wrong in (PLAIN, replace(PLAIN, time_zone="UTC"), replace(PLAIN, event="z")):
        with pytest.raises(InputError) as caught:
            cjm.scan_events({"web": replace(wrong, path=frame)}).require()
        assert len(str(caught.value)) < 500


def test_a_check_shows_no_control_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pl.DataFrame({"at": ["2025-01-01T00:00:00Z", "\x1b[31m\nerror: x"], "what": "e", "who": "a"}).write_parquet(
        tmp_path / "log.parquet"
    )
    monkeypatch.setattr(sys, "argv", ["cjm", "check", str(configuration(tmp_path))])
    assert cli.call() == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\\x1b[99a\\naaaaa: a" in told
    assert "│ web    ┆ 2    ┆ 1    ┆ 1         ┆ 0" in told


def configuration(folder: Path) -> Path:
    path = folder / "cjm.toml"
    path.write_text(
        '[output]\ndir = "out"\n[identity]\nperson = "customer"\n[sources.web]\npath = "log.parquet"\ntime = "at"\n'
        'event = "what"\nids = { customer = "who" }\nevent_id = "id"\non_error = "set aside"\n'
        '[cleaning]\nids = { customer = ["lower"] }\ntaxonomy = "names.csv"\nexclude = "rules.csv"\n'
        if (folder / "names.csv").exists()
        else '[output]\ndir = "out"\n[sources.web]\npath = "log.parquet"\ntime = "at"\nevent = "what"\n'
        'ids = { customer = "who" }\non_error = "set aside"\n'
    )
    return path


def test_a_run_tells_of_every_row(tmp_path: Path) -> None:
    hours = [f"2025-01-01T{hour:02}:00:00Z" for hour in range(8)]
    frame = pl.DataFrame(
        {
            "at": [*hours, "soon", None],
            "what": ["home", "cart", "ping", "home", "home", "", "cart", "home", "home", "home"],
            "who": ["A", "a", "a", "B", "bot", "a", None, "b", "a", "a"],
            "id": ["1", "2", "3", "4", "5", "6", "7", "2", "9", "10"],
        }
    )
    frame.write_parquet(tmp_path / "log.parquet")
    (tmp_path / "names.csv").write_text("event,name\nping,\ncart,basket\n")
    (tmp_path / "rules.csv").write_text("rule,column,pattern\nbots,customer,^bot$\n")
    out = run(load_config(configuration(tmp_path)))
    manifest = json.loads((out / "run.json").read_text())
    assert manifest["sources"] == [{"source": "web", "read": 10, "kept": 3, "set_aside": 6, "duplicates": 1}]
    aside = pl.read_parquet(out / "tables" / "set_aside.parquet")
    assert aside.select("source", "row", "reason").sort("row").rows() == [
        ("web", 2, "event left out by the taxonomy"),
        ("web", 4, "excluded: bots"),
        ("web", 5, "event missing"),
        ("web", 6, "no identifier"),
        ("web", 8, "time unreadable"),
        ("web", 9, "time missing"),
    ]
    quality = pl.read_parquet(out / "tables" / "quality.parquet")
    counted = quality.filter(pl.col("action") == "set aside").select("check", "rows").rows()
    assert dict(counted) == dict(aside.group_by("reason").len().rows())
    events = pl.read_parquet(out / "tables" / "journey_events.parquet")
    assert events["event"].to_list().count("basket") == 1
    assert events["person"].n_unique() == 2
