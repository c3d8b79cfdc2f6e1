"""The run's questions, asked with the same public verbs that a notebook calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import numpy as np
import polars as pl

import cjm
from cjm.durations import DAY_US
from cjm.errors import ArgumentError
from cjm.events import EventLog
from cjm.identity import Identities
from cjm.job._check import check_kinds
from cjm.job._config import Config
from cjm.job._paths_to_churn import paths_to_churn
from cjm.job._persons import at_risk
from cjm.job._watch import moments_found
from cjm.journeys import Journeys
from cjm.matching import unusable
from cjm.patterns import Pattern
from cjm.progress import Steps

__all__ = ["Analysis", "analyse"]


@dataclass
class Analysis:
    """What a run found.

    Attributes
    ----------
    tables : dict of str to polars.DataFrame
        Every table that goes to disk and into the report.
    counts : dict of str to int
        Events, persons, sessions.
    period : tuple of str
        First and last time, ISO text.
    notes : list of str
        What was assumed, in sentences.
    warnings : list of str
        What a reader should look into.
    """

    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    period: tuple[str, str] = ("", "")
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def analyse(config: Config, steps: Steps) -> Analysis:
    """Run every section of a configuration.

    Raises
    ------
    CjmError
        If the data or the configuration cannot be used.
    """
    found = Analysis()
    log = _load(config, steps, found)
    people = _stitch(config, log, steps, found)
    journeys = _build(config, log, people, steps, found)
    _measure(config, journeys, steps, found)
    _mine(config, journeys, steps, found)
    if config.churn is not None:
        with steps.step("paths to churn", len(journeys.arrays.person)) as step:
            risk = at_risk(config, journeys, people, found.warnings)
            declared = {name: Pattern.parse(text) for name, text in config.churn.patterns.items()}
            usable = _usable(journeys, declared, "pattern", found)
            churned = paths_to_churn(config, journeys, people, risk, found.tables["sequences"], usable)
            found.tables |= churned.tables
            found.notes += churned.notes
            found.warnings += churned.warnings
            step.rows_out = found.tables["subjects"].height
    if config.moments:
        with steps.step("moments", len(journeys.arrays.time)) as step:
            found.tables["moments"] = moments_found(config, journeys, found.warnings)
            step.rows_out = found.tables["moments"].height
    return found


def _usable(journeys: Journeys, patterns: dict[str, Pattern], kind: str, found: Analysis) -> dict[str, Pattern]:
    """Leave out patterns that cannot occur: in a scheduled run a rare event may be missing today."""
    missing = unusable(journeys, patterns)
    found.warnings += [f"{kind} {name} is left out: {why}" for name, why in missing.items()]
    return {name: pattern for name, pattern in patterns.items() if name not in missing}


def _load(config: Config, steps: Steps, found: Analysis) -> EventLog:
    with steps.step("load") as step:
        log = cjm.scan_events({name: config.source(name) for name in config.sources})
        log.require()
        found.tables["quality"] = log.quality()
        found.tables["sources"] = log.counts()
        found.tables["inputs"] = log.inputs()
        step.rows_in = int(found.tables["sources"]["read"].sum())
        step.rows_out = int(found.tables["sources"]["kept"].sum())
    lost = found.tables["quality"].filter(pl.col("action") == "set aside")
    found.warnings += [
        f"source {row['source']}: set aside for {row['check']}: {row['rows']:,}" for row in lost.iter_rows(named=True)
    ]
    return log


def _stitch(config: Config, log: EventLog, steps: Steps, found: Analysis) -> Identities | None:
    identity = config.identity
    check_kinds(config, log)
    if identity.person is not None:
        nobody = int(log.frame.select(pl.col(identity.person).is_null().sum()).collect().item())
        found.notes.append(
            f"Events were not stitched: each {identity.person} is a person. Events without one are left out "
            f"({nobody:,}); paths that run over them are not seen."
        )
        return None
    with steps.step("stitch", int(found.tables["sources"]["kept"].sum())) as step:
        people = cjm.stitch(
            log,
            mode=identity.mode,
            unique=tuple(identity.unique),
            replay=identity.replay,
            stale=identity.stale,
            as_of=identity.as_of,
        )
        found.tables["identity_map"] = people.map
        found.tables["links"] = people.links
        found.tables["conflicts"] = people.conflicts
        found.tables["identity_summary"] = people.summary()
        step.rows_out = people.map["person"].n_unique()
    return people


def _build(config: Config, log: EventLog, people: Identities | None, steps: Steps, found: Analysis) -> Journeys:
    with steps.step("journeys", int(found.tables["sources"]["kept"].sum())) as step:
        rule = config.journeys.model_dump(include={"gap", "start_on", "end_on", "day_in"})
        person = config.identity.person if people is None else None
        journeys = cjm.build_journeys(log, people, person=person, **rule)
        found.tables["journey_events"] = journeys.frame.collect()
        found.tables["sessions"] = journeys.sessions.collect()
        found.tables["persons"] = journeys.persons.collect()
        step.rows_out = found.tables["journey_events"].height
    arrays = journeys.arrays
    tied = int(((np.diff(arrays.time) == 0) & (np.diff(arrays.person_row) == 0)).sum())
    if tied > 0.01 * len(arrays.time):
        found.warnings.append(
            f"{tied:,} of {len(arrays.time):,} events share person and time with the one before; their order is that "
            "of the rows (or of the column that the source names with order)"
        )
    first, last = (datetime.fromtimestamp(us / 1e6, UTC) for us in (journeys.start, journeys.end))
    found.period = (f"{first:%Y-%m-%dT%H:%M:%SZ}", f"{last:%Y-%m-%dT%H:%M:%SZ}")
    found.counts = {
        name: found.tables[table].height
        for name, table in {"events": "journey_events", "persons": "persons", "sessions": "sessions"}.items()
    }
    return journeys


def _measure(config: Config, journeys: Journeys, steps: Steps, found: Analysis) -> None:
    section = config.journeys
    with steps.step("measure", journeys.height) as step:
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
        for goal in config.goals():
            rows = _unless_unknown(found, f"goal {goal.name!r}", partial(cjm.goal_journeys, journeys, goal))
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


def _unless_unknown(found: Analysis, what: str, call: Callable[[], pl.DataFrame]) -> pl.DataFrame | None:
    """Return the result of a call, or None with a warning if it names what does not occur: it may be rare."""
    try:
        return call()
    except ArgumentError as error:
        found.warnings.append(f"{what} is left out: {error}")
        return None


def _mine(config: Config, journeys: Journeys, steps: Steps, found: Analysis) -> None:
    mining = config.mining
    with steps.step("mine", len(journeys.arrays.time)) as step:
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
