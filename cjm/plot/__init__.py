"""Pictures of what the measures return: each takes the frame of the measure of its name, and needs no network."""

from cjm.plot._flow import flow
from cjm.plot._funnel import funnel
from cjm.plot._picture import Picture
from cjm.plot._retention import retention
from cjm.plot._step_matrix import step_matrix
from cjm.plot._timeline import timeline
from cjm.plot._transitions import transitions

__all__ = ["Picture", "flow", "funnel", "retention", "step_matrix", "timeline", "transitions"]
