"""What a run leaves out because there was no consent to it."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

import polars as pl

import cjm
from cjm.errors import InputError
from cjm.job._config import Config
from cjm.job._people import People
from cjm.job._persons import read_table, with_person
from cjm.job._sections import ConsentSection
from cjm.job._work import Found
from cjm.journeys import Journeys, consenting

__all__ = ["Consent"]


class Consent:
    """The records of consent of a run; their table is read once, and only if something asks for them.

    Parameters
    ----------
    config : Config
    section : ConsentSection
        Its ``[consent]``.
    people : People, optional
        Without them each identifier is a person.
    """

    def __init__(self, config: Config, section: ConsentSection, people: People | None) -> None:
        self._config = config
        self._section = section
        self._people = people

    @cached_property
    def _records(self) -> pl.DataFrame:
        section, config = self._section, self._config
        table = read_table(config.resolve(section.table), section.id, times=("from", "to"))
        where = f"[consent] table, {section.table}"
        return with_person(table, section.id, config, self._people, where).filter(pl.col("person").is_not_null())

    def for_analysis(self, journeys: Journeys, found: Found) -> Journeys:
        """Keep the events that happened under consent to the purpose that ``analysis`` names.

        Raises
        ------
        InputError
            If the table cannot be used, or no event is left.
        """
        section = self._section
        if section.analysis is None:
            return journeys
        kept = cjm.consented(journeys, self._records, purpose=section.analysis, default=section.default)
        if not kept.height:
            raise InputError.at("no event is left", where="[consent] analysis", hint="Compare its table with the log")
        lost = journeys.height - kept.height
        persons = [one.persons.select(pl.len()).collect().item() for one in (journeys, kept)]
        found.notes.append(
            f"Events without consent to {section.analysis} at their time are left out: {lost:,} of {journeys.height:,}"
            f", and with them {self._group(persons[0] - persons[1])} of {self._group(persons[0])} persons."
        )
        return kept

    def for_lists(self, table: pl.DataFrame, name: str, now: datetime, found: Found) -> pl.DataFrame:
        """Leave out of a table the persons who do not consent now to the purpose that ``lists`` names.

        Raises
        ------
        InputError
            If the table cannot be used.
        """
        section = self._section
        if section.lists is None:
            return table
        allowed = consenting(table["person"], self._records, purpose=section.lists, at=now, default=section.default)
        kept = table.filter(allowed)
        persons = [frame["person"].n_unique() for frame in (table, kept)]
        found.notes.append(
            f"Rows of persons who do not consent to {section.lists} now are left out of the table {name}: "
            f"{table.height - kept.height:,} of {table.height:,}, "
            f"of {self._group(persons[0] - persons[1])} of {self._group(persons[0])} persons."
        )
        return kept

    def _group(self, count: int) -> str:
        """Return how many persons there are, or only that they are a few: notes stand in the report."""
        few = self._config.output.hide_below
        return f"fewer than {few}" if 0 < count < few else f"{count:,}"
