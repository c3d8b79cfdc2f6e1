"""What a run leaves out because there was no consent to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

import cjm
from cjm.errors import InputError
from cjm.job._config import Config
from cjm.job._people import People
from cjm.job._persons import read_table, with_person
from cjm.job._sections import ConsentSection
from cjm.job._work import Found
from cjm.journeys import Journeys, consenting

__all__ = ["for_analysis", "for_lists"]


def for_analysis(config: Config, journeys: Journeys, people: People | None, found: Found) -> Journeys:
    """Keep the events that happened under consent to the purpose that ``[consent] analysis`` names.

    Raises
    ------
    InputError
        If the table cannot be used, or no event is left.
    """
    section = config.consent
    if section is None or section.analysis is None:
        return journeys
    kept = cjm.consented(journeys, _records(section, config, people), purpose=section.analysis, default=section.default)
    if not kept.height:
        raise InputError.at("no event is left", where="[consent] analysis", hint="Compare its table with the log")
    lost = journeys.height - kept.height
    persons = [one.persons.select(pl.len()).collect().item() for one in (journeys, kept)]
    found.notes.append(
        f"Events without consent to {section.analysis} at their time are left out: {lost:,} of {journeys.height:,}, "
        f"and with them {persons[0] - persons[1]:,} of {persons[0]:,} persons."
    )
    return kept


def for_lists(
    config: Config,
    tables: Mapping[str, pl.DataFrame],
    lists: Sequence[str],
    people: People | None,
    now: datetime,
    found: Found,
) -> dict[str, pl.DataFrame]:
    """Leave out of some tables the persons who do not consent now to the purpose that ``[consent] lists`` names.

    Raises
    ------
    InputError
        If the table cannot be used.
    """
    section = config.consent
    kept = dict(tables)
    if section is None or section.lists is None:
        return kept
    records = _records(section, config, people)
    for name in lists:
        if name not in kept:
            continue
        table = kept[name]
        allowed = consenting(table["person"], records, purpose=section.lists, at=now, default=section.default)
        kept[name] = table.filter(allowed)
        found.notes.append(
            f"Rows of persons who do not consent to {section.lists} now are left out of the table {name}: "
            f"{table.height - kept[name].height:,} of {table.height:,}."
        )
    return kept


def _records(section: ConsentSection, config: Config, people: People | None) -> pl.DataFrame:
    where = f"[consent] table, {section.table}"
    table = read_table(config.resolve(section.table), section.id, times=("from", "to"))
    return with_person(table, section.id, config, people, where).filter(pl.col("person").is_not_null())
