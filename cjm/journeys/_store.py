"""Journeys on disk: Parquet files, a bucket of persons each, and a manifest; written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError, InputError
from cjm.folders import new_folder
from cjm.journeys._arrays import EventArrays
from cjm.journeys._sessions import SessionRule
from cjm.stores import check_file, check_size, read_manifest, read_table, write_manifest, write_table

if TYPE_CHECKING:
    from cjm.journeys._core import Journeys

__all__ = ["StoredBucket", "open_journeys", "write_bucket", "write_journeys"]

_VERSION = 2
_WHAT = "journeys"

IntArray = npt.NDArray[np.int64]


class StoredBucket:
    """A bucket on disk: read when it is asked for, checked on the first read of each file.

    Parameters
    ----------
    folder : Path
    entry : mapping
        What :func:`write_bucket` returned.
    dictionaries : mapping of str to polars.Series
        For each attribute that is text, a Categorical column whose type knows the texts.
    keeper : object
        Kept as long as the bucket: what keeps the folder.
    """

    def __init__(
        self, folder: Path, entry: Mapping[str, Any], dictionaries: Mapping[str, pl.Series], keeper: object = None
    ) -> None:
        self.events: int = entry["events"]
        self.persons: int = entry["persons"]
        self.sessions: int = entry["sessions"]
        self._folder = folder
        self._files: Mapping[str, Mapping[str, Any]] = entry["files"]
        self._dictionaries = dictionaries
        self._keeper = keeper
        self._checked: set[str] = set()

    def runs(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return ``person``, ``offsets`` and ``session_offsets`` of the arrays; events are not read."""
        persons, sessions = self._read("persons"), self._read("sessions", lambda name: name == "offset")
        return (
            persons["person"].to_numpy(),
            np.append(persons["offset"].to_numpy(), self.events),
            np.append(sessions["offset"].to_numpy(), self.events),
        )

    def arrays(self) -> EventArrays:
        """Return the arrays, read from disk."""
        person, offsets, session_offsets = self.runs()
        events = self._read("events", lambda name: name in ("__time", "__code", "__known"))
        return EventArrays(
            person=person,
            offsets=offsets,
            time=events["__time"].to_numpy(),
            code=events["__code"].to_numpy(),
            session_number=self._read("sessions", lambda name: name == "session")["session"].to_numpy(),
            session_offsets=session_offsets,
            known_from=events["__known"].to_numpy() if "__known" in events.columns else None,
        )

    def attributes(self, names: Sequence[str]) -> pl.DataFrame:
        """Return some attributes of the events, in the order of the arrays; text as Categorical."""
        frame = self._read("events", lambda name: name in names).select(names)
        return frame.with_columns(
            pl.col(name).cat.to(self._dictionaries[name].dtype) for name in names if name in self._dictionaries
        )

    def _read(self, part: str, wanted: Any = None) -> pl.DataFrame:
        ((name, mark),) = [(name, mark) for name, mark in self._files.items() if f"-{part}." in name]
        if name not in self._checked:
            check_file(self._folder / name, mark, _WHAT)
            self._checked.add(name)
        return read_table(self._folder / name, _WHAT, wanted)


def write_bucket(folder: Path, number: int, arrays: EventArrays, attributes: pl.DataFrame) -> dict[str, Any]:
    """Store one bucket in ``folder``; return its entry in the manifest."""
    events = {"__time": arrays.time, "__code": arrays.code}
    if arrays.known_from is not None:
        events["__known"] = arrays.known_from
    coded = attributes.with_columns(pl.col(pl.Categorical).to_physical())
    tables = {
        "events": pl.concat([pl.DataFrame(events), coded], how="horizontal"),
        "persons": pl.DataFrame({"person": arrays.person, "offset": arrays.offsets[:-1]}),
        "sessions": pl.DataFrame({"session": arrays.session_number, "offset": arrays.session_offsets[:-1]}),
    }
    texts = [name for name, dtype in attributes.schema.items() if isinstance(dtype, pl.Categorical)]
    files = {}
    for part, table in tables.items():
        name = f"bucket-{number:04d}-{part}.parquet"
        files[name] = _write(folder / name, table, dictionary=["__code", *texts] if part == "events" else [])
    return {
        "events": len(arrays.time),
        "persons": len(arrays.person),
        "sessions": len(arrays.session_number),
        "files": files,
    }


