"""Raw files to sorted Parquet by DuckDB SQL; with the mode ``one thread`` on one, else on as many as it takes."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
from _load import NOBODY, serve

SQL = """
copy (
    with log as (
        select customer, timestamp, event, channel, revenue from read_parquet('{files}/web.parquet')
        union all
        select customer, timestamp::timestamptz at time zone 'UTC', event, channel, revenue::double from read_csv(
            '{files}/app.csv', header = true, all_varchar = true)
        union all
        select customer, make_timestamp(timestamp * 1000), event, channel, revenue from read_json(
            '{files}/call.ndjson', format = 'newline_delimited', columns = {{customer: 'varchar', timestamp: 'bigint',
            event: 'varchar', channel: 'varchar', revenue: 'double'}})
    ), clean as (
        select trim(customer) as customer, timestamp, event, channel, channel || ':' || event as touchpoint, revenue
        from log where customer is not null and trim(customer) not in ({nobody})
    ), paused as (
        select *, timestamp - lag(timestamp) over w > interval 30 minutes as pause
        from clean window w as (partition by customer order by timestamp)
    )
    select *, count(*) filter (pause) over (partition by customer order by timestamp) as session
    from paused order by customer, timestamp
) to '{stored}/journeys.parquet' (format parquet)
"""


def connect() -> duckdb.DuckDBPyConnection:
    config = {"threads": os.environ["THREADS"]} if "THREADS" in os.environ else {}
    connection = duckdb.connect(config=config)
    connection.execute("set timezone = 'UTC'")
    return connection


def load(files: Path, stored: Path) -> None:
    stored.mkdir()
    nobody = ", ".join(f"'{text}'" for text in NOBODY)
    with connect() as connection:
        connection.execute(SQL.format(files=files, stored=stored, nobody=nobody))


def sessions(files: Path, stored: Path, answer: Path) -> None:
    with connect() as connection:
        connection.execute(
            f"copy (select customer, min(timestamp) as start, max(timestamp) as end, count(*) as events "
            f"from '{stored}/journeys.parquet' group by customer, session) to '{answer}' (format parquet)"
        )


if __name__ == "__main__":
    serve(load, sessions)
