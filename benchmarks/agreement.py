"""Is what a watch finds right? Two properties of the tests, with as many examples as one likes.

Random patterns of every construct, random logs with ties. ``agree``: cut into batches and delayed at random, the
kernel, plain Python, the two taking turns, and an oracle that tries every assignment of events to steps find the same.
``repair``: with late events, what was found, with what repairs add and withdraw, is what the whole log gives.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

TESTS = Path(__file__).resolve().parents[1] / "tests"


def constructs(pattern: Any) -> set[str]:
    """Return what a pattern is made of."""
    found = {"limit on the whole"} if pattern.span_us is not None else set()
    for step in pattern.steps:
        tests = {
            "within": step.within is not None,
            "after": step.after is not None,
            "unless": step.unless is not None,
            "very next": step.strict,
            "n x": step.count > 1,
            "absence": step.absent,
            "attribute": bool(step.what.tests),
            "any of several": len(step.what.names) > 1,
            "wildcard": any(None in (name.channel, name.event) for name in step.what.names),
        }
        found |= {name for name, there in tests.items() if there}
    return found | {"absence at the end" if pattern.confirm_us is not None else "event at the end"}


def main() -> None:
    """Print what was compared; fail where it differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    sys.path[:0] = [str(TESTS), str(TESTS / "moments")]
    from watch_agreement import agree, repair

    for call in (agree, repair):
        compare(call, asked.examples, asked.seed)


def compare(call: Callable[[Any], tuple[Any, Any, Any]], examples: int, first: int) -> None:
    """Call a property with examples; print of what they were made."""
    made: Counter[str] = Counter()

    @seed(first)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def one(data: Any) -> None:
        named, frame, matches = call(data)
        made.update(examples=1, events=frame.height, patterns=len(named), matches=matches.height)
        for pattern in named.values():
            made.update(constructs(pattern))

    begun = time.perf_counter()
    one()
    print(f"{call.__name__}: no difference, {time.perf_counter() - begun:.0f} s")
    print("; ".join(f"{name} {count:,}" for name, count in made.items()))


if __name__ == "__main__":
    main()
