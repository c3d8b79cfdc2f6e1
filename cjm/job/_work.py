"""What a run has finished so far, kept beside its output until that is there: a run that is killed goes on from it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from cjm.files import created, write_text
from cjm.folders import new_folder
from cjm.progress import Step, Steps
from cjm.stores import digest, hashes_in, mark_of

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetWriter

__all__ = ["Found", "Stage", "TableFiles", "Work", "fixed_time", "work_folder"]

_MANIFEST = "stage.json"
_PLAN = "plan.json"
_GROUP = 250_000  # rows of a table that are in memory at once, where it comes in parts


def fixed_time() -> datetime | None:
    """Return the time that is to be written instead of the clock's, for outputs that are to be equal byte by byte.

    https://reproducible-builds.org/specs/source-date-epoch
    """
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(given), UTC) if given.isdigit() else None


@dataclass
class Found:
    """What one step of a run found.

    Attributes
    ----------
    tables : dict of str to polars.DataFrame
        Tables that go to disk and into the report.
    parts : iterable of tuple of str and polars.DataFrame
        The same for tables that need not fit into memory: name and next part, in any order of tables. The rest of what
        was found is complete when all parts were asked for.
    counts : dict of str to int
        Events, persons, sessions.
    period : tuple of str
        First and last time, ISO text.
    notes : list of str
        What was assumed, in sentences.
    warnings : list of str
        What a reader should look into.
    incremental : dict
        How much of the former run was used; see ``job._days``.
    """

    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    parts: Iterable[tuple[str, pl.DataFrame]] = ()
    counts: dict[str, int] = field(default_factory=dict)
    period: tuple[str, str] | None = None
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    incremental: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A finished step on disk: its tables, and the rest of what it found."""

    folder: Path
    tables: tuple[str, ...]
    counts: Mapping[str, int]
    period: tuple[str, str] | None
    notes: list[str]
    warnings: list[str]
    incremental: Mapping[str, Any]
    step: Step


