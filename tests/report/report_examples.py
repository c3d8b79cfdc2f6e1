"""Tables as the library makes them, built by hand, for the tests of the report."""

import math
import random
from datetime import UTC, datetime, timedelta

import polars as pl

import cjm
from cjm.moments import Action

START = datetime(2025, 1, 6, tzinfo=UTC)
CHURN = "A customer leaves at the event account:cancelled; the end of the data censors."


def run(**more):
    return {
        "title": "Customer journeys, spring 2025",
        "created": "2025-07-01T06:12:44.123456+00:00",
        "period": {"start": START, "end": START + timedelta(days=175)},
        "events": 1_204_332,
        "persons": 48_210,
        "churn": CHURN,
        "inputs": [
            {
                "source": "web",
                "path": "web/*.parquet",
                "bytes": 84_221_004,
                "modified": "2025-06-30T22:01:07.5+00:00",
                "rows": 901_442,
            },
            {
                "source": "app",
                "path": "app.ndjson",
                "bytes": 31_400_221,
                "modified": "2025-06-30T22:03:00+00:00",
                "rows": 241_020,
            },
            {
                "source": "call",
                "path": "calls.csv",
                "bytes": 4_120_443,
                "modified": "2025-06-30T21:00:00+00:00",
                "rows": 40_332,
            },
            {
                "source": "store",
                "path": "store.csv",
                "bytes": 2_201_220,
                "modified": "2025-06-30T20:00:00+00:00",
                "rows": 26_410,
            },
        ],
        "steps": [
            {"step": "scan", "rows_in": 1_209_204, "rows_out": 1_204_332, "seconds": 2.412},
            {"step": "stitch", "rows_in": 1_204_332, "rows_out": 48_210, "seconds": 3.1},
            {"step": "journeys", "rows_in": 1_204_332, "rows_out": 1_204_332, "seconds": 1.9},
        ],
        "versions": {"cjm": "0.1.0", "polars": "2.1.0", "numba": "0.68.0", "python": "3.11.9"},
        "warnings": ["call: 1,204 rows lie after the end of every other source; the last day may be incomplete."],
        "notes": ["Journeys are cut after 30 minutes without an event."],
        **more,
    }


