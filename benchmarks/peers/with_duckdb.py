"""Answers by DuckDB SQL, in three modes.

``raw``: the table as the file has it, text columns and all, and SQL as most people would write it; one thread.
``sorted``: customers as integers, names as enums, rows stored by customer and time, and SQL that makes the most of that
order: window functions without PARTITION BY and ORDER BY run as a stream over the rows as they are stored. One thread.
``sorted all``: the same with as many threads as DuckDB takes by itself.
"""

from __future__ import annotations

from typing import Any

import duckdb
from _common import FUNNEL, serve

HALF_HOUR, WEEK, MONDAY = 1_800_000_000, 604_800_000_000, 345_600_000_000  # microseconds; 1970-01-05
STEPS = ", ".join(f"'{name}'" for name in FUNNEL)

RAW_LOAD = """
    create table log as
    select customer as person, timestamp, epoch_us(timestamp) as time, channel, event,
           channel || ':' || event as touchpoint
    from read_parquet('{path}')
"""
SORTED_LOAD = """
    create temp table people as
        select customer, (row_number() over (order by customer))::integer as person
        from (select distinct customer from read_parquet('{path}'));
    create temp table names as select distinct channel, event from read_parquet('{path}');
    create type touchpoint as enum (select channel || ':' || event as name from names order by name);
    create type channel as enum (select distinct channel from names order by channel);
    create type event as enum (select distinct event from names order by event);
    create table log as
        select person, epoch_us(timestamp) as time, channel::channel as channel, event::event as event,
               (channel || ':' || event)::touchpoint as touchpoint
        from read_parquet('{path}') join people using (customer)
        order by person, time
"""

# Pauses above half an hour start a session, in both orders of rows.
SORTED_SESSIONS = f"""
    with marked as (
        select *, row_number() over () as n, lag(time) over () as before,
               coalesce(person = lag(person) over () and time - lag(time) over () <= {HALF_HOUR}, false) as same
        from log
    ), numbered as (
        select *, sum((not same)::integer) over (rows unbounded preceding) as session from marked
    )
"""
RAW_SESSIONS = f"""
    with marked as (
        select *, coalesce(time - lag(time) over (partition by person order by time) <= {HALF_HOUR}, false) as same
        from log
    ), numbered as (
        select *, sum((not same)::integer) over (partition by person order by time rows unbounded preceding) as session
        from marked
    )
"""
RAW_TABLE = """
    select person, min(time) as "start", max(time) as "end", count(*) as events
    from numbered group by person, session
"""
SORTED_TABLE = """
    select person, time as "start", coalesce(lead(before) over (), (select max_by(time, n) from marked)) as "end",
           coalesce(lead(n) over (), (select count(*) + 1 from log)) - n as events
    from marked where not same
"""
SORTED_PAIRS = """
    select touchpoint as source, target from (
        select touchpoint, person, lead(person) over () as next, lead(touchpoint) over () as target from log
    ) where person = next
"""
RAW_PAIRS = """
    select touchpoint as source, target from (
        select touchpoint, lead(touchpoint) over (partition by person order by time) as target from log
    ) where target is not null
"""
TRANSITIONS = """
    select source, target, n as count, n / sum(n) over (partition by source) as share from (
        select source, target, count(*) as n from ({pairs}) group by all
    )
"""
RAW_STEPS = """
    select step, touchpoint, count(*) as persons from (
        select touchpoint, row_number() over (partition by person order by time) as step from log
    ) where step <= 10 group by all
"""
SORTED_STEPS = """
    select step, touchpoint, count(*) as persons from (
        select touchpoint, n - max(n) filter (new) over (rows unbounded preceding) + 1 as step from (
            select touchpoint, row_number() over () as n, coalesce(person <> lag(person) over (), true) as new from log
        )
    ) where step <= 10 group by all
"""
# Of the rows of the four steps only: the latest start of a chain that ends here, step by step.
FUNNEL_ROWS = f"select person, time, touchpoint from log where touchpoint in ({STEPS})"


