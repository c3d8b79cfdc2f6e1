"""Key figures that users add."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cjm.errors import ArgumentError
from cjm.patterns import Expression

__all__ = ["Kpi", "kpi", "register_kpi", "registered_kpis"]

_TABLES = ("events", "sessions", "persons")
_REGISTERED: dict[str, Kpi] = {}


@dataclass(frozen=True)
class Kpi:
    """A key figure, made by :func:`cjm.kpi`. A frozen, hashable value that prints as text.

    Attributes
    ----------
    name : str
    numerator : Expression
    denominator : Expression or None
        None: the number of rows.
    over : str
        The table whose rows are added up: ``"events"``, ``"sessions"`` or ``"persons"``.
    unit : str
    interval : bool
        Whether it is a share that gets a Wilson interval.
    """

    name: str
    numerator: Expression
    denominator: Expression | None
    over: str
    unit: str
    interval: bool

    def __str__(self) -> str:
        below = f"number of {self.over}" if self.denominator is None else f"sum of {self.denominator.expr}"
        return f"{self.name}: sum of {self.numerator.expr} / {below}, over {self.over}, {self.unit}"


def kpi(
    name: str,
    *,
    numerator: pl.Expr,
    denominator: pl.Expr | None = None,
    over: str = "events",
    unit: str = "",
    interval: bool = False,
) -> Kpi:
    """Describe a key figure: the sum of one expression over the sum of another.

    Parameters
    ----------
    name : str
        Name in the result of :func:`cjm.kpis`.
    numerator, denominator : polars.Expr
        Expressions over the columns of the table that give a number or a Boolean (counted as 0 and 1) for each row of
        it; null and NaN add nothing. They must look at their row alone, or at the rows of its person with ``over``.
        Default denominator: the number of rows.
    over : {"events", "sessions", "persons"}
        The table: ``journeys.frame``, ``journeys.sessions`` or ``journeys.persons``.
    unit : str
        Unit in the result; ``"share"`` if ``interval`` and none is given.
    interval : bool
        Whether the figure is a share of rows, with a Wilson interval.

    Returns
    -------
    Kpi
        For ``cjm.kpis(..., more=[...])`` or :func:`cjm.register_kpi`.

    Raises
    ------
    ArgumentError
        For an empty name, another table, or something that is no expression.

    Examples
    --------
    >>> print(kpi("long_sessions", numerator=pl.col("events") > 20, over="sessions", interval=True))
    long_sessions: sum of [(col("events")) > (dyn int: 20)] / number of sessions, over sessions, share
    """
    if not isinstance(name, str) or not name.strip():
        raise ArgumentError.at("a key figure needs a name", where="kpi")
    where = f"kpi({name!r})"
    if over not in _TABLES:
        raise ArgumentError.unknown("table", str(over), _TABLES, where=f"{where}, over=")
    for part, expr in (("numerator", numerator), ("denominator", denominator)):
        if not isinstance(expr, pl.Expr) and not (part == "denominator" and expr is None):
            raise ArgumentError.at(
                f"must be a Polars expression, not {expr!r}", where=f"{where}, {part}=", hint='Such as pl.col("value")'
            )
    below = None if denominator is None else Expression(denominator)
    return Kpi(name, Expression(numerator), below, over, unit or ("share" if interval else ""), interval)


def register_kpi(kpi: Kpi) -> None:
    """Have :func:`cjm.kpis` compute a figure in every call of this process.

    Raises
    ------
    ArgumentError
        If there is a figure of that name.

    Examples
    --------
    >>> register_kpi(kpi("paid_rate", numerator=pl.col("event") == "purchase", interval=True))
    >>> [entry.name for entry in registered_kpis()]
    ['paid_rate']
    >>> _ = _REGISTERED.pop("paid_rate")
    """
    from cjm.measure._kpi_figures import NAMES

    if not isinstance(kpi, Kpi):
        raise ArgumentError.at(f"must be a key figure, not {kpi!r}", where="register_kpi", hint="Make it with cjm.kpi")
    if kpi.name in NAMES or kpi.name in _REGISTERED:
        raise ArgumentError.at(
            f"there is a figure {kpi.name!r} already", where="register_kpi", hint="Give it another name"
        )
    _REGISTERED[kpi.name] = kpi


def registered_kpis() -> tuple[Kpi, ...]:
    """Return what was registered with :func:`cjm.register_kpi`, in that order."""
    return tuple(_REGISTERED.values())