def timeline():
    chance = random.Random(1)
    rows = []
    for channel, size, growth in (
        ("web", 30_000, 1.003),
        ("app", 8_200, 1.02),
        ("call", 1_700, 0.99),
        ("store", 1_000, 1.0),
        ("email", 900, 1.01),
    ):
        for week in range(25):
            events = int(size * growth**week * chance.uniform(0.93, 1.07))
            rows.append((START + timedelta(weeks=week), channel, events, events // 3))
    return pl.DataFrame(rows, schema=["period", "channel", "events", "persons"], orient="row").with_columns(
        pl.col("period").cast(pl.Datetime("us", "UTC"))
    )


def flow():
    rows = [
        (1, "web:home", "web:product", 9_220),
        (1, "web:home", "(end)", 5_100),
        (1, "web:home", "web:view_offer", 4_400),
        (1, "web:home", "app:login", 1_204),
        (1, "app:login", "app:balance", 6_100),
        (1, "app:login", "call:billing", 1_310),
        (1, "app:login", "(end)", 900),
        (1, "email:newsletter", "web:view_offer", 3_900),
        (1, "email:newsletter", "(end)", 2_100),
        (1, "store:visit", "store:purchase", 2_010),
        (1, "store:visit", "web:home", 640),
        (1, "call:billing", "call:complaint", 410),
        (1, "call:billing", "(end)", 300),
        (1, "(other)", "web:home", 900),
        (1, "(other)", "(end)", 8),
        (2, "web:product", "web:cart", 5_120),
        (2, "web:product", "(end)", 2_800),
        (2, "web:product", "store:visit", 1_300),
        (2, "web:view_offer", "store:visit", 3_310),
        (2, "web:view_offer", "web:product", 2_400),
        (2, "web:view_offer", "(end)", 2_590),
        (2, "app:balance", "app:transfer", 4_400),
        (2, "app:balance", "(end)", 1_700),
        (2, "call:billing", "call:complaint", 610),
        (2, "call:billing", "(end)", 700),
        (2, "store:purchase", "(end)", 2_010),
        (2, "web:home", "web:product", 1_540),
        (2, "app:login", "app:balance", 1_204),
        (2, "call:complaint", "account:cancelled", 120),
        (2, "call:complaint", "(end)", 290),
        (3, "web:cart", "web:checkout", 3_110),
        (3, "web:cart", "(end)", 2_010),
        (3, "store:visit", "store:purchase", 2_400),
        (3, "store:visit", "(end)", 2_210),
        (3, "web:product", "web:cart", 2_200),
        (3, "web:product", "(end)", 1_740),
        (3, "app:transfer", "(end)", 4_400),
        (3, "app:balance", "(end)", 1_204),
        (3, "call:complaint", "account:cancelled", 310),
        (3, "call:complaint", "(end)", 300),
        (3, "account:cancelled", "(end)", 120),
        (4, "web:checkout", "(end)", 3_110),
        (4, "store:purchase", "(end)", 2_400),
        (4, "web:cart", "(end)", 2_200),
        (4, "account:cancelled", "(end)", 310),
    ]
    return pl.DataFrame(rows, schema=["step", "source", "target", "persons"], orient="row")


def curves():
    rows = []
    for group, count, rate in (("basic", 20_000, 0.0021), ("plus", 12_000, 0.0013), ("premium", 6_000, 0.0006)):
        survival, at_risk, variance = 1.0, count, 0.0
        for time in range(1, 366):
            gone = round(at_risk * rate)
            survival *= 1 - gone / at_risk
            variance += gone / (at_risk * (at_risk - gone))
            error = 1.96 * survival * math.sqrt(variance)
            rows.append(
                (group, float(time), at_risk, gone, 12, survival, survival - error, min(1.0, survival + error), 1e-12)
            )
            at_risk -= gone + 12
            if at_risk < 15:
                break
    return pl.DataFrame(
        rows,
        schema=["group", "time", "at_risk", "events", "censored", "survival", "lower", "upper", "logrank_p"],
        orient="row",
    )


def hazards():
    rows = [
        ("risk", 2.9, 2.5, 3.4, 1e-9, 1_204, 240),
        ("complaint", 4.12, 3.3, 5.14, 1e-8, 610, 188),
        ("loyal", 0.44, 0.36, 0.53, 1e-7, 5_220, 130),
        ("silent", 1.31, 1.04, 1.65, 0.031, 2_210, 96),
        ("newsletter", 0.97, 0.84, 1.12, 0.71, 7_400, 402),
        ("premium", 0.62, 0.55, 0.7, 1e-6, 6_000, 210),
    ]
    return pl.DataFrame(
        [
            (
                term,
                math.log(hr),
                hr,
                low,
                high,
                0.1,
                math.log(hr) / 0.1 if term != "newsletter" else -0.3,
                q / 2,
                q,
                exposed,
                events,
            )
            for term, hr, low, high, q, exposed, events in rows
        ],
        schema=["term", "coef", "hazard_ratio", "lower", "upper", "se", "z", "p", "q", "exposed", "events"],
        orient="row",
    )


def after():
    """What comes after two paths, and whether predicted risks came true."""
    days = [float(day) for day in range(0, 61, 10)]
    excess = [
        (term, day, size * day / 60, size * day / 80, size * day / 50, day / 60)
        for term, size in (("risk", 12.0), ("silent", 1.0))
        for day in days
    ]
    stretches = [
        ("risk", 0.0, 30.0, 1_204, 110, 40.2, 2.74, 2.2, 3.4, 1e-9),
        ("risk", 30.0, 60.0, 900, 7, 3.1, 2.26, 1.0, 4.9, 0.04),
        ("risk", 60.0, None, 400, 60, 20.0, 3.0, 2.3, 3.9, 1e-9),
        ("silent", 0.0, 30.0, 2_210, 50, 44.0, 1.14, 0.8, 1.5, 0.4),
        ("silent", 30.0, 60.0, 1_700, 0, 0.4, None, None, None, None),
        ("silent", 60.0, None, 8, 0, 0.0, None, None, None, None),
    ]
    of_when = ["since", "until", "persons", "days", "churned", "expected", "hazard_ratio", "lower", "upper", "p"]
    curve = [
        (term, completed, float(day), (300 if completed else 2_000) - day, 1, 0, *bounds)
        for term in ("risk", "loyal")
        for completed, rate in ((True, 0.002 if term == "risk" else 0.0002), (False, 0.001))
        for day in range(60, 181)
        for share in [1 - rate * (day - 60)]
        for bounds in [(share, share - 0.02, min(1.0, share + 0.02))]
    ]
    return {
        "when": pl.DataFrame(
            [
                ("risk", 1_204, 117, 60.0, 12.0, 9.0, 14.4, 30.0, 24.6, 36.2, 0.31),
                ("silent", 2_210, 50, 60.0, 1.0, -0.4, 2.2, None, None, None, None),
            ],
            schema=[
                *["term", "persons", "churned", "horizon", "excess", "lower", "upper"],
                *["act_by", "act_by_lower", "act_by_upper", "constant_p"],
            ],
            orient="row",
        ),
        "when_excess": pl.DataFrame(excess, schema=["term", "day", "excess", "lower", "upper", "share"], orient="row"),
        "when_stretches": pl.DataFrame(
            [(*row[:4], 9_000.0, *row[4:]) for row in stretches], schema=["term", *of_when], orient="row"
        ),
        "path_curves": pl.DataFrame(
            curve,
            schema=["term", "completed", "time", "at_risk", "events", "censored", "survival", "lower", "upper"],
            orient="row",
        ),
        "path_tests": pl.DataFrame(
            [
                ("risk", 300, 9_000.0, 60, 31.2, 30.0, 1e-8, 2e-8, 59.0),
                ("loyal", 300, 9e3, 9, 30.1, 11.0, 2e-3, 2e-3, 59.0),
            ],
            schema=["term", "persons", "days", "churned", "expected", "chi2", "p", "q", "landmark"],
            orient="row",
        ),
        "calibration": pl.DataFrame(
            [
                (1, 4_000, 0.001, 0.01, 0.006, 8, 0.002, 0.001, 0.004, 30.0),
                (2, 4_000, 0.01, 0.03, 0.02, 84, 0.021, 0.017, 0.026, 30.0),
                (3, 4_000, 0.03, 0.2, 0.06, 260, 0.065, 0.057, 0.073, 30.0),
            ],
            schema=[
                *["group", "persons", "risk_from", "risk_to", "predicted", "churned", "observed", "lower", "upper"],
                "horizon",
            ],
            orient="row",
        ),
        "validation": pl.DataFrame(
            [
                ("auc", 0.71, 0.68, 0.74),
                ("brier", 0.0281, None, None),
                ("brier_null", 0.0286, None, None),
                ("expected", 0.0287, None, None),
                ("observed", 0.0293, 0.0264, 0.0325),
                ("ratio", 1.02, 0.92, 1.13),
            ],
            schema=["measure", "value", "lower", "upper"],
            orient="row",
        ),
    }


def moments():
    chance = random.Random(2)
    rows = []
    for name, pattern, many, action in (
        (
            "offer without renewal",
            "web:view_offer -> store:visit within 3d -> not store:renew within 1d",
            640,
            "call within a day",
        ),
        ("third failed call", "3 x call:failed within 2h", 210, "hand to a senior agent"),
        ("empty cart", "web:cart -> not web:checkout within 1d", 1_440, "send a reminder"),
    ):
        for index in range(many):
            end = START + timedelta(days=chance.triangular(0, 175, 150), seconds=chance.randrange(86_400))
            span = timedelta(seconds=chance.randrange(3600, 3 * 86_400))
            rows.append((name, pattern, 7_312_640_000 + index % (many * 3 // 4), end - span, end, span, action))
    return pl.DataFrame(
        rows, schema=["moment", "pattern", "person", "start", "end", "span", "action"], orient="row"
    ).with_columns(pl.col("start", "end").cast(pl.Datetime("us", "UTC")))


def decisions():
    """Decide about the moments of the last month."""
    at = START + timedelta(days=175)
    recent = moments().filter(pl.col("end") <= at)
    actions = [
        Action("call", "phone", ("offer without renewal",), "20d", eligible="value > 20", cost=4),
        Action("mail", "email", ("offer without renewal", "empty cart"), "30d", cost=0.5),
        Action("senior agent", "phone", ("third failed call",), "20d", cost=9),
    ]
    person = recent["person"].unique().sort()
    effects = pl.DataFrame(
        {
            "moment": ["offer without renewal", "offer without renewal", "empty cart", "third failed call"],
            "action": ["call", "mail", "mail", "senior agent"],
            "effect": [0.08, 0.01, 0.02, 0.1],
            "basis": [
                "randomised holdout: 42 of 917 acted on and 95 of 942 left alone left",
                *["associational: hazard ratio 2.9 (2.5 to 3.4); assumed that acting removes 5% of the excess risk"]
                * 2,
                "assumed",
            ],
        }
    )
    value = pl.DataFrame({"person": person, "value": (person % 97).cast(pl.Float64) + 20})
    return cjm.decide(recent, actions, at=at, persons=value, effects=effects, holdout=0.1)


def goal_journeys():
    rows = []
    for goal, state, journeys, persons, minutes in (
        ("buy", "reached", 2_000, 1_200, 90),
        ("buy", "timed out", 1_400, 1_000, 20_160),
        ("buy", "open", 600, 600, None),
        ("upgrade", "reached", 300, 290, 5_760),
        ("upgrade", "abandoned", 4, 4, 1_000),
        ("upgrade", "timed out", 96, 96, 20_160),
        ("rare", "reached", 5, 5, 10),
    ):
        duration = None if minutes is None else timedelta(minutes=minutes)
        rows += [(7_312_640_000 + index % persons, goal, state, 3, duration) for index in range(journeys)]
    return pl.DataFrame(
        rows,
        schema={"person": pl.Int64, "goal": pl.String, "state": pl.String, "events": pl.Int64, "duration": pl.Duration},
        orient="row",
    )


def goal_overlap():
    rows = [
        ("buy", "buy", 0, 0, 0, 4_000, None),
        ("buy", "rare", 5, 5, 5, 4_000, timedelta(minutes=7)),
        ("buy", "upgrade", 73, 78, 78, 4_000, timedelta(days=3, hours=13)),
        ("rare", "rare", 0, 0, 0, 5, None),
        ("rare", "upgrade", 0, 0, 0, 5, None),
        ("upgrade", "upgrade", 0, 0, 0, 400, None),
    ]
    columns = ["goal_a", "goal_b", "persons", "pairs", "journeys", "of", "overlap_mean"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def funnel_next():
    rows = [
        (1, "web:product", "(end)", 3_000, 6_102),
        (1, "web:product", "web:home", 1_500, 6_102),
        (1, "web:product", "(other)", 1_000, 6_102),
        (1, "web:product", "app:open", 594, 6_102),
        (1, "web:product", "store:visit", 8, 6_102),
        (2, "web:cart", "web:home", 1_519, 3_019),
        (2, "web:cart", "(end)", 700, 3_019),
        (2, "web:cart", "web:help", 400, 3_019),
        (2, "web:cart", "app:open", 300, 3_019),
        (2, "web:cart", "call:question", 100, 3_019),
    ]
    frame = pl.DataFrame(rows, schema=["step", "touchpoint", "next", "persons", "of"], orient="row")
    share = pl.col("persons") / pl.col("of")
    return frame.with_columns(share=share, low=share - 0.01, high=share + 0.01)


def tables():
    hour, day = timedelta(hours=1), timedelta(days=1)
    return {
        "quality": pl.DataFrame(
            [
                ("web", "time cannot be read", 1_220, 1_220 / 901_442, "row 88,120: 31.02.2025", "set aside"),
                ("web", "same event_id", 3_210, 3_210 / 901_442, "row 1,004", "dropped duplicate"),
                ("call", "after the end of the data", 1_204, 1_204 / 40_332, "2025-07-02", "kept"),
                ("store", "no customer number", 442, 442 / 26_410, "row 12", "set aside"),
            ],
            schema=["source", "check", "rows", "share", "example", "action"],
            orient="row",
        ),
        "identity_summary": pl.DataFrame(
            [
                ("identifiers", 91_220, None, "different identifiers seen"),
                ("persons", 48_210, None, "persons after stitching"),
                ("customers", 38_004, 0.788, "persons with a customer number"),
                (
                    "anonymous events filled",
                    204_331,
                    0.17,
                    "events without a number given to a customer by a shared cookie or device",
                ),
            ],
            schema=["measure", "count", "share", "meaning"],
            orient="row",
        ),
        "conflicts": pl.DataFrame(
            [
                ("shared identifier", "cookie", f"canary-{index}", 2 + index % 3, 40, "links nothing")
                for index in range(212)
            ]
            + [("unique kind", "device", f"canary-x{index}", 2, 12, "link refused") for index in range(31)],
            schema=["rule", "kind", "id", "persons", "events", "decision"],
            orient="row",
        ),
        "kpis": pl.DataFrame(
            [
                ("conversion", 0.1234, 5_949, 48_210, 0.1206, 0.1264, "share"),
                ("events_per_person", 24.98, 1_204_332, 48_210, None, None, "events"),
                ("median_session", 0.0052, None, None, None, None, "days"),
            ],
            schema=["kpi", "value", "numerator", "denominator", "low", "high", "unit"],
            orient="row",
        ),
        "timeline": timeline(),
        "flow": flow(),
        "variants": pl.DataFrame(
            {
                "path": [
                    ["web:home"],
                    ["web:home", "web:product", "web:cart"],
                    ["app:login", "app:balance", "app:transfer"],
                    ["call:billing"],
                ],
                "length": [1, 3, 3, 1],
                "count": [5_100, 3_204, 2_980, 7],
                "share": [0.106, 0.066, 0.062, 0.0001],
                "coverage": [0.106, 0.172, 0.234, 0.2341],
            }
        ),
        "funnel": pl.DataFrame(
            {
                "step": [1, 2, 3, 4],
                "touchpoint": ["web:product", "web:cart", "web:checkout", "store:purchase"],
                "persons": [14_222, 8_120, 5_101, 3_204],
                "of": [14_222] * 4,
                "rate": [1.0, 0.571, 0.3587, 0.2253],
                "low": [1.0, 0.563, 0.351, 0.2185],
                "high": [1.0, 0.579, 0.3666, 0.2322],
                "step_rate": [1.0, 0.571, 0.628, 0.628],
                "time_p25": [None, hour, 2 * hour, day],
                "time_p50": [None, 5 * hour, day, 2 * day + 4 * hour],
                "time_p75": [None, day, 3 * day, 6 * day],
            },
            schema_overrides={name: pl.Duration("us") for name in ("time_p25", "time_p50", "time_p75")},
        ),
        "funnel_next": funnel_next(),
        "goal_journeys": goal_journeys(),
        "goal_overlap": goal_overlap(),
        "transitions": pl.DataFrame(
            {
                "source": ["web:home", "web:product", "app:login", "call:billing"],
                "target": ["web:product", "web:cart", "app:balance", "call:complaint"],
                "count": [22_110, 12_004, 9_120, 6],
                "share": [0.41, 0.38, 0.77, 0.1],
                "persons": [14_000, 8_120, 5_000, 5],
                "time_p50": [timedelta(minutes=2, seconds=11.5), hour, timedelta(seconds=20), day],
                "time_mean": [hour, 5 * hour, hour, day],
            }
        ),
        "step_matrix": pl.DataFrame(
            [
                (1, "web:home", 600, 1_000),
                (1, "app:login", 400, 1_000),
                (2, "web:product", 500, 1_000),
                (2, "(end)", 493, 1_000),
                (2, "call:billing", 7, 1_000),
            ],
            schema=["step", "touchpoint", "persons", "of"],
            orient="row",
        ).with_columns(share=pl.col("persons") / pl.col("of")),
        "sequences": pl.DataFrame(
            {
                "pattern": [["web:home"], ["web:home", "web:product"], ["web:view_offer", "store:visit"]],
                "length": [1, 2, 2],
                "persons": [30_100, 18_204, 6_010],
                "support": [0.624, 0.3776, 0.1247],
            }
        ),
        "rules": pl.DataFrame(
            {
                "antecedent": [["web:cart", "email:newsletter"]],
                "consequent": [["store:purchase"]],
                "support": [0.04],
                "confidence": [0.41],
                "lift": [3.12],
                "leverage": [0.02],
                "conviction": [1.4],
            }
        ),
        "contrast": pl.DataFrame(
            {
                "pattern": [
                    ["call:billing", "call:complaint"],
                    ["web:view_offer", "store:visit"],
                    ["app:login", "app:transfer"],
                    ["web:home"],
                ],
                "length": [2, 2, 2, 1],
                "n_true": [410, 630, 520, 2_400],
                "of_true": [4_002] * 4,
                "rate_true": [0.1024, 0.1574, 0.1299, 0.5997],
                "n_false": [900, 3_390, 9_220, 20_600],
                "of_false": [34_002] * 4,
                "rate_false": [0.0265, 0.0997, 0.2712, 0.6058],
                "difference": [0.0759, 0.0577, -0.1413, -0.0061],
                "lower": [0.067, 0.046, -0.152, -0.022],
                "upper": [0.0858, 0.0697, -0.13, 0.0098],
                "lift": [3.87, 1.58, 0.48, 0.99],
                "p": [1e-9, 1e-8, 1e-9, 0.45],
                "q": [1e-9, 1e-8, 1e-9, 0.45],
                "prefix_only": [False] * 4,
            }
        ),
        "hazards": hazards(),
        "hazards_patterns": pl.DataFrame(
            {
                "term": ["risk", "complaint", "loyal", "silent", "newsletter"],
                "pattern": [
                    "web:view_offer -> store:visit within 3d -> not store:renew within 1d",
                    "call:billing -> call:complaint within 7d",
                    "app:login -> app:transfer",
                    "web:cart -> not web:checkout within 1d",
                    "email:newsletter",
                ],
            }
        ),
        "dilution": pl.DataFrame(
            {
                "term": ["risk"],
                "hazard_ratio": [2.9],
                "exposed": [1_204],
                "hidden_max": [88],
                "hazard_ratio_corrected": [2.7],
            }
        ),
        "lead_time": pl.DataFrame(
            {
                "term": ["risk", "complaint"],
                "left": [240, 188],
                "p25": [17 * day + hour, 2 * hour],
                "p50": [41 * day + 3 * hour, 30 * hour],
                "p75": [90 * day, 9 * day],
            }
        ),
        **after(),
        "curves": curves(),
        "audit": pl.DataFrame(
            {
                "measure": ["at risk", "left"],
                "count": [38_004, 4_002],
                "meaning": ["customers followed", "of them left"],
            }
        ),
        "moments": moments(),
        "decisions": decisions(),
        "retention": pl.DataFrame(
            [
                (
                    START + timedelta(weeks=w),
                    p,
                    int(900 * 0.8**p) if p else 1_000,
                    1_000,
                    0.9 * 0.8**p if p else 1.0,
                    max(0, 0.9 * 0.8**p - 0.03),
                    min(1, 0.9 * 0.8**p + 0.03),
                )
                for w in range(9)
                for p in range(9 - w)
            ],
            schema=["cohort", "period", "persons", "of", "rate", "low", "high"],
            orient="row",
        ),
    }
