"""Who leaves, when, and after which path."""

from cjm.survival._churn import Churn
from cjm.survival._cox import CoxResult, cox
from cjm.survival._curves import logrank, survival_curves
from cjm.survival._hazard import PathHazard
from cjm.survival._newton import ConvergenceWarning
from cjm.survival._row_tables import event_table, landmark_table, period_table, spell_table
from cjm.survival._screen import screen
from cjm.survival._subjects import Subjects, subjects
from cjm.survival._window import early_window

__all__ = [
    "Churn",
    "ConvergenceWarning",
    "CoxResult",
    "PathHazard",
    "Subjects",
    "cox",
    "early_window",
    "event_table",
    "landmark_table",
    "logrank",
    "period_table",
    "screen",
    "spell_table",
    "subjects",
    "survival_curves",
]
