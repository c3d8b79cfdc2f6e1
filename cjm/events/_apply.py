"""``Cleaner``: a :class:`Cleaning` at work on the coded rows of a log; each distinct text is judged once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock

import numpy as np
import polars as pl

from cjm.codes import Dictionary
from cjm.events._cleaning import Cleaning, rewritten
from cjm.events._stack import Coder

__all__ = ["Cleaner"]


class _Lookup:
    """A function of the texts of a dictionary, computed once a text."""

    def __init__(self, dictionary: Dictionary, function: Callable[[pl.Series], pl.Series]) -> None:
        self._dictionary, self._function = dictionary, function
        self._values: pl.Series | None = None
        self._lock = Lock()  # two threads may read one log

    def of(self, codes: pl.Series) -> pl.Series:
        """Return the value of each row; null where the text is."""
        with self._lock:
            known = 0 if self._values is None else len(self._values)
            size = len(self._dictionary)  # the function may add texts, whose turn comes next time
            values = self._values
            if values is None or size > known:
                fresh = self._function(self._dictionary.decode(np.arange(known, size)))
                values = fresh if values is None else pl.concat([values, fresh])
                self._values = values
        return values.gather(codes.to_physical())


class Cleaner:
    """Judge rows by the rules of a :class:`Cleaning`.

    Parameters
    ----------
    cleaning : Cleaning
    coder : Coder
        Dictionaries of the log.
    shared : mapping of str to polars.Series, optional
        Codes of the identifiers of a kind that met too many others.
    """

    def __init__(self, cleaning: Cleaning, coder: Coder, shared: Mapping[str, pl.Series] | None = None) -> None:
        self.cleaning = cleaning
        self._coder = coder
        self._shared = shared or {}
        self._lookups: dict[str, _Lookup] = {}
        self.seen: set[str] = set()  # columns of rules that some source has

    @property
    def columns(self) -> frozenset[str]:
        """Columns that rules look at."""
        return frozenset(column for _, column, _ in self.cleaning.rules)

    def _lookup(self, key: str, dictionary: Dictionary, function: Callable[[pl.Series], pl.Series]) -> _Lookup:
        return self._lookups.setdefault(key, _Lookup(dictionary, function))

    def rewritten(self, ids: pl.Series, kind: str) -> tuple[pl.Series, pl.Series] | None:
        """Return identifiers as their rules write them, and where that changed them; None if there are no rules."""
        rules = self.cleaning.ids.get(kind)
        if not rules:
            return None
        dictionary = self._coder[f"__id {kind}"]

        def write(texts: pl.Series) -> pl.Series:
            return dictionary.encode(rewritten(texts, rules)).to_physical()

        new = self._lookup(f"write {kind}", dictionary, write).of(ids)
        return new.cat.to(dictionary.dtype), (new != ids.to_physical()).fill_null(False)

    def too_shared(self, ids: pl.Series, kind: str) -> pl.Series | None:
        """Return where an identifier met too many of the first kind; None if there is no limit."""
        codes = self._shared.get(kind)
        return None if codes is None else ids.to_physical().is_in(codes.implode()).fill_null(False)

    def named(self, channel: pl.Series, event: pl.Series) -> pl.DataFrame | None:
        """Return ``event`` by the taxonomy, its ``group`` and whether it is ``known``; None if there is no taxonomy."""
        table = self.cleaning.taxonomy
        if table is None:
            return None
        rows = pl.DataFrame({"channel": channel.to_physical(), "event": event.to_physical()})
        pairs = rows.unique()
        texts = pairs.with_columns(
            was=self._coder["__event"].decode(pairs["event"].fill_null(0).to_numpy()),
            where=self._coder["__channel"].decode(pairs["channel"].fill_null(0).to_numpy()),
        )
        here = table.drop_nulls("channel").with_columns(known=True)
        anywhere = table.filter(pl.col("channel").is_null()).drop("channel").with_columns(known=True)
        texts = texts.join(here, left_on=["where", "was"], right_on=["channel", "event"], how="left")
        texts = texts.join(anywhere, left_on="was", right_on="event", how="left", suffix="_any")
        by_channel = pl.col("known").is_not_null()
        texts = texts.select(
            "channel",
            "event",
            name=pl.when(by_channel)
            .then("name")
            .when(pl.col("known_any").is_not_null())
            .then("name_any")
            .otherwise("was"),
            group=pl.when(by_channel).then("group").otherwise("group_any"),
            known=by_channel | pl.col("known_any").is_not_null(),
        )
        names = self._coder["__event"].encode(texts["name"])
        groups = self._coder["group"].encode(texts["group"])
        texts = texts.with_columns(names.alias("name"), groups.alias("group"))
        found = rows.join(texts, on=["channel", "event"], how="left", nulls_equal=True, maintain_order="left")
        return found.select(event="name", group="group", known="known")

    def excluded(self, columns: Mapping[str, tuple[str, pl.Series]]) -> list[tuple[str, pl.Series]]:
        """Return for each rule its name and the rows in which its pattern is found.

        ``columns`` has the part that each column plays and its rows.
        """
        found = []
        for rule, column, pattern in self.cleaning.rules:
            if column not in columns:
                continue
            self.seen.add(column)
            role, values = columns[column]
            matches = partial(_matches, pattern=pattern)
            if isinstance(values.dtype, pl.Categorical):
                mask = self._lookup(f"{role} {pattern}", self._coder[role], matches).of(values)
            else:
                mask = matches(values.cast(pl.String, strict=False))
            found.append((rule, mask.fill_null(False)))
        return found

    def left_out(self, ids: Mapping[str, pl.Series], rows: int) -> pl.Series | None:
        """Return the rows that do not belong to the sample; None if all do."""
        for kind, share in self.cleaning.sample.items():
            if kind not in ids:
                return pl.repeat(True, rows, eager=True)
            dictionary = self._coder[f"__id {kind}"]
            inside = self._lookup(f"sample {kind}", dictionary, partial(_in_sample, share=share)).of(ids[kind])
            return ~inside.fill_null(False)
        return None

    def stored(self, ids: pl.Series, kind: str) -> pl.Series:
        """Return identifiers as they are stored, as pseudonyms or as they are; null where they were forgotten.

        They have a dictionary of their own, in which nobody is who may not be stored.
        """
        privacy = self.cleaning.privacy
        if privacy is None or not (kind in privacy.pseudonyms or len(privacy.tombstones.marks)):
            return ids
        dictionary = self._coder[f"__stored {kind}"]

        def store(texts: pl.Series) -> pl.Series:
            stored = privacy.stored(texts, kind)
            if len(privacy.tombstones.marks):
                stored = stored.set(privacy.forgotten(stored, kind), None)
            return dictionary.encode(stored).to_physical()

        return self._lookup(f"store {kind}", self._coder[f"__id {kind}"], store).of(ids).cat.to(dictionary.dtype)


def _matches(texts: pl.Series, pattern: str) -> pl.Series:
    return texts.str.contains(pattern)


def _in_sample(texts: pl.Series, share: float) -> pl.Series:
    """Return which texts a hash puts into the sample: SipHash-2-4 of the text without a key, as a share of 2^64."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.siphash import siphash

    array = texts.to_arrow(compat_level=pl.CompatLevel.oldest())  # the layout with 64-bit offsets
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    hashed = siphash(
        as_array(np.empty(0), np.uint8),
        as_array(np.frombuffer(data or b"", dtype=np.uint8), np.uint8),
        as_array(ends, np.int64),
        np.uint64(0),
        np.uint64(0),
    )
    return pl.Series(hashed < np.uint64(min(int(share * 2**64), 2**64 - 1)))
