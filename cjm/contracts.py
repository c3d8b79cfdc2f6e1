"""The columns of every public frame, stated once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import polars as pl

from cjm.errors import ContractError

__all__ = ["CONTRACTS", "Contract"]

TIME = pl.Datetime("us", "UTC")
_TEXT = pl.String


@dataclass(frozen=True)
class Contract:
    """The columns that a frame starts with, in order, and their types.

    Attributes
    ----------
    name : str
    columns : mapping of str to Polars data type
        Required columns. ``String`` also admits ``Categorical`` and ``Enum``.
    optional : mapping of str to Polars data type
        Columns that may be there; their type is checked if they are.
    open : bool
        Whether further columns (attributes) may follow.
    """

    name: str
    columns: Mapping[str, pl.DataType | type[pl.DataType]]
    optional: Mapping[str, pl.DataType | type[pl.DataType]] = field(default_factory=dict)
    open: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", MappingProxyType(dict(self.columns)))
        object.__setattr__(self, "optional", MappingProxyType(dict(self.optional)))

    def validate(self, frame: pl.DataFrame | pl.LazyFrame) -> None:
        """Raise :class:`~cjm.errors.ContractError` unless ``frame`` keeps the contract."""
        schema = frame.collect_schema()
        missing = [name for name in self.columns if name not in schema]
        if missing:
            raise ContractError.at(f"column {missing[0]!r} is missing", where=f"contract {self.name}")
        for name, expected in {**self.columns, **self.optional}.items():
            if name in schema and not _fits(schema[name], expected):
                raise ContractError.at(
                    f"column {name!r} is {schema[name]}, not {expected}", where=f"contract {self.name}"
                )
        found = [name for name in schema.names() if name in self.columns]
        if found != list(self.columns):
            raise ContractError.at(f"the order of columns is {found}", where=f"contract {self.name}")
        extra = [name for name in schema.names() if name not in self.columns and name not in self.optional]
        if extra and not self.open:
            raise ContractError.at(f"column {extra[0]!r} does not belong here", where=f"contract {self.name}")

    def empty(self) -> pl.DataFrame:
        """Return a frame of this contract without rows."""
        return pl.DataFrame(schema=dict(self.columns))


def _fits(found: pl.DataType, expected: pl.DataType | type[pl.DataType]) -> bool:
    if expected == pl.String:
        return found == pl.String or isinstance(found, (pl.Categorical, pl.Enum))
    return bool(found == expected)


def _contract(
    name: str,
    *,
    open: bool = True,
    optional: Mapping[str, pl.DataType | type[pl.DataType]] | None = None,
    **columns: pl.DataType | type[pl.DataType],
) -> Contract:
    return Contract(name, columns, optional or {}, open)


CONTRACTS: Mapping[str, Contract] = MappingProxyType(
    {
        contract.name: contract
        for contract in (
            _contract("EVENTS", time=TIME, channel=_TEXT, event=_TEXT, optional={"value": pl.Float64}),
            _contract(
                "QUALITY",
                open=False,
                source=_TEXT,
                check=_TEXT,
                rows=pl.Int64,
                share=pl.Float64,
                example=_TEXT,
                action=_TEXT,
            ),
            _contract(
                "IDENTITY_MAP",
                kind=_TEXT,
                id=_TEXT,
                person=pl.Int64,
                valid_from=TIME,
                valid_to=TIME,
                known_from=TIME,
                reason=_TEXT,
                first_seen=TIME,
                last_seen=TIME,
                events=pl.Int64,
            ),
            _contract(
                "LINKS",
                kind_a=_TEXT,
                id_a=_TEXT,
                kind_b=_TEXT,
                id_b=_TEXT,
                first_seen=TIME,
                last_seen=TIME,
                events=pl.Int64,
                used=pl.Boolean,
                reason=_TEXT,
            ),
            _contract("CONFLICTS", rule=_TEXT, kind=_TEXT, id=_TEXT, persons=pl.Int64, events=pl.Int64, decision=_TEXT),
            _contract(
                "JOURNEY_EVENTS",
                person=pl.Int64,
                time=TIME,
                channel=_TEXT,
                event=_TEXT,
                touchpoint=_TEXT,
                session=pl.Int64,
                value=pl.Float64,
            ),
            _contract(
                "SESSIONS",
                person=pl.Int64,
                session=pl.Int64,
                start=TIME,
                end=TIME,
                duration=pl.Duration("us"),
                events=pl.Int64,
                first=_TEXT,
                last=_TEXT,
                channels=pl.Int64,
            ),
            _contract(
                "PERSONS",
                person=pl.Int64,
                first_seen=TIME,
                last_seen=TIME,
                events=pl.Int64,
                sessions=pl.Int64,
                channels=pl.Int64,
            ),
            _contract(
                "JOURNEYS",
                person=pl.Int64,
                journey=pl.Int64,
                goal=_TEXT,
                start=TIME,
                end=TIME,
                state=_TEXT,
                events=pl.Int64,
                duration=pl.Duration("us"),
                optional={"key": _TEXT},
            ),
            _contract("SEQUENCES", pattern=pl.List(_TEXT), length=pl.Int64, persons=pl.Int64, support=pl.Float64),
            _contract("ITEMSETS", items=pl.List(_TEXT), length=pl.Int64, count=pl.Int64, support=pl.Float64),
            _contract(
                "RULES",
                antecedent=pl.List(_TEXT),
                consequent=pl.List(_TEXT),
                support=pl.Float64,
                confidence=pl.Float64,
                lift=pl.Float64,
                leverage=pl.Float64,
                conviction=pl.Float64,
            ),
            _contract(
                "OCCURRENCES",
                pattern=_TEXT,
                person=pl.Int64,
                start=TIME,
                end=TIME,
                span=pl.Duration("us"),
                optional={"confirmed_at": TIME},
            ),
            _contract(
                "MATCHES",
                moment=_TEXT,
                version=_TEXT,
                pattern=_TEXT,
                match_id=pl.Int64,
                person=pl.Int64,
                start=TIME,
                end=TIME,
                span=pl.Duration("us"),
                confirmed_at=TIME,
                steps=pl.List(TIME),
                action=_TEXT,
            ),
            _contract(
                "SUBJECTS", person=pl.Int64, entry=TIME, exit=TIME, duration=pl.Float64, churned=pl.Boolean, end=_TEXT
            ),
            _contract(
                "HAZARDS",
                term=_TEXT,
                coef=pl.Float64,
                hazard_ratio=pl.Float64,
                lower=pl.Float64,
                upper=pl.Float64,
                se=pl.Float64,
                z=pl.Float64,
                p=pl.Float64,
                q=pl.Float64,
                exposed=pl.Int64,
                events=pl.Int64,
            ),
            _contract(
                "DECISIONS",
                person=pl.Int64,
                rank=pl.Int64,
                action=_TEXT,
                channel=_TEXT,
                moment=_TEXT,
                decision=_TEXT,
                reason=_TEXT,
                released_at=TIME,
                since=TIME,
                until=TIME,
                effect=pl.Float64,
                effect_low=pl.Float64,
                effect_high=pl.Float64,
                basis=_TEXT,
                value=pl.Float64,
                cost=pl.Float64,
                expected_value=pl.Float64,
                in_time=pl.Boolean,
                eligible=pl.Boolean,
                consented=pl.Boolean,
                free=pl.Boolean,
                in_budget=pl.Boolean,
                propensity=pl.Float64,
                decided_at=TIME,
            ),
        )
    }
)
