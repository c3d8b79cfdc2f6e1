"""What speaks against an action now, person by person: consent, suppression, a budget that is used up.

Each function looks at as many groups of actions as differ in what it asks. It returns a row an option that it has
something to say about, named by its ``key``: the place of the person times the number of actions, plus the action's.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import polars as pl

from cjm.contracts import TIME
from cjm.durations import to_us
from cjm.moments._action import Action, Budget
from cjm.moments._input import taken

__all__ = ["consent_of", "spent", "suppressed"]

_Asked = TypeVar("_Asked", bound=Hashable)
_GIVEN: Mapping[str, pl.DataType | type[pl.DataType]] = {"key": pl.Int64, "given": pl.Boolean}
_BLOCKED: Mapping[str, pl.DataType | type[pl.DataType]] = {"key": pl.Int64, "because": pl.String, "until": TIME}


def consent_of(consent: pl.DataFrame, actions: Sequence[Action], places: pl.DataFrame, at: pl.Expr) -> pl.DataFrame:
    """Return ``key`` and ``given``: whether consent is in force; no row where none is on record.

    A record is in force from ``from`` up to, not including, ``to``; one without a channel holds for all of them. A
    refusal in force outweighs every consent, however special the one and general the other.
    """
    channel = ["channel"] if "channel" in consent.columns else []
    now = _in_force(
        taken(
            consent,
            "decide, consent",
            keys=["person"],
            texts=["purpose", *channel],
            times=["from", "to"],
            flags=["given"],
            open=["from", "to", "channel"],
        ),
        places,
        at,
    )
    parts = [pl.DataFrame(schema=_GIVEN)]
    for (purpose, by), numbers in _alike((action.purpose, action.channel) for action in actions):
        if purpose is None:
            continue
        held = now.filter(pl.col("purpose") == purpose)
        if channel:
            held = held.filter(pl.col("channel").is_null() | (pl.col("channel") == by))
        parts += _for_each(held.group_by("place").agg(pl.col("given").all()), numbers, len(actions), _GIVEN)
    return pl.concat(parts)


def suppressed(
    suppressions: pl.DataFrame, actions: Sequence[Action], places: pl.DataFrame, at: pl.Expr
) -> pl.DataFrame:
    """Return ``key``, ``because`` and ``until``: what holds the option back, the longest-lasting.

    ``until`` is null where the end is not known yet.
    """
    release = ["release"] if "release" in suppressions.columns else []
    now = _in_force(
        taken(
            suppressions,
            "decide, suppressions",
            keys=["person"],
            texts=["reason", *release],
            times=["from", "to"],
            open=["from", "to", "release"],
        ),
        places,
        at,
    )
    rule = pl.format("; {}", "release").fill_null("") if release else pl.lit("")
    now = now.select("place", "reason", (pl.col("reason") + rule).alias("because"), pl.col("to").alias("until"))
    parts = [pl.DataFrame(schema=_BLOCKED)]
    for despite, numbers in _alike(frozenset(action.despite) for action in actions):
        longest = _longest(now.filter(~pl.col("reason").is_in(list(despite))))
        parts += _for_each(longest, numbers, len(actions), _BLOCKED)
    return pl.concat(parts)


def spent(
    contacts: pl.DataFrame, budgets: Sequence[Budget], actions: Sequence[Action], places: pl.DataFrame, at: pl.Expr
) -> pl.DataFrame:
    """Return the same columns where a budget is used up; ``until`` is when enough contacts are so long ago."""
    table = taken(contacts, "decide, contacts", keys=["person"], texts=["channel"], times=["time"], open=["channel"])
    reach = pl.duration(microseconds=max((to_us(budget.within) for budget in budgets), default=0), time_unit="us")
    table = (
        table.filter(pl.col("time") > at - reach, pl.col("time") <= at)
        .join(places, on="person")
        .sort("place", "time", descending=[False, True])
    )
    full = []
    for budget in budgets:
        within = pl.duration(microseconds=to_us(budget.within), time_unit="us")
        counted = table.filter(pl.col("time") > at - within)
        if budget.channel is not None:
            counted = counted.filter(pl.col("channel") == budget.channel)
        # newest first: the contact that has to be so long ago stands this many rows after the first of the person
        nth = budget.contacts - 1
        first = pl.col("place") != pl.col("place").shift(1, fill_value=-1)
        used = counted.with_columns(until=pl.col("time").shift(-nth) + within).filter(
            first & (pl.col("place").shift(-nth) == pl.col("place"))
        )
        full.append(used.select("place", pl.lit(f"{budget} used up").alias("because"), "until"))
    parts = [pl.DataFrame(schema=_BLOCKED)]
    for (counts, channel), numbers in _alike((action.counts, action.channel) for action in actions):
        mine = [used for used, budget in zip(full, budgets, strict=True) if budget.channel in (None, channel)]
        if counts and mine:
            parts += _for_each(_longest(pl.concat(mine)), numbers, len(actions), _BLOCKED)
    return pl.concat(parts)


def _in_force(table: pl.DataFrame, places: pl.DataFrame, at: pl.Expr) -> pl.DataFrame:
    now = (pl.col("from").is_null() | (pl.col("from") <= at)) & (pl.col("to").is_null() | (pl.col("to") > at))
    return table.filter(now).join(places, on="person")


def _alike(asked: Iterable[_Asked]) -> Iterable[tuple[_Asked, list[int]]]:
    """Yield what actions ask, and the numbers of the actions that ask it."""
    groups: dict[_Asked, list[int]] = {}
    for number, what in enumerate(asked):
        groups.setdefault(what, []).append(number)
    return groups.items()


def _for_each(
    answer: pl.DataFrame, numbers: Sequence[int], actions: int, schema: Mapping[str, pl.DataType | type[pl.DataType]]
) -> list[pl.DataFrame]:
    keyed = [answer.with_columns(key=pl.col("place") * actions + number) for number in numbers]
    return [frame.select(pl.col(name).cast(kind) for name, kind in schema.items()) for frame in keyed]


def _longest(blocks: pl.DataFrame) -> pl.DataFrame:
    """Keep what ends last for each person; what has no known end lasts longest."""
    order = blocks.sort("place", "until", "because", descending=[False, True, False], nulls_last=False)
    return order.filter(pl.col("place") != pl.col("place").shift(1, fill_value=-1))
