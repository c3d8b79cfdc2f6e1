"""Persons who are to be forgotten: what is stored of them is erased, and what comes later is left out."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from glob import escape
from pathlib import Path

import polars as pl

from cjm.errors import ConfigError, InputError, masked
from cjm.files import locked, require_room
from cjm.folders import folder_size
from cjm.identifiers import is_placeholder
from cjm.identity import Identities, person_numbers
from cjm.job._config import Config
from cjm.job._erase import Gone, erase_store, erase_tables, open_store
from cjm.job._privacy import privacy_of, stored_ids
from cjm.job._work import fixed_time, work_folder
from cjm.journeys import Journeys
from cjm.moments import WatchState

__all__ = ["Forgotten", "forget", "read_identifiers"]

_MAP = "identity_map.parquet"


@dataclass(frozen=True)
class Forgotten:
    """The receipt of an erasure: it names nobody.

    Attributes
    ----------
    at : datetime
    identifiers : int
        How many were erased: those that were given, and those that nobody else has used.
    rows : mapping of str to int
        Rows that were erased, by file; persons in the state of a watch.
    """

    at: datetime
    identifiers: int
    rows: Mapping[str, int]


def read_identifiers(given: Iterable[str], file: Path | None = None) -> pl.DataFrame:
    """Return identifiers written ``KIND=ID``, one by one and on the lines of a file, as ``kind`` and ``id``.

    Raises
    ------
    InputError
        If the file cannot be read.
    ConfigError
        If one is not written in this way, or there is none.
    """
    texts = list(given)
    if file is not None:
        try:
            texts += filter(None, file.read_text(encoding="utf-8-sig").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            raise InputError.at("the identifiers cannot be read", where=str(file), hint="Give a text file") from error
    parts = [text.partition("=") for text in texts]
    for kind, _, text in parts:
        if not kind or not text:
            raise ConfigError.at("an identifier is not written KIND=ID", where="cjm forget", hint="As in customer=1017")
    if not parts:
        raise ConfigError.at("nobody is named", where="cjm forget", hint="Give --id KIND=ID, or --ids FILE")
    return pl.DataFrame(
        [(kind, text) for kind, _, text in parts], schema={"kind": pl.String, "id": pl.String}, orient="row"
    )


def forget(config: Config, identifiers: pl.DataFrame, *, stores: Sequence[str | Path] = ()) -> Forgotten:
    """Erase persons from the output, the state and the batches of a watch, and stores; leave them out from now on.

    A person is erased with all identifiers that nobody else has used. First a keyed mark of each identifier is put
    into the file that ``[privacy] forgotten`` names: runs and batches set its rows aside. Each place is then changed
    whole or not at all. If the process is killed, the same call finishes the work.

    Parameters
    ----------
    config : Config
        With ``[privacy]``.
    identifiers : polars.DataFrame
        ``kind``, ``id`` (text), as the sources write them.
    stores : sequence of str or Path, optional
        Further folders: of :meth:`cjm.Identities.write`, :meth:`cjm.Journeys.write` or :meth:`cjm.WatchState.save`.

    Returns
    -------
    Forgotten
        Also added to the file that ``[privacy] forgotten`` names.

    Raises
    ------
    ConfigError
        Without ``[privacy]``, and for a kind that no source has.
    InputError
        For an identifier that several persons used, or a placeholder, and for a folder that is no store or damaged.
    BusyError
        If a run or a watch is at work.
    RunError
        If the disk is full or cannot be written.
    """
    privacy, section = privacy_of(config), config.privacy
    if privacy is None or section is None:
        raise ConfigError.at(
            "those who are forgotten are known again by a key, and none is named",
            where="cjm forget",
            hint='Write [privacy] key_file = "..."',
        )
    given = _as_stored(identifiers, config)
    target, home = config.resolve(config.output.dir), config.resolve(config.watch.dir)
    folders = [Path(store) for store in stores]
    for folder in (target, home, *folders):
        require_room(folder, folder_size(folder))  # one after the other is written anew
    with ExitStack() as locks:
        for folder in dict.fromkeys([target, home, *folders]):
            if folder.exists() or folder == target:
                locks.enter_context(locked(folder))
        opened = [(folder, open_store(folder)) for folder in folders]
        if (home / "state" / "state.json").is_file():
            opened.append((home / "state", WatchState.open(home / "state")))
        maps = [store.map for _, store in opened if isinstance(store, Identities)]
        stored = [target / "tables" / _MAP, work_folder(target) / "stitch" / "tables" / _MAP]
        maps += [pl.read_parquet(path) for path in stored if path.is_file()]
        gone = _whole(given, maps)

        marks = [privacy.marks(part["id"], str(kind)) for (kind,), part in gone.ids.group_by("kind")]
        tombstones, path = privacy.tombstones + pl.concat(marks), config.resolve(section.forgotten)
        tombstones.write(path, privacy.key)
        rows: dict[str, int] = {}
        for left in target.parent.glob(f".{escape(target.name)}.*"):
            if left.is_dir():  # steps of a run that was interrupted: the next one takes them again
                shutil.rmtree(left)
        for kind in (Journeys, WatchState, Identities):  # the maps last: they say who a person is
            for folder, store in opened:
                if isinstance(store, kind):
                    rows[str(folder)] = erase_store(folder, store, gone)
        for batch in sorted((home / "batches").glob("*/run.json")):
            rows |= erase_tables(batch.parent, batch.parent, gone)
        if (target / "tables").is_dir():
            rows |= erase_tables(target, target / "tables", gone)
        done = Forgotten(fixed_time() or datetime.now(UTC), gone.ids.height, rows)
        receipt = {"at": done.at.isoformat(), "identifiers": done.identifiers, "rows": dict(done.rows)}
        tombstones.with_receipt(receipt).write(path, privacy.key)
    return done


def _as_stored(identifiers: pl.DataFrame, config: Config) -> pl.DataFrame:
    kinds = {kind for name in config.sources for kind in config.source(name).ids}
    parts = []
    for (kind,), part in identifiers.group_by("kind", maintain_order=True):
        if kind not in kinds:
            raise ConfigError.unknown("kind of identifier", str(kind), kinds, where="cjm forget")
        if is_placeholder(part["id"].str.strip_chars(), None).any():
            raise InputError.at(f"a placeholder of kind {kind!r} is given, which names nobody", where="cjm forget")
        parts.append(part.with_columns(stored_ids(part["id"], str(kind), config)))
    return pl.concat(parts).unique()


def _whole(given: pl.DataFrame, maps: Sequence[pl.DataFrame]) -> Gone:
    """Return the persons who are named, and every identifier that nobody but them has used."""
    name = ["kind", "id"]
    ids, persons = [given], []
    for rows in maps:
        named = rows.join(given, on=name, how="semi")
        users = named.filter(pl.col("reason") != "anonymous").group_by(name).agg(pl.col("person").n_unique())
        shared = users.filter(pl.col("person") > 1).select(name)
        shared = pl.concat([shared, named.filter(pl.col("reason") == "shared").select(name)])
        if shared.height:
            kind, text = shared.row(0)
            raise InputError.at(
                f'{kind} "{masked(text)}" was used by several persons',
                where="cjm forget",
                hint="Name each of those who are to be forgotten by an identifier of their own. Nothing was erased",
            )
        theirs = pl.col("person").is_in(named["person"].unique().implode())
        used = rows.join(rows.filter(theirs), on=name, how="semi")
        others = used.filter((~theirs & (pl.col("reason") != "anonymous")) | (pl.col("reason") == "shared"))
        alone = used.join(others, on=name, how="anti")
        ids.append(alone.select(name))
        persons += [named["person"], alone["person"]]
    whole = pl.concat(ids).unique().sort(name)
    own = [person_numbers(part["id"], str(kind)) for (kind,), part in whole.group_by("kind")]
    return Gone(whole, pl.concat([*persons, *own]).unique().sort())
