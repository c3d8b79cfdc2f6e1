"""Answers by retentioneering 5, through the methods that return tables."""

from __future__ import annotations

import os

os.environ["RETENTIONEERING_NO_TRACK"] = "1"  # before the import: no usage data from here

from typing import Any

import pandas as pd
import pyarrow as pa
from _common import FUNNEL, serve
from retentioneering import Eventstream

SCHEMA = {"path_cols": ["customer"], "event_col": "touchpoint", "timestamp_col": "timestamp", "custom_cols": ["event"]}
SESSION = [{"metric": name} for name in ("first_event_time", "duration", "length")]


def load(path: str, mode: str) -> Eventstream:
    frame = pd.read_parquet(path, columns=["customer", "timestamp", "channel", "event"])
    # Categories are joined by their codes, which is many times cheaper than joining texts.
    for name in ("channel", "event"):
        frame[name] = frame[name].astype("category")
    channels, events = frame["channel"].cat, frame["event"].cat
    names = [f"{channel}:{event}" for channel in channels.categories for event in events.categories]
    codes = channels.codes.astype("int32") * len(events.categories) + events.codes
    frame["touchpoint"] = pd.Categorical.from_codes(codes, names).remove_unused_categories()
    return Eventstream(frame.drop(columns="channel"), SCHEMA)


def sessions(stream: Eventstream) -> pd.DataFrame:
    return stream.split_sessions(timeout="30m").get_metrics(SESSION, path_col="session_id")


def plain_sessions(stream: Eventstream, answer: pd.DataFrame) -> pa.Table:
    start = (answer["first_event_time"] * 1e6).round().astype("int64")
    length = (answer["duration"] * 1e6).round().astype("int64")
    return pa.table(
        {
            "customer": answer.index.str.rsplit("_", n=1).str[0],
            "start": pa.array(start).cast(pa.timestamp("us")),
            "end": pa.array(start + length).cast(pa.timestamp("us")),
            "events": answer["length"],
        }
    )


def plain_transitions(stream: Eventstream, answer: pd.DataFrame) -> pa.Table:
    counts = answer.drop(index=["path_start", "path_end"], columns=["path_start", "path_end"])
    rows = counts.rename_axis("source").reset_index().melt("source", var_name="target", value_name="count")
    rows = rows[rows["count"] > 0]
    share = rows["count"] / rows.groupby("source")["count"].transform("sum")
    source, target = rows["source"].astype(str), rows["target"].astype(str)
    return pa.table({"source": source, "target": target, "count": rows["count"], "share": share})


def plain_steps(stream: Eventstream, answer: pd.DataFrame) -> pa.Table:
    shares = answer.drop(index=["path_start", "path_end"]).drop(columns=0)
    rows = shares.rename_axis("touchpoint").reset_index().melt("touchpoint", var_name="step", value_name="share")
    persons = (rows["share"] * stream.df["customer"].nunique()).round().astype("int64")
    rows = rows.assign(persons=persons, step=rows["step"].astype("int64"))[persons > 0]
    return pa.table({"step": rows["step"], "touchpoint": rows["touchpoint"].astype(str), "persons": rows["persons"]})


def plain_features(stream: Eventstream, answer: pd.DataFrame) -> pa.Table:
    wide = answer.rename(columns=lambda name: name.rsplit(":", 1)[-1].removeprefix("event_count_bulk_event_"))
    return pa.Table.from_pandas(wide.rename_axis("customer").reset_index(), preserve_index=False)


def features(stream: Eventstream) -> pd.DataFrame:
    args = {"event_col": "event", "events": sorted(stream.df["event"].unique())}
    return stream.get_metrics([{"metric": "event_count_bulk", "metric_args": args}])


def plain_funnel(stream: Eventstream, answer: dict[str, Any]) -> pa.Table:
    persons = [row["unique_paths"] for row in answer["steps"]]
    return pa.table({"step": range(1, len(persons) + 1), "persons": persons})


QUESTIONS = {
    "build": (
        None,
        lambda stream, _: pa.table({"n": [len(stream.df)], "persons": [stream.df["customer"].nunique()]}),
    ),
    "sessions": (sessions, plain_sessions),
    "transitions": (lambda stream: stream.transition_graph_data(edge_weight="count"), plain_transitions),
    "steps": (lambda stream: stream.step_matrix_data(max_steps=10), plain_steps),
    "features": (features, plain_features),
    "funnel without limit": (lambda stream: stream.funnel_data(FUNNEL), plain_funnel),
}
MISSING = {"funnel": "not offered: no time limit"}

if __name__ == "__main__":
    serve(load, QUESTIONS, MISSING)
