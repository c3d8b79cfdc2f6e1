"""Rows put aside come back as they were, and go with what holds them."""

from __future__ import annotations

import errno
import gc

import numpy as np
import polars as pl
import pytest

from cjm import files
from cjm.errors import RunError
from cjm.piles import Piles, Scratch

NEED = "100 rows need 1"


def test_rows_come_back_in_order() -> None:
    chance = np.random.default_rng(1)
    scratch = Scratch("a test", NEED)
    piles = Piles(scratch, "some", 4)
    expected: list[list[int]] = [[], [], [], []]
    for start in range(0, 200, 50):
        rows, pile = np.arange(start, start + 50), chance.integers(-1, 3, 50)  # none on the last
        piles.deal(pl.DataFrame({"row": rows, "text": pl.Series(rows).cast(pl.String)}), pile)
        for number in range(4):
            expected[number] += rows[pile == number].tolist()
    assert len(piles) == 4
    assert piles.rows == [len(rows) for rows in expected]
    for number in range(3):
        assert pl.concat(piles.pieces(number))["row"].to_list() == expected[number]
        taken = pl.concat(piles.take(number))
        assert taken["row"].to_list() == expected[number]
        assert taken["text"].to_list() == [str(row) for row in expected[number]]
    assert list(piles.pieces(3)) == []
    assert list((scratch.path / "some").iterdir()) == []
    path = scratch.path
    del scratch, piles
    gc.collect()
    assert not path.exists()


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    piles = Piles(Scratch("a test", NEED), "some", 1)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.disk, "write", full)
    told = r"a test, folder for temporary files .*No space left.*GB are free there, and 100 rows need 1: .*TMPDIR"
    with pytest.raises(RunError, match=told):
        piles.put(pl.DataFrame({"row": [1]}))
