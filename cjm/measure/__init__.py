"""Questions asked of journeys that end in a table: key figures, funnels, transitions, paths, retention."""

from cjm.measure._funnel import funnel
from cjm.measure._kpis import kpis
from cjm.measure._paths import flow, step_matrix, variants
from cjm.measure._retention import retention
from cjm.measure._timeline import timeline
from cjm.measure._transitions import transitions

__all__ = ["flow", "funnel", "kpis", "retention", "step_matrix", "timeline", "transitions", "variants"]
