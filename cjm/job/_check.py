"""Look at a configuration and its sources without running anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import polars as pl

import cjm
from cjm.contracts import CONTRACTS
from cjm.errors import CjmError, ConfigError
from cjm.events import EventLog
from cjm.folders import check_replaceable
from cjm.job._config import Config
from cjm.job._load import declared_log
from cjm.job._persons import read_table
from cjm.job._watch import moments_found
from cjm.journeys import Journeys, journeys_from_frame
from cjm.matching import touchpoints_of, unusable
from cjm.patterns import Pattern

__all__ = ["Checked", "check", "check_kinds"]


@dataclass
class Checked:
    """What a check found.

    Attributes
    ----------
    quality : polars.DataFrame
        Contract QUALITY, over the sources that can be read.
    counts : polars.DataFrame
        ``source``, ``read``, ``kept``, ``set_aside``, ``duplicates``.
    faults : list of str
        What would stop a run.
    warnings : list of str
        What a run would leave out.
    """

    quality: pl.DataFrame = field(default_factory=CONTRACTS["QUALITY"].empty)
    counts: pl.DataFrame = field(default_factory=pl.DataFrame)
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check(config: Config) -> Checked:
    """Read every source, one after the other, then compare the other sections with what they hold."""
    found = Checked()
    _try(found, lambda: check_replaceable(config.resolve(config.output.dir)))
    log = declared_log(config)
    unreadable = False
    for name in config.sources:
        try:
            found.quality = pl.concat([found.quality, log.quality(name)])
            counts = log.counts(name)
            found.counts = pl.concat([found.counts, counts]) if found.counts.width else counts
            log.require(name)
        except CjmError as error:
            found.faults.append(str(error))
            unreadable = True
    if unreadable:
        return found
    _try(found, lambda: check_kinds(config, log))
    events = log.frame.drop(log.kinds).collect()
    if events.is_empty():
        found.faults.append("no events are left after cleaning")
        return found
    # one person is enough to know which touchpoints and attributes there are
    journeys = journeys_from_frame(events.with_columns(person=pl.lit(0, dtype=pl.Int64)), gap=0)
    _check_names(config, journeys, found)
    _check_tables(config, found)
    return found


def check_kinds(config: Config, log: EventLog) -> None:
    """Raise ConfigError if ``[identity]`` names kinds of identifiers that no source has."""
    identity = config.identity
    if identity.person is not None:
        if identity.person not in log.kinds:
            raise ConfigError.unknown("kind of identifier", identity.person, log.kinds, where="[identity] person")
        return
    missing = [kind for kind in identity.unique if kind not in log.kinds]
    if missing:
        raise ConfigError.at(
            f"no source has identifiers of kind {missing[0]!r}",
            where="[identity] unique",
            hint=f"Set unique, or person to work without stitching, to one of: {', '.join(log.kinds)}",
        )


def _try(found: Checked, step: Callable[[], object]) -> None:
    try:
        step()
    except CjmError as error:
        found.faults.append(str(error))


def _check_names(config: Config, journeys: Journeys, found: Checked) -> None:
    """Compare touchpoints with those that occur: churn needs its own, the rest would be left out."""
    patterns: dict[str, Pattern] = {}
    missing: list[str] = []
    _try(found, lambda: moments_found(config, journeys, missing))
    found.warnings += [warning.replace("is left out", "would be left out") for warning in missing]
    churn = config.churn
    if churn is not None:
        patterns |= {f"pattern {name}": Pattern.parse(text) for name, text in churn.patterns.items()}
        origin = [churn.origin] if churn.origin else []
        _try(found, lambda: journeys.codes([*churn.events, *origin]))
        for selector in churn.activity:
            _try(found, partial(touchpoints_of, journeys, selector))
    found.warnings += [f"{name} would be left out: {why}" for name, why in unusable(journeys, patterns).items()]
    section = config.journeys
    calls: dict[str, Callable[[], object]] = {
        f"goal {goal.name!r}": partial(cjm.goal_journeys, journeys, goal) for goal in config.goals()
    }
    calls["what [journeys.kpis] names"] = partial(cjm.kpis, journeys, **section.kpis.model_dump())
    if section.funnel is not None:
        calls["the funnel"] = partial(cjm.funnel, journeys, **section.funnel.model_dump())
    for what, call in calls.items():
        try:
            call()
        except CjmError as error:
            found.warnings.append(f"{what} would be left out: {error}")
    _try(found, lambda: journeys.codes([*section.start_on, *section.end_on]))


def _check_tables(config: Config, found: Checked) -> None:
    wanted: list[tuple[str, str, list[str | None]]] = []  # section, path, columns: the first holds identifiers or names
    churn, decide = config.churn, config.decide
    if churn is not None and churn.persons is not None:
        columns = [churn.persons_id, *churn.covariates, churn.by, churn.entry]
        wanted.append(("[churn]", churn.persons, columns))
    if churn is not None and churn.table is not None:
        wanted.append(("[churn]", churn.table, [churn.persons_id, "time"]))
    if decide is not None:
        for name, path in decide.tables.items():
            wanted.append((f"[decide] {name}", path, ["action" if name == "effects" else decide.id]))
    for section, path, columns in wanted:
        try:
            table = read_table(config.resolve(path), str(columns[0]), times=())
        except CjmError as error:
            found.faults.append(str(error))
            continue
        for column in filter(None, columns):
            if column not in table.columns:
                where = f"{section}, {path}"
                found.faults.append(str(ConfigError.unknown("column", column, table.columns, where=where)))
