"""Text and numbers to codes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjm.codes import Dictionary, Numbering
from cjm.kernels import coding

# 12 bytes lie in the view of a text, 13 do not; some texts are equal but for their end, or for what is trimmed.
texts = st.sampled_from(
    [
        None,
        "",
        " ",
        "a",
        " a",
        "a\0",
        "twelve bytes",
        "thirteen byte",
        "thirteen bytf",
        "żółć żółć żółć",
        "x" * 300,
        " x",
    ]
)


@settings(deadline=None)
@given(st.lists(st.lists(texts, max_size=30), max_size=4))
def test_a_dictionary_gives_back_what_it_was_given(columns: list[list[str | None]]) -> None:
    dictionary = Dictionary()
    for values in columns:
        column = pl.Series("name", values, dtype=pl.String)
        column = pl.concat([column[:7], column[3:], column[:7]])  # several chunks, and views of slices
        coded = dictionary.encode(column, lambda text: text.str.strip_chars(" "))
        assert coded.dtype == dictionary.dtype
        assert coded.name == "name"
        assert coded.to_list() == [None if value is None else value.strip(" ") for value in column]
    assert len(set(dictionary.texts)) == len(dictionary)


def test_what_cleaning_makes_null_is_null() -> None:
    dictionary = Dictionary()
    coded = dictionary.encode(pl.Series(["a", "0", "a long text of zeros"]), lambda text: text.replace("0", None))
    assert coded.to_list() == ["a", None, "a long text of zeros"]
    assert dictionary.encode(pl.Series(["0", "a"]), lambda text: text.replace("0", None)).to_list() == [None, "a"]


def test_a_dictionary_survives_being_stopped_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    real = coding.code_views

    def stopped(*arguments: Any) -> Any:
        real(*arguments)
        raise KeyboardInterrupt

    dictionary = Dictionary()
    dictionary.encode(pl.Series(["a", "b"]))
    monkeypatch.setattr(coding, "code_views", stopped)
    with pytest.raises(KeyboardInterrupt):
        dictionary.encode(pl.Series(["c", "d"]))
    monkeypatch.setattr(coding, "code_views", real)
    assert dictionary.encode(pl.Series(["e", "d", "c", "b", "a"])).to_list() == ["e", "d", "c", "b", "a"]


def test_threads_may_share_a_dictionary() -> None:
    dictionary = Dictionary()
    columns = [pl.Series([f"{n * 7919 % 30_000 + start}" for n in range(30_000)]) for start in range(0, 80_000, 10_000)]
    with ThreadPoolExecutor(4) as pool:
        coded = list(pool.map(dictionary.encode, columns))
    assert all(one.cast(pl.String).equals(column) for one, column in zip(coded, columns, strict=True))


def test_many_texts() -> None:
    column = pl.Series([f"{n * 7919 % 50_000}" for n in range(100_000)])
    long = "a text that is too long for a view: " + column
    dictionary = Dictionary()
    assert dictionary.encode(column).cast(pl.String).equals(column)
    assert dictionary.encode(long).cast(pl.String).equals(long)
    assert len(dictionary) == 100_001  # and the blank one


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5), max_size=50), max_size=3))
def test_numbers_are_numbered_as_they_come(pieces: list[list[int]]) -> None:
    numbering = Numbering()
    expected: dict[int, int] = {}
    for piece in pieces:
        found = numbering.encode(np.array(piece, dtype=np.int64))
        assert found.tolist() == [expected.setdefault(value, len(expected)) for value in piece]
    assert numbering.numbers.tolist() == list(expected)


def test_a_numbering_grows() -> None:
    values = np.arange(100_000, dtype=np.int64) << 33
    numbering = Numbering()
    assert np.array_equal(numbering.encode(values), np.arange(100_000))
    assert np.array_equal(numbering.encode(values[::-1]), np.arange(100_000)[::-1])
