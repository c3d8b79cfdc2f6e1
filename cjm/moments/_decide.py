"""``decide``: which of the actions that moments call for may be taken now, and which of them first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import overload

import polars as pl

from cjm.contracts import CONTRACTS, TIME
from cjm.errors import ArgumentError
from cjm.moments._action import Action, Budget
from cjm.moments._blocks import consent_of, spent, suppressed
from cjm.moments._holdout import draws
from cjm.moments._input import instant
from cjm.moments._lookup import DecisionTable
from cjm.moments._options import details_of, options_of

__all__ = ["decide"]


@overload
def decide(matches: DecisionTable, *, person: int) -> pl.DataFrame: ...
@overload
def decide(
    matches: pl.DataFrame,
    actions: Sequence[Action],
    *,
    at: datetime,
    persons: pl.DataFrame,
    effects: pl.DataFrame,
    consent: pl.DataFrame | None = None,
    suppressions: pl.DataFrame | None = None,
    contacts: pl.DataFrame | None = None,
    budgets: Sequence[Budget] = (),
    holdout: float = 0.0,
    experiment: str = "holdout",
    person: int | None = None,
) -> pl.DataFrame: ...


def decide(
    matches: pl.DataFrame | DecisionTable,
    actions: Sequence[Action] = (),
    *,
    at: datetime | None = None,
    persons: pl.DataFrame | None = None,
    effects: pl.DataFrame | None = None,
    consent: pl.DataFrame | None = None,
    suppressions: pl.DataFrame | None = None,
    contacts: pl.DataFrame | None = None,
    budgets: Sequence[Budget] = (),
    holdout: float = 0.0,
    experiment: str = "holdout",
    person: int | None = None,
) -> pl.DataFrame:
    """Rank, for each person, the actions that their moments call for; say of each why it may or may not be taken.

    An action is held back if (in this order) its time is over, the person is not eligible, has not consented, is
    spared for a reason, has had enough contacts, or if acting is not known to be worth its cost. The others are
    ranked by what acting is expected to be worth: effect times value, less cost.

    Parameters
    ----------
    matches : DataFrame or DecisionTable
        Moments found, such as :func:`cjm.moments.detect` returns: ``moment``, ``person``, ``end``, and if there are
        such ``confirmed_at`` (certain only then), ``match_id``, and columns that conditions name (unless the persons
        have one of that name). Of several matches of one moment and person the latest that is certain at ``at``
        counts. Or a stored table of decisions, from which those of one person are then read; nothing but ``person``
        is given with it.
    actions : sequence of Action
    at : datetime
        Now, with a zone. Nothing later is looked at.
    persons : DataFrame
        ``person``, ``value`` (what it is worth if the effect happens for this person: the margin that leaving would
        cost, say; an action may have a value of its own), and columns that conditions name; a row a person.
    effects : DataFrame
        ``moment``, ``action``, ``effect`` (by how much acting raises the probability that the value is kept or won),
        ``basis`` (in words: where the number comes from), and perhaps ``low``, ``high``, and ``within`` (Duration: the
        reaction window, such as the time in which a quarter of those who leave have left; the shorter of this and the
        action's own counts); a row a pair. See
        :func:`cjm.moments.effects_from_holdout` and :func:`cjm.moments.effects_from_hazards`.
    consent : DataFrame, optional
        ``person``, ``purpose``, ``given`` (Boolean), ``from``, ``to`` (null: since ever, still in force), and perhaps
        ``channel`` (null: all). In force at ``at`` if ``from <= at < to``. A refusal in force outweighs any consent;
        without a record there is none. Must be given if an action has a purpose.
    suppressions : DataFrame, optional
        ``person``, ``reason``, ``from``, ``to`` (null: since ever, no end known yet), and perhaps ``release`` (text:
        when it ends). See :func:`cjm.moments.suppressions`.
    contacts : DataFrame, optional
        ``person``, ``time``, ``channel``: contacts already made, by whichever division. Those after ``at`` do not
        count.
    budgets : sequence of Budget
        Limits on the contacts of a person, all divisions together.
    holdout : float
        Share of the persons (0 to below 1) who are left alone so that the effect of acting can be measured.
    experiment : str
        Name of the experiment; who is left alone depends on it and on the person alone.
    person : int, optional
        Decide for this person only.

    Returns
    -------
    polars.DataFrame
        Contract DECISIONS, a row a person and action, sorted by person, rank, then the order of the actions:

        - ``rank`` (1, 2, ... by ``expected_value``, then by the newest moment, then by the order of the actions; null
          if held back), ``action``, ``channel``, ``moment`` (of several that call for it the one worth most),
        - ``decision``: ``act`` (the first), ``alternative`` (instead of the first, not in addition: a person hears one
          voice), ``hold out`` (would be taken or offered, but the person is left alone for comparison), ``blocked``,
        - ``reason`` in words; ``released_at``: when what blocks it ends, as far as known (null also if it never ends),
        - ``since`` and ``until``: when the moment was certain, and the last instant at which to act,
        - ``effect``, ``effect_low``, ``effect_high``, ``basis``, ``value``, ``cost``, ``expected_value``,
        - what each check said: ``in_time``, ``eligible``, ``consented``, ``free`` (not suppressed), ``in_budget``,
        - ``propensity``: with which probability the holdout drew this decision, for rank 1 only; needed by
          :func:`cjm.moments.off_policy_value`; ``decided_at``; ``match_id`` if the matches have one.

    Raises
    ------
    ArgumentError
        If an argument is missing or out of range, or a name of an action is used twice.
    InputError
        If a table lacks a column, has a wrong type, nulls, or more than one row a key.

    Notes
    -----
    The ranking is as good as the effects. An effect that stands on a hazard ratio says how much more often persons
    leave after a path, not what acting changes; only a randomised holdout tells that. ``basis`` travels with every row
    for this reason. Effects of several moments that call for one action are not added up.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> now = datetime(2026, 1, 10, tzinfo=UTC)
    >>> matches = pl.DataFrame({"moment": "no renewal", "person": [1, 2, 3], "end": [now - timedelta(hours=5)] * 3})
    >>> persons = pl.DataFrame({"person": [1, 2, 3], "value": [100.0, 900.0, 10.0]})
    >>> effects = pl.DataFrame(
    ...     {"moment": ["no renewal"], "action": ["call"], "effect": [0.05], "basis": ["holdout, spring 2026"]}
    ... )
    >>> call = Action("call", "phone", ("no renewal",), within="2d", cost=4)
    >>> options = decide(matches, [call], at=now, persons=persons, effects=effects)
    >>> options.select("person", "decision", "expected_value", "reason").rows()
    [(1, 'act', 1.0, 'best of 1 option'), (2, 'act', 41.0, 'best of 1 option'),
     (3, 'blocked', -3.5, 'not worth its cost')]
    """
    if isinstance(matches, DecisionTable):
        if person is None:
            raise ArgumentError.at("for whom?", where="decide", hint="Give person=... with a stored table")
        return matches.rows_of(person)
    if at is None or persons is None or effects is None:
        missing = next(
            name for name, value in (("at", at), ("persons", persons), ("effects", effects)) if value is None
        )
        raise ArgumentError.at(f"{missing} is missing", where="decide", hint=f"Give {missing}=...")
    _check(actions, holdout, consent, contacts, budgets)
    now = instant(at, "decide")
    details = details_of(actions, effects)
    options = options_of(matches, actions, persons, now, person)
    places = options.select("person", "place").unique()
    options = options.with_columns(given=None, spared=None, enough=None).with_columns(
        pl.lit(None, TIME).alias(name) for name in ("spared_until", "enough_until")
    )
    if consent is not None:
        options = _told(options, consent_of(consent, actions, places, now), ["given"])
    if suppressions is not None:
        options = _told(options, suppressed(suppressions, actions, places, now), ["spared", "spared_until"])
    if contacts is not None:
        options = _told(options, spent(contacts, budgets, actions, places, now), ["enough", "enough_until"])
    judged = _judged(options.join(details, on=["number", "moment"], how="left", maintain_order="left"), now)
    return _answer(_ranked(judged, holdout, experiment), now)


def _told(options: pl.DataFrame, said: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Add what a check said, by key."""
    said = said.rename(dict(zip(said.columns[1:], names, strict=True)))
    return options.drop(names).join(said, on="key", how="left", maintain_order="left")


def _check(
    actions: Sequence[Action],
    holdout: float,
    consent: pl.DataFrame | None,
    contacts: pl.DataFrame | None,
    budgets: Sequence[Budget],
) -> None:
    if not actions:
        raise ArgumentError.at("there are no actions", where="decide", hint="Give at least one cjm.moments.Action")
    names = [action.name for action in actions]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ArgumentError.at(
            f"two actions are named {twice[0]!r}", where="decide", hint="Give each a name of its own"
        )
    if not 0 <= holdout < 1:
        raise ArgumentError.at(f"holdout is {holdout}", where="decide", hint="Give a share from 0 to below 1")
    asking = [action.name for action in actions if action.purpose is not None]
    if asking and consent is None:
        raise ArgumentError.at(
            f"action {asking[0]!r} needs consent, and no table says who gave it",
            where="decide",
            hint="Give consent=...",
        )
    if budgets and contacts is None:
        raise ArgumentError.at("there are budgets, but no contacts", where="decide", hint="Give contacts=...")


def _judged(options: pl.DataFrame, now: pl.Expr) -> pl.DataFrame:
    """Add what each check says, what acting is worth, and the first reason that speaks against it."""
    options = options.with_columns(pl.min_horizontal("until", pl.col("since") + pl.col("window")).alias("until"))
    options = options.with_columns(
        in_time=pl.col("until") >= now,
        consented=pl.col("given").fill_null(False) | ~pl.col("asks"),
        free=pl.col("spared").is_null(),
        in_budget=pl.col("enough").is_null(),
        expected_value=pl.col("effect") * pl.col("value") - pl.col("cost"),
    )
    worth = pl.col("expected_value").is_not_nan() & (pl.col("expected_value") > 0)
    reason = (
        pl.when(~pl.col("in_time")).then(pl.lit("too late"))
        .when(~pl.col("eligible")).then(pl.lit("not eligible"))
        .when(~pl.col("consented") & pl.col("given").is_null()).then(pl.lit("no consent on record"))
        .when(~pl.col("consented")).then(pl.lit("consent refused"))
        .when(~pl.col("free")).then("spared")
        .when(~pl.col("in_budget")).then("enough")
        .when(pl.col("effect").is_null()).then(pl.lit("no effect is stated"))
        .when(pl.col("value").is_null()).then(pl.lit("value unknown"))
        .when(~worth).then(pl.lit("not worth its cost"))
    )  # fmt: skip
    before = pl.col("in_time") & pl.col("eligible") & pl.col("consented")
    return options.with_columns(
        reason=reason,
        released_at=pl.when(before & ~pl.col("free"))
        .then("spared_until")
        .when(before & ~pl.col("in_budget"))
        .then("enough_until"),
    )


def _ranked(options: pl.DataFrame, holdout: float, experiment: str) -> pl.DataFrame:
    """Keep the best moment of each person and action, rank what is not blocked, and hold out a share."""
    allowed = pl.col("reason").is_null()
    order = ["place", "blocked", "in_time", "expected_value", "since", "number", "moment"]
    options = (
        options.with_columns(blocked=~allowed)
        .sort(order, descending=[False, False, True, True, True, False, False], nulls_last=True)
        .filter(pl.col("key").is_first_distinct())
    )
    # persons lie one after the other, with what is allowed first
    start = options["place"].search_sorted(options["place"])
    many = options.group_by("place", maintain_order=True).agg(many=allowed.sum())
    options = options.join(many, on="place", how="left", maintain_order="left")
    rank = pl.int_range(pl.len()) - start.cast(pl.Int64) + 1
    options = options.with_columns(
        rank=pl.when(allowed).then(rank), held=pl.Series(draws(options["person"], experiment) < holdout)
    )
    first = pl.col("rank") == 1
    best = pl.format("best of {} option{}", "many", pl.when(pl.col("many") > 1).then(pl.lit("s")).otherwise(pl.lit("")))
    decision = (
        pl.when(~allowed).then(pl.lit("blocked"))
        .when("held").then(pl.lit("hold out"))
        .when(first).then(pl.lit("act"))
        .otherwise(pl.lit("alternative"))
    )  # fmt: skip
    reason = (
        pl.when(~allowed).then("reason")
        .when("held").then(pl.lit("left alone for comparison"))
        .when(first).then(best)
        .otherwise(pl.lit("instead of the first, not in addition"))
    )  # fmt: skip
    chance = pl.when("held").then(holdout).otherwise(1 - holdout)
    return options.with_columns(decision=decision, reason=reason, propensity=pl.when(first).then(chance)).sort(
        "place", "rank", "number", nulls_last=True
    )


def _answer(options: pl.DataFrame, now: pl.Expr) -> pl.DataFrame:
    columns = CONTRACTS["DECISIONS"].columns
    carried = ["match_id"] if "match_id" in options.columns else []
    return options.with_columns(decided_at=now).select(
        *(pl.col(name).cast(kind) for name, kind in columns.items()), *carried
    )
