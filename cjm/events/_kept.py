"""The cleaned, coded events of a log on disk, to which files that come later are added without reading the former."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cjm.errors import InputError
from cjm.events._apply import Cleaner
from cjm.events._convert import Converted, convert
from cjm.events._log import EventLog
from cjm.events._paths import File
from cjm.events._quality import PLACES, Findings
from cjm.files import created, linked

__all__ = ["Arrived", "arrived", "keep", "keep_more", "open_kept", "why_not_kept"]

_STATE = "kept.json"
_ID = "__event_id"
_OF_TODAY = {"time in the future", "time more than a year ahead"}  # checks that look at the clock


class _Kept:
    """A folder of kept events, as a log sees it."""

    def __init__(self, log: EventLog, folder: Path) -> None:
        self.folder = folder
        self.state: dict[str, Any] = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        self._log = log
        self._codes: dict[tuple[int, str], pl.Series] = {}

    def paths(self, name: str, runs: Sequence[int]) -> Iterator[tuple[int, Path]]:
        """Yield the files of a source's events, each with the run that wrote it."""
        for run in runs:
            for number in range(self.state["runs"][run][name]["pieces"]):
                yield run, _piece(self.folder, run, list(self._log.sources).index(name), number)

    def pieces(self, name: str, runs: Sequence[int], ids: bool) -> Iterator[pl.DataFrame]:
        """Yield the events of a source that some runs stored, with the codes that their texts have in the log."""
        for run, path in self.paths(name, runs):
            told = self.state["runs"][run][name]
            left_out = {_ID, *(() if ids else self._log.kinds)}
            piece = _read(path, [column for column in told["columns"] if column not in left_out])
            coded = [
                self._codes_of(run, part).gather(piece[column]).cat.to(self._log._coder[part].dtype).alias(column)
                for column, part in told["parts"].items()
                if column in piece.columns
            ]
            yield piece.with_columns(coded)

    def _codes_of(self, run: int, part: str) -> pl.Series:
        if (run, part) not in self._codes:
            stored = _read(_texts(self.folder, run, self.state["texts"][run][part]))
            now = self._log._coder[part].encode(stored["text"]).to_physical()
            then = stored["code"].cast(pl.Int64).to_numpy()
            codes = np.zeros(int(then.max(initial=-1)) + 1, dtype=np.uint32)
            codes[then] = now.to_numpy()
            self._codes[run, part] = pl.Series(codes)
        return self._codes[run, part]

    def found(self) -> dict[str, Converted]:
        """Return what was found in each source."""
        found = {}
        for number, (name, source) in enumerate(self._log.sources.items()):
            told = self.state["found"][name]
            counted = Findings(name, told["read"], told["kept"], [tuple(row) for row in told["rows"]])
            counted.places.append(_read(self.folder / f"places-{number:04d}.arrow"))
            for check, rows in told["texts"].items():
                counted.texts[check] = pl.DataFrame(rows, schema={"text": pl.String, "n": pl.Int64}, orient="row")
            one = found[name] = Converted(name, counted, source.where, marked=True)
            one.shape = [(column, dtype) for column, dtype in told["shape"]]
            one._midnights = [(always, rows, first) for always, rows, first in told["midnights"]]
            for path, (size, modified, rows) in told["files"].items():
                one._files[path] = [size, datetime.fromisoformat(modified), rows]
        return found


@dataclass(frozen=True)
class Arrived:
    """Events of one source that came with the last run.

    Attributes
    ----------
    kinds : tuple of str
        Kinds of identifiers of the log.
    before : int
        How many events the source had.
    """

    kinds: tuple[str, ...]
    before: int
    _pieces: Callable[[], Iterator[pl.DataFrame]]

    @property
    def frame(self) -> pl.LazyFrame:
        """Contract EVENTS, of the source."""
        return pl.concat(self._pieces()).lazy().with_columns(pl.col(pl.Categorical).cast(pl.String))

    def pieces(self) -> Iterator[pl.DataFrame]:
        """Yield them piece by piece, with coded text."""
        yield from self._pieces()

    def identifiers(self, kind: str) -> pl.Series:
        """Return the texts of a kind of identifier that they have."""
        texts = [piece[kind].unique().drop_nulls().cast(pl.String) for piece in self._pieces() if kind in piece.columns]
        return pl.concat([pl.Series(kind, dtype=pl.String), *texts])


