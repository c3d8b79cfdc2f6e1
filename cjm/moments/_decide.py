"""``decide``: which of the actions that moments call for may be taken now, and which of them first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import overload

import polars as pl

from cjm.contracts import CONTRACTS, TIME
from cjm.durations import to_us
from cjm.errors import ArgumentError, InputError
from cjm.moments._action import Action, Budget
from cjm.moments._blocks import consent_of, spent, suppressed
from cjm.moments._holdout import draws
from cjm.moments._input import instant, taken
from cjm.moments._lookup import DecisionTable

__all__ = ["decide"]


@overload
def decide(matches: DecisionTable, /, *, person: int) -> pl.DataFrame: ...
@overload
def decide(
    matches: pl.DataFrame,
    actions: Sequence[Action],
    /,
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
    /,
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
        cost, say), and columns that conditions name; a row a person.
    effects : DataFrame
        ``moment``, ``action``, ``effect`` (by how much acting raises the probability that the value is kept), ``basis``
        (in words: where the number comes from), and perhaps ``low``, ``high``; a row a pair. See
        :func:`cjm.moments.effects_from_holdout` and :func:`cjm.moments.effects_from_hazards`.
    consent : DataFrame, optional
        ``person``, ``purpose``, ``given`` (Boolean), ``from``, ``to`` (null: still in force), and perhaps ``channel``
        (null: all). In force at ``at`` if ``from <= at < to``. A refusal in force outweighs any consent; without a
        record there is none. Must be given if an action has a purpose.
    suppressions : DataFrame, optional
        ``person``, ``reason``, ``from``, ``to`` (null: no end known yet), and perhaps ``release`` (text: when it ends).
        See :func:`cjm.moments.suppressions`.
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
    options = _options(matches, actions, persons, effects, now, person)
    nobody = pl.DataFrame(schema={"person": pl.Int64, "action": pl.String})
    nothing = nobody.with_columns(because=pl.lit(None, pl.String), until=pl.lit(None, TIME))
    allowed = nobody.with_columns(given=pl.lit(None, pl.Boolean))
    if consent is not None:
        allowed = consent_of(_only(consent, options), actions, now)
    spared = nothing if suppressions is None else suppressed(_only(suppressions, options), actions, now)
    enough = nothing if contacts is None else spent(_only(contacts, options), budgets, actions, now)
    key = ["person", "action"]
    options = (
        options.join(allowed, on=key, how="left")
        .join(spared.rename({"because": "spared", "until": "spared_until"}), on=key, how="left")
        .join(enough.rename({"because": "enough", "until": "enough_until"}), on=key, how="left")
    )
    return _answer(_ranked(_judged(options, actions, now), holdout, experiment), now)


def _check(
    actions: Sequence[Action],
    holdout: float,
    consent: pl.DataFrame | None,
    contacts: pl.DataFrame | None,
    budgets: Sequence[Budget],
) -> None:
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


def _options(
    matches: pl.DataFrame,
    actions: Sequence[Action],
    persons: pl.DataFrame,
    effects: pl.DataFrame,
    now: pl.Expr,
    person: int | None,
) -> pl.DataFrame:
    """Return a row a person, moment and action: the newest match that is certain, with effect and value."""
    certain = ["confirmed_at"] if "confirmed_at" in matches.columns else []
    core = taken(
        matches, "decide, matches", keys=["person"], texts=["moment"], times=["end", *certain], open=["confirmed_at"]
    )
    about = taken(persons, "decide, persons", keys=["person"], numbers=["value"], open=["value"])
    _unique(about, ["person"], "decide, persons")
    about = about.with_columns(persons.drop("person", "value"))
    others = [name for name in matches.columns if name not in {*core.columns, *about.columns}]
    since = pl.coalesce("confirmed_at", "end") if certain else pl.col("end")
    found = core.with_columns(matches.select(others)).with_columns(since=since)
    if person is not None:
        found = found.filter(pl.col("person") == person)
    found = (
        found.filter(pl.col("since") <= now)
        .sort("since", descending=True, maintain_order=True)
        .unique(["person", "moment"], keep="first", maintain_order=True)
    )
    bounds = [name for name in ("low", "high") if name in effects.columns]
    known = taken(
        effects, "decide, effects", texts=["moment", "action", "basis"], numbers=["effect", *bounds], open=bounds
    )
    _unique(known, ["moment", "action"], "decide, effects")
    known = known.with_columns(pl.lit(None, pl.Float64).alias(name) for name in {"low", "high"} - set(bounds))
    table = pl.DataFrame(
        [
            (number, action.name, action.channel, moment, to_us(action.within), float(action.cost))
            for number, action in enumerate(actions)
            for moment in dict.fromkeys(action.moments)
        ],
        schema={
            "number": pl.Int64, "action": pl.String, "channel": pl.String, "moment": pl.String, "within": pl.Int64,
            "cost": pl.Float64,
        },
        orient="row",
    ).join(known.rename({"low": "effect_low", "high": "effect_high"}), on=["moment", "action"], how="left")  # fmt: skip
    found = found.drop(set(found.columns) & set(table.columns) - {"moment"}).join(table, on="moment", how="inner")
    clash = sorted(set(found.columns) & set(about.columns) - {"person"})
    if clash:
        raise InputError.at(f"column {clash[0]!r} means something else here", where="decide, persons", hint="Rename it")
    return found.join(about, on="person", how="left").with_columns(
        until=pl.col("since") + pl.duration(microseconds="within", time_unit="us")
    )


def _only(table: pl.DataFrame, options: pl.DataFrame) -> pl.DataFrame:
    """Leave out the rows of persons who have no option."""
    if "person" not in table.columns or not table.schema["person"].is_integer():
        return table  # to be refused by name later
    return table.join(options.select(pl.col("person").cast(table.schema["person"])).unique(), on="person", how="semi")


def _judged(options: pl.DataFrame, actions: Sequence[Action], now: pl.Expr) -> pl.DataFrame:
    """Add what each check says, what acting is worth, and the first reason that speaks against it."""
    eligible = pl.lit(True)
    for number, action in enumerate(actions):
        if action.eligible is not None:
            eligible = pl.when(pl.col("number") == number).then(_checked(action, options)).otherwise(eligible)
    asks = pl.col("action").is_in([action.name for action in actions if action.purpose is not None])
    options = options.with_columns(
        in_time=pl.col("until") >= now,
        eligible=eligible,
        consented=pl.col("given").fill_null(False) | ~asks,
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


def _checked(action: Action, options: pl.DataFrame) -> pl.Expr:
    """Return the condition of an action, or raise if it cannot be computed."""
    condition = action.condition()
    try:
        kind = options.lazy().select(condition).collect_schema().dtypes()[0]
    except pl.exceptions.PolarsError as error:
        raise InputError.at(
            f"the condition {action.eligible!r} cannot be computed ({error})",
            where=f"action {action.name!r}, eligible",
            hint="It may name columns of persons= and of the matches",
        ) from error
    if kind != pl.Boolean:
        raise InputError.at(
            f"the condition {action.eligible!r} is {kind}, not true or false", where=f"action {action.name!r}, eligible"
        )
    return condition


def _ranked(options: pl.DataFrame, holdout: float, experiment: str) -> pl.DataFrame:
    """Keep the best moment of each person and action, rank what is not blocked, and hold out a share."""
    allowed = pl.col("reason").is_null()
    order = ["person", "blocked", "in_time", "expected_value", "since", "number", "moment"]
    options = (
        options.with_columns(blocked=~allowed)
        .sort(order, descending=[False, False, True, True, True, False, False], nulls_last=True)
        .unique(["person", "number"], keep="first", maintain_order=True)
    )
    first = pl.col("person").is_first_distinct()
    place = pl.int_range(pl.len()).over("person") + 1
    many = allowed.sum().over("person")
    options = options.with_columns(rank=pl.when(allowed).then(place))
    held = pl.Series(draws(options["person"], experiment) < holdout)
    best = pl.format("best of {} option{}", many, pl.when(many > 1).then(pl.lit("s")).otherwise(pl.lit("")))
    decision = (
        pl.when(~allowed).then(pl.lit("blocked"))
        .when(held).then(pl.lit("hold out"))
        .when(first).then(pl.lit("act"))
        .otherwise(pl.lit("alternative"))
    )  # fmt: skip
    reason = (
        pl.when(~allowed).then("reason")
        .when(held).then(pl.lit("left alone for comparison"))
        .when(first).then(best)
        .otherwise(pl.lit("instead of the first, not in addition"))
    )  # fmt: skip
    chance = pl.when(held).then(holdout).otherwise(1 - holdout)
    options = options.with_columns(decision=decision, reason=reason, propensity=pl.when(first & allowed).then(chance))
    return options.sort("person", "rank", "number", nulls_last=True)


def _answer(options: pl.DataFrame, now: pl.Expr) -> pl.DataFrame:
    columns = CONTRACTS["DECISIONS"].columns
    carried = ["match_id"] if "match_id" in options.columns else []
    return options.with_columns(decided_at=now).select(
        *(pl.col(name).cast(kind) for name, kind in columns.items()), *carried
    )


def _unique(table: pl.DataFrame, key: Sequence[str], where: str) -> None:
    twice = table.filter(table.select(key).is_duplicated())
    if twice.height:
        raise InputError.at(
            f"{twice.height:,} rows share {' and '.join(key)} with another", where=where, hint="Keep one row each"
        )