def _funnel(within: bool) -> str:
    chain = [f"select *, case when touchpoint = '{FUNNEL[0]}' then time end as l1 from ({FUNNEL_ROWS})"]
    for step, name in enumerate(FUNNEL[1:], start=2):
        chain.append(
            f"select *, case when touchpoint = '{name}' then max(l{step - 1}) over (partition by person order by time "
            f"rows between unbounded preceding and 1 preceding) end as l{step} from ({chain[-1]})"
        )
    near = f"and time - l{{step}} <= {WEEK}" if within else ""
    counted = ", ".join(
        f"count(distinct person) filter (l{step} is not null {near.format(step=step)})"
        for step in range(1, len(FUNNEL) + 1)
    )
    return f"select unnest(range(1, {len(FUNNEL) + 1})) as step, unnest([{counted}]) as persons from ({chain[-1]})"


RAW_FEATURES = "pivot (select person, event from log) on event in ({events}) using count(*) group by person"
VARIANTS = """
    select path, count(*) as count from (select list(touchpoint{order}) as path from log group by person) group by path
"""
RETENTION = f"""
    with active as (select distinct person, (time - {MONDAY}) // {WEEK} as week from log),
    born as (select person, min(week) as cohort from active group by person),
    size as (select cohort, count(*) as total from born group by cohort)
    select cohort * {WEEK} + {MONDAY} as cohort, week - cohort as period, count(*) as persons, any_value(total) as total
    from active join born using (person) join size using (cohort)
    where week < (select max(time) + 1 - {MONDAY} from log) // {WEEK}
    group by cohort, week
"""
TIMELINE = """
    select day, channel, sum(n)::bigint as events, count(*) as persons from (
        select time // 86400000000 as day, channel, person, count(*) as n from log group by all
    ) group by all
"""
FOLLOWS = """
    with ends as (select person, touchpoint, min(time) as first, max(time) as last from log group by all)
    select a.touchpoint as source, b.touchpoint as target, count(*) as persons
    from ends a join ends b on a.person = b.person and a.first < b.last group by all
"""
RAW_SWITCHES = """
    select channel as now, lag(channel) over (partition by person order by time) as before, same from marked
"""
SORTED_SWITCHES = "select channel as now, lag(channel) over () as before, same from marked"
# least() passes over nulls: the last active day of a person has no next.
KPIS = """
    , session as (
        select person, session, min(time) as "start", max(time) as "end", count(*) as n
        from numbered group by person, session
    ), pauses as (
        select (("start" - lag("end") over (partition by person order by "start")) / 86400e6) as pause from session
    ), per_person as (
        select count(*) as sessions from session group by person
    ), per_channel as (
        select count(distinct channel) as channels from log group by person
    ), switches as (
        select count(*) as switches from ({switches}) where same and now <> before
    ), days as (
        select person, day, lead(day) over (partition by person order by day) as next
        from (select distinct person, time // 86400000000 as day from log)
    ), edges as (
        select min(day) as low, max(day) as high, max(day) - min(day) + 1 as n from days
    ), active as (
        select count(*) as daily, count(*) filter (day >= low + 29) as late, any_value(n) as n,
               sum(greatest(least(day + 6, next - 1, high) - greatest(day, low + 6) + 1, 0)) as weekly,
               sum(greatest(least(day + 29, next - 1, high) - greatest(day, low + 29) + 1, 0)) as monthly
        from days, edges
    ), s as (
        select count(*) as sessions, sum(n) as events, count(*) filter (n = 1) as bounced,
               median(("end" - "start") / 1e6) filter (n > 1) as long from session
    ), p as (
        select count(*) as persons, count(*) filter (sessions > 1) as returning from per_person
    ), c as (
        select sum(channels) as channels, count(*) filter (channels > 1) as multi from per_channel
    ), figures as (
        select events::double as events, persons::double as persons, sessions::double as sessions,
               sessions / persons as sessions_per_person, events / sessions as events_per_session,
               bounced / sessions as bounce_rate, "returning" / persons as returning_rate,
               channels / persons as channels_per_person, multi / persons as multichannel_rate,
               (select median(pause) from pauses) as session_pause_median, long as session_length_median,
               late / monthly as stickiness, daily / n as daily_active_persons,
               weekly / (n - 6) as weekly_active_persons, monthly / (n - 29) as monthly_active_persons,
               switches / sessions as switches_per_session
        from s, p, c, active, switches
    )
    unpivot figures on * into name kpi value value
"""


