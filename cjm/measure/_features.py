"""One row a person, one column a kind of event: a table for models."""

from __future__ import annotations

import numpy as np
import polars as pl

from cjm.errors import ArgumentError
from cjm.journeys import Journeys

__all__ = ["features"]

_OF = ("event", "channel", "touchpoint")
_COLUMNS = 10_000


def features(journeys: Journeys, *, of: str = "event") -> pl.DataFrame:
    """Count how often each person had each event, as a wide table for models.

    Parameters
    ----------
    journeys : Journeys
        Of a time before the outcome that a model is to foretell: filter them first.
    of : {"event", "channel", "touchpoint"}
        What is counted.

    Returns
    -------
    polars.DataFrame
        One row a person: ``person``, then an Int32 column for each event (channel, touchpoint) that occurs, named as
        it is and sorted by name; 0 where the person has none. Rows are in the order of ``journeys.persons``.

    Raises
    ------
    ArgumentError
        For another ``of``, for more than 10,000 columns, or if an event or a channel is called ``person``.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-02T10:00Z"],
    ...                       "what": ["home", "cart", "home"], "who": ["a", "a", "b"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.features(journeys).drop("person").sort("cart").to_dicts()
    [{'cart': 0, 'home': 1}, {'cart': 1, 'home': 1}]
    """
    import pyarrow as pa

    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_features import label_counts, mark_labels

    if of not in _OF:
        raise ArgumentError.unknown("value", of, _OF, where="of=")
    texts = journeys.touchpoints[of].cast(pl.String)
    names = texts.unique().sort()
    label = texts.to_frame().join(names.to_frame().with_row_index("__label"), on=of, how="left", maintain_order="left")
    number = as_array(label["__label"].to_numpy(), np.int32)

    used = np.zeros(len(names), dtype=np.bool_)
    for bucket in journeys.buckets():
        mark_labels(as_array(bucket.arrays.code, np.int32), number, used)
    names = names.filter(pl.Series(used))
    _check(names, of)
    column = as_array((np.cumsum(used) - 1)[number], np.int32)
    parts = []
    for bucket in journeys.buckets():
        arrays = bucket.arrays
        counts = np.empty((len(names), len(arrays.person)), dtype=np.int32)
        label_counts(as_array(arrays.offsets, np.int64), as_array(arrays.code, np.int32), column, counts)
        # By way of Arrow, which does not copy them.
        columns = [pl.Series("person", arrays.person)]
        columns += [pl.Series(name, pa.array(row)) for name, row in zip(names, counts, strict=True)]
        parts.append(pl.DataFrame(columns))
    return pl.concat(parts)


def _check(names: pl.Series, of: str) -> None:
    if len(names) > _COLUMNS:
        hint = "Filter the journeys first" + ("" if of == "channel" else ', or ask for of="channel"')
        raise ArgumentError.at(f"gives {len(names):,} columns, more than {_COLUMNS:,}", where=f'of="{of}"', hint=hint)
    if "person" in names:
        hint = 'Rename it, or ask for of="touchpoint", which puts the channel before it'
        raise ArgumentError.at(
            f"there is a column for the {of} 'person' and one for whose it is", where=f'of="{of}"', hint=hint
        )
