"""What the names and tests of a pattern mean for given journeys."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError
from cjm.patterns import AttributeTest, Expression, Name, Selector

if TYPE_CHECKING:
    from cjm.journeys import Journeys

__all__ = ["Compiler", "Condition", "Flags"]

IntArray = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Condition: TypeAlias = tuple[AttributeTest, ...] | Expression

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "=": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "in": operator.eq,
    }
)


class Compiler:
    """Looks names up in ``journeys``, and keeps the results of attribute tests, which patterns may share.

    With ``partial``, the journeys are a part of what there is: a name that does not occur stands for no event.
    """

    def __init__(self, journeys: Journeys, *, partial: bool = False) -> None:
        self.journeys = journeys
        self.partial = partial
        touchpoints = journeys.touchpoints
        self.code = {name: code for code, name in enumerate(touchpoints["touchpoint"].to_list())}
        self.names = {kind: touchpoints[kind].cast(pl.String) for kind in ("channel", "event")}
        self.passed: dict[Condition, Flags] = {}

    @cached_property
    def frame(self) -> pl.LazyFrame:
        """The frame that expressions see."""
        return self.journeys.frame

    def codes(self, selector: Selector, where: str) -> IntArray:
        """Return the codes of the touchpoints that a selector names."""
        if selector.expression is not None:
            return np.arange(len(self.code))
        return np.concatenate([self.codes_of_name(name, where) for name in selector.names])

    def codes_of_name(self, name: Name, where: str) -> IntArray:
        """Return the codes of one name; there is at least one, unless it stands for every touchpoint or for a part."""
        if name.channel is not None and name.event is not None:
            touchpoint = f"{name.channel}:{name.event}"
            if self.partial and touchpoint not in self.code:
                return np.empty(0, dtype=np.int64)
            if touchpoint not in self.code:
                raise ArgumentError.unknown("touchpoint", touchpoint, self.code, where=where)
            return np.array([self.code[touchpoint]], dtype=np.int64)
        if name.channel is None and name.event is None:
            return np.arange(len(self.code))
        kind, part = ("channel", name.channel) if name.channel is not None else ("event", name.event)
        assert part is not None
        found = (self.names[kind] == part).to_numpy()
        if not found.any() and not self.partial:
            raise ArgumentError.unknown(kind, part, self.names[kind].unique().to_list(), where=where)
        return np.flatnonzero(found)

    def events(self, condition: Condition, where: str) -> Flags:
        """Return for each event whether it passes; null does not."""
        if condition not in self.passed:
            if isinstance(condition, Expression):
                passed = _evaluate(condition.expr, self.frame, where)
            else:
                tests = [_test_expr(test, self.journeys.schema, where) for test in condition]
                columns = {test.attribute: self.journeys.attribute(test.attribute) for test in condition}
                passed = pl.DataFrame(columns).select(pl.all_horizontal(tests).fill_null(False)).to_series()
            self.passed[condition] = passed.to_numpy()
        return self.passed[condition]


def _evaluate(expr: pl.Expr, frame: pl.LazyFrame, where: str) -> pl.Series:
    columns = frame.collect_schema().names()
    for name in expr.meta.root_names():
        if name not in columns:
            raise ArgumentError.unknown("column", name, columns, where=where)
    try:
        passed = frame.with_columns(expr.alias("passed")).select("passed").collect()["passed"]
    except pl.exceptions.PolarsError as error:
        raise ArgumentError.at(f"the expression {expr} fails: {error}", where=where) from error
    if passed.dtype != pl.Boolean:
        raise ArgumentError.at(
            f"the expression {expr} gives {passed.dtype}", where=where, hint="A step needs true or false for each event"
        )
    return passed.fill_null(False)


def _test_expr(test: AttributeTest, schema: pl.Schema, where: str) -> pl.Expr:
    if test.attribute not in schema:
        raise ArgumentError.unknown("attribute", test.attribute, schema.names(), where=where)
    dtype = schema[test.attribute]
    column = pl.col(test.attribute)
    wanted: tuple[type, ...]
    if dtype == pl.Boolean:
        wanted, kind = (bool,), "true or false"
    elif dtype.is_numeric():
        wanted, kind = (int, float), "a number"
        column = column.fill_nan(None) if dtype.is_float() else column
    elif dtype == pl.String or isinstance(dtype, (pl.Categorical, pl.Enum)):
        wanted, kind = (str,), "a text in double quotes"
        column = column.cast(pl.String)
    else:
        raise ArgumentError.at(
            f"attribute {test.attribute!r} is {dtype}, which [{test}] cannot test",
            where=where,
            hint="Give the step as a Polars expression",
        )
    values = [json.loads(value) for value in test.values]
    ordered = test.op not in ("=", "!=", "in")
    if any(type(value) not in wanted for value in values) or (dtype == pl.Boolean and ordered):
        hint = f"Compare it with {kind}" + (", by = != in" if dtype == pl.Boolean else "")
        raise ArgumentError.at(f"[{test}] does not fit the attribute, which is {dtype}", where=where, hint=hint)
    compare = _OPERATORS[test.op]
    return pl.any_horizontal(compare(column, pl.lit(value)) for value in values)
