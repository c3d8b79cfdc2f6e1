"""The run's questions, asked with the same public verbs that a notebook calls."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import cjm
from cjm.durations import DAY_US
from cjm.errors import ArgumentError
from cjm.events import EventLog
from cjm.identity import Identities, StoredLabels, stitch_in_buckets
from cjm.job._check import check_kinds
from cjm.job._config import Config
from cjm.job._consent import Consent
from cjm.job._days import Days
from cjm.job._decide import decided
from cjm.job._load import declared_log
from cjm.job._memory import give_back
from cjm.job._paths_to_churn import paths_to_churn
from cjm.job._people import People
from cjm.job._persons import at_risk
from cjm.job._watch import moments_found
from cjm.job._work import Found, TableFiles, Work
from cjm.journeys import Journeys
from cjm.matching import unusable
from cjm.patterns import Pattern
from cjm.progress import Step, Steps

__all__ = ["Analysis"]

_LABELS = "labels"  # where the persons of events lie that were stitched bucket by bucket

logger = logging.getLogger("cjm")


class Analysis:
    """Every section of a configuration, step by step; steps that an interrupted run finished are not taken again.

    Parameters
    ----------
    config : Config
    steps : Steps
    work : Work
    in_memory : int
        How many events may be sorted in memory.
    stitched_at_once : int, optional
        How many events may be stitched together, if not all may: then they are stitched bucket by bucket.
    days : Days

    Attributes
    ----------
    tables : TableFiles
        Every table that goes to disk and into the report.
    counts : dict of str to int
        Events, persons, sessions.
    period : tuple of str
        First and last time, ISO text.
    notes : list of str
        What was assumed, in sentences.
    warnings : list of str
        What a reader should look into.
    incremental : dict
        How much of the former run was used.
    """

    def __init__(
        self,
        config: Config,
        steps: Steps,
        work: Work,
        days: Days,
        *,
        in_memory: int,
        stitched_at_once: int | None = None,
    ) -> None:
        self._config = config
        self._in_memory = in_memory
        self._stitched_at_once = stitched_at_once
        self._steps = steps
        self._work = work
        self._days = days
        self.tables = TableFiles()
        self.counts: dict[str, int] = {}
        self.period = ("", "")
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.incremental: dict[str, Any] = {}

    def run(self) -> None:
        """Take all steps.

        Raises
        ------
        CjmError
            If the data or the configuration cannot be used.
        """
        config = self._config
        self._take("load", lambda: 0, self._load)
        self._days.open(self._log, self._work)
        kept = int(self.tables["sources"]["kept"].sum())
        check_kinds(config, self._log)
        if config.identity.person is None:
            if self._stitched_at_once is not None:  # what a run without the limit has left would not fit into memory
                shutil.rmtree(self._work.folder / "stitch" / "people", ignore_errors=True)
            self._take("stitch", lambda: kept, self._stitch)
        self._take("journeys", lambda: kept, self._build)
        self._take("measure", lambda: self._journeys.height, self._measure)
        self._take("mine", lambda: self._journeys.height, self._mine)
        if config.churn is not None:
            self._take("paths to churn", lambda: self.counts["persons"], self._churn)
        if config.moments:
            self._take("moments", lambda: self._journeys.height, self._moments)

    def _take(self, name: str, rows_in: Callable[[], int], fill: Callable[[Path, Found, Step], None]) -> None:
        stage = self._work.stage(name, self._steps, rows_in, fill)
        self.tables.add(stage)
        self.counts |= stage.counts
        self.period = stage.period or self.period
        self.notes += stage.notes
        self.warnings += stage.warnings
        self.incremental |= stage.incremental
        give_back(int(self.tables["sources"]["kept"].sum()))

    @cached_property
    def _log(self) -> EventLog:
        return declared_log(self._config)

    @cached_property
    def _people(self) -> People | None:
        if self._config.identity.person is not None:
            return None
        return People(pl.scan_parquet(self.tables.paths["identity_map"]))

    @cached_property
    def _identities(self) -> Identities:
        identity = self._config.identity
        stored = self._work.folder / "stitch" / "people"
        if stored.exists():
            return cjm.open_identities(stored)
        return cjm.stitch(
            self._log,
            mode=identity.mode,
            unique=tuple(identity.unique),
            replay=identity.replay,
            stale=identity.stale,
            as_of=identity.as_of,
        )

    @cached_property
    def _consent(self) -> Consent | None:
        section = self._config.consent
        return None if section is None else Consent(self._config, section, self._people)

    def _list(self, name: str, found: Found) -> None:
        """Leave out of a table that names persons for an action those who do not consent to it."""
        if self._consent is not None and name in found.tables:
            found.tables[name] = self._consent.for_lists(found.tables[name], name, self._work.started, found)

    @cached_property
    def _journeys(self) -> Journeys:
        return cjm.open_journeys(self._work.folder / "journeys" / "store")

    def _forget(self) -> None:
        """Free what only the making of the journeys needs."""
        for name in ("_identities", "_log"):
            vars(self).pop(name, None)

    def _load(self, folder: Path, found: Found, step: Step) -> None:
        log = self._log
        if self._days.wanted:
            self._days.load(log, folder, found)
        else:
            log.require()
        found.tables["quality"] = log.quality()
        found.tables["sources"] = log.counts()
        found.tables["inputs"] = log.inputs()
        found.tables["set_aside"] = log.set_aside()
        step.rows_in = int(found.tables["sources"]["read"].sum())
        step.rows_out = int(found.tables["sources"]["kept"].sum())
        lost = found.tables["quality"].filter(pl.col("action") == "set aside")
        found.warnings += [
            f"source {row['source']}: set aside for {row['check']}: {row['rows']:,}"
            for row in lost.iter_rows(named=True)
        ]

    def _stitch(self, folder: Path, found: Found, step: Step) -> None:
        if self._stitched_at_once is not None:
            self._stitch_in_buckets(folder, found, step)
            return
        grown = self._days.people(self._log, self._work, self.incremental, folder, found)
        people = self._identities if grown is None else grown
        self._identities = replace(people)  # what the other keeps of its tables goes with it
        people.write(folder / "people")
        found.parts = [("identity_map", people.map), ("links", people.links)]
        found.tables["conflicts"] = people.conflicts
        found.tables["identity_summary"] = people.summary()
        found.tables["identity_sizes"] = people.sizes()
        step.rows_out = people.map["person"].n_unique()

    def _stitch_in_buckets(self, folder: Path, found: Found, step: Step) -> None:
        identity = self._config.identity
        logger.info("events are stitched bucket by bucket, all of them: together they do not fit into memory")
        told = stitch_in_buckets(
            self._log,
            folder / _LABELS,
            mode=identity.mode,
            unique=tuple(identity.unique),
            replay=identity.replay,
            stale=identity.stale,
            most=self._stitched_at_once,
        )
        tables = {"identity_map": told.map, "links": told.links}
        found.parts = ((name, part) for name, table in tables.items() for part in table)
        found.tables["conflicts"] = told.conflicts
        found.tables["identity_summary"] = told.summary
        found.tables["identity_sizes"] = told.sizes
        step.rows_out = int(told.sizes["persons"].sum())

    def _build(self, folder: Path, found: Found, step: Step) -> None:
        rule = self._config.journeys.model_dump(include={"gap", "start_on", "end_on", "day_in"})
        person = self._config.identity.person
        if person is not None:
            pieces = self._log.pieces()
            nobody = sum(piece[person].null_count() if person in piece.columns else piece.height for piece in pieces)
            found.notes.append(
                f"Events were not stitched: each {person} is a person. Events without one are left out "
                f"({nobody:,}); paths that run over them are not seen."
            )
        log, many, journeys = self._log, self._in_memory, None
        people: Identities | StoredLabels | None
        labels = self._work.folder / "stitch" / _LABELS
        if labels.exists():
            people = StoredLabels(labels)
        else:
            people = None if person is not None else self._identities
            journeys = self._days.journeys(log, people, self._work, self.incremental, found, in_memory=many)
        if journeys is None:
            journeys = cjm.build_journeys(log, people, person=person, in_memory=many, **rule)
        del people, log
        self._forget()
        consent = self._consent
        analysed = journeys if consent is None else consent.for_analysis(journeys, found)
        self._days.keep_all(journeys, analysed, folder)
        analysed.write(folder / "store")
        stored = cjm.open_journeys(folder / "store")
        found.parts = _tables(stored, found)
        first, last = (datetime.fromtimestamp(us / 1e6, UTC) for us in (stored.start, stored.end))
        found.period = (f"{first:%Y-%m-%dT%H:%M:%SZ}", f"{last:%Y-%m-%dT%H:%M:%SZ}")
        step.rows_out = stored.height

    def _measure(self, folder: Path, found: Found, step: Step) -> None:
        config, journeys = self._config, self._journeys
        section = config.journeys
        days = (journeys.end - journeys.start) / DAY_US
        tables = {
            "timeline": cjm.timeline(journeys, every="1d" if days <= 45 else "1w" if days <= 400 else "1mo"),
            "transitions": cjm.transitions(journeys, quantiles=[0.5]),
            "flow": cjm.flow(journeys, steps=section.flow_steps, unit="session"),
            "step_matrix": cjm.step_matrix(journeys),
            "variants": cjm.variants(journeys, unit="session", collapse=True, top=1_000),
            "retention": cjm.retention(journeys, every="1w" if days <= 200 else "1mo"),
        }
        goals = []
        nobody = journeys.sample(0)  # enough to know whether what a goal names occurs
        for goal in config.goals():
            rows = _unless_unknown(found, f"goal {goal.name!r}", partial(cjm.goal_journeys, nobody, goal))
            goals += [goal] if rows is not None else []
        wanted = section.kpis.model_dump()
        figures = _unless_unknown(
            found, "what [journeys.kpis] names", partial(cjm.kpis, journeys, goals=goals, **wanted)
        )
        tables["kpis"] = cjm.kpis(journeys, goals=goals) if figures is None else figures
        if goals:
            tables["goal_journeys"] = cjm.goal_journeys(journeys, goals)
            tables["goal_overlap"] = cjm.goal_overlap(journeys, goals)
        if section.funnel is not None:
            asked = section.funnel.model_dump()
            taken = _unless_unknown(found, "the funnel", partial(cjm.funnel, journeys, **asked))
            if taken is not None:
                tables |= {"funnel": taken, "funnel_next": cjm.funnel_next(journeys, **asked)}
        found.tables |= tables
        step.rows_out = sum(table.height for table in tables.values())

    def _mine(self, folder: Path, found: Found, step: Step) -> None:
        mining, journeys = self._config.mining, self._journeys
        tables = {
            "sequences": cjm.mine_sequences(
                journeys, min_support=mining.min_support, max_length=mining.max_length, max_gap=mining.max_gap
            ),
            "itemsets": cjm.mine_itemsets(journeys, min_support=mining.min_support, max_length=mining.max_length),
            "rules": cjm.mine_rules(
                journeys,
                min_support=mining.min_support,
                max_length=mining.max_length,
                min_confidence=mining.min_confidence,
            ),
        }
        found.tables |= tables
        step.rows_out = sum(table.height for table in tables.values())

    def _churn(self, folder: Path, found: Found, step: Step) -> None:
        config, journeys, people = self._config, self._journeys, self._people
        assert config.churn is not None
        risk = at_risk(config, journeys, people, found.warnings)
        declared = {name: Pattern.parse(text) for name, text in config.churn.patterns.items()}
        usable = _usable(journeys, declared, "pattern", found)
        churned = paths_to_churn(config, journeys, people, risk, self.tables["sequences"], usable)
        found.tables |= churned.tables
        self._list("predictions", found)
        found.notes += churned.notes
        found.warnings += churned.warnings
        step.rows_out = found.tables["subjects"].height

    def _moments(self, folder: Path, found: Found, step: Step) -> None:
        found.tables["moments"] = moments_found(self._config, self._journeys, found.warnings)
        self._list("moments", found)
        step.rows_out = found.tables["moments"].height
        if self._config.decide is not None:
            found.tables["decisions"] = decided(self._config, found.tables["moments"], self._people, self._work.started)


def _tables(stored: Journeys, found: Found) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the tables of journeys in parts; tell in the end how much there is, and whether times tie."""
    found.counts = dict.fromkeys(("events", "persons", "sessions"), 0)
    tied = 0
    for bucket in stored.buckets():
        for name, table in (("events", bucket.frame), ("sessions", bucket.sessions), ("persons", bucket.persons)):
            part = table.collect()
            found.counts[name] += part.height
            yield "journey_events" if name == "events" else name, part
        arrays = bucket.arrays
        tied += int(((np.diff(arrays.time) == 0) & (np.diff(arrays.person_row) == 0)).sum())
    if tied > 0.01 * stored.height:
        found.warnings.append(
            f"{tied:,} of {stored.height:,} events share person and time with the one before; their order is "
            "that of the rows (or of the column that the source names with order)"
        )


def _usable(journeys: Journeys, patterns: dict[str, Pattern], kind: str, found: Found) -> dict[str, Pattern]:
    """Leave out patterns that cannot occur: in a scheduled run a rare event may be missing today."""
    missing = unusable(journeys, patterns)
    found.warnings += [f"{kind} {name} is left out: {why}" for name, why in missing.items()]
    return {name: pattern for name, pattern in patterns.items() if name not in missing}


def _unless_unknown(found: Found, what: str, call: Callable[[], pl.DataFrame]) -> pl.DataFrame | None:
    """Return the result of a call, or None with a warning if it names what does not occur: it may be rare."""
    try:
        return call()
    except ArgumentError as error:
        found.warnings.append(f"{what} is left out: {error}")
        return None
