"""The part of the pattern language that SQL can say, on real logs: DuckDB gives the same occurrences."""

from pathlib import Path

import duckdb
import polars as pl
import pytest

import cjm
from cjm.journeys import journeys_from_frame
from cjm.moments import Moment, Watch

DAY = 86_400_000_000


def billing(shared: Path) -> pl.DataFrame:
    log = shared / "data" / "events" / "hospital_billing.parquet"
    if not log.is_file():
        pytest.skip("hospital_billing.parquet is not in ../shared/data")
    person = pl.col("case_id").rank("dense").cast(pl.Int64)
    time = pl.col("timestamp").dt.replace_time_zone("UTC").dt.cast_time_unit("us")
    events = pl.read_parquet(log).select(person=person, time=time, channel=pl.lit("b"), event="activity")
    return events.drop_nulls("person").sort("person", "time", maintain_order=True)


# every later event that completes the pattern, with the latest start before it in the order of events
FOLLOWED = """
with log as (select *, row_number() over () as place from frame)
select v.person, max(o.place) as first, v.place as last
from log v join log o on v.person = o.person and o.place < v.place
where o.event = 'NEW' and v.event = 'BILLED' and epoch_us(v.time) - epoch_us(o.time) <= {within}
and not exists (
    select 1 from log r where r.person = v.person and r.event = 'REOPEN' and r.place > v.place
    and epoch_us(r.time) - epoch_us(v.time) <= {quiet}
)
and epoch_us(v.time) + {quiet} <= (select max(epoch_us(time)) from log)
group by v.person, v.place order by 1, 3
"""


@pytest.mark.parametrize(("within", "quiet"), [(90, 0), (90, 30), (30, 5)])
def test_followed_and_not_followed(shared: Path, within: int, quiet: int) -> None:
    frame = billing(shared)
    timed = frame.with_row_index("place", offset=1)
    rows = duckdb.sql(FOLLOWED.format(within=within * DAY, quiet=quiet * DAY)).pl()
    times = timed.select(pl.col("place").cast(pl.Int64), "time")
    expected = (
        rows.join(times.rename({"place": "first", "time": "start"}), on="first")
        .join(times.rename({"place": "last", "time": "end"}), on="last")
        .sort("person", "last")
        .select("person", "start", "end")
    )
    text = f"b:NEW -> b:BILLED within {within}d -> not b:REOPEN within {quiet}d"
    found = cjm.find(journeys_from_frame(frame, gap=None), {"p": text}, occurrence="all")
    assert found.height > 1_000
    assert found.select("person", "start", "end").equals(expected)


def test_a_real_log_cut_into_days(shared: Path) -> None:
    """Seconds are the finest time of this log, so many events tie; batches of any size give what one pass gives."""
    frame = billing(shared).sort("time", maintain_order=True)
    moments = [
        Moment("billed", "b:NEW -> b:BILLED within 90d -> not b:REOPEN within 30d"),
        Moment("closed", "b:FIN => b:RELEASE within 9d", once_per="60d"),
    ]
    whole = cjm.moments.detect(journeys_from_frame(frame, gap=None), moments)
    watch, state, parts = Watch(moments), None, []
    for batch in frame.iter_slices(frame.height // 37):
        matches, state = watch.update(batch, state)
        parts.append(matches)
    matches, state = watch.advance_to(frame["time"].max(), state)
    assert pl.concat([*parts, matches]).sort("moment", "match_id").equals(whole.sort("moment", "match_id"))
    assert state.late.is_empty()
    assert whole.height > 1_000