def why_not_kept(log: EventLog) -> str | None:
    """Return the rule because of which more rows may change what becomes of former ones; None if there is none."""
    if log.cleaning.shared:
        return "[cleaning] shared looks at all events of an identifier"
    for name, source in log.sources.items():
        if source.order is not None:
            return f"source {name!r} has its rows in the order of a column"
        if source.drop_duplicates:
            return f"source {name!r} compares all rows to find duplicates"
    return None


def keep(log: EventLog, folder: Path) -> None:
    """Read all sources of a log and store their events in a new folder, where the log has them from then on.

    Raises
    ------
    InputError
        As for ``log.require()``.
    """
    folder.mkdir()
    log._cleaner = Cleaner(log.cleaning, log._coder)
    found = {name: Converted(name, Findings(name), source.where, marked=True) for name, source in log.sources.items()}
    state: dict[str, Any] = {"runs": [], "texts": []}
    _add(log, folder, state, log._cleaner, found, dict.fromkeys(log.sources))
    log._converted = found
    log._refuse_unknown_columns()
    _write_state(folder, state, found)
    open_kept(log, folder)


def keep_more(log: EventLog, folder: Path, before: Path, files: Mapping[str, Sequence[File]]) -> str | None:
    """Store the events of more files in a new folder, with those that were stored before.

    Parameters
    ----------
    log : EventLog
    folder : Path
        The new folder.
    before : Path
        The former one. It stays; what is the same is not copied where the system can give it a second name.
    files : mapping of str to sequence of File
        The files of some sources that are new; each comes after all former ones of its source.

    Returns
    -------
    str or None
        Why all files must be read: with the former ones the new ones mean something else than alone.

    Raises
    ------
    InputError
        As for ``log.require()``.
    """
    kept = _Kept(log, before)
    found = kept.found()
    former = {}
    for name, one in found.items():
        checks = {(check, action) for check, _, _, action in one.counted.rows}
        if any(check in _OF_TODAY for check, _ in checks):
            return f"source {name!r} had times in the future, which may be past now"
        former[name] = one.shape, checks
        for place, file in one._files.items():  # it may have been copied since then
            stat = Path(place).stat()
            file[:2] = stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC)
        if name in files:
            one.shape = None
            if log.sources[name].event_id is not None:
                paths = kept.paths(name, range(len(kept.state["runs"])))
                one.known = pl.concat([_read(path, [_ID])[_ID] for _, path in paths])
    folder.mkdir()
    for run in range(len(kept.state["runs"])):
        (folder / f"{run:04d}").mkdir()
        for path in sorted((before / f"{run:04d}").iterdir()):
            linked(path, folder / f"{run:04d}" / path.name)
    state = {"runs": kept.state["runs"], "texts": kept.state["texts"]}
    _add(log, folder, state, Cleaner(log.cleaning, log._coder), found, {name: files.get(name, ()) for name in found})
    for name, one in found.items():
        shape, checks = former[name]
        if one.shape != shape:
            return f"new files of source {name!r} have other columns or types than former ones"
        fresh = [check for check, _, _, action in one.counted.rows if (check, action) not in checks]
        if fresh:
            return f"source {name!r} has what it never had before: {fresh[0]}"
    _write_state(folder, state, found)
    open_kept(log, folder)
    return None


def open_kept(log: EventLog, folder: Path) -> None:
    """Let a log have its events, and what was found in them, from a folder in which they were stored."""
    kept = _Kept(log, folder)
    log._converted = kept.found()
    for name in log.sources:
        log._kept[name] = partial(kept.pieces, name, range(len(kept.state["runs"])))


