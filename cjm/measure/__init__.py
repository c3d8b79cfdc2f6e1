"""Questions asked of journeys that end in a table: key figures, funnels, transitions, paths, retention."""

from cjm.measure._by import cohort, period
from cjm.measure._features import features
from cjm.measure._flow import flow
from cjm.measure._follows import follows
from cjm.measure._funnel import funnel, funnel_next
from cjm.measure._goal import Goal, goal
from cjm.measure._goals import goal_events, goal_journeys, goal_overlap
from cjm.measure._kpi_registry import Kpi, kpi, register_kpi, registered_kpis
from cjm.measure._kpis import kpis
from cjm.measure._retention import retention
from cjm.measure._step_matrix import step_matrix
from cjm.measure._timeline import timeline
from cjm.measure._transitions import transitions
from cjm.measure._variants import variants

__all__ = [
    "Goal",
    "Kpi",
    "cohort",
    "features",
    "flow",
    "follows",
    "funnel",
    "funnel_next",
    "goal",
    "goal_events",
    "goal_journeys",
    "goal_overlap",
    "kpi",
    "kpis",
    "period",
    "register_kpi",
    "registered_kpis",
    "retention",
    "step_matrix",
    "timeline",
    "transitions",
    "variants",
]
