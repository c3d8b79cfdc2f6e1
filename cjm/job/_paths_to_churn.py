"""Which paths precede churn: those who left beside those who stayed, hazards of declared and of mined paths."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

import cjm
from cjm.contracts import CONTRACTS
from cjm.durations import format_duration, to_us
from cjm.errors import InputError
from cjm.job._after_paths import after_paths, came_true, the_other_half, usual_window
from cjm.job._choice import clearest, compared
from cjm.job._config import Config
from cjm.job._dilution import dilution
from cjm.job._memory import give_back
from cjm.job._people import People
from cjm.job._persons import read_table, with_person
from cjm.job._sections import ChurnSection
from cjm.journeys import Journeys
from cjm.patterns import Pattern
from cjm.statistics import benjamini_hochberg
from cjm.survival import Churn, ConvergenceWarning, PathHazard, Subjects, screen, sensitivity

__all__ = ["ChurnFindings", "paths_to_churn"]


@dataclass
class ChurnFindings:
    """Tables about churn, the assumptions behind them, and what a reader should look into."""

    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def paths_to_churn(
    config: Config,
    journeys: Journeys,
    people: People | None,
    risk: pl.DataFrame | None,
    sequences: pl.DataFrame,
    declared: Mapping[str, Pattern],
) -> ChurnFindings:
    """Contrast those who left with those who stayed, and fit the hazards of paths.

    Mining did not look at churn, so ``screen`` tests the whole family of paths on everybody. Which of them deserve a
    hazard ratio is then chosen by looking at churn: the choice is made on one half of the persons and the ratio is
    measured on the other. Where churn is silence, active persons have more of every path and fewer silences, so
    nothing is contrasted, and paths are tested event by event.

    Parameters
    ----------
    declared : mapping of str to Pattern
        The patterns of the configuration that can occur in these data.
    """
    churn = config.churn
    assert churn is not None
    subjects = cjm.subjects(journeys, _definition(config, churn, people), persons=risk, origin=churn.origin)
    found = ChurnFindings({"subjects": subjects.frame, "audit": subjects.audit()}, list(subjects.notes))
    curves = cjm.survival_curves(subjects, by=churn.by)
    found.tables["curves"] = curves.select(_group(curves, churn.by).alias("group"), pl.exclude(churn.by or ""))
    found.warnings += _doubts(churn, found.tables["audit"])
    if not subjects.frame["churned"].any():
        found.warnings.append("nobody churned in the time observed: no paths could be compared")
        return found
    hazards = []
    terms = dict(declared)
    if declared:
        hazards.append(_declared(config, journeys, subjects, risk, declared, found))
        if people is not None and not hazards[0].is_empty():
            anonymous = people.anonymous(config.identity.unique)
            found.tables["dilution"] = dilution(journeys, declared, hazards[0], anonymous, subjects.frame.height)
    paths = _without_churn(sequences, churn)
    give_back(journeys.height)
    chosen = _mined(config, journeys, subjects, paths, found)
    give_back(journeys.height)
    if chosen is not None:
        hazards.append(chosen[0])
        terms |= chosen[1]
    if hazards:
        found.tables["hazards"] = pl.concat(hazards)
        window = config.mining.window or usual_window(subjects)
        smallest, covariates = config.output.hide_below, churn.covariates
        tables, notes = after_paths(
            journeys, subjects, found.tables["hazards"], terms, covariates=covariates, window=window, smallest=smallest
        )
        found.tables |= tables
        found.notes += notes
    if terms:
        found.tables["lead_time"] = _lead_time(journeys, subjects, terms)
        if declared:
            found.tables["occurrences"] = cjm.find(journeys, declared, occurrence="first")
    found.tables["hazards_patterns"] = pl.DataFrame(
        {"term": list(terms), "pattern": [str(pattern) for pattern in terms.values()]},
        schema={"term": pl.String, "pattern": pl.String},
    )
    found.notes = list(dict.fromkeys(found.notes))
    return found


def _definition(config: Config, churn: ChurnSection, people: People | None) -> Churn:
    if churn.event is not None:
        return Churn.event(*churn.events)
    if churn.inactive is not None:
        return Churn.inactive(churn.inactive, *churn.activity)
    assert churn.table is not None
    table = read_table(config.resolve(churn.table), churn.persons_id, times=("time",))
    table = with_person(table, churn.persons_id, config, people, f"[churn] persons_id, {churn.table}")
    return Churn.table(table.filter(pl.col("person").is_not_null()).select("person", "time"))


def _group(curves: pl.DataFrame, by: str | None) -> pl.Expr:
    if by is None:
        return pl.lit("all")
    text = pl.col(by).cast(pl.String).fill_null("unknown")
    return text if curves.schema[by] == pl.String else pl.format("{}: {}", pl.lit(by), text)


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


def _declared(
    config: Config,
    journeys: Journeys,
    subjects: Subjects,
    risk: pl.DataFrame | None,
    declared: Mapping[str, Pattern],
    found: ChurnFindings,
) -> pl.DataFrame:
    assert config.churn is not None
    model = PathHazard(patterns=declared, covariates=tuple(config.churn.covariates))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the notes say so
            model.fit(journeys, subjects)
    except InputError as error:
        found.warnings.append(f"the hazards of the declared paths could not be estimated: {error}")
        return pl.DataFrame(schema=_HAZARDS)
    found.notes += model.notes
    found.tables["predictions"] = model.predict(journeys, subjects)
    hazards = model.summary.with_columns(pl.lit("everyone").alias("tested_on"))
    tables, notes = came_true(journeys, subjects, model, smallest=config.output.hide_below)
    found.tables |= tables
    found.notes += notes
    if config.churn.inactive is not None:
        try:
            found.tables["sensitivity"] = sensitivity(
                journeys, subjects.churn, model, persons=risk, origin=config.churn.origin
            )
        except InputError as error:
            found.notes.append(f"Hazard ratios at other silences could not be estimated: {error}")
    return hazards


def _mined(
    config: Config, journeys: Journeys, subjects: Subjects, sequences: pl.DataFrame, found: ChurnFindings
) -> tuple[pl.DataFrame, dict[str, Pattern]] | None:
    """Screen mined paths, choose some on one half of the persons, and measure their hazards on the other."""
    assert config.churn is not None
    mining, smallest, covariates = config.mining, config.output.hide_below, tuple(config.churn.covariates)
    if config.churn.inactive is None:
        contrast, note = compared(
            journeys, subjects, sequences, window=mining.window, max_gap=mining.max_gap, smallest=smallest
        )
        found.notes.append(note)
        if contrast is not None:
            found.tables["contrast"] = contrast
    most = max(_FEWEST, _WORK // journeys.height)
    paths = {"mined: " + " → ".join(path): path for path in sequences["pattern"].head(most).to_list()}
    if not paths:
        return None
    every = {name: Pattern.from_touchpoints(path, max_gap=mining.max_gap) for name, path in paths.items()}
    found.tables["screen"] = screen(subjects, journeys, every, adjust=covariates)
    of_all = f" most frequent of {sequences.height:,}" if len(paths) < sequences.height else ""
    found.notes.append(
        f"The {len(paths):,}{of_all} mined paths are screened on everyone: neither mining nor this choice looked at "
        "churn."
    )
    patterns = clearest(journeys, subjects, paths, every, adjust=covariates, top=mining.top, smallest=smallest)
    journeys, subjects = the_other_half(journeys, subjects)
    rows = []
    for name, pattern in patterns.items():
        model = PathHazard(patterns={name: pattern}, covariates=covariates)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", ConvergenceWarning)
                rows.append(model.fit(journeys, subjects).summary.filter(pl.col("term") == name))
        except (InputError, ConvergenceWarning) as error:
            found.notes.append(f"{name}: no hazard ratio ({error})")
    if not rows:
        return None
    hazards = pl.concat(rows)
    hazards = hazards.with_columns(
        pl.Series("q", benjamini_hochberg(hazards["p"].to_numpy())), pl.lit("the other half").alias("tested_on")
    )
    found.notes.append(
        f"Hazard ratios of {hazards.height} mined paths are those of one half of the persons; the paths were chosen "
        "by a screen of the other half."
    )
    return hazards, {name: patterns[name] for name in hazards["term"]}


def _without_churn(sequences: pl.DataFrame, churn: ChurnSection) -> pl.DataFrame:
    """Leave out paths that hold the churn event itself: they tell nothing."""
    holds = pl.any_horizontal([pl.col("pattern").list.contains(event) for event in churn.events] or [pl.lit(False)])
    return sequences.filter(~holds)


def _lead_time(journeys: Journeys, subjects: Subjects, terms: Mapping[str, Pattern]) -> pl.DataFrame:
    """Return how long after a path those who left did so: ``term``, ``left``, ``p25``, ``p50``, ``p75``."""
    churned = subjects.frame.filter("churned").select("person", "exit")
    occurrences = pl.concat(  # of everybody they would take a large part of the memory
        cjm.find(bucket, terms, occurrence="first").join(churned, on="person") for bucket in journeys.buckets()
    )
    complete = pl.coalesce("confirmed_at", "end") if "confirmed_at" in occurrences.columns else pl.col("end")
    after = occurrences.filter(complete < pl.col("exit")).select(term="pattern", wait=pl.col("exit") - complete)
    quantiles = {f"p{share}": pl.col("wait").quantile(share / 100, "linear") for share in (25, 50, 75)}
    found = after.group_by("term").agg(left=pl.len().cast(pl.Int64), **quantiles)
    return pl.DataFrame({"term": list(terms)}, schema={"term": pl.String}).join(
        found, on="term", how="left", maintain_order="left"
    ).with_columns(pl.col("left").fill_null(0))  # fmt: skip


_WORK, _FEWEST = 500_000_000, 200  # events times paths that are screened, and the fewest paths
_HAZARDS = {**CONTRACTS["HAZARDS"].columns, "tested_on": pl.String}