def arrived(log: EventLog, folder: Path) -> list[Arrived]:
    """Return for each source what came with the last run."""
    kept = _Kept(log, folder)
    *former, _ = runs = kept.state["runs"]
    last = len(runs) - 1
    return [
        Arrived(log.kinds, sum(run[name]["events"] for run in former), partial(kept.pieces, name, [last], True))
        for name in log.sources
    ]


def _add(
    log: EventLog,
    folder: Path,
    state: dict[str, Any],
    cleaner: Cleaner,
    found: Mapping[str, Converted],
    files: Mapping[str, Sequence[File] | None],
) -> None:
    """Store the events of some files of each source (None: of the whole source), and their texts."""
    run = len(state["runs"])
    (folder / f"{run:04d}").mkdir()
    told = {}
    texts: dict[str, int] = {}
    used: dict[str, list[pl.Series]] = defaultdict(list)
    for source, (name, some) in enumerate(files.items()):
        events, pieces, columns = 0, 0, []
        parts: dict[str, str] = {}
        if some is None or some:
            for piece in convert(name, log.sources[name], log.kinds, log._coder, cleaner, found[name], some):
                part_of: dict[pl.DataType, str] = {dictionary.dtype: part for part, dictionary in log._coder.items()}
                coded = piece.select(pl.col(pl.Categorical)).schema
                parts |= {column: part_of[dtype] for column, dtype in coded.items()}
                numbers = piece.with_columns(pl.col(pl.Categorical).to_physical())
                _write(_piece(folder, run, source, pieces), numbers)
                for column in coded:
                    used[parts[column]].append(numbers[column].drop_nulls().unique())
                events, pieces, columns = events + piece.height, pieces + 1, piece.columns
        error = found[name].error
        if error is not None:
            raise error
        told[name] = {"events": events, "pieces": pieces, "columns": columns, "parts": parts}
        for part in parts.values():
            texts.setdefault(part, len(texts))
    for part, number in texts.items():  # only those that are in events: others may be of persons who were forgotten
        codes = pl.concat(used[part]).unique().sort()
        _write(_texts(folder, run, number), pl.DataFrame({"code": codes, "text": log._coder[part].texts.gather(codes)}))
    state["runs"].append(told)
    state["texts"].append(texts)


def _write_state(folder: Path, state: Mapping[str, Any], found: Mapping[str, Converted]) -> None:
    told = {}
    for number, (name, one) in enumerate(found.items()):
        _write(folder / f"places-{number:04d}.arrow", pl.concat([pl.DataFrame(schema=PLACES), *one.counted.places]))
        told[name] = {
            "read": one.counted.read,
            "kept": one.counted.kept,
            "rows": one.counted.rows,
            "texts": {check: texts.rows() for check, texts in one.counted.texts.items()},
            "shape": one.shape,
            "midnights": one._midnights,
            "files": {path: (size, modified.isoformat(), rows) for path, (size, modified, rows) in one._files.items()},
        }
    with created(folder / _STATE) as file:
        file.write(json.dumps({**state, "found": told}).encode())


def _piece(folder: Path, run: int, source: int, number: int) -> Path:
    return folder / f"{run:04d}" / f"{source:04d}-{number:04d}.arrow"


def _texts(folder: Path, run: int, number: int) -> Path:
    return folder / f"{run:04d}" / f"texts-{number:04d}.arrow"


def _write(path: Path, table: pl.DataFrame) -> None:
    with created(path) as file:
        # as views of text the file would hold what they are views of: also the texts of rows that were left out
        table.write_ipc(file, compression="lz4", compat_level=pl.CompatLevel.oldest())


def _read(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    try:
        return pl.read_ipc(path, columns=columns)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError.at("the file is missing or damaged", where=str(path), hint="Run again without it") from error
