"""How good an identity map is, where the truth is known."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import polars as pl

from cjm.errors import ArgumentError, InputError

__all__ = ["Unit", "compared", "evaluate_identities"]

Unit = Literal["identifiers", "events"]
_WIDE = pl.Int128  # pairs of events overflow 64 bits from 4e9 events on


def evaluate_identities(map: pl.DataFrame, truth: pl.DataFrame, *, unit: Unit = "identifiers") -> pl.DataFrame:
    """Compare the persons of a map with the true ones.

    Parameters
    ----------
    map : polars.DataFrame
        Contract IDENTITY_MAP, or any frame with ``kind``, ``id``, ``person`` and perhaps ``events`` and ``reason``.
        An identifier that belongs to several persons counts for the one with most events (the smallest number among
        equals). Rows whose ``reason`` is ``anonymous`` or ``shared`` count only where an identifier has no other: they
        are the events that nobody was found for, not a person beside the one that was.
    truth : polars.DataFrame
        ``kind``, ``id``, ``person`` (any type) and perhaps ``events``; treated in the same way. Only identifiers that
        are in the truth count.
    unit : {"identifiers", "events"}
        What is compared in pairs: identifiers, or the events on them (those of ``truth`` where it has ``events``,
        otherwise those of ``map``).

    Returns
    -------
    polars.DataFrame
        One row. ``unit``; ``pairwise_precision``, ``pairwise_recall``, ``pairwise_f1``: of the pairs put together, the
        share that belongs together; of those that belong together, the share put together; their harmonic mean (null
        where there is no such pair); ``bcubed_precision``, ``bcubed_recall``, ``bcubed_f1``: the same for each unit's
        own person, averaged over units; ``person_precision``, ``person_recall``, ``person_f1``: the same averaged over
        persons found, or true persons, so that large ones weigh no more; ``purity``, ``inverse_purity``: share of units
        in the largest part of each person found, or true person. Then the counts behind: ``units``, ``persons_found``,
        ``persons_true`` and ``missing`` (identifiers of the truth that the map lacks, which do not count) as Int64;
        ``pairs_found``, ``pairs_true``, ``pairs_both`` as Float64, since pairs of events may exceed 64 bits.

    Raises
    ------
    InputError
        When a column is missing, or map and truth share no identifier.

    References
    ----------
    Amigó, Gonzalo, Artiles and Verdejo (2009), A comparison of extrinsic clustering evaluation metrics based on formal
    constraints, Information Retrieval 12, sections 3 and 4.

    Examples
    --------
    >>> import polars as pl
    >>> found = pl.DataFrame({"kind": ["cookie"] * 4, "id": list("abcd"), "person": [1, 1, 1, 2]})
    >>> truth = pl.DataFrame({"kind": ["cookie"] * 4, "id": list("abcd"), "person": ["x", "x", "y", "y"]})
    >>> evaluate_identities(found, truth).select("pairwise_precision", "pairwise_recall", "purity").row(0)
    (0.3333333333333333, 0.5, 0.75)
    """
    both = compared(map, truth, unit, "evaluate_identities")
    missing = truth.filter(pl.col("person").is_not_null()).select("kind", "id").n_unique() - both.height
    cells = (
        both.group_by("found", "true")
        .agg(pl.col("n").sum())
        .with_columns(in_found=pl.col("n").sum().over("found"), in_true=pl.col("n").sum().over("true"))
        .filter(pl.col("n") > 0)
        .sort("found", "true")
    )
    by_found, by_true = _totals(cells, "found"), _totals(cells, "true")
    units = int(by_found["n"].sum())
    pairs_both, pairs_found, pairs_true = _pairs(cells), _pairs(by_found), _pairs(by_true)

    n = cells["n"].cast(pl.Float64).to_numpy()
    precision = _share(float(np.sum(n * (n / cells["in_found"].cast(pl.Float64).to_numpy()))), units)
    recall = _share(float(np.sum(n * (n / cells["in_true"].cast(pl.Float64).to_numpy()))), units)
    per_found, per_true = _per_person(cells, "found"), _per_person(cells, "true")
    return pl.DataFrame(
        {
            "unit": unit,
            "pairwise_precision": _share(pairs_both, pairs_found),
            "pairwise_recall": _share(pairs_both, pairs_true),
            "pairwise_f1": _share(2 * pairs_both, pairs_found + pairs_true),
            "bcubed_precision": precision,
            "bcubed_recall": recall,
            "bcubed_f1": None if precision is None or recall is None else 2 * precision * recall / (precision + recall),
            "person_precision": per_found,
            "person_recall": per_true,
            "person_f1": None
            if per_found is None or per_true is None
            else 2 * per_found * per_true / (per_found + per_true),
            "purity": _share(int(by_found["largest"].sum()), units),
            "inverse_purity": _share(int(by_true["largest"].sum()), units),
            "units": units,
            "persons_found": by_found.height,
            "persons_true": by_true.height,
            "missing": missing,
            "pairs_found": float(pairs_found),
            "pairs_true": float(pairs_true),
            "pairs_both": float(pairs_both),
        },
        schema_overrides=dict.fromkeys(_RATES, pl.Float64),
    )


_RATES = [
    f"{family}_{part}" for family in ("pairwise", "bcubed", "person") for part in ("precision", "recall", "f1")
] + [
    "purity",
    "inverse_purity",
]


def compared(map: pl.DataFrame, truth: pl.DataFrame, unit: Unit, where: str) -> pl.DataFrame:
    """Return ``kind``, ``id``, ``found``, ``true`` (persons) and ``n`` (units) of the identifiers in both frames.

    Raises
    ------
    ArgumentError
        For an unknown unit.
    InputError
        When a column is missing, or map and truth share no identifier.
    """
    if unit not in get_args(Unit):
        raise ArgumentError.unknown("unit", unit, get_args(Unit), where=where)
    found, true = _main_person(map, f"{where}, map"), _main_person(truth, f"{where}, truth")
    both = true.join(found, on=["kind", "id"], how="inner", suffix="_found")
    if both.is_empty():
        raise InputError.at(
            "map and truth have no identifier in common",
            where=where,
            hint="Compare their columns kind and id, which must be spelled alike",
        )
    events = pl.col("events" if "events" in truth.columns else "events_found")
    weight = pl.lit(1) if unit == "identifiers" else events
    return both.select("kind", "id", found="person_found", true="person", n=weight.cast(_WIDE))


def _per_person(cells: pl.DataFrame, side: str) -> float | None:
    """Return the mean over persons of one side of the mean share of a unit's own part."""
    n = pl.col("n").cast(pl.Float64)
    rows = cells.sort(side).group_by(side, maintain_order=True).agg(((n * n).sum() / (n.sum() ** 2)).alias("share"))
    return _share(float(rows["share"].to_numpy().sum()), rows.height)