def write_journeys(journeys: Journeys, path: str | Path, *, bucket_events: int) -> None:
    """Store journeys in the new folder ``path``, in buckets of about ``bucket_events`` events or one person.

    Raises
    ------
    ArgumentError
        If ``bucket_events`` is below 1.
    RunError
        If ``path`` is there already or cannot be written.
    """
    if bucket_events < 1:
        raise ArgumentError.at(f"must be 1 or more, not {bucket_events}", where="bucket_events=")
    texts = [name for name, dtype in journeys.schema.items() if isinstance(dtype, pl.Categorical)]
    used = {name: _used(journeys, name) for name in texts}
    with new_folder(Path(path)) as folder:
        marks = {"touchpoints.parquet": _write(folder / "touchpoints.parquet", journeys.touchpoints)}
        for number, (name, codes) in enumerate(used.items()):
            dictionary = pl.DataFrame({name: pl.Series(codes).cat.to(journeys.schema[name]).cast(pl.String)})
            marks[f"texts-{number:04d}.parquet"] = _write(folder / f"texts-{number:04d}.parquet", dictionary)
        empty = pl.DataFrame(schema=journeys.schema).with_columns(pl.col(pl.Categorical).cast(pl.String))
        marks["schema.parquet"] = _write(folder / "schema.parquet", empty)
        entries = [
            write_bucket(folder, number, arrays, attributes)
            for number, (arrays, attributes) in enumerate(_pieces(journeys, used, bucket_events))
        ]
        manifest = {
            "version": _VERSION,
            "rule": asdict(journeys.rule),
            "start_us": journeys.start,
            "end_us": journeys.end,
            "texts": texts,
            "files": marks,
            "buckets": entries,
        }
        write_manifest(folder, manifest)


def _used(journeys: Journeys, name: str) -> npt.NDArray[np.uint32]:
    """Return the codes of a text attribute that occur, so that texts of events that were filtered out are not kept."""
    found = np.zeros(0, dtype=bool)
    for bucket in journeys.buckets():
        codes = bucket.attribute(name).to_physical().drop_nulls().to_numpy()
        seen = np.bincount(codes, minlength=len(found)) > 0
        seen[: len(found)] |= found
        found = seen
    return np.flatnonzero(found).astype(np.uint32)


def _pieces(
    journeys: Journeys, used: Mapping[str, npt.NDArray[np.uint32]], bucket_events: int
) -> Iterator[tuple[EventArrays, pl.DataFrame]]:
    """Yield ranges of persons, with text attributes numbered by their place in ``used``; there is one, if empty."""
    for number, bucket in enumerate(journeys.buckets()):
        if not bucket.height and (journeys.height or number):
            continue
        arrays = bucket.arrays
        attributes = pl.DataFrame([_renumbered(bucket.attribute(name), used.get(name)) for name in journeys.schema])
        count = max(-(-bucket.height // bucket_events), 1)
        wanted = np.arange(count) * bucket.height // count
        cuts = np.append(np.unique(np.searchsorted(arrays.offsets[:-1], wanted)), len(arrays.person))
        for first, stop in pairwise(cuts):
            if stop > first or bucket.height == 0:
                rows = slice(int(arrays.offsets[first]), int(arrays.offsets[stop]))
                yield arrays.of_persons(int(first), int(stop)), attributes[rows]


def _renumbered(column: pl.Series, used: npt.NDArray[np.uint32] | None) -> pl.Series:
    if used is None:
        return column
    place = np.zeros(int(used[-1]) + 1 if len(used) else 1, dtype=np.uint32)
    place[used] = np.arange(len(used), dtype=np.uint32)
    codes = column.to_physical()
    numbers = pl.Series(column.name, place[codes.fill_null(0).to_numpy()])
    return numbers.set(codes.is_null(), None) if codes.null_count() else numbers


def open_journeys(path: str | Path) -> Journeys:
    """Open journeys that :meth:`Journeys.write` stored. Lazy: events are read when they are asked for.

    Raises
    ------
    InputError
        If the folder is no store, was written by another version, or a file in it is damaged; damage in the events
        is noticed when they are read.
    """
    from cjm.journeys._core import Journeys

    folder = Path(path).absolute()  # also if the working directory changes before events are read
    manifest = read_manifest(folder, _VERSION, _WHAT)
    for name, mark in manifest["files"].items():
        check_file(folder / name, mark, _WHAT)
    for entry in manifest["buckets"]:
        for name, mark in entry["files"].items():
            check_size(folder / name, mark, _WHAT)
    dictionaries = {}
    for number, name in enumerate(manifest["texts"]):
        texts = read_table(folder / f"texts-{number:04d}.parquet", _WHAT)[name]
        dictionaries[name] = texts.cast(pl.Categorical(pl.Categories.random()))
    schema = read_table(folder / "schema.parquet", _WHAT).schema
    rule = manifest["rule"]
    return Journeys(
        [StoredBucket(folder, entry, dictionaries) for entry in manifest["buckets"]],
        read_table(folder / "touchpoints.parquet", _WHAT),
        pl.Schema({name: dictionaries[name].dtype if name in dictionaries else schema[name] for name in schema}),
        rule=SessionRule(rule["gap"], tuple(rule["start_on"]), tuple(rule["end_on"]), rule["day_in"]),
        start=manifest["start_us"],
        end=manifest["end_us"],
    )


def _write(path: Path, table: pl.DataFrame, dictionary: Sequence[str] = ()) -> dict[str, Any]:
    import pyarrow as pa

    try:
        return write_table(path, table, dictionary)
    except pa.ArrowException as error:
        raise InputError.at(
            f"an attribute is of a type that cannot be stored ({error})",
            where=f"types {', '.join(sorted({str(dtype) for dtype in table.dtypes}))}",
            hint="Name the columns to carry along with attributes=[...], or give it another type",
        ) from error
