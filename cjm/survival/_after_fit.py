"""What a fitted path model is used for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from cjm.durations import DAY_US, Duration, to_us
from cjm.errors import ArgumentError, CjmError, InputError
from cjm.journeys import Journeys
from cjm.patterns import Pattern
from cjm.survival._fitted import Fitted
from cjm.survival._lifelines import cox_with_lifelines
from cjm.survival._predict import at_risk, event_risks, risks
from cjm.survival._subjects import Moment, Subjects, moment_us
from cjm.survival._validate import Validation, validate
from cjm.survival._validate_events import validate_events

__all__ = ["AfterFit"]


class AfterFit(ABC):
    """Predictions, their validation, and the way to lifelines; the base of :class:`PathHazard`."""

    covariates: Sequence[str]
    strata: str | Sequence[str] | None
    effect: str
    _seen: tuple[Journeys, Subjects] | None = None
    """What the model was fitted to; a model that was loaded does not know."""

    @abstractmethod
    def _results(self) -> Fitted:
        """Return the results, or raise if there are none."""

    @abstractmethod
    def _named(self) -> Mapping[str, Pattern | str]:
        """Return the paths by name."""

    def predict(
        self, journeys: Journeys, subjects: Subjects, *, at: Moment | None = None, horizon: Duration = "30d"
    ) -> pl.DataFrame:
        """Say how each person at risk at a time stands, from what was known by then: the list for a campaign.

        A high risk is no promise that acting helps; :func:`holdout` designs the experiment that tells.

        Parameters
        ----------
        journeys : Journeys
        subjects : Subjects
        at : str, date or datetime, optional
            UTC if it has no zone; by default the end of observation.
        horizon : duration
            Of ``risk``. With churn by silence it is not used: ``risk`` is the chance that the latest event was the last
            before the silence.

        Returns
        -------
        polars.DataFrame
            ``person``, ``hazard_ratio`` (against one with all terms at their means), ``risk`` (chance of churn within
            ``horizon`` if paths stay as they are at ``at``; where that goes beyond the longest follow-up, the last
            ``horizon`` of follow-up stands for it). Null for a person with a missing covariate or a new stratum.
        """
        every = self.effect == "event"
        return risks(
            journeys, subjects, self._results(), self._named(), self.covariates, every=every, at=at, horizon=horizon
        )

    def validate(
        self,
        test: Subjects,
        journeys: Journeys | None = None,
        *,
        at: Moment | None = None,
        horizon: Duration = "30d",
        groups: int = 10,
        level: float = 0.95,
    ) -> Validation:
        """Predict for persons who took no part in the fit, and compare with what happened to them.

        With churn by silence every event is judged at which silence could begin: the risk that it was the last, against
        whether it was. (At a date it would not be fair: who has been silent for a while is likelier to have left than
        their last event told.) ``calibration`` then has ``events`` too, and ``observed`` is a share of them; ``scores``
        has no concordance but ``auc``.

        Parameters
        ----------
        test : Subjects
            Held-out persons, as from :meth:`Subjects.split`.
        journeys : Journeys, optional
            By default those of the fit.
        at : str, date or datetime, optional
            When to predict; by default one horizon before the end of observation. With churn by silence, from when on
            events are judged; by default all are.
        horizon : duration
            Not used with churn by silence: ``horizon`` of the result is the silence.
        groups : int
            Groups of like risk in ``calibration``.
        level : float
            Of the intervals.

        Returns
        -------
        Validation

        Raises
        ------
        ArgumentError
            For persons who took part in the fit, or another definition of churn.
        InputError
            If nobody is at risk at the time, or nobody's outcome is known.

        Examples
        --------
        >>> from cjm.datasets import simulate
        >>> import cjm
        >>> world = simulate(2_000, days=120, seed=1)
        >>> people = cjm.stitch(world.log)
        >>> journeys = cjm.build_journeys(world.log, people)
        >>> customers = people.with_person(world.persons, "customer").select("person", "premium", "entry")
        >>> subjects = cjm.subjects(journeys, cjm.Churn.event("account:cancelled"), persons=customers)
        >>> train, test = subjects.split(0.5)
        >>> model = cjm.PathHazard(patterns={"risk": "web:view_offer -> store:visit within 3d"}, covariates=["premium"])
        >>> model.fit(journeys, train).validate(test).scores["measure"].to_list()[:3]
        ['harrell', 'uno', 'auc']
        """
        if str(test.churn) != self._results().churn:
            raise ArgumentError.at(
                f"the model is of {self._results().churn}, the persons of {test.churn}",
                where="validate(test)",
                hint="Split subjects of one definition",
            )
        if journeys is None:
            journeys = self._fitted_to()[0]
        if self._seen is not None:
            both = test.frame["person"].is_in(self._seen[1].frame["person"].implode()).sum()
            if both:
                raise ArgumentError.at(
                    f"{both} of {test.frame.height} persons took part in the fit",
                    where="validate",
                    hint="Split persons first: train, test = subjects.split(0.5)",
                )
        if self._results().gap:
            rows, risks = event_risks(
                journeys,
                test,
                self._results(),
                self._named(),
                self.covariates,
                every=self.effect == "event",
                since=None if at is None else moment_us(at, "at"),
            )
            return validate_events(rows.subject, rows.silent, risks, gap=test.churn.gap, groups=groups, level=level)
        span = to_us(horizon, "horizon")
        moment = pl.from_epoch(pl.Series([test.end - span]), "us")[0] if at is None else at
        risk = self.predict(journeys, test, at=moment, horizon=horizon)
        frame, now = at_risk(test, moment)
        table = frame.join(risk, on="person").drop_nulls("risk")
        if table.is_empty():
            raise InputError.at("nobody is at risk then", where="validate(at=...)")
        days = (pl.col("exit").to_physical() - now) / DAY_US
        other = ~pl.col("end").is_in(["churn", "censored"])
        return validate(
            table.select("churned", "risk", days.alias("days"), other.alias("other")),
            time="days",
            event="churned",
            risk="risk",
            competing="other",
            horizon=horizon,
            groups=groups,
            level=level,
        )

    def to_lifelines(self, *, persons: int = 20_000, seed: int = 0) -> Any:
        """Fit lifelines' ``CoxTimeVaryingFitter`` to the same rows, of at most so many persons of the fit.

        Parameters
        ----------
        persons : int
            More are sampled down: lifelines takes minutes on 100,000.
        seed : int
            Of the sample.

        Returns
        -------
        lifelines.CoxTimeVaryingFitter
            Fitted, without penalty, with half steps.

        Raises
        ------
        ArgumentError
            For churn by silence, of which lifelines has no model.
        CjmError
            If the model was loaded and not fitted here.
        """
        journeys, subjects = self._fitted_to()
        fitter, _ = cox_with_lifelines(
            journeys,
            subjects,
            self._named(),
            covariates=self.covariates,
            strata=self.strata,
            persons=persons,
            seed=seed,
        )
        return fitter

    def _fitted_to(self) -> tuple[Journeys, Subjects]:
        self._results()
        if self._seen is None:
            raise CjmError.at(
                "a loaded model does not hold the journeys it was fitted to", where="PathHazard", hint="Fit it again"
            )
        return self._seen
