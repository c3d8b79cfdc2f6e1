"""From a pattern to the small integer tables of the matching kernel."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError
from cjm.patterns import AttributeTest, Expression, Name, Pattern, Selector, Step, waits_of

if TYPE_CHECKING:
    from cjm.journeys import Journeys

__all__ = ["Compiler", "Tables"]

IntArray = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_FOREVER = np.iinfo(np.int64).max
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


@dataclass(frozen=True)
class Tables:
    """A pattern compiled for given journeys; see ``cjm.kernels.matching``.

    ``tested`` holds, for each selector that looks at more than the touchpoint, its bit and the events that pass;
    ``untested`` the bits of the other selectors.
    """

    table: npt.NDArray[np.uint32]
    tested: tuple[tuple[int, Flags], ...]
    untested: int
    first_bit: int
    waits: IntArray
    absences: IntArray
    span: int

    def gate(self, start: int, stop: int) -> npt.NDArray[np.uint32]:
        """Return the bits that events ``[start, stop)`` let through; empty if nothing but touchpoints counts."""
        if not self.tested:
            return np.empty(0, dtype=np.uint32)
        gate = np.full(stop - start, self.untested, dtype=np.uint32)
        for bit, passed in self.tested:
            gate |= passed[start:stop].astype(np.uint32) * np.uint32(bit)
        return gate


class Compiler:
    """Compiles patterns for ``journeys``, and keeps the results of attribute tests, which patterns may share."""

    def __init__(self, journeys: Journeys) -> None:
        self.journeys = journeys
        touchpoints = journeys.touchpoints
        self.code = {name: code for code, name in enumerate(touchpoints["touchpoint"].to_list())}
        self.names = {kind: touchpoints[kind].cast(pl.String) for kind in ("channel", "event")}
        self.passed: dict[tuple[AttributeTest, ...] | Expression, Flags] = {}

    @cached_property
    def frame(self) -> pl.LazyFrame:
        """The frame that expressions see."""
        return self.journeys.frame

    def compile(self, name: str, pattern: Pattern) -> Tables:
        """Return the tables of ``pattern``; ``name`` is for messages."""
        bits: dict[Selector, int] = {}

        def bit(selector: Selector | None) -> int:
            return 0 if selector is None else 1 << bits.setdefault(selector, len(bits))

        def absence_row(wait: int, absence: Step) -> tuple[int, int, int]:
            return wait, bit(absence.what), absence.within or 0

        first_bit = bit(pattern.steps[0].what)
        waits, at_end = waits_of(pattern)
        rows: list[tuple[int, ...]] = []
        absences: list[tuple[int, int, int]] = []
        slot = 0
        for number, wait in enumerate(waits):
            step = wait.step
            within = _FOREVER if step.within is None else step.within
            quiet = max((absence.within or 0 for absence in wait.absences), default=-_FOREVER)
            limits = (bit(step.what), within, wait.earliest, step.count, int(step.strict), bit(step.unless), quiet)
            rows.append((*limits, slot, wait.attempts))
            absences += [absence_row(number, absence) for absence in wait.absences]
            slot += wait.attempts
        absences += [absence_row(len(waits), absence) for absence in at_end]
        where = f"pattern {name!r}"
        table = np.zeros(len(self.code), dtype=np.uint32)
        for selector, place in bits.items():
            table[self.codes(selector, where)] |= np.uint32(1 << place)
        tested = {
            selector: self.events(selector.expression or selector.tests, where)
            for selector in bits
            if selector.expression or selector.tests
        }
        return Tables(
            table,
            tuple((1 << bits[selector], passed) for selector, passed in tested.items()),
            sum(1 << place for selector, place in bits.items() if selector not in tested),
            first_bit,
            np.array(rows, dtype=np.int64).reshape(-1, 9),
            np.array(absences, dtype=np.int64).reshape(-1, 3),
            _FOREVER if pattern.span_us is None else pattern.span_us,
        )

    def codes(self, selector: Selector, where: str) -> IntArray:
        """Return the codes of the touchpoints that a selector names."""
        if selector.expression is not None:
            return np.arange(len(self.code))
        return np.concatenate([self.codes_of_name(name, where) for name in selector.names])

    def codes_of_name(self, name: Name, where: str) -> IntArray:
        """Return the codes of one name; there is at least one, unless it stands for every touchpoint."""
        if name.channel is not None and name.event is not None:
            touchpoint = f"{name.channel}:{name.event}"
            if touchpoint not in self.code:
                raise ArgumentError.unknown("touchpoint", touchpoint, self.code, where=where)
            return np.array([self.code[touchpoint]], dtype=np.int64)
        if name.channel is None and name.event is None:
            return np.arange(len(self.code))
        kind, part = ("channel", name.channel) if name.channel is not None else ("event", name.event)
        assert part is not None
        found = (self.names[kind] == part).to_numpy()
        if not found.any():
            raise ArgumentError.unknown(kind, part, self.names[kind].unique().to_list(), where=where)
        return np.flatnonzero(found)

    def events(self, condition: tuple[AttributeTest, ...] | Expression, where: str) -> Flags:
        """Return for each event whether it passes; null does not."""
        if condition not in self.passed:
            if isinstance(condition, Expression):
                passed = _evaluate(condition.expr, self.frame, where)
            else:
                tests = [_test_expr(test, self.journeys.schema, where) for test in condition]
                columns = {test.attribute: self.journeys.attribute(test.attribute) for test in condition}
                passed = pl.DataFrame(columns).select(pl.all_horizontal(tests).alias("passed"))["passed"]
            self.passed[condition] = passed.fill_null(False).to_numpy()
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
    return passed


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