def _main_person(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return ``kind``, ``id``, ``person`` (with most events) and ``events`` (of all persons), one row an identifier."""
    for column in ("kind", "id", "person"):
        if column not in frame.columns:
            raise InputError.at(f"column {column!r} is missing", where=name)
    events = pl.col("events").sum() if "events" in frame.columns else pl.len()
    found = (
        ~pl.col("reason").cast(pl.String).is_in(["anonymous", "shared"]) if "reason" in frame.columns else pl.lit(True)
    )
    return (
        frame.filter(pl.col("person").is_not_null())
        .with_columns(__found=found)
        .group_by(pl.col("kind", "id").cast(pl.String), "person")
        .agg(events.cast(pl.Int64).alias("events"), pl.col("__found").any())
        .sort(["__found", "events", "person"], descending=[True, True, False])
        .group_by("kind", "id", maintain_order=True)
        .agg(pl.col("person").first(), pl.col("events").sum())
    )


def _totals(cells: pl.DataFrame, side: str) -> pl.DataFrame:
    return cells.group_by(side).agg(pl.col("n").sum(), largest=pl.col("n").max())


def _pairs(frame: pl.DataFrame) -> int:
    return int(frame.select((pl.col("n") * (pl.col("n") - 1) // 2).sum()).item())


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
