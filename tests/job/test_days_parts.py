"""Events, identities and journeys that grow by files are those of all files together, however they are cut."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from days_log import app_rows, web_rows, write
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import cjm
from cjm.events import EventLog, File, arrived, files_of, keep, keep_more
from cjm.identity import grown
from cjm.journeys import Journeys, journeys_again

SOURCES = ("web", "app")


RULES = {
    "taxonomy": pl.DataFrame({"event": ["home", "help"], "name": ["start", None], "group": ["entry", None]}),
    "exclude": pl.DataFrame({"rule": ["test"], "column": ["cookie"], "pattern": ["^K3$"]}),
    "sample": {"cookie": 0.8},
}


def declared(folder: Path, *, rules: bool = False) -> EventLog:
    ids = {"customer": "customer", "cookie": "cookie"}
    web = cjm.Source(
        str(folder / "web"),
        time="at",
        event="page",
        ids=ids,
        event_id="id",
        on_error="set aside",
        placeholders=["null"],
    )
    cleaning = cjm.Cleaning(ids={"cookie": ["upper"]}, **(RULES if rules else {}))
    ids = {"customer": "customer", "device": "device"}
    app = cjm.Source(str(folder / "app"), time="at", event="screen", ids=ids, value="amount")
    return cjm.scan_events({"web": web, "app": app}, cleaning=cleaning)


def same_log(ours: EventLog, theirs: EventLog) -> None:
    for name in ("quality", "counts", "inputs", "set_aside"):
        assert_frame_equal(getattr(ours, name)(), getattr(theirs, name)())
    assert_frame_equal(ours.frame.collect(), theirs.frame.collect())


def same_journeys(ours: Journeys, theirs: Journeys) -> None:
    assert (ours.start, ours.end, ours.schema.names()) == (theirs.start, theirs.end, theirs.schema.names())
    assert_frame_equal(ours.touchpoints, theirs.touchpoints)
    for name, values in vars(theirs.arrays).items():
        assert np.array_equal(getattr(ours.arrays, name), values), name
    for name in ("frame", "sessions", "persons"):
        assert_frame_equal(getattr(ours, name).collect(), getattr(theirs, name).collect())


@given(
    seed=st.integers(0, 2**32),
    days=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=3),
    mode=st.sampled_from(["device split", "components"]),
    bucket_events=st.sampled_from([7, 1_000]),
    rules=st.booleans(),
)
@example(  # all persons of a bucket go
    seed=161307, days=[(8, 4), (8, 0), (0, 1)], mode="device split", bucket_events=7, rules=False
)
@settings(max_examples=6, deadline=None)
def test_days_are_as_one(seed: int, days: list[tuple[int, int]], mode: str, bucket_events: int, rules: bool) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, "0", web_rows(chance, 40), app_rows(chance, 20))
        log = declared(folder, rules=rules)
        keep(log, folder / "events-0")
        same_log(log, declared(folder, rules=rules))
        log = declared(folder, rules=rules)
        keep(log, folder / "events")
        people = cjm.stitch(log, mode=mode)
        people.write(folder / "people")
        cjm.build_journeys(log, people).write(folder / "journeys", bucket_events=bucket_events)
        before, place = folder / "events", folder
        for day, rows in enumerate(days, start=1):
            here = folder / f"day {day}"
            here.mkdir()
            files = {one: files_of(declared(folder, rules=rules).sources[one], one) or [] for one in SOURCES}
            write(
                folder,
                str(day),
                *(make(chance, n) if n else None for make, n in zip((web_rows, app_rows), rows, strict=True)),
            )
            log = declared(folder, rules=rules)
            new: dict[str, list[File]] = {}
            for one in SOURCES:
                listed = files_of(log.sources[one], one) or []
                if len(listed) > len(files[one]):
                    new[one] = listed[len(files[one]) :]
            if keep_more(log, here / "events", before, new) is not None:
                return  # something of a kind that was not there on the days before
            same_log(log, declared(folder, rules=rules))
            fresh = declared(folder, rules=rules)
            whole = cjm.stitch(fresh, mode=mode)
            log = declared(folder, rules=rules)
            assert keep_more(log, here / "again", before, new) is None
            people, touched = grown(cjm.open_identities(place / "people"), log, arrived(log, here / "again"))
            for table in ("map", "links", "conflicts", "aliases", "labels"):
                assert_frame_equal(getattr(people, table), getattr(whole, table))
            former = cjm.open_journeys(place / "journeys")
            found = journeys_again(former, log, people, touched=pl.Series(touched))
            assert found is not None
            expected = cjm.build_journeys(fresh, whole)
            same_journeys(found, expected)
            untouched = ~np.isin(expected.arrays.person, touched)
            assert np.isin(expected.arrays.person[untouched], former.arrays.person).all()
            people.write(here / "people")
            found.write(here / "journeys", bucket_events=bucket_events)
            same_journeys(cjm.open_journeys(here / "journeys"), expected)
            before, place = here / "again", here


def test_touched_persons_are_few(tmp_path: Path) -> None:
    """One visit on one cookie of a hundred: one person is made anew."""
    visit = {"at": "2026-01-01T10:00Z", "page": "home", "customer": None}
    rows = [{"id": f"e{number}", "cookie": f"k{number}", **visit} for number in range(100)]
    write(tmp_path, "0", rows, app_rows(random.Random(0), 1))
    log = declared(tmp_path)
    keep(log, tmp_path / "events")
    cjm.stitch(log).write(tmp_path / "people")
    write(tmp_path, "1", [{"id": "e100", "cookie": "k7", **visit}])
    log = declared(tmp_path)
    new = (files_of(log.sources["web"], "web") or [])[1:]
    assert keep_more(log, tmp_path / "more", tmp_path / "events", {"web": new}) is None
    people, touched = grown(cjm.open_identities(tmp_path / "people"), log, arrived(log, tmp_path / "more"))
    owner = people.map.filter(kind="cookie", id="K7")["person"].to_list()
    assert touched.tolist() == owner
