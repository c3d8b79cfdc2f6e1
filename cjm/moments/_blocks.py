"""What speaks against an action now, person by person: consent, suppression, a budget that is used up.

Each function looks at as many groups of actions as differ in what it asks, and returns one row a group and person.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from cjm.contracts import TIME
from cjm.durations import to_us
from cjm.moments._action import Action, Budget
from cjm.moments._input import taken

__all__ = ["consent_of", "spent", "suppressed"]

_BLOCKED = pl.Schema({"person": pl.Int64, "action": pl.String, "because": pl.String, "until": TIME})


def consent_of(consent: pl.DataFrame, actions: Sequence[Action], at: pl.Expr) -> pl.DataFrame:
    """Return ``person``, ``action`` and ``given``: whether consent is in force; no row where none is on record.

    A record is in force from ``from`` up to, not including, ``to``; one without a channel holds for all of them. A
    refusal in force outweighs every consent, however special the one and general the other.
    """
    channel = ["channel"] if "channel" in consent.columns else []
    table = taken(
        consent,
        "decide, consent",
        keys=["person"],
        texts=["purpose", *channel],
        times=["from", "to"],
        flags=["given"],
        open=["to", "channel"],
    )
    now = table.filter(pl.col("from") <= at, pl.col("to").is_null() | (pl.col("to") > at))
    asked: dict[tuple[str, str], list[str]] = {}
    for action in actions:
        if action.purpose is not None:
            asked.setdefault((action.purpose, action.channel), []).append(action.name)
    parts = []
    for (purpose, by), names in asked.items():
        held = now.filter(pl.col("purpose") == purpose)
        if channel:
            held = held.filter(pl.col("channel").is_null() | (pl.col("channel") == by))
        answer = held.group_by("person").agg(pl.col("given").all())
        parts += [answer.select("person", pl.lit(name).alias("action"), "given") for name in names]
    return pl.concat(parts or [pl.DataFrame(schema={"person": pl.Int64, "action": pl.String, "given": pl.Boolean})])


def suppressed(suppressions: pl.DataFrame, actions: Sequence[Action], at: pl.Expr) -> pl.DataFrame:
    """Return ``person``, ``action``, ``because`` and ``until``: what holds the action back, the longest-lasting.

    ``until`` is null where the end is not known yet.
    """
    release = ["release"] if "release" in suppressions.columns else []
    table = taken(
        suppressions,
        "decide, suppressions",
        keys=["person"],
        texts=["reason", *release],
        times=["from", "to"],
        open=["to", "release"],
    )
    now = table.filter(pl.col("from") <= at, pl.col("to").is_null() | (pl.col("to") > at))
    because = pl.col("reason") + (pl.format("; {}", "release").fill_null("") if release else "")
    now = now.select("person", "reason", because.alias("because"), pl.col("to").alias("until"))
    alike: dict[frozenset[str], list[str]] = {}
    for action in actions:
        alike.setdefault(frozenset(action.despite), []).append(action.name)
    parts = []
    for despite, names in alike.items():
        longest = _longest(now.filter(~pl.col("reason").is_in(list(despite))))
        parts += [longest.select("person", pl.lit(name).alias("action"), "because", "until") for name in names]
    return pl.concat(parts or [pl.DataFrame(schema=_BLOCKED)])


def spent(contacts: pl.DataFrame, budgets: Sequence[Budget], actions: Sequence[Action], at: pl.Expr) -> pl.DataFrame:
    """Return the same columns where a budget is used up; ``until`` is when enough contacts are so long ago."""
    table = taken(contacts, "decide, contacts", keys=["person"], texts=["channel"], times=["time"], open=["channel"])
    table = table.filter(pl.col("time") <= at)
    full = []
    for budget in budgets:
        within = pl.duration(microseconds=to_us(budget.within), time_unit="us")
        counted = table.filter(pl.col("time") > at - within)
        if budget.channel is not None:
            counted = counted.filter(pl.col("channel") == budget.channel)
        nth = pl.col("time").sort(descending=True).get(budget.contacts - 1, null_on_oob=True)
        used = counted.group_by("person").agg((nth + within).alias("until")).drop_nulls("until")
        full.append(used.select("person", pl.lit(f"{budget} used up").alias("because"), "until"))
    parts = [pl.DataFrame(schema=_BLOCKED)]
    for action in actions:
        mine = [n for n, budget in enumerate(budgets) if action.counts and budget.channel in (None, action.channel)]
        if mine:
            longest = _longest(pl.concat([full[n] for n in mine]))
            parts.append(longest.select("person", pl.lit(action.name).alias("action"), "because", "until"))
    return pl.concat(parts)


def _longest(blocks: pl.DataFrame) -> pl.DataFrame:
    """Keep what ends last for each person; what has no known end lasts longest."""
    return blocks.sort(
        ["person", "until", "because"], descending=[False, True, False], nulls_last=[False, False, False]
    ).unique("person", keep="first", maintain_order=True)
