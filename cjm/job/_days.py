"""What a run keeps for the next one, which then reads new files only and makes anew only the persons they touch."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from functools import cached_property
from glob import has_magic
from itertools import zip_longest
from pathlib import Path
from typing import Any

import polars as pl

import cjm
from cjm.errors import CjmError, InputError
from cjm.events import EventLog, File, arrived, files_of, keep, keep_more, open_kept, why_not_kept
from cjm.files import created
from cjm.folders import moved
from cjm.identity import Identities, grown
from cjm.job._config import Config
from cjm.job._work import Found, Work, intact, plan_in
from cjm.journeys import Journeys, journeys_again
from cjm.stores import digest, mark_of

__all__ = ["Days"]

_TABLES = {"map": "identity_map", "links": "links", "conflicts": "conflicts"}
_KEPT = {"load": (), "stitch": tuple(_TABLES.values()), "journeys": ()}  # steps, and those of their tables
_EVENTS = "events"
_HASHES = "inputs.json"
_TOUCHED = "touched.arrow"
_ALL = "all"
_PEOPLE = "people"  # checks its files itself

logger = logging.getLogger("cjm")


class Days:
    """The steps of the former run, kept beside the output where a source may get new files.

    Parameters
    ----------
    target : Path
        The output of the run.
    config : Config
    plan : mapping
        All that the results of this run depend on.

    Attributes
    ----------
    folder : Path
    """

    def __init__(self, target: Path, config: Config, plan: Mapping[str, Any]) -> None:
        self.folder = target.with_name(f".{target.name}.days")
        self._config = config
        self._plan = json.loads(json.dumps(plan))

    @cached_property
    def wanted(self) -> bool:
        """Whether a source is a folder or a pattern, and all of them are files on this machine."""
        given = [source.path for source in self._config.sources.values()]
        paths = [path for one in given for path in ([one] if isinstance(one, str) else one)]
        grow = any(has_magic(path) or self._config.resolve(path).is_dir() for path in paths)
        return grow and not self._plan["elsewhere"]

    def load(self, log: EventLog, folder: Path, found: Found) -> None:
        """Read the new files, or all of them, into the folder of the step."""
        rule = why_not_kept(log)
        if rule is not None:
            logger.info("a run with new files will read all files: %s", rule)
            log.require()
            return
        hashes = self._hashes()
        new = self._new_files(hashes)
        if isinstance(new, dict):
            try:
                why = keep_more(log, folder / _EVENTS, self.folder / "load" / _EVENTS, new)
            except CjmError:  # all files together may be read otherwise, or say better what is wrong
                why = "the new ones cannot be read alone"
        else:
            why, new = new, {}
        if why is None:
            found.incremental = {"files": sum(map(len, new.values())), "former": plan_in(self.folder)["plan"]}
        else:
            shutil.rmtree(folder / _EVENTS, ignore_errors=True)
            keep(log, folder / _EVENTS)
            if why:
                logger.info("all files are read: %s", why)
                found.incremental = {"all files are read": why}
        with created(folder / _HASHES) as file:
            file.write(json.dumps(hashes).encode())

    def _hashes(self) -> dict[str, str]:
        """Return a hash of every input file; those of files that are as they were are known."""
        former, known = plan_in(self.folder).get("given", {}).get("sources", {}), self._former_hashes()
        same = {tuple(file) for files in former.values() for file in files}
        return {
            file[1]: known[file[1]] if tuple(file) in same and file[1] in known else digest(Path(file[1]))
            for files in self._plan["sources"].values()
            for file in files
        }

    def _former_hashes(self) -> dict[str, str]:
        try:
            hashes: dict[str, str] = json.loads((self.folder / "load" / _HASHES).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return hashes

    def _new_files(self, hashes: Mapping[str, str]) -> dict[str, list[File]] | str:
        """Return the new files of each source that has some, or why all must be read: blank if there is no choice."""
        held = plan_in(self.folder)
        if not held:
            return ""
        former = held.get("given", {})
        if _rules(former) != _rules(self._plan):
            return "the configuration, a table of rules or a version of a library has changed"
        if held["plan"] != mark_of(former) or intact(self.folder / "load", tables=()) is None:
            return "what the former run kept is damaged"
        known = self._former_hashes()
        new = {}
        for name, files in self._plan["sources"].items():
            before = former["sources"][name]
            for old, now in zip_longest(before, files[: len(before)]):
                if now is None or old[:3] != now[:3] or (old != now and known[old[1]] != hashes[now[1]]):
                    return f"of source {name!r}, {old[0]} is gone, has changed, or comes after a new file"
            paths = [file[0] for file in files[len(before) :]]
            if paths:
                listed = files_of(self._config.source(name), name) or []
                new[name] = [file for file in listed if str(file.path) in paths]
        return new

    def open(self, log: EventLog, work: Work) -> None:
        """Let a log have its events from where the step that loads left them."""
        folder = work.folder / "load" / _EVENTS
        if folder.exists():
            open_kept(log, folder)

    def people(
        self, log: EventLog, work: Work, said: Mapping[str, Any], folder: Path, found: Found
    ) -> Identities | None:
        """Return the former identities with the new events; None if they must be found from nothing.

        The persons whom the new events touch are written into the folder of the step.
        """
        before = self.folder / "stitch"
        stored = before / _PEOPLE
        if not self._holds("stitch", said, but=_PEOPLE) or not stored.exists():  # a run stitched them bucket by bucket
            return None
        try:
            former = cjm.open_identities(stored)
        except InputError:  # damaged
            return None
        tables = {name: pl.read_parquet(before / "tables" / f"{file}.parquet") for name, file in _TABLES.items()}
        people, touched = grown(former, log, arrived(log, work.folder / "load" / _EVENTS), tables)
        found.incremental = {"persons": len(touched)}
        with created(folder / _TOUCHED) as file:
            pl.DataFrame({"person": touched}).write_ipc(file)
        return people

    def journeys(
        self,
        log: EventLog,
        people: Identities | None,
        work: Work,
        said: Mapping[str, Any],
        found: Found,
        *,
        in_memory: int,
    ) -> Journeys | None:
        """Return the former journeys, those of persons whom new events touch made anew; None if all must be."""
        if not self._holds("journeys", said):
            return None
        stored = [self.folder / "journeys" / name for name in (_ALL, "store")]
        before = cjm.open_journeys(next(path for path in stored if path.exists()))
        person = self._config.identity.person
        if person is None:
            file = work.folder / "stitch" / _TOUCHED
            if not file.exists():
                return None
            return journeys_again(before, log, people, touched=pl.read_ipc(file)["person"], in_memory=in_memory)
        fresh = [one.identifiers(person) for one in arrived(log, work.folder / "load" / _EVENTS)]
        touched = pl.concat(fresh).unique()
        found.incremental = {"persons": len(touched)}
        return journeys_again(before, log, person=person, touched=touched, in_memory=in_memory)

    def _holds(self, step: str, said: Mapping[str, Any], but: str | None = None) -> bool:
        """Return whether a step of the run is there from which this one was found to go on."""
        same = "former" in said and plan_in(self.folder).get("plan") == said["former"]
        return same and intact(self.folder / step, tables=_KEPT[step], but=but) is not None

    def keep_all(self, journeys: Journeys, analysed: Journeys, folder: Path) -> None:
        """Keep the journeys beside those that are analysed, if some events are left out of these."""
        if analysed is not journeys and self.wanted:
            journeys.write(folder / _ALL)

    def keep(self, work: Work) -> None:
        """Keep the steps of this run for the next one, in the place of those of the former."""
        if not (work.folder / "load" / _EVENTS).exists():
            work.remove()
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        for step in work.folder.iterdir():
            if step.is_dir() and step.name not in _KEPT:
                shutil.rmtree(step, ignore_errors=True)
        for name, tables in _KEPT.items():
            for path in (work.folder / name / "tables").glob("*.parquet"):
                if path.stem not in tables:
                    path.unlink()
        moved(work.folder, self.folder)


def _rules(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a plan says of how events become journeys; tables about persons are looked at later."""
    tables = plan.get("tables", {})
    return {
        **{key: plan.get(key) for key in ("configuration", "versions")},
        **{name: state for name, state in tables.items() if name.split()[0] not in ("churn", "consent", "decide")},
    }
