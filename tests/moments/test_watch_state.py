"""The state of a watch on disk: what comes back, what is written, and damage that is noticed."""

import json
import random
import shutil
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjm.contracts import TIME
from cjm.errors import InputError, RunError
from cjm.moments import Moment, Running, Watch, WatchState
from cjm.moments._layers import Layer, Layers

STATES = Path(__file__).parent / "states"

WATCH = Watch(
    [Moment("pair", "w:a -> w:b within 2h", once_per="1d"), Moment("quiet", "w:a -> not w:c within 5h")],
    context=[Running("n", "w:*")],
    lateness="10m",
)


def batch(seed, rows=200):
    rng = np.random.default_rng(seed)
    time = pl.Series(seed * 10**10 + np.sort(rng.integers(0, 10**10, rows))).cast(pl.Datetime("us", "UTC"))
    event = pl.Series(["a", "b", "c", "żółć"]).gather(rng.integers(0, 4, rows))
    return pl.DataFrame({"person": rng.integers(0, 10**6, rows) % 40, "time": time, "channel": "w", "event": event})


@pytest.fixture
def saved(tmp_path):
    _, state = WATCH.update(batch(1))
    _, state = WATCH.update(pl.concat([batch(2), batch(0, 3)]), state)
    state.save(tmp_path / "state")
    return state, tmp_path / "state"


def test_what_is_opened_is_what_was_saved(saved):
    state, folder = saved
    again = WatchState.open(folder)
    assert repr(again) == repr(state)
    assert (again.late.height, again.waiting.height > 0, again.pending.height > 0) == (3, True, True)
    ours, theirs = (WATCH.update(batch(3), one) for one in (state, again))
    assert ours[0].equals(theirs[0])
    assert repr(ours[1]) == repr(theirs[1])


def test_only_what_changed_is_written(saved):
    state, folder = saved
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    WatchState.open(folder).save(folder)
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert {name for name in after if after[name] != before.get(name)} == {"state.json"}
    _, state = WATCH.update(batch(3), state)
    state.save(folder)
    named = json.loads(json.loads((folder / "state.json").read_text())["state"])
    entries = [*named["layers"], *named["frames"].values()]
    assert {path.name for path in folder.iterdir()} == {"state.json", *(entry["file"] for entry in entries)}


def test_the_same_state_is_the_same_bytes(saved, tmp_path):
    _, folder = saved
    _, state = WATCH.update(batch(1))
    _, state = WATCH.update(pl.concat([batch(2), batch(0, 3)]), state)
    state.save(tmp_path / "again")
    ours, theirs = ({path.name: path.read_bytes() for path in one.iterdir()} for one in (folder, tmp_path / "again"))
    assert ours == theirs


def test_without_some_persons_the_others_go_on_as_before(saved):
    state, folder = saved
    gone = pl.Series([3, 7, 11, 999], dtype=pl.Int64)
    left = state.without(gone)
    for frame in (left.late, left.waiting, left.pending):
        assert not frame["person"].is_in(gone.implode()).any()
    rows, _ = left.layers.rows_of(gone.to_numpy(), left.width)
    assert len(rows) == 0
    left.save(folder)
    later = batch(3).filter(~pl.col("person").is_in(gone.implode()))
    (expected, _), (found, _) = WATCH.update(later, state), WATCH.update(later, WatchState.open(folder))
    assert found.height > 0
    assert found.equals(expected.filter(~pl.col("person").is_in(gone.implode())))


@pytest.mark.parametrize("kind", ["flip", "truncate", "swap", "remove"])
def test_damage_is_noticed(saved, tmp_path, kind):
    _, folder = saved
    rng = random.Random(1)
    for trial in range(60):
        broken = tmp_path / f"{kind}{trial}"
        shutil.copytree(folder, broken)
        one, other = rng.sample(sorted(broken.iterdir()), 2)
        data = bytearray(one.read_bytes())
        if kind == "flip":
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            one.write_bytes(data)
        elif kind == "truncate":
            one.write_bytes(data[: rng.randrange(len(data))])
        elif kind == "swap":
            one.write_bytes(other.read_bytes())
            other.write_bytes(data)
        else:
            one.unlink()
        with pytest.raises(InputError, match="damaged|no state"):
            WatchState.open(broken)