def load(path: str, mode: str) -> Any:
    db = duckdb.connect(config={"memory_limit": "7GB"} | ({} if mode == "sorted all" else {"threads": 1}))
    raw = mode == "raw"
    db.execute((RAW_LOAD if raw else SORTED_LOAD).format(path=path))
    events = [name for (name,) in db.execute("select distinct event from log order by all").fetchall()]
    sums = ", ".join(f"sum((event = '{name}')::integer) as \"{name}\"" for name in events)
    pivot = RAW_FEATURES.format(events=", ".join(f"'{name}'" for name in events))
    sessions = RAW_SESSIONS if raw else SORTED_SESSIONS
    queries = {
        "sessions": sessions + (RAW_TABLE if raw else SORTED_TABLE),
        "transitions": TRANSITIONS.format(pairs=RAW_PAIRS if raw else SORTED_PAIRS),
        "steps": RAW_STEPS if raw else SORTED_STEPS,
        "funnel": _funnel(within=True),
        "features": pivot if raw else f"select person, {sums} from log group by person",
        "funnel without limit": _funnel(within=False),
        "variants": VARIANTS.format(order="" if mode == "sorted" else " order by time"),
        "retention": RETENTION,
        "timeline": TIMELINE,
        "follows": FOLLOWS,
        "kpis": sessions + KPIS.format(switches=RAW_SWITCHES if raw else SORTED_SWITCHES),
    }
    return db, queries, raw


def ask(name: str) -> Any:
    return lambda given: given[0].sql(given[1][name]).to_arrow_table()


def reshape(query: str) -> Any:
    """Turn an answer into plain columns, after the clock has stopped."""

    def plain(given: Any, answer: Any) -> Any:
        db, _, raw = given
        db.register("answer", answer)
        named = "(select person as customer, * exclude person from answer)"
        if not raw:
            named = "(select customer, answer.* exclude person from answer join people using (person))"
        return db.sql(query.format(named=named)).to_arrow_table()

    return plain


PLAIN = {
    "sessions": """select customer, make_timestamp("start") as t1, make_timestamp("end") as t2, events from {named}""",
    "features": "select * from {named}",
    "variants": "select list_aggregate(path, 'string_agg', '>') as path, count from answer",
    "retention": "select make_timestamp(cohort) as cohort, period, persons, total from answer",
    "timeline": "select make_timestamp(day * 86400000000) as day, channel::varchar as c, events, persons from answer",
    "transitions": "select source::varchar as source, target::varchar as target, count, share from answer",
    "follows": "select source::varchar as source, target::varchar as target, persons from answer",
    "steps": "select step, touchpoint::varchar as touchpoint, persons from answer",
}
NAMES = ["transitions", "sessions", "steps", "funnel", "features", "funnel without limit", "variants", "retention"]
NAMES += ["timeline", "follows", "kpis"]
QUESTIONS = {name: (ask(name), reshape(PLAIN.get(name, "select * from answer"))) for name in NAMES}
QUESTIONS["build"] = (
    None,
    lambda given, _: given[0].sql("select count(*) as n, count(distinct person) as persons from log").to_arrow_table(),
)

if __name__ == "__main__":
    serve(load, QUESTIONS, {})
