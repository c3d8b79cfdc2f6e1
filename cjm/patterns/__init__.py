"""Patterns: steps in order, with limits on time and steps that must not occur. A small language and its values."""

from cjm.patterns._parts import MAX_STEPS, AttributeTest, Expression, Name, Selector, Step
from cjm.patterns._pattern import Pattern, Wait, pattern, waits_of

__all__ = [
    "MAX_STEPS",
    "AttributeTest",
    "Expression",
    "Name",
    "Pattern",
    "Selector",
    "Step",
    "Wait",
    "pattern",
    "waits_of",
]
