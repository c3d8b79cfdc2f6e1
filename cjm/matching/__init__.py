"""Finding patterns in journeys: one matcher for mined sequences, funnels, moments and survival covariates."""

from cjm.matching._find import Matches, find, find_matches, named_patterns, touchpoints_of, unusable
from cjm.matching._near_misses import near_misses

__all__ = ["Matches", "find", "find_matches", "named_patterns", "near_misses", "touchpoints_of", "unusable"]
