"""Where a map of identities is wrong, and by how much."""

from __future__ import annotations

import polars as pl

from cjm.errors import ArgumentError
from cjm.identity._evaluate import Unit, compared

__all__ = ["identity_errors"]

_SHOWN = 5  # examples of identifiers


def identity_errors(
    map: pl.DataFrame, truth: pl.DataFrame, *, unit: Unit = "identifiers", limit: int | None = 20
) -> pl.DataFrame:
    """List the persons that a map puts together or takes apart wrongly, the worst first.

    Parameters
    ----------
    map, truth : polars.DataFrame
        As for :func:`cjm.evaluate_identities`.
    unit : {"identifiers", "events"}
        What is counted in pairs.
    limit : int, optional
        How many rows of each error; None: all.

    Returns
    -------
    polars.DataFrame
        ``error`` (``over-merged``: one person found holds several true ones; ``under-merged``: a true person is
        spread over several found), ``person`` (as text: the one found, or the true one), ``persons`` (on the other
        side), ``units``, ``largest`` (units of the largest part), ``wrong_pairs`` Float64 (pairs of units wrongly
        together, or wrongly apart), ``examples`` (up to five identifiers, ``kind:id``). Ordered by error, then wrong
        pairs.

    Raises
    ------
    InputError
        As for :func:`cjm.evaluate_identities`.

    Examples
    --------
    >>> import polars as pl
    >>> found = pl.DataFrame({"kind": ["cookie"] * 4, "id": list("abcd"), "person": [1, 1, 1, 2]})
    >>> truth = pl.DataFrame({"kind": ["cookie"] * 4, "id": list("abcd"), "person": ["x", "x", "y", "y"]})
    >>> identity_errors(found, truth).select("error", "person", "persons", "wrong_pairs").rows()
    [('over-merged', '1', 2, 2.0), ('under-merged', 'y', 2, 1.0)]
    """
    if limit is not None and limit < 1:
        raise ArgumentError.at(f"limit is {limit}", where="identity_errors", hint="Give 1 or more, or None for all")
    both = compared(map, truth, unit, "identity_errors").with_columns(
        found=pl.col("found").cast(pl.String), true=pl.col("true").cast(pl.String)
    )
    return pl.concat(
        _errors(both, error, one, other, limit)
        for error, one, other in (("over-merged", "found", "true"), ("under-merged", "true", "found"))
    )


def _errors(both: pl.DataFrame, error: str, one: str, other: str, limit: int | None) -> pl.DataFrame:
    def pairs(n: pl.Expr) -> pl.Expr:
        return n * (n - 1) // 2

    n = pl.col("n")
    cells = both.group_by(one, other).agg(n.sum()).filter(n > 0)
    worst = (
        cells.group_by(one)
        .agg(
            persons=pl.len().cast(pl.Int64),
            units=n.sum(),
            largest=n.max(),
            wrong_pairs=pairs(n.sum()) - pairs(n).sum(),
        )
        .filter(pl.col("persons") > 1)
        .sort(["wrong_pairs", one], descending=[True, False])
    )
    worst = worst if limit is None else worst.head(limit)
    examples = (
        both.join(worst.select(one), on=one, how="semi")
        .sort("kind", "id")
        .group_by(one)
        .agg(examples=pl.format("{}:{}", "kind", "id").head(_SHOWN))
    )
    return worst.join(examples, on=one, how="left", maintain_order="left").select(
        pl.lit(error).alias("error"),
        pl.col(one).alias("person"),
        "persons",
        pl.col("units", "largest").cast(pl.Int64),
        pl.col("wrong_pairs").cast(pl.Float64),
        "examples",
    )