class TableFiles(Mapping[str, pl.DataFrame]):
    """Tables by name, each read from its Parquet file when it is first asked for.

    Parameters
    ----------
    folder : Path, optional
        Where the first of them lie.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.paths = {} if folder is None else {path.stem: path for path in sorted(folder.glob("*.parquet"))}
        self._read: dict[str, pl.DataFrame] = {}

    def add(self, stage: Stage) -> None:
        """Add the tables of a stage."""
        self.paths |= {name: stage.folder / "tables" / f"{name}.parquet" for name in stage.tables}

    def __getitem__(self, name: str) -> pl.DataFrame:
        if name not in self._read:
            self._read[name] = pl.read_parquet(self.paths[name])
        return self._read[name]

    def height(self, name: str) -> int:
        """Return how many rows a table has, without reading them."""
        return int(pl.scan_parquet(self.paths[name]).select(pl.len()).collect().item())

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)


def work_folder(target: Path) -> Path:
    """Return where a run of this output keeps its finished steps."""
    return target.with_name(f".{target.name}.work")


class Work:
    """The folder of finished steps. One that was left by a run of another plan is thrown away.

    Parameters
    ----------
    target : Path
        The output of the run.
    plan : mapping
        All that the results depend on, as JSON: configuration, input files, versions.
    now : datetime
        When the run starts.

    Attributes
    ----------
    folder : Path
    started : datetime
        When it started first.
    """

    def __init__(self, target: Path, plan: Mapping[str, Any], now: datetime) -> None:
        self.folder = work_folder(target)
        mark = mark_of(plan)
        held = plan_in(self.folder)
        if held.get("plan") != mark:
            self.remove()
            held = {"plan": mark, "given": plan, "started": now.isoformat()}
            self.folder.mkdir(parents=True)
            write_text(self.folder / _PLAN, json.dumps(held))
        self.started = datetime.fromisoformat(held["started"])

    def stage(
        self, name: str, steps: Steps, rows_in: Callable[[], int], fill: Callable[[Path, Found, Step], None]
    ) -> Stage:
        """Return a step that an earlier run finished, or take it now: all that it leaves appears at once.

        Parameters
        ----------
        name : str
        steps : Steps
        rows_in : callable
            How many rows go in; it is asked if the step is taken.
        fill : callable
            Takes the step: gets a folder for what is to be kept beside the tables.
        """
        held = self._finished(name)
        if held is not None:
            steps.again(held.step)
            return held
        found = Found()
        with new_folder(self.folder / name) as folder:
            with steps.step(name, rows_in()) as step:
                fill(folder, found, step)
                (folder / "tables").mkdir()
                for table, frame in found.tables.items():
                    with created(folder / "tables" / f"{table}.parquet") as file:
                        frame.rechunk().write_parquet(file)  # chunks would be seen in the file
                in_parts = _write_parts(folder / "tables", found.parts)
            rest = {key: value for key, value in vars(found).items() if key not in ("tables", "parts")}
            manifest = {**rest, "tables": [*found.tables, *in_parts], "step": asdict(step), "files": _hashes(folder)}
            with created(folder / _MANIFEST) as file:
                file.write(json.dumps(manifest, ensure_ascii=False, indent=2).encode())
        return _stage(self.folder / name, manifest)

    def _finished(self, name: str) -> Stage | None:
        """Return a finished step; one that is incomplete or damaged is thrown away."""
        folder = self.folder / name
        manifest = intact(folder)
        if manifest is not None:
            return _stage(folder, manifest)
        shutil.rmtree(folder, ignore_errors=True)
        return None

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


class _Grouped:
    """A table that is written in row groups of one size, however it is cut into parts; ``files`` closes it."""

    def __init__(self, path: Path, files: ExitStack) -> None:
        self._file = files.enter_context(created(path))
        self._files = files
        self._held = pl.DataFrame()
        self._writer: ParquetWriter | None = None

    def add(self, part: pl.DataFrame) -> None:
        """Take the next part; the last rows are held until it is known that there are more."""
        held = part if self._held.is_empty() else pl.concat([self._held, part])
        while held.height > _GROUP:
            self._write(held[:_GROUP])
            held = held[_GROUP:]
        self._held = held

    def end(self) -> None:
        """Write the rows that are held."""
        self._write(self._held)

    def _write(self, group: pl.DataFrame) -> None:
        import pyarrow.parquet as pq

        rows = group.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())  # chunks would be seen in the file
        if self._writer is None:
            texts = [name for name, dtype in group.schema.items() if dtype == pl.String]
            writer = pq.ParquetWriter(self._file, rows.schema, compression="zstd", use_dictionary=texts)
            self._writer = self._files.enter_context(writer)
        self._writer.write_table(rows, row_group_size=_GROUP)


def _write_parts(folder: Path, parts: Iterable[tuple[str, pl.DataFrame]]) -> list[str]:
    """Write tables that come in parts; return their names."""
    tables: dict[str, _Grouped] = {}
    with ExitStack() as files:
        for name, part in parts:
            if name not in tables:
                tables[name] = _Grouped(folder / f"{name}.parquet", files)
            tables[name].add(part)
        for table in tables.values():
            table.end()
    return list(tables)


def _hashes(folder: Path) -> dict[str, str]:
    """Return a hash of each file; those of a store stand in its manifest."""
    told = {inner: hashes_in(inner) for inner in folder.iterdir() if inner.is_dir()}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): told.get(path.parent, {}).get(path.name) or digest(path) for path in files
    }


def plan_in(folder: Path) -> dict[str, Any]:
    """Return what a run said of its plan in its folder of finished steps; nothing if there is none."""
    try:
        held = json.loads((folder / _PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}


def intact(folder: Path, *, tables: Collection[str] | None = None, but: str | None = None) -> dict[str, Any] | None:
    """Return the manifest of a finished step, None if a file of it is missing or damaged; its tables are looked at too.

    Parameters
    ----------
    folder : Path
    tables : collection of str, optional
        Those of its tables that must be there. Default: all.
    but : str, optional
        A folder in it that is not looked at.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        needed = {
            file: mark
            for file, mark in manifest["files"].items()
            if (tables is None or not file.startswith("tables/") or Path(file).stem in tables)
            and Path(file).parts[0] != but
        }
        return manifest if all(digest(folder / file) == mark for file, mark in needed.items()) else None
    except (OSError, ValueError, KeyError):
        return None


def _stage(folder: Path, manifest: Mapping[str, Any]) -> Stage:
    return Stage(
        folder=folder,
        tables=tuple(manifest["tables"]),
        counts=manifest["counts"],
        period=manifest["period"] and tuple(manifest["period"]),
        notes=manifest["notes"],
        warnings=manifest["warnings"],
        incremental=manifest["incremental"],
        step=Step(**manifest["step"]),
    )
