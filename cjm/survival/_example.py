"""A handful of customers for the examples in docstrings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from cjm.journeys import Journeys, journeys_from_frame
from cjm.survival._churn import Churn
from cjm.survival._subjects import Subjects, subjects

__all__ = ["example", "example_journeys"]

_EVENTS = [
    (1, 0, "web:offer"), (1, 5, "web:help"), (1, 30, "account:cancelled"),
    (2, 0, "web:offer"), (2, 20, "web:offer"), (2, 60, "web:offer"),
    (3, 1, "web:offer"), (3, 9, "web:offer"), (3, 45, "account:cancelled"),
    (4, 2, "web:help"), (4, 12, "account:cancelled"),
    (5, 3, "web:offer"), (5, 40, "web:help"), (5, 70, "web:offer"),
    (6, 4, "web:offer"), (6, 80, "web:offer"),
]  # fmt: skip


def example_journeys() -> Journeys:
    """Return six customers' events."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [(person, start + timedelta(days=day), *name.split(":")) for person, day, name in _EVENTS]
    return journeys_from_frame(pl.DataFrame(rows, schema=["person", "time", "channel", "event"], orient="row"), gap=1)


def example() -> Subjects:
    """Return the six customers as subjects, with a plan each."""
    persons = pl.DataFrame({"person": [1, 2, 3, 4, 5, 6], "plan": ["basic", "plus", "plus", "basic", "basic", "plus"]})
    return subjects(example_journeys(), Churn.event("account:cancelled"), persons=persons)
