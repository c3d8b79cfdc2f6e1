"""Finding patterns in journeys: one matcher for mined sequences, funnels, moments and survival covariates."""

from cjm.matching._find import (
    Matches,
    find,
    find_matches,
    known_until,
    named_patterns,
    over_parts,
    ranges_of,
    touchpoints_of,
    unusable,
)
from cjm.matching._near_misses import near_misses
from cjm.matching._program import Program, Ran, Tables, compile_patterns, tables_of
from cjm.matching._run import run, run_plain
from cjm.matching._tables import Compiler

__all__ = [
    "Compiler",
    "Matches",
    "Program",
    "Ran",
    "Tables",
    "compile_patterns",
    "find",
    "find_matches",
    "known_until",
    "named_patterns",
    "near_misses",
    "over_parts",
    "ranges_of",
    "run",
    "run_plain",
    "tables_of",
    "touchpoints_of",
    "unusable",
]
