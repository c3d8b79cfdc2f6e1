"""Which paths precede churn: contrast at a landmark, hazards of declared and of mined paths."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

import cjm
from cjm.durations import format_duration, to_us
from cjm.errors import ConfigError
from cjm.identity import Identities
from cjm.job._config import ChurnSection, Config
from cjm.job._dilution import dilution
from cjm.job._persons import read_table, with_person
from cjm.journeys import Journeys
from cjm.patterns import Pattern
from cjm.statistics import benjamini_hochberg
from cjm.survival import Churn, PathHazard, Subjects

__all__ = ["ChurnFindings", "paths_to_churn"]


@dataclass(frozen=True)
class ChurnFindings:
    """Tables about churn and the assumptions behind them."""

    tables: dict[str, pl.DataFrame]
    notes: list[str]
    warnings: list[str]


def paths_to_churn(
    config: Config, journeys: Journeys, people: Identities | None, risk: pl.DataFrame | None, sequences: pl.DataFrame
) -> ChurnFindings:
    """Contrast those who left with those who stayed, and fit the hazards of paths.

    Mining did not look at churn, so ``contrast`` tests the whole family on everybody. Which mined paths deserve a
    hazard ratio is then chosen by looking at churn; so the choice is made on one half of the persons (by their number,
    a stable hash) and the ratio is measured on the other.
    """
    churn = config.churn
    assert churn is not None
    subjects = cjm.subjects(journeys, _definition(config, churn, people), persons=risk, origin=churn.origin)
    tables = {"subjects": subjects.frame, "audit": subjects.audit()}
    curves = cjm.survival_curves(subjects, by=churn.by)
    group = pl.format("{}: {}", pl.lit(churn.by), pl.col(churn.by).fill_null("unknown")) if churn.by else pl.lit("all")
    tables["curves"] = curves.select(group.alias("group"), pl.exclude(churn.by or ""))
    notes = list(subjects.notes)

    paths = _without_churn(sequences, churn)
    landmark = config.mining.landmark or _midpoint(journeys)
    if landmark.tzinfo is None:
        raise ConfigError.at("landmark carries no offset", where="[mining] landmark", hint="Write 2026-01-31T00:00:00Z")
    early, outcome = _landmark(journeys, subjects, landmark)
    left = int(outcome["outcome"].sum())
    if not paths.is_empty() and 0 < left < outcome.height:
        tables["contrast"] = cjm.contrast(early, paths, outcome, max_gap=config.mining.max_gap)
        notes.append(
            f"Paths before {landmark:%Y-%m-%d} are compared between the {left:,} who left after it and the "
            f"{outcome.height - left:,} who did not; {paths.height:,} paths were tested."
        )
    declared = {name: Pattern.parse(text) for name, text in churn.patterns.items()}
    if declared:
        model = PathHazard(patterns=declared, covariates=tuple(churn.covariates)).fit(journeys, subjects)
        tables["hazards"] = model.summary.with_columns(pl.lit("everyone").alias("tested_on"))
        tables["occurrences"] = cjm.find(journeys, declared, occurrence="first")
        notes += model.notes
        if people is not None:
            customers = subjects.frame.select("person")
            tables["dilution"] = dilution(journeys, declared, model.summary, customers)
    mined = _mined(config, journeys, subjects, early, outcome, paths)
    if mined is not None:
        tables["hazards"] = pl.concat([*([tables["hazards"]] if declared else []), mined.hazards])
        declared |= mined.patterns
        notes.append(mined.note)
    tables["hazards_patterns"] = pl.DataFrame(
        {"term": list(declared), "pattern": [str(pattern) for pattern in declared.values()]},
        schema={"term": pl.String, "pattern": pl.String},
    )
    return ChurnFindings(tables, list(dict.fromkeys(notes)), _doubts(churn, tables["audit"]))


def _definition(config: Config, churn: ChurnSection, people: Identities | None) -> Churn:
    if churn.event is not None:
        return Churn.event(*([churn.event] if isinstance(churn.event, str) else churn.event))
    if churn.inactive is not None:
        return Churn.inactive(churn.inactive, *churn.activity)
    assert churn.table is not None
    table = with_person(read_table(config.resolve(churn.table)), config, people, "[churn] table")
    if "time" not in table.columns:
        raise ConfigError.unknown("column", "time", table.columns, where=f"[churn] table, {churn.table}")
    return Churn.table(table.filter(pl.col("person").is_not_null()).select("person", "time"))


def _doubts(churn: ChurnSection, audit: pl.DataFrame) -> list[str]:
    """Warn where most silences that are called churn ended in a return."""
    if churn.inactive is None:
        return []
    measure = f"false churn at {format_duration(to_us(churn.inactive))}"
    share = audit.row(by_predicate=pl.col("measure") == measure, named=True)["share"]
    if share <= 0.5:
        return []
    return [
        f"{share:.0%} of the silences longer than {churn.inactive} ended in a return: most of what is called churn "
        "here is a pause"
    ]


def _unlike(paths: list[list[str]], top: int) -> list[list[str]]:
    """Return the first ``top`` paths of which none lies within another: variations of one path say one thing."""
    chosen: list[list[str]] = []
    for path in paths:
        if len(chosen) < top and not any(_within(path, one) or _within(one, path) for one in chosen):
            chosen.append(path)
    return chosen


def _within(short: list[str], long: list[str]) -> bool:
    steps = iter(long)
    return all(step in steps for step in short)


def _without_churn(sequences: pl.DataFrame, churn: ChurnSection) -> pl.DataFrame:
    """Leave out paths that hold the churn event itself: they tell nothing."""
    events = [churn.event] if isinstance(churn.event, str) else churn.event or []
    holds = pl.any_horizontal([pl.col("pattern").list.contains(event) for event in events] or [pl.lit(False)])
    return sequences.filter(~holds)


def _midpoint(journeys: Journeys) -> datetime:
    first = int(journeys.arrays.time.min())
    return datetime.fromtimestamp((first + (journeys.end - first) // 2) // 1_000_000, UTC)


def _landmark(journeys: Journeys, subjects: Subjects, landmark: datetime) -> tuple[Journeys, pl.DataFrame]:
    """Return the events up to the landmark of those still at risk then, and who of them left later.

    Everybody is compared over the same calendar time, so that nobody has more paths for having stayed longer.
    """
    present = subjects.frame.filter((pl.col("entry") <= landmark) & (pl.col("exit") > landmark))
    outcome = present.select("person", pl.col("churned").alias("outcome"))
    early = journeys.filter((pl.col("time") <= landmark) & pl.col("person").is_in(outcome["person"].implode()))
    return early, outcome


@dataclass(frozen=True)
class _Mined:
    hazards: pl.DataFrame
    patterns: dict[str, Pattern]
    note: str


def _mined(
    config: Config,
    journeys: Journeys,
    subjects: Subjects,
    early: Journeys,
    outcome: pl.DataFrame,
    paths: pl.DataFrame,
) -> _Mined | None:
    """Choose mined paths on the persons with even numbers and measure their hazards on the odd ones."""
    even = pl.col("person") % 2 == 0
    chooses, chosen_from = early.filter(even), outcome.filter(even)
    left = int(chosen_from["outcome"].sum())
    if config.mining.top == 0 or paths.is_empty() or not 0 < left < chosen_from.height:
        return None
    ranked = cjm.contrast(chooses, paths, chosen_from, max_gap=config.mining.max_gap)
    clear = ranked.filter((pl.col("q") <= 0.05) & (pl.col("length") > 1) & ~pl.col("prefix_only"))
    best = _unlike(clear["pattern"].to_list(), config.mining.top)
    if not best:
        return None
    assert config.churn is not None
    half = journeys.filter(~even)
    tested = subjects.filter(~even)
    patterns: dict[str, Pattern] = {}
    rows = []
    for path in best:
        name = "mined: " + " → ".join(path)
        patterns[name] = Pattern.from_touchpoints(path, max_gap=config.mining.max_gap)
        model = PathHazard(patterns={name: patterns[name]}, covariates=tuple(config.churn.covariates))
        rows.append(model.fit(half, tested).summary.filter(pl.col("term") == name))
    hazards = pl.concat(rows).with_columns(pl.lit("the other half").alias("tested_on"))
    hazards = hazards.with_columns(pl.Series("q", benjamini_hochberg(hazards["p"].to_numpy())))
    note = (
        f"{len(best)} mined paths were chosen on one half of the persons by how they differ between those who left "
        "and those who stayed; their hazard ratios are measured on the other half, one path at a time."
    )
    return _Mined(hazards, patterns, note)