def test_a_state_of_a_former_day_goes_on(tmp_path):
    """What a version has written, later ones read: the files lie in ``states``, one folder a format."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    offer = Moment("offer", "web:offer -> store:visit within 3d -> not store:renew within 1d", "call", once_per="30d")
    broke = Moment("broke", "atm:żółć[spent >= 100]")
    watch = Watch([offer, broke], context=[Running("spent", "card:paid", value="value")], lateness="1h")
    shutil.copytree(STATES / "format2", tmp_path / "state")
    state = WatchState.open(tmp_path / "state")
    assert repr(state) == ("WatchState(7 events, watermark 2026-01-01 05:00:00+00:00, 1 pending, 1 waiting, 1 late)")
    assert [version for _, version in state.moments] == ["bd951a4f69696afc", "bb28c670ffc8c331"]
    rows = [(2, 6, "atm", "żółć"), (3, 7, "store", "visit"), (3, 50, "web", "home")]
    events = pl.DataFrame(
        [(person, start + timedelta(hours=hour), channel, event, None) for person, hour, channel, event in rows],
        schema={"person": pl.Int64, "time": TIME, "channel": pl.String, "event": pl.String, "value": pl.Float64},
        orient="row",
    )
    matches, state = watch.update(events, state)
    assert matches.select("moment", "person", "match_id", "spent").rows() == [
        ("offer", 1, 5096539308537463115, 0.0),
        ("offer", 3, 6629035075806324428, 0.0),
        ("broke", 2, 1010256270725814628, 120.0),
    ]
    state.save(tmp_path / "state")
    assert repr(WatchState.open(tmp_path / "state")) == repr(state)


def test_a_state_that_cannot_be_read_says_how_to_begin_anew():
    with pytest.raises(InputError, match="format 1, this version reads 2.*rm -r .*format1; cjm watch cjm.toml --batch"):
        WatchState.open(STATES / "format1")


def test_a_later_format_and_no_state_are_said(saved, tmp_path):
    _, folder = saved
    with pytest.raises(InputError, match="no state"):
        WatchState.open(tmp_path / "nowhere")
    path = folder / "state.json"
    text = json.loads(path.read_text())["state"].replace('"format": 2', '"format": 3')
    from cjm.moments._state_files import _hash

    path.write_text(json.dumps({"state": text, "sha256": _hash(text.encode())}))
    with pytest.raises(InputError, match="format 3, this version reads 2"):
        WatchState.open(folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError):
        saved[0].save(tmp_path / "file" / "state")


def nothing_idle(rows):
    return rows[:, 2] < 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(st.integers(0, 20), st.lists(st.integers(-1, 5), max_size=3), max_size=8), max_size=12))
def test_layers_are_a_mapping(changes):
    """Rows with a negative number may be dropped at any time; the others stay, in their order."""
    layers, expected = Layers(), {}
    for change in changes:
        person = np.array(sorted(change), dtype=np.int64)
        rows = [(place, 0, number) for place, one in enumerate(sorted(change)) for number in change[one]]
        layer = Layer.of(person, np.array(rows, dtype=np.int64).reshape(-1, 3))
        layers = layers.with_layer(layer, nothing_idle)
        expected |= change
    everybody = np.arange(22, dtype=np.int64)
    rows, at = layers.rows_of(everybody, 3)
    for one in everybody:
        mine = rows[at[one] : at[one + 1]]
        assert (mine[:, 0] == one).all()
        assert [n for n in mine[:, 2].tolist() if n >= 0] == [n for n in expected.get(int(one), []) if n >= 0]
    sizes = [len(layer.person) for layer in layers.layers]
    assert all(older > 2 * newer for older, newer in pairwise(sizes))
