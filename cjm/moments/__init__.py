"""Moments that matter: patterns worth watching, and where they were found."""

from cjm.moments._moments import Moment, detect

__all__ = ["Moment", "detect"]
