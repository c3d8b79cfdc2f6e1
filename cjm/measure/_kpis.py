"""Key figures of journeys."""

from __future__ import annotations

from functools import reduce

import polars as pl

from cjm.durations import DAY_US
from cjm.journeys import Journeys
from cjm.measure._common import event_values, interval, share

__all__ = ["kpis"]

_RESULT = ["kpi", "value", "numerator", "denominator", "low", "high", "unit"]
_MONTH = 30  # days that an active person stays in the monthly count

# kpi, numerator, denominator, unit. Without a denominator the value is the count itself; without a numerator it is
# the column "<kpi>", a median over `denominator` observations.
_FIGURES = (
    ("events", "events", None, "count"),
    ("persons", "persons", None, "count"),
    ("sessions", "sessions", None, "count"),
    ("sessions_per_person", "sessions", "persons", "sessions a person"),
    ("events_per_session", "events", "sessions", "events a session"),
    ("bounce_rate", "bounced", "sessions", "share"),
    ("returning_rate", "returning", "persons", "share"),
    ("channels_per_person", "channels", "persons", "channels a person"),
    ("multichannel_rate", "multichannel", "persons", "share"),
    ("session_pause_median", None, "pauses", "days"),
    ("session_length_median", None, "longer", "seconds"),
    ("stickiness", "daily", "monthly", "share"),
)


def kpis(journeys: Journeys, *, by: str | None = None) -> pl.DataFrame:
    """Compute the key figures, for all events or for each group of them.

    Parameters
    ----------
    journeys : Journeys
    by : str, optional
        A column of ``journeys.frame`` that splits the events. Each group is measured on its own events: its persons
        and sessions are those with an event in the group, a session's events and ends are those inside the group.
        So a person can be in several groups, and a session can be a bounce in one of them.

    Returns
    -------
    polars.DataFrame
        One row a figure (and group): ``by`` if given, ``kpi``, ``value``, ``numerator``, ``denominator``, the Wilson
        interval ``low``, ``high`` (of the figures named ``..._rate``, null for others), ``unit``. The figures:

        - ``events``, ``persons``, ``sessions``: counts.
        - ``sessions_per_person``, ``events_per_session``, ``channels_per_person`` (distinct channels): means.
        - ``bounce_rate``: sessions of one event, of all sessions.
        - ``returning_rate``: persons with more than one session, of all persons.
        - ``multichannel_rate``: persons with more than one channel, of all persons.
        - ``session_pause_median``: days from the end of a session to the start of the person's next one; the
          ``denominator`` is the number of such pauses.
        - ``session_length_median``: seconds from first to last event, of sessions with more than one event, whose
          number is the ``denominator``.
        - ``stickiness``: daily over monthly active persons. Summed over the calendar days (UTC) from the 30th of the
          journeys to ``journeys.end``: persons active on the day, over persons active on it or in the 29 days before.
          Null where the journeys are shorter than 30 days.

        A figure without observations is null. Empty journeys give no rows.

    Raises
    ------
    ArgumentError
        For an unknown column in ``by``.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-02T10:00Z"],
    ...                       "what": ["home", "cart", "home"], "who": ["a", "a", "b"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.kpis(journeys).select("kpi", "value", "numerator", "denominator").row(5)
    ('bounce_rate', 0.5, 1, 2)
    """
    totals = _totals(journeys, by).sort("__group", nulls_last=True)
    figures = pl.concat_list(_figure(*figure) for figure in _FIGURES)
    rows = totals.select("__group", figures.alias("__figures")).explode("__figures").unnest("__figures")
    is_rate = pl.col("kpi").str.ends_with("_rate")
    rows = rows.with_columns(interval(rows, "numerator", "denominator")).with_columns(
        pl.when(is_rate).then(pl.col("low", "high")),
        pl.col("value").fill_null(share(rows["numerator"], rows["denominator"])),
    )
    return rows.select(*([pl.col("__group").alias(by)] if by else []), *_RESULT)


