"""Watching from a scheduler: one batch in, matches and late events out, state advanced; each batch counts once."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from cjm.errors import ArgumentError, ConfigError, InputError
from cjm.files import created, locked, require_room
from cjm.folders import folder_size, replaced_folder
from cjm.identity import person_numbers
from cjm.job._config import Config
from cjm.job._decide import decided
from cjm.job._load import batch_log
from cjm.job._privacy import stored_ids
from cjm.job._work import fixed_time
from cjm.matching import unusable
from cjm.moments import Watch, WatchState, detect
from cjm.progress import Steps

if TYPE_CHECKING:
    from cjm.journeys import Journeys

__all__ = ["Watched", "moments_found", "watch"]


@dataclass(frozen=True)
class Watched:
    """What became of a batch.

    Attributes
    ----------
    folder : Path or None
        ``matches.parquet``, ``late.parquet``, ``run.json`` and, with ``[decide]``, ``decisions.parquet``; None if the
        batch had been taken in before.
    name : str
        What the batch is known by: a hash of its content.
    counts : mapping of str to int
        ``read``, ``set_aside``, ``duplicates``, ``nobody`` (without an identifier that names a person), ``late``,
        ``ahead`` (later than the clock: they wait until the watermark has reached them), ``waiting`` (all that wait
        now), ``matches`` and, with ``[decide]``, ``decisions``.
    """

    folder: Path | None
    name: str
    counts: Mapping[str, int]


def watch(config: Config, batch: str | Path | Sequence[str], *, advance_to: datetime | None = None) -> Watched:
    """Take one batch in: read it, find moments, write what was found, and put the state after it on disk.

    Parameters
    ----------
    config : Config
    batch : str, Path or sequence of str
        A file, or ``NAME=FILE`` where it is not clear whose it is; several make one batch. It
        may be empty if ``advance_to`` is given.
    advance_to : datetime, optional
        Every event up to then has come; see :meth:`cjm.Watch.advance_to`.

    Returns
    -------
    Watched

    Raises
    ------
    BusyError
        If another process is taking in a batch for the same state.
    CjmError
        If the batch, the state or the configuration cannot be used. Nothing is changed then.

    Notes
    -----
    The order is: outputs, then state. A process that is killed in between leaves a state that does not know the batch;
    taken in again, it writes the same outputs in the same place. A batch that the state knows changes nothing.
    """
    if not batch and advance_to is None:
        raise ArgumentError.at("there is neither a batch nor a time to advance to", where="cjm watch")
    if not config.moments:
        raise ConfigError.at("there is no [moments.NAME] to watch for", where="cjm watch")
    if config.consent is not None:
        raise ConfigError.at(
            "consent is not applied to single batches",
            where="section [consent], cjm watch",
            hint="Watch with a configuration without it, and apply consent where the matches are used",
        )
    files = _files(config, [str(batch)] if isinstance(batch, (str, Path)) else list(batch))
    home = config.resolve(config.watch.dir)
    name = _name(files, advance_to)
    require_room(home, folder_size(home / "state") + sum(path.stat().st_size for one in files.values() for path in one))
    with Steps(3).shown() as steps, locked(home):
        state = WatchState.open(home / "state") if (home / "state" / "state.json").is_file() else None
        if state is not None and name in state.batches:
            return Watched(None, name, {})
        with steps.step("load") as step:
            events, counts = _read(config, files)
            step.rows_in, step.rows_out = counts["read"], events.height
        with steps.step("watch", events.height) as step:
            watcher = _watcher(config)
            now = fixed_time() or datetime.now(UTC)
            known = 0 if state is None else state.late.height
            parts = []
            if files:
                matches, state = watcher.update(events, state, now=now)
                parts.append(matches)
            if advance_to is not None:
                matches, state = watcher.advance_to(advance_to, state)
                parts.append(matches)
            assert state is not None
            found = pl.concat(parts)
            step.rows_out = found.height
        with steps.step("write", found.height) as step:
            late = state.late[known:]
            ahead = events.filter(pl.col("time") > now).height if files else 0
            counts |= {"late": late.height, "ahead": ahead, "waiting": state.waiting.height, "matches": found.height}
            tables = {"matches": found, "late": late}
            if config.decide is not None:
                tables["decisions"] = decided(config, found, None, now)
                counts["decisions"] = tables["decisions"].height
            folder = home / "batches" / name
            with replaced_folder(folder) as partial:
                for table, frame in tables.items():
                    with created(partial / f"{table}.parquet") as file:
                        frame.write_parquet(file)
                told = {"batch": name, "watermark": str(state.watermark), "counts": counts}
                with created(partial / "run.json") as file:
                    file.write(json.dumps(told, indent=2).encode())
            replace(state, batches=(*state.batches, name)).save(home / "state")
            step.rows_out = found.height
    return Watched(folder, name, counts)


def moments_found(config: Config, journeys: Journeys, warnings: list[str]) -> pl.DataFrame:
    """Return the moments in whole journeys; one that names what does not occur is left out: it may be rare."""
    moments, figures = config.watched()
    attributes = _attributes(config)
    added = [figure.name for figure in figures] + [name for table in attributes for name in table.columns]
    missing = unusable(journeys, {moment.name: moment.pattern for moment in moments}, added=added)
    warnings += [f"moment {name} is left out: {why}" for name, why in missing.items()]
    usable = [moment for moment in moments if moment.name not in missing]
    return detect(journeys, usable, context=figures if usable else (), attributes=attributes)


def _watcher(config: Config) -> Watch:
    moments, figures = config.watched()
    section = config.watch
    attributes = _attributes(config)
    return Watch(moments, context=figures, attributes=attributes, lateness=section.lateness, sources=section.sources)


def _attributes(config: Config) -> list[pl.DataFrame]:
    section = config.watch
    if section.attributes is None:
        return []
    path = config.resolve(section.attributes)
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError.at(
            f"cannot be read ({str(error).splitlines()[0]})", where=str(path), hint="[watch] attributes is Parquet"
        ) from error
    kind = section.attributes_id
    if kind not in table.columns:
        raise ConfigError.unknown("column", kind, table.columns, where="[watch] attributes_id")
    numbers = person_numbers(stored_ids(table[kind], kind, config), kind)
    return [table.drop(kind).with_columns(numbers).filter(pl.col("person").is_not_null())]


def _files(config: Config, given: list[str]) -> dict[str, list[Path]]:
    """Return the files of the batch, by source."""
    found: dict[str, list[Path]] = {}
    for text in given:
        name, equals, rest = text.partition("=")
        if equals and name in config.sources:
            path = Path(rest)
        else:
            path, name = Path(text), _source_of(config, Path(text))
        if not path.is_file():
            raise InputError.at("there is no such file", where=str(path), hint="Give the batch as a file")
        found.setdefault(name, []).append(path)
    return {name: found[name] for name in config.sources if name in found}


def _source_of(config: Config, path: Path) -> str:
    if len(config.sources) == 1:
        return next(iter(config.sources))
    fits = []
    for name, section in config.sources.items():
        patterns = [section.path] if isinstance(section.path, str) else section.path
        if any(fnmatch.fnmatch(str(path.resolve()), str(config.resolve(one).resolve())) for one in patterns):
            fits.append(name)
    if len(fits) != 1:
        raise ConfigError.at(
            f"it is not clear which source {str(path)!r} belongs to",
            where="--batch",
            hint=f"Write --batch NAME={path}, with a NAME of: {', '.join(config.sources)}",
        )
    return fits[0]


def _name(files: Mapping[str, Sequence[Path]], advance_to: datetime | None) -> str:
    """Return a hash of what is in the files: the same batch under another file name is the same."""
    digest = hashlib.sha256(repr(advance_to.timestamp() if advance_to else None).encode())
    for name, paths in files.items():
        for path in paths:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"\x1f{name}\x1f{content}".encode())
    return digest.hexdigest()[:32]


def _read(config: Config, files: Mapping[str, Sequence[Path]]) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the events of the batch with their persons, in order of arrival, and what became of the rows."""
    identity = config.identity
    kind = identity.known_by
    if not files:
        return pl.DataFrame(), dict.fromkeys(("read", "set_aside", "duplicates", "nobody"), 0)
    sources = {name: replace(config.source(name), path=[str(path) for path in paths]) for name, paths in files.items()}
    log = batch_log(config, sources)
    frame = log.frame.collect()
    counts: dict[str, Any] = log.counts().select("read", "set_aside", "duplicates").sum().row(0, named=True)
    if kind not in log.kinds:
        raise ConfigError.unknown("kind of identifier", kind, log.kinds, where="[identity] person")
    known = frame.filter(pl.col(kind).is_not_null())
    counts["nobody"] = frame.height - known.height
    return known.with_columns(person_numbers(known[kind], kind)).drop(log.kinds), counts
