"""What was decided about the moments found: by action, how many may be acted on and what speaks against the others."""

from __future__ import annotations

import polars as pl

from cjm.report._section import Col, Table, Tables, counts, groups, has, table
from cjm.report._text import day, ratio, short

__all__ = ["decisions"]

_KINDS = {"act": "act", "alternative": "second choice", "hold out": "left alone", "blocked": "held back"}


def decisions(tables: Tables, hide: int) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """Return the tables of decisions and the words above them; nothing if nothing was decided in time."""
    if not has(tables, "decisions"):
        return (), ()
    frame = tables["decisions"].with_columns(pl.col("action", "moment", "decision", "reason", "basis").cast(pl.String))
    timely = frame.filter("in_time")
    why = (
        timely.filter(pl.col("decision") == "blocked")
        .group_by("action", "moment", "reason")
        .agg(pl.len())
        .filter(pl.col("len") >= hide)
        .sort("len", "reason", descending=[True, False])
        .unique(["action", "moment"], keep="first")
    )
    by_action = (
        timely.group_by("action", "moment")
        .agg(
            pl.len().alias("persons"),
            pl.col("effect", "basis").first(),
            *((pl.col("decision") == kind).sum().alias(kind) for kind in _KINDS),
        )
        .join(why, on=["action", "moment"], how="left")
        .sort("act", "persons", "action", "moment", descending=[True, True, False, False])
    )
    # one small part could be worked out from the others
    hidden = pl.any_horizontal((pl.col(kind) > 0) & (pl.col(kind) < hide) for kind in _KINDS)
    counted = by_action.with_columns(pl.when(~hidden).then(kind).alias(kind) for kind in _KINDS)
    names = [Col("action", "action"), Col("moment", "moment")]
    parts = [counts(kind, header) for kind, header in _KINDS.items()]
    columns = [*names, groups("persons", "persons", hide), *parts, Col("reason", "held back mostly for")]
    stated = [
        *names,
        Col("effect", "effect", ratio, True),
        Col("basis", "where it comes from", lambda text: short(text, 200) if text else "nothing is stated", look="k"),
    ]
    when = day(frame.select(pl.col("decided_at").max()).item(), hour=True)
    words = (
        f"Decided {when}: for each person the one action that is expected to be worth most. Those left alone were "
        "drawn by chance, so that what acting changes can be measured. Where a part is smaller than "
        f"{hide} persons, all parts of its line are left out. An effect that is associational rests on how much more "
        "often persons leave after a path, not on what acting changes.",
    )
    return (
        table("What may be done about them, where it is not too late", counted, columns),
        table("The effects that this rests on", by_action, stated),
    ), words
