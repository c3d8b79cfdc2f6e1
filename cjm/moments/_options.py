"""The options a decision chooses from: persons, the moments they are in, and the actions these call for."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from cjm.durations import to_us
from cjm.errors import InputError
from cjm.moments._action import Action
from cjm.moments._input import taken

__all__ = ["details_of", "options_of"]

_SINCE, _PLACE = " since", " place"  # names that no column of a caller's tables is likely to have


def options_of(
    matches: pl.DataFrame, actions: Sequence[Action], persons: pl.DataFrame, now: pl.Expr, person: int | None
) -> pl.DataFrame:
    """Return a row a person, moment and action: the newest match that is certain now, and who is eligible.

    ``place`` numbers the persons that have a match, ``number`` the actions; ``key`` is both in one.
    """
    certain = ["confirmed_at"] if "confirmed_at" in matches.columns else []
    core = taken(
        matches, "decide, matches", keys=["person"], texts=["moment"], times=["end", *certain], open=["confirmed_at"]
    )
    about = taken(persons, "decide, persons", keys=["person"], numbers=["value"], open=["value"])
    if "moment" in persons.columns:
        raise InputError.at("column 'moment' is that of the matches", where="decide, persons", hint="Rename it")
    about = about.with_columns(persons.drop("person", "value"))
    since = pl.coalesce("confirmed_at", "end") if certain else pl.col("end")
    found = core.with_columns(matches.drop(core.columns)).with_columns(since.alias(_SINCE))
    if person is not None:
        found, about = (frame.filter(pl.col("person") == person) for frame in (found, about))
    _unique(about, ["person"], "decide, persons")
    found = (
        found.filter(pl.col(_SINCE) <= now)
        .sort(_SINCE, *(name for name in ("end", "match_id") if name in found.columns), descending=True)
        .unique(["person", "moment"], keep="first", maintain_order=True)
    )
    places = found.select(pl.col("person").unique().sort()).with_row_index(_PLACE)
    # what conditions may name; of equal names that of the persons, which is as of now
    found = found.drop(about.columns[1:], strict=False).join(places, on="person").join(about, on="person", how="left")
    return pl.concat(_of_action(found, number, action, len(actions)) for number, action in enumerate(actions))


def _columns(found: pl.DataFrame) -> list[pl.Expr]:
    columns = [
        pl.col("person"),
        pl.col(_PLACE).cast(pl.Int64).alias("place"),
        pl.col("moment"),
        pl.col(_SINCE).alias("since"),
        pl.col("value"),
    ]
    return [*columns, pl.col("match_id")] if "match_id" in found.columns else columns


def _of_action(found: pl.DataFrame, number: int, action: Action, actions: int) -> pl.DataFrame:
    called = found.filter(pl.col("moment").is_in(action.moments))
    try:
        options = called.select(*_columns(found), eligible=action.condition())
    except pl.exceptions.PolarsError as error:
        raise InputError.at(
            f"the condition {action.eligible!r} cannot be computed ({error})",
            where=f"action {action.name!r}, eligible",
            hint="It may name columns of persons= and of the matches",
        ) from error
    if options.schema["eligible"] != pl.Boolean:
        raise InputError.at(
            f"the condition {action.eligible!r} is {options.schema['eligible']}, not true or false",
            where=f"action {action.name!r}, eligible",
        )
    return options.with_columns(
        number=pl.lit(number, pl.Int64),
        key=pl.col("place") * actions + number,
        until=pl.col("since") + pl.duration(microseconds=to_us(action.within), time_unit="us"),
        value=pl.col("value") if action.value is None else pl.lit(float(action.value)),
        cost=pl.lit(float(action.cost)),
        asks=pl.lit(action.purpose is not None),
    )


def details_of(actions: Sequence[Action], effects: pl.DataFrame) -> pl.DataFrame:
    """Return what is the same for all persons: a row an action and moment, with the effect and its basis."""
    more = {"low": pl.Float64(), "high": pl.Float64(), "within": pl.Duration("us")}
    there = [name for name in more if name in effects.columns]
    known = taken(
        effects,
        "decide, effects",
        texts=["moment", "action", "basis"],
        numbers=["effect", *(name for name in there if name != "within")],
        spans=["within"] if "within" in there else [],
        open=there,
    )
    _unique(known, ["moment", "action"], "decide, effects")
    known = known.with_columns(pl.lit(None, kind).alias(name) for name, kind in more.items() if name not in there)
    rows = [
        (number, moment, action.name, action.channel)
        for number, action in enumerate(actions)
        for moment in dict.fromkeys(action.moments)
    ]
    schema = {"number": pl.Int64, "moment": pl.String, "action": pl.String, "channel": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").join(
        known.rename({"low": "effect_low", "high": "effect_high", "within": "window"}),
        on=["moment", "action"],
        how="left",
    )


def _unique(table: pl.DataFrame, key: Sequence[str], where: str) -> None:
    """Raise unless each key has one row."""
    twice = table.height - table.select(pl.struct(key).n_unique()).item()
    if twice:
        raise InputError.at(f"{twice:,} rows share {' and '.join(key)} with another", where=where, hint="Keep one each")
