"""Journeys: events of persons in order, their sessions, and the store on disk."""

from cjm.journeys._again import journeys_again
from cjm.journeys._arrays import EventArrays
from cjm.journeys._build import build_journeys, journeys_from_frame
from cjm.journeys._collect import IN_MEMORY
from cjm.journeys._consent import consented, consenting
from cjm.journeys._core import Journeys
from cjm.journeys._sessions import SessionRule
from cjm.journeys._store import open_journeys

__all__ = [
    "IN_MEMORY",
    "EventArrays",
    "Journeys",
    "SessionRule",
    "build_journeys",
    "consented",
    "consenting",
    "journeys_again",
    "journeys_from_frame",
    "open_journeys",
]
