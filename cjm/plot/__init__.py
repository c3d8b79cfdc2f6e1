"""Pictures of what the measures return: each takes the frame of the measure of its name, and needs no network."""

from cjm.plot._calibration import calibration
from cjm.plot._flow import flow
from cjm.plot._funnel import funnel
from cjm.plot._hazards import hazards
from cjm.plot._picture import Picture
from cjm.plot._retention import retention
from cjm.plot._sizes import sizes
from cjm.plot._step_matrix import step_matrix
from cjm.plot._survival import survival_curves
from cjm.plot._timeline import timeline
from cjm.plot._transitions import transitions
from cjm.plot._when import when

__all__ = [
    "Picture",
    "calibration",
    "flow",
    "funnel",
    "hazards",
    "retention",
    "sizes",
    "step_matrix",
    "survival_curves",
    "timeline",
    "transitions",
    "when",
]
