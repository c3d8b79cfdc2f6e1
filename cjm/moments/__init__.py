"""Moments that matter: patterns worth watching, where they were found, and what to do about them."""

from cjm.moments._action import Action, Budget
from cjm.moments._decide import decide
from cjm.moments._lookup import DecisionTable, open_decisions, write_decisions
from cjm.moments._moments import Moment, detect

__all__ = [
    "Action",
    "Budget",
    "DecisionTable",
    "Moment",
    "decide",
    "detect",
    "open_decisions",
    "write_decisions",
]
