"""Moments that matter: patterns worth watching, where they were found, and watching as events come in."""

from cjm.moments._context import Running
from cjm.moments._moments import Moment, detect
from cjm.moments._state import WatchState
from cjm.moments._watch import Watch

__all__ = ["Moment", "Running", "Watch", "WatchState", "detect"]
