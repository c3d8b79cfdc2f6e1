"""Moments that matter: patterns worth watching, where they were found, and what to do about them."""

from cjm.moments._action import Action, Budget
from cjm.moments._context import Running
from cjm.moments._decide import decide
from cjm.moments._effects import effects_from_hazards, effects_from_holdout
from cjm.moments._lookup import DecisionTable, open_decisions, write_decisions
from cjm.moments._moments import Moment, detect
from cjm.moments._off_policy import off_policy_value
from cjm.moments._state import WatchState
from cjm.moments._suppression import Suppression, suppressions
from cjm.moments._watch import Watch

__all__ = [
    "Action",
    "Budget",
    "DecisionTable",
    "Moment",
    "Running",
    "Suppression",
    "Watch",
    "WatchState",
    "decide",
    "detect",
    "effects_from_hazards",
    "effects_from_holdout",
    "off_policy_value",
    "open_decisions",
    "suppressions",
    "write_decisions",
]
