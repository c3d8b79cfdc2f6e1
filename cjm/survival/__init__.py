"""Who leaves, when, and after which path."""

from cjm.survival._churn import Churn
from cjm.survival._concordance import concordance
from cjm.survival._cox import CoxResult, cox
from cjm.survival._curves import cumulative_hazard, survival_curves
from cjm.survival._gray import gray
from cjm.survival._hazard import PathHazard
from cjm.survival._holdout import Holdout, holdout
from cjm.survival._incidence import cif, cumulative_incidence
from cjm.survival._lifelines import Parametric, parametric
from cjm.survival._logrank import logrank, logrank_pairs
from cjm.survival._means import restricted_mean
from cjm.survival._newton import ConvergenceWarning
from cjm.survival._path_curves import PathCurves, landmark, simon_makuch
from cjm.survival._row_tables import event_table, landmark_table, period_table, spell_table
from cjm.survival._screen import screen
from cjm.survival._sensitivity import sensitivity
from cjm.survival._subjects import Subjects, subjects
from cjm.survival._validate import Validation, validate
from cjm.survival._when import When, when
from cjm.survival._who import who
from cjm.survival._window import early_window

__all__ = [
    "Churn",
    "ConvergenceWarning",
    "CoxResult",
    "Holdout",
    "Parametric",
    "PathCurves",
    "PathHazard",
    "Subjects",
    "Validation",
    "When",
    "cif",
    "concordance",
    "cox",
    "cumulative_hazard",
    "cumulative_incidence",
    "early_window",
    "event_table",
    "gray",
    "holdout",
    "landmark",
    "landmark_table",
    "logrank",
    "logrank_pairs",
    "parametric",
    "period_table",
    "restricted_mean",
    "screen",
    "sensitivity",
    "simon_makuch",
    "spell_table",
    "subjects",
    "survival_curves",
    "validate",
    "when",
    "who",
]
