"""Forms of comparison that call meaningless paths harmful or protective, and how they are recognised."""

from __future__ import annotations

import numpy as np

from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.ragged import places_in_sorted
from cjm.survival._subjects import Subjects

__all__ = ["refuse_bias", "refuse_spells"]

_MOST = 0.9
_ENOUGH = 10
_MEND = "allow_bias=True fits it all the same, for a comparison of methods"


def refuse_bias(
    journeys: Journeys, subjects: Subjects, *, effect: str, clock: str, where: str, instead: str = 'clock="event"'
) -> None:
    """Raise if a model of paths would be biased even where no path means anything.

    ``instead`` is what to use with churn by silence.

    Raises
    ------
    ArgumentError
        With the reason and the form to use instead.

    References
    ----------
    Anderson, Cain and Gelber (1983), J. Clinical Oncology 1 (immortal time).
    """
    reason = None
    if effect == "ever":
        reason = (
            "whoever stays longer has more time to complete a path, so as a fixed property even a meaningless path "
            'looks protective. Use effect="onward"'
        )
    elif subjects.churn.kind == "inactive" and clock == "time":
        reason = (
            f"churn is {subjects.churn}: nobody can have been silent for so long soon after an event, so every path "
            f"looks protective. Use {instead}"
        )
    elif subjects.churn.kind == "table" and _inferred(journeys, subjects):
        reason = (
            "the times of churn lie at, or at one fixed distance after, the last events of those who churned, so they "
            "were inferred from silence: the last event is churn and path at once. Use Churn.inactive(gap)"
        )
    if reason is not None:
        raise ArgumentError.at(reason, where=where, hint=_MEND)


def refuse_spells(subjects: Subjects, *, where: str) -> None:
    """Raise if a person has more than one row."""
    if subjects.frame["person"].is_duplicated().any():
        raise ArgumentError.at(
            "persons have several spells", where=where, hint="Use cox with the spell as stratum and cluster='person'"
        )


def _inferred(journeys: Journeys, subjects: Subjects) -> bool:
    """Whether nearly all times of churn are at one distance from last events that are nothing special.

    A cancellation is the last event as well, but nearly all events of its touchpoint are.
    """
    churned = subjects.frame.filter("churned")
    person, exit_ = churned["person"].to_numpy(), churned["exit"].to_physical().to_numpy()
    touchpoints = journeys.touchpoints.height
    total, final = np.zeros(touchpoints, dtype=np.int64), np.zeros(touchpoints, dtype=np.int64)
    delays = []
    for bucket in journeys.buckets():
        arrays = bucket.arrays
        place = places_in_sorted(arrays.person, person)
        ours = place >= 0
        last = arrays.offsets[place[ours] + 1] - 1
        delays.append(exit_[ours] - arrays.time[last])
        total += np.bincount(arrays.code, minlength=touchpoints)
        final += np.bincount(arrays.code[last], minlength=touchpoints)
    delay, counts = np.unique(np.concatenate(delays), return_counts=True)
    if counts.sum() < _ENOUGH or counts.max() < _MOST * counts.sum():
        return False
    usual = int(delay[counts.argmax()])
    ordinary = final[final < 0.5 * total].sum()
    return usual > 0 or (usual == 0 and bool(ordinary > 0.5 * final.sum()))