def _figure(kpi: str, numerator: str | None, denominator: str | None, unit: str) -> pl.Expr:
    none = pl.lit(None, pl.Int64)
    is_ratio = numerator is not None and denominator is not None
    return pl.struct(
        pl.lit(kpi).alias("kpi"),
        (none if is_ratio else pl.col(kpi)).cast(pl.Float64).alias("value"),
        (pl.col(numerator) if numerator else none).alias("numerator"),
        (pl.col(denominator) if denominator else none).alias("denominator"),
        pl.lit(unit).alias("unit"),
    )


def _totals(journeys: Journeys, by: str | None) -> pl.DataFrame:
    """Return one row a group with the counts and medians that the figures are made of."""
    arrays = journeys.arrays
    code = pl.Series(arrays.code)
    events = pl.DataFrame(
        {
            "__group": event_values(journeys, by, _RESULT) if by else pl.zeros(len(code), eager=True),
            "person": arrays.person_row,
            "session": arrays.session,
            "time": arrays.time,
            "channel": journeys.touchpoints["channel"].rank("dense").gather(code),
        }
    )
    sessions = (
        events.group_by("__group", "person", "session")
        .agg(pl.len(), start=pl.col("time").min(), end=pl.col("time").max())
        .sort("__group", "session")
        .with_columns(pause=pl.when(_same_as(1)).then(pl.col("start") - pl.col("end").shift(1)))
    )
    persons = sessions.group_by("__group", "person").agg(sessions=pl.len())
    channels = events.select("__group", "person", "channel").unique().group_by("__group", "person").agg(n=pl.len())
    length = (pl.col("end") - pl.col("start")).filter(pl.col("len") > 1)
    parts = [
        sessions.group_by("__group").agg(
            events=pl.col("len").cast(pl.Int64).sum(),
            sessions=pl.len(),
            bounced=(pl.col("len") == 1).sum(),
            pauses=pl.col("pause").count(),
            session_pause_median=pl.col("pause").median() / DAY_US,
            longer=length.len(),
            session_length_median=length.median() / 1_000_000,
        ),
        persons.group_by("__group").agg(persons=pl.len(), returning=(pl.col("sessions") > 1).sum()),
        channels.group_by("__group").agg(
            channels=pl.col("n").cast(pl.Int64).sum(), multichannel=(pl.col("n") > 1).sum()
        ),
        _active_days(events, journeys.end),
    ]
    joined = reduce(lambda left, right: left.join(right, on="__group", nulls_equal=True), parts)
    return joined.with_columns(pl.exclude("__group", "^.*_median$").cast(pl.Int64))


def _active_days(events: pl.DataFrame, end: int) -> pl.DataFrame:
    """Return for each group the sums over days of the persons active on the day, and in the month up to it."""
    days = (
        events.select("__group", "person", day=pl.col("time") // DAY_US)
        .unique()
        .sort("__group", "person", "day")
        .with_columns(next=pl.when(_same_as(-1)).then(pl.col("day").shift(-1)))
    )
    from_day = pl.lit(events["time"].min(), pl.Int64) // DAY_US + _MONTH - 1
    to_day = end // DAY_US
    # An active day counts towards the months that end on it or later, until the next active day takes over.
    last = pl.min_horizontal(pl.col("day") + _MONTH - 1, pl.col("next") - 1, to_day)
    return days.group_by("__group").agg(
        daily=pl.col("day").is_between(from_day, to_day).sum(),
        monthly=(last - pl.max_horizontal("day", from_day) + 1).clip(0).sum(),
    )


def _same_as(shift: int) -> pl.Expr:
    """Say whether the row ``shift`` rows further up is of the same group and person."""
    return pl.all_horizontal(pl.col(key).eq_missing(pl.col(key).shift(shift)) for key in ("__group", "person"))
