"""``PathHazard``: how the hazard of churn differs after a path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from cjm.errors import ArgumentError, CjmError
from cjm.journeys import Journeys
from cjm.matching import named_patterns
from cjm.patterns import Pattern
from cjm.survival._after_fit import AfterFit
from cjm.survival._bias import refuse_bias, refuse_spells
from cjm.survival._design import names_of, require
from cjm.survival._estimate import Options, fit_events, fit_times
from cjm.survival._fitted import Fitted, read_json, write_json
from cjm.survival._known import first_completions, known_completions
from cjm.survival._lifelines import verified
from cjm.survival._prediction import per_event
from cjm.survival._rows import completion_times
from cjm.survival._subjects import Subjects

__all__ = ["PathHazard"]

_PARAMETERS = (
    "patterns", "covariates", "strata", "weights", "cluster", "ties", "penalty", "l1_ratio", "effect", "clock",
    "allow_bias", "level",
)  # fmt: skip

Patterns = Pattern | str | Mapping[str, Pattern | str] | Sequence[Pattern | str]
Effect = Literal["onward", "event", "ever"]
Clock = Literal["auto", "time", "event"]


class PathHazard(AfterFit):
    """A hazard model of churn with paths as covariates that switch on when the path is completed.

    Churn that is an event, or a table of times: a Cox model on (start, stop] rows, cut at the first completion of each
    path; the path acts strictly after it. A path counts once it is complete and all its events could be known to be the
    person's, so that logging in later does not date it back. Churn by silence: the hazard that an event is the last
    before the silence, event by event, stratified by the number of the event (a complementary log-log model, so that
    ``exp(coef)`` is a hazard ratio too), with errors that allow for dependence inside a person. Hazard ratios are
    associations: whether acting on a path helps takes a randomised holdout.

    Parameters
    ----------
    patterns : Pattern, str, mapping of str to these, or sequence of these
        Paths. The keys of a mapping are the terms of the summary; otherwise the text of the pattern is.
    covariates : sequence of str
        Attributes of the subjects known at entry: numbers, Booleans, or text.
    strata : str or sequence of str, optional
        Attributes; each combination has a baseline hazard of its own.
    weights, cluster : str, optional
        Attributes: how many persons one stands for; what groups persons who are not independent (a household, a shop),
        which the errors then allow for.
    ties : {"efron", "breslow"}
    penalty, l1_ratio : float
        Shrink the coefficients (elastic net): see :func:`cjm.survival.cox`. Like ``weights``, ``cluster`` and ``ties``,
        for the Cox model only.
    effect : {"onward", "event", "ever"}
        ``"onward"``: a path counts from its completion on. ``"event"``, with churn by silence: (every completion) at
        the completing event alone. ``"ever"``: as a fixed property of whoever completed it, which is biased.
    clock : {"auto", "time", "event"}
        Time, or event by event. ``"auto"`` takes events for churn by silence, where time is biased.
    allow_bias : bool
        Fit a biased form all the same. Without it such a form is an error that says why: ``effect="ever"``;
        ``clock="time"`` with churn by silence; times of churn that are those of last events.
    level : float
        Of the intervals.

    Attributes
    ----------
    fitted_ : Fitted
        Results; set by ``fit``.

    References
    ----------
    Mantel and Byar (1974), Evaluation of response-time data involving transient states, JASA 69; Fader, Hardie and Lee
    (2005), "Counting your customers" the easy way, Marketing Science 24 (leaving after an event).

    Examples
    --------
    >>> from cjm.survival._example import example, example_journeys
    >>> model = PathHazard(patterns={"help": "web:offer -> web:help"})
    >>> model.fit(example_journeys(), example()).summary.select("term", "exposed", "events").rows()
    [('help', 2, 1)]
    """

    fitted_: Fitted

    def __init__(
        self,
        *,
        patterns: Patterns,
        covariates: Sequence[str] = (),
        strata: str | Sequence[str] | None = None,
        weights: str | None = None,
        cluster: str | None = None,
        ties: Literal["efron", "breslow"] = "efron",
        penalty: float = 0.0,
        l1_ratio: float = 0.0,
        effect: Effect = "onward",
        clock: Clock = "auto",
        allow_bias: bool = False,
        level: float = 0.95,
    ) -> None:
        self.patterns = patterns
        self.covariates = covariates
        self.strata = strata
        self.weights = weights
        self.cluster = cluster
        self.ties = ties
        self.penalty = penalty
        self.l1_ratio = l1_ratio
        self.effect = effect
        self.clock = clock
        self.allow_bias = allow_bias
        self.level = level

    def __repr__(self) -> str:
        return f"PathHazard({', '.join(f'{name}={value!r}' for name, value in self.get_params().items())})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name (``deep`` is there for scikit-learn and changes nothing)."""
        return {name: getattr(self, name) for name in _PARAMETERS}

    def set_params(self, **params: Any) -> PathHazard:
        """Set parameters by name."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise ArgumentError.unknown("parameter", name, known, where="PathHazard.set_params")
            setattr(self, name, value)
        return self

    def fit(self, journeys: Journeys, subjects: Subjects, *, verify: Literal["lifelines"] | None = None) -> PathHazard:
        """Fit the model.

        Parameters
        ----------
        journeys : Journeys
            Where the paths are looked for.
        subjects : Subjects
            From :func:`cjm.subjects`.
        verify : {"lifelines"}, optional
            Fit a sample of at most 20,000 persons with lifelines too, and add to ``notes`` how far it agrees; an error
            where it does not. For models without weights, penalty or clusters.

        Raises
        ------
        ArgumentError
            For an unknown attribute, or ``effect="event"`` with churn that is an event.
        InputError
            If nobody churned, or a term is a combination of others.

        Warns
        -----
        ConvergenceWarning
            If a term has no finite estimate, such as a path after which nobody churned.
        """
        if verify not in (None, "lifelines"):
            raise ArgumentError.unknown("library", str(verify), ["lifelines"], where="PathHazard.fit(verify=...)")
        named = named_patterns(self._named())
        names = list(named)
        strata = names_of(self.strata)
        more = [name for name in (self.weights, self.cluster) if name is not None]
        require(subjects.frame, [*self.covariates, *strata, *more], where="PathHazard.fit")
        clash = sorted(set(names) & set(self.covariates))
        if clash:
            raise ArgumentError.at(
                f"{clash[0]!r} is both a path and a covariate", where="PathHazard", hint="Rename the path"
            )
        by_event = self._by_event(subjects)
        refuse_spells(subjects, where="PathHazard.fit")
        if not self.allow_bias:
            refuse_bias(journeys, subjects, effect=self.effect, clock=self.clock, where="PathHazard.fit")
        options = Options(
            self.covariates, strata, self.weights, self.cluster, self.ties, self.penalty, self.l1_ratio, self.level
        )
        if by_event:
            every = self.effect == "event"
            occurrences = known_completions(journeys, named, every=every)
            self.fitted_ = fit_events(journeys, subjects, occurrences, names, options, every=every)
        else:
            persons = subjects.frame["person"].to_numpy()
            first = completion_times(subjects.frame, first_completions(journeys, named, persons))
            self.fitted_ = fit_times(subjects, first, names, options, ever=self.effect == "ever")
        self._seen = (journeys, subjects)
        if verify:
            note = verified(journeys, subjects, named, covariates=self.covariates, strata=strata)
            self.fitted_ = replace(self.fitted_, notes=(*self.fitted_.notes, note))
        return self

    def _by_event(self, subjects: Subjects) -> bool:
        """Check what goes with what; return whether events are compared instead of times."""
        if self.effect not in ("onward", "event", "ever"):
            raise ArgumentError.unknown("effect", self.effect, ["onward", "event", "ever"], where="PathHazard")
        if self.clock not in ("auto", "time", "event"):
            raise ArgumentError.unknown("clock", self.clock, ["auto", "time", "event"], where="PathHazard")
        silent = subjects.churn.kind == "inactive"
        by_event = self.clock == "event" or (self.clock == "auto" and silent and self.effect != "ever")
        if (by_event and not silent) or (self.effect == "event" and not by_event):
            raise ArgumentError.at(
                'effect="event" and clock="event" are for churn by silence',
                where="PathHazard",
                hint="After an event that is churn nothing follows",
            )
        if by_event and (self.weights or self.cluster or self.penalty or self.ties != "efron"):
            raise ArgumentError.at(
                "weights, cluster, ties and penalty are for the Cox model", where="PathHazard", hint="Leave them out"
            )
        if by_event and self.effect == "ever":
            raise ArgumentError.at('effect="ever" has no clock of events', where="PathHazard", hint='Take clock="time"')
        return by_event

    @property
    def summary(self) -> pl.DataFrame:
        """Contract HAZARDS: a row a path and a covariate.

        ``exposed``: persons at risk with the term not zero (for a path: after it). ``events``: those of them who
        churned meanwhile. ``q``: adjusted over all terms (Benjamini-Hochberg). A path that nobody at risk completed
        has nulls.
        """
        return self._results().summary

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed and what was left out."""
        return self._results().notes

    def check(self) -> pl.DataFrame:
        """Test whether hazard ratios are constant, over time (1 - Kaplan-Meier) or the logarithm of the event number.

        Returns
        -------
        polars.DataFrame
            ``term`` (the last row is ``GLOBAL``), ``chi2``, ``df``, ``p``. With many events small changes have small
            ``p``.
        """
        return self._results().check

    def curves(self) -> pl.DataFrame:
        """Model-based survival with and without each path, from time zero on, other terms at their means.

        A picture of the hazard ratio, not of groups of persons: nobody has completed a path at time zero.

        Returns
        -------
        polars.DataFrame
            Columns of ``strata`` if any, ``term``, ``exposed`` (Boolean), ``time`` (days since time zero; with churn by
            silence, the number of the event), ``survival``.
        """
        fitted = self._results()
        base = fitted.baseline.sort("group", "time")
        if fitted.gap:
            base = per_event(base)
        parts = []
        for path in fitted.paths:
            j = fitted.terms.index(path)
            for exposed in (False, True):
                ratio = float(np.exp(fitted.coef[j] * (exposed - fitted.means[j])))
                survival = (-pl.col("hazard") * ratio).exp().alias("survival")
                parts.append(
                    base.select("group", pl.lit(path).alias("term"), pl.lit(exposed).alias("exposed"), "time", survival)
                )
        if not parts:
            raise ArgumentError.at("no path was estimated, so there is no curve", where="PathHazard.curves")
        table = pl.concat(parts)
        if fitted.strata.width:
            return pl.concat([fitted.strata[table["group"]], table.drop("group")], how="horizontal")
        return table.drop("group")

    def save(self, path: str | Path) -> None:
        """Write parameters and results as JSON."""
        patterns = {name: str(pattern) for name, pattern in self._named().items()}
        params = {
            **self.get_params(),
            "patterns": patterns,
            "covariates": list(self.covariates),
            "strata": names_of(self.strata),
        }
        write_json(path, params, self._results())

    @classmethod
    def load(cls, path: str | Path) -> PathHazard:
        """Read a model that :meth:`save` wrote."""
        params, fitted = read_json(path)
        model = cls(**params)
        model.fitted_ = fitted
        return model

    def _results(self) -> Fitted:
        if not hasattr(self, "fitted_"):
            raise CjmError.at("the model is not fitted", where="PathHazard", hint="Call fit(journeys, subjects) first")
        return self.fitted_

    def _named(self) -> dict[str, Pattern | str]:
        if isinstance(self.patterns, Mapping):
            named = dict(self.patterns)
        else:
            several = [self.patterns] if isinstance(self.patterns, (Pattern, str)) else list(self.patterns)
            named = {str(pattern): pattern for pattern in several}
        if not named:
            raise ArgumentError.at(
                "no patterns are given", where="PathHazard(patterns=...)", hint="cjm.survival.cox needs none"
            )
        return named
