"""``Cleaning``: what is done to the events of all sources alike; everything is counted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from cjm.errors import ArgumentError
from cjm.events._source import Source
from cjm.privacy import Privacy

__all__ = ["ID_RULES", "Cleaning", "rewritten"]

ID_RULES: dict[str, pl.Expr] = {
    "lower": pl.col("id").str.to_lowercase(),
    "upper": pl.col("id").str.to_uppercase(),
    "digits": pl.col("id").str.replace_all(r"[^0-9]", ""),
    "alphanumeric": pl.col("id").str.replace_all(r"[^\p{L}\p{N}]", ""),
    "no leading zeros": pl.col("id").str.strip_chars_start("0"),
    "nfc": pl.col("id").str.normalize("NFC"),
}
"""How an identifier may be rewritten."""


def rewritten(ids: pl.Series, rules: Sequence[str]) -> pl.Series:
    """Return identifiers as rules write them."""
    frame = ids.to_frame("id")
    for rule in rules:
        frame = frame.with_columns(ID_RULES[rule])
    return frame["id"]


@dataclass(frozen=True, eq=False)
class Cleaning:
    """Rules for the events of all sources, applied in this order while they are read.

    Parameters
    ----------
    ids : mapping of str to sequence of str, optional
        Kind of identifier to the rules by which it is rewritten, in order: ``"lower"``, ``"upper"``, ``"digits"`` (only
        these stay), ``"alphanumeric"`` (only letters and digits stay), ``"no leading zeros"``, ``"nfc"`` (one way of
        writing an accent).
    taxonomy : polars.DataFrame, optional
        Names of events in place of those of the sources: columns ``event`` (as in the source), ``name``, and, if
        wanted, ``channel`` (the row holds there only; null: everywhere) and ``group``, which becomes an attribute.
        Events whose ``name`` is null are set aside; those that are not in the table keep their name and are counted.
    exclude : polars.DataFrame, optional
        Bots and internal traffic: columns ``rule`` (its name), ``column`` (``event``, ``channel``, a kind of identifier
        or any other column of a source) and ``pattern`` (a regular expression). Rows in which a pattern is found are
        set aside and counted under the first rule that does.
    shared : mapping of str to int, optional
        Kind of identifier to the largest number of different identifiers of the log's first kind that may be seen with
        it in one row. An identifier that met more, such as a cookie on a kiosk, is none. The sources are read twice.
    sample : mapping of str to float, optional
        One kind of identifier and the share of its identifiers whose events are kept, by a hash that is the same in
        every run; events without one are set aside. For a sample of stitched persons see ``Journeys.sample``.
    privacy : Privacy, optional
        Who was forgotten, and which identifiers become pseudonyms, once the other rules have seen them.

    Raises
    ------
    ArgumentError
        For a rule that does not exist or a table that lacks a column.

    Examples
    --------
    >>> import cjm, polars as pl
    >>> frame = pl.DataFrame({"at": ["2026-01-01"] * 2, "what": ["pg_home", "ping"], "who": ["A-1", "a1"]})
    >>> web = cjm.Source(frame, time="at", time_zone="UTC", event="what", ids={"customer": "who"})
    >>> names = pl.DataFrame({"event": ["pg_home", "ping"], "name": ["home", None]})
    >>> rules = cjm.Cleaning(ids={"customer": ["lower", "alphanumeric"]}, taxonomy=names)
    >>> log = cjm.scan_events({"web": web}, cleaning=rules)
    >>> log.frame.select("event", "customer").collect().rows()
    [('home', 'a1')]
    >>> log.quality().filter(action="set aside").select("check", "rows").rows()
    [('event left out by the taxonomy', 1)]
    """

    ids: Mapping[str, Sequence[str]] = field(default_factory=dict)
    taxonomy: pl.DataFrame | None = None
    exclude: pl.DataFrame | None = None
    shared: Mapping[str, int] = field(default_factory=dict)
    sample: Mapping[str, float] = field(default_factory=dict)
    privacy: Privacy | None = None

    def __post_init__(self) -> None:
        for kind, rules in self.ids.items():
            for rule in [rules] if isinstance(rules, str) else rules:
                if rule not in ID_RULES or isinstance(rules, str):
                    raise ArgumentError.unknown("rule", str(rule), ID_RULES, where=f"Cleaning(ids={{{kind!r}: [...]}})")
        if self.taxonomy is not None:
            object.__setattr__(self, "taxonomy", _taxonomy(self.taxonomy))
        if self.exclude is not None:
            object.__setattr__(self, "exclude", _exclude(self.exclude))
        for kind, most in self.shared.items():
            if not isinstance(most, int) or most < 1:
                raise ArgumentError.at(f"{most!r} is no count", where=f"Cleaning(shared={{{kind!r}: ...}})")
        if len(self.sample) > 1 or not all(0 < share <= 1 for share in self.sample.values()):
            raise ArgumentError.at(
                f"{dict(self.sample)!r} is no sample",
                where="Cleaning(sample=...)",
                hint='Give one kind and a share above 0, up to 1: {"customer": 0.1}',
            )

    @property
    def rules(self) -> list[tuple[str, str, str]]:
        """Rule, column and pattern of what is excluded."""
        return [] if self.exclude is None else self.exclude.rows()

    @property
    def grouped(self) -> bool:
        """Whether the taxonomy says groups."""
        return self.taxonomy is not None and self.taxonomy["group"].count() > 0

    def check_kinds(self, kinds: Sequence[str]) -> None:
        """Raise ArgumentError for kinds that no source has, and for one that is called as the groups are."""
        if self.grouped and "group" in kinds:
            raise ArgumentError.at(
                "'group' is a kind of identifier and a column of the taxonomy",
                where="Cleaning(taxonomy=...)",
                hint="Rename the kind",
            )
        for argument in ("ids", "shared", "sample"):
            for kind in getattr(self, argument):
                if kind not in kinds:
                    raise ArgumentError.unknown("kind of identifier", kind, kinds, where=f"Cleaning({argument}=...)")
        for kind in self.privacy.pseudonyms if self.privacy is not None else ():
            if kind not in kinds:
                raise ArgumentError.unknown("kind of identifier", kind, kinds, where="Privacy(pseudonyms=...)")
        if kinds[0] in self.shared:
            raise ArgumentError.at(
                f"{kinds[0]!r} is the log's first kind, by which the others are judged", where="Cleaning(shared=...)"
            )

    def check_columns(self, source: Source, name: str) -> None:
        """Raise ArgumentError where an identifier that becomes a pseudonym would be stored as it is as well."""
        for kind in self.privacy.pseudonyms if self.privacy is not None else ():
            column = source.ids.get(kind)
            if column is not None and column in (source.event, source.channel, *(source.attributes or ())):
                raise ArgumentError.at(
                    f"column {column!r} holds identifiers that become pseudonyms, and is carried as it is as well",
                    where=f"source {name!r}",
                    hint="Take it out of attributes, event and channel",
                )


def _columns(table: pl.DataFrame, needed: Sequence[str], where: str) -> None:
    if not isinstance(table, pl.DataFrame):
        raise ArgumentError.at(f"{type(table).__name__} is no Polars frame", where=where)
    for column in needed:
        if column not in table.columns:
            raise ArgumentError.unknown("column", column, table.columns, where=where)


def _taxonomy(table: pl.DataFrame) -> pl.DataFrame:
    """Return ``channel``, ``event``, ``name``, ``group`` as text."""
    where = "Cleaning(taxonomy=...)"
    _columns(table, ["event", "name"], where)
    missing = [
        pl.lit(None, dtype=pl.String).alias(column) for column in ("channel", "group") if column not in table.columns
    ]
    table = table.with_columns(missing).select(
        pl.col("channel", "event", "name", "group").cast(pl.String).str.strip_chars()
    )
    again = table.filter(table.select("channel", "event").is_duplicated())
    if again.height:
        raise ArgumentError.at(f"event {again['event'][0]!r} is there twice", where=where, hint="Give it one name")
    blank = table.filter((pl.col("name") == "") | pl.col("event").is_null())
    if blank.height:
        raise ArgumentError.at(
            f"the name of event {blank['event'][0]!r} is blank", where=where, hint="Null leaves an event out"
        )
    return table


def _exclude(table: pl.DataFrame) -> pl.DataFrame:
    where = "Cleaning(exclude=...)"
    _columns(table, ["rule", "column", "pattern"], where)
    table = table.select(pl.col("rule", "column", "pattern").cast(pl.String))
    for rule, column, pattern in table.iter_rows():
        try:
            if not (rule and column and pattern):
                raise ValueError("it is blank")
            pl.select(pl.lit("").str.contains(pattern))
        except (ValueError, pl.exceptions.PolarsError) as error:
            first = re.sub(r"\s+", " ", str(error))[:200]
            raise ArgumentError.at(
                f"the pattern of rule {rule!r} cannot be used ({first})", where=where, hint="Write a regular expression"
            ) from error
    return table
