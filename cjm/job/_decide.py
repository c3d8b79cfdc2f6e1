"""What may be done about the moments that were found, as ``[actions.NAME]`` and ``[decide]`` declare it."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from cjm.contracts import CONTRACTS
from cjm.job._config import Config
from cjm.job._people import People
from cjm.job._persons import read_table, with_person
from cjm.moments import decide

__all__ = ["decided"]

_TIMES = {"consent": ("from", "to"), "suppressions": ("from", "to"), "contacts": ("time",)}


def decided(config: Config, matches: pl.DataFrame, people: People | None, at: datetime) -> pl.DataFrame:
    """Return contract DECISIONS and ``match_id``.

    Parameters
    ----------
    config : Config
        With ``[decide]``.
    matches : DataFrame
        Contract MATCHES.
    people : People, optional
        Without them each identifier is a person.
    at : datetime
        Now.

    Raises
    ------
    CjmError
        If a table cannot be used.
    """
    section = config.decide
    assert section is not None
    tables = {}
    for name, path in section.tables.items():
        if name == "effects":
            tables[name] = read_table(config.resolve(path), "action", times=())
            continue
        table = read_table(config.resolve(path), section.id, times=_TIMES.get(name, ()))
        table = with_person(table, section.id, config, people, f"[decide] {name}, {path}")
        tables[name] = table.filter(pl.col("person").is_not_null())
    if matches.is_empty():  # where no moment can occur, figures that conditions name are missing too
        return CONTRACTS["DECISIONS"].empty().with_columns(match_id=pl.lit(None, pl.Int64))
    actions, budgets = config.choices()
    return decide(
        matches,
        actions,
        at=at,
        persons=tables["persons"],
        effects=tables["effects"],
        consent=tables.get("consent"),
        suppressions=tables.get("suppressions"),
        contacts=tables.get("contacts"),
        budgets=budgets,
        holdout=section.holdout,
        experiment=section.experiment,
    )
