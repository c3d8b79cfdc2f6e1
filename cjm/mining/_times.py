"""How long the steps of a sequence take, and who went through it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import Duration
from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.mining._family import By, check_share
from cjm.mining._limits import check_whole, limits_of
from cjm.mining._rows import rows_of
from cjm.mining._units import Taxonomy, codes_of, units_of

__all__ = ["sequence_times"]

_WHERE = "sequence_times"


def sequence_times(
    journeys: Journeys,
    sequences: pl.DataFrame | Iterable[Sequence[str]],
    *,
    quantiles: Sequence[float] = (0.25, 0.5, 0.75),
    examples: int = 3,
    max_gap: Duration | None = None,
    min_gap: Duration | None = None,
    within: Duration | None = None,
    max_gap_events: int | None = None,
    min_gap_events: int | None = None,
    by: By | pl.DataFrame = "person",
    taxonomy: Taxonomy | None = None,
    collapse: bool = False,
) -> pl.DataFrame:
    """Tell how much time passes between the steps of sequences, and name some who went through them.

    Of each person (session, journey) the occurrence counts that is complete first, and in it every step is taken as
    late as it can be: the times are the shortest that lead to the first completion.

    Parameters
    ----------
    journeys : Journeys
    sequences : DataFrame or iterable of lists of str
        What :func:`cjm.mine_sequences` returned, or some of its rows; or sequences of touchpoints (and groups).
    quantiles : sequence of float
        Numbers from 0 to 1.
    examples : int
        How many persons (sessions, journeys) are named for each sequence: those with the smallest numbers.
    max_gap, min_gap, within, max_gap_events, min_gap_events, by, taxonomy, collapse
        As for :func:`cjm.mine_sequences`: give what was given there, and the same persons are counted.

    Returns
    -------
    polars.DataFrame
        A row a sequence, in the order given: ``pattern``, ``length``, ``persons``, ``examples`` (List of person,
        session or journey numbers), and ``time_p50`` for a quantile of 0.5 (List of Duration: of the time to each step
        after the first from the one before; interpolated linearly, cut to whole microseconds; null if nobody went
        through).

    Raises
    ------
    ArgumentError
        For a name that does not occur, a sequence without steps, or a bad quantile or limit.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> rows = [("a", "10:00", "home"), ("a", "10:05", "cart"), ("b", "10:00", "home"), ("b", "10:20", "cart")]
    >>> frame = pl.DataFrame(rows, schema=["who", "at", "page"], orient="row")
    >>> frame = frame.with_columns(at="2026-01-01T" + pl.col("at") + "Z")
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="page", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> table = cjm.sequence_times(journeys, [["web:home", "web:cart"]], quantiles=[0.5], examples=0)
    >>> table.select("persons", "time_p50").row(0)
    (2, [datetime.timedelta(seconds=750)])
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.sequences_times import first_occurrences

    for quantile in quantiles:
        check_share("a quantile", quantile, _WHERE)
    if examples != 0:
        check_whole("examples", examples, _WHERE)
    limits = limits_of(max_gap, min_gap, within, max_gap_events, min_gap_events, _WHERE)
    units = units_of(journeys, by, where=_WHERE, taxonomy=taxonomy, collapse=collapse)
    listed = sequences["pattern"].to_list() if isinstance(sequences, pl.DataFrame) else [list(one) for one in sequences]
    if not all(listed):
        raise ArgumentError.at("a sequence has no steps", where=_WHERE, hint="Leave it out")
    coded = [codes_of(names, units.names, "sequences", _WHERE) for names in listed]
    items = np.unique([code for codes in coded for code in codes]).astype(np.int32)
    new_code = np.full(len(units.names), -1, dtype=np.int32)
    new_code[items] = np.arange(len(items), dtype=np.int32)
    rows = rows_of(units, new_code, len(items), in_time=True)
    persons, named = [], []
    times: list[list[list[int] | None]] = [[] for _ in quantiles]
    for codes in coded:
        found = first_occurrences(
            as_array(new_code[codes], np.int32), rows.row, rows.event, rows.time, limits.values(), rows.places,
            rows.place_offsets,
        )  # fmt: skip
        persons.append(len(found))
        named.append(rows.unit[rows.row[found[:examples, 0]]].tolist())
        gaps = np.diff(rows.time[found], axis=1)
        for column, quantile in zip(times, quantiles, strict=True):
            column.append(_quantile(gaps, quantile).tolist() if len(gaps) else None)
    return pl.DataFrame(
        [
            pl.Series("pattern", listed, dtype=pl.List(pl.String)),
            pl.Series("length", [len(names) for names in listed], dtype=pl.Int64),
            pl.Series("persons", persons, dtype=pl.Int64),
            pl.Series("examples", named, dtype=pl.List(pl.Int64)),
            *(
                pl.Series(f"time_p{100 * quantile:g}", column, dtype=pl.List(pl.Int64)).cast(pl.List(pl.Duration("us")))
                for quantile, column in zip(quantiles, times, strict=True)
            ),
        ]
    )


def _quantile(gaps: npt.NDArray[np.int64], quantile: float) -> npt.NDArray[np.int64]:
    """Return the quantile of each column."""
    return np.floor(np.quantile(gaps, quantile, axis=0)).astype(np.int64)
