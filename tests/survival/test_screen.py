"""screen: against the definition, against a model of each path alone, and in worlds whose truth is known."""

import warnings
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy.special import ndtr
from scipy.stats import poisson
from survival_worlds import cancelling_world, journeys_of_arrays, silent_world

import cjm
from cjm.contracts import CONTRACTS, TIME
from cjm.errors import ArgumentError, ContractError, InputError
from cjm.survival import Churn, ConvergenceWarning, PathHazard, Subjects, _screen, cox, screen, subjects
from cjm.survival._screen_tables import Entries, time_tables

QUIT = Churn.event("a:quit")
START = datetime(1970, 1, 1, tzinfo=UTC)


def people(rows):
    """Subjects of (day of time zero, days until entry, days at risk, churned)."""
    frame = pl.DataFrame(
        [
            (who, START + timedelta(days=zero + late), START + timedelta(days=zero + late + length),
             float(late + length), out, "x", float(late))
            for who, (zero, late, length, out) in enumerate(rows)
        ],
        schema={**CONTRACTS["SUBJECTS"].columns, "entry_days": pl.Float64},
        orient="row",
    )  # fmt: skip
    return Subjects(frame, QUIT, 0, (), pl.DataFrame())


def naive(rows, first):
    """Observed, expected, variance, persons and days, from the persons at risk at each churn."""
    observed = expected = variance = days = 0.0
    persons = 0
    for (zero, late, length, _), done in zip(rows, first, strict=True):
        begins = max(done - zero, late) if done is not None else None
        if begins is not None and begins < late + length:
            persons += 1
            days += late + length - begins
    for time in sorted({late + length for _, late, length, out in rows if out}):
        risk = [i for i, (_, late, length, _) in enumerate(rows) if late < time <= late + length]
        exposed = [i for i in risk if first[i] is not None and first[i] - rows[i][0] < time]
        died = [i for i in risk if rows[i][3] and rows[i][1] + rows[i][2] == time]
        share = len(exposed) / len(risk)
        observed += len(set(died) & set(exposed))
        expected += len(died) * share
        variance += len(died) * share * (1 - share)
    return observed, expected, variance, persons, days


PERSON = st.tuples(
    st.integers(0, 2), st.integers(0, 2), st.integers(1, 6), st.booleans(), st.none() | st.integers(0, 9)
)


@given(st.lists(PERSON, min_size=1, max_size=12).filter(lambda rows: any(row[3] for row in rows)), st.booleans())
@settings(max_examples=150, deadline=None)
def test_counts_follow_the_definition(persons, split):
    rows, first = [row[:4] for row in persons], [row[4] for row in persons]
    found = people(rows)
    done = [(who, day) for who, day in enumerate(first) if day is not None]
    times = np.array([day * 86_400_000_000 for _, day in done], dtype=np.int64)
    group = np.arange(len(rows)) % 2 if split else np.zeros(len(rows), dtype=np.int64)
    if split and not (found.frame["churned"].to_numpy() & (group == 1)).any():
        group[:] = 0
    tables = time_tables(found, group)
    entries = Entries.collect([("p", np.array([who for who, _ in done], dtype=np.int32), times)])
    result = tables.screen(tables.place(entries)).table[0]
    parts = [
        naive([row for row, g in zip(rows, group, strict=True) if g == one],
              [day for day, g in zip(first, group, strict=True) if g == one])
        for one in set(group)
    ]  # fmt: skip
    observed, expected, variance, count, days = np.sum(parts, axis=0)
    assert result[0] == count
    np.testing.assert_allclose(result[1:6], [days, observed, expected, observed - expected, variance], atol=1e-9)


@pytest.mark.parametrize("adjust", [[], ["plan"]])
def test_each_path_is_a_cox_model_of_its_own(adjust):
    journeys, plans = cancelling_world(3, 1500, ratio=1.5)
    found = subjects(journeys, QUIT, persons=plans)
    paths = {"p": "a:p", "fast": "a:join -> a:p within 20d", "joined": "a:join"}
    table = screen(found, journeys, paths, adjust=adjust)
    CONTRACTS["HAZARDS"].validate(table)
    assert table["p"].drop_nulls().is_sorted()
    for name in ("p", "fast"):
        row = table.row(by_predicate=pl.col("term") == name, named=True)
        model = PathHazard(patterns={name: paths[name]}, strata=adjust or None, ties="breslow").fit(journeys, found)
        alone = model.summary.row(0, named=True)
        for column in ("coef", "hazard_ratio", "lower", "upper", "se"):
            assert row[column] == pytest.approx(alone[column], abs=1e-6)
        assert (row["exposed"], row["events"]) == (alone["exposed"], alone["events"])
        rows = cjm.survival.spell_table(found, journeys, {"path": paths[name]})
        fit = cox(rows, start="start", stop="stop", event="churned", covariates=["path"], ties="breslow",
                  strata=adjust or None)  # fmt: skip
        assert row["z"] ** 2 == pytest.approx(fit.tests["chi2"][2], rel=1e-9)
    # everybody is exposed from the start: nothing to compare
    joined = table.row(by_predicate=pl.col("term") == "joined", named=True)
    assert joined["p"] is joined["coef"] is joined["q"] is None
    assert joined["observed"] == pytest.approx(joined["expected"])


@pytest.mark.parametrize("effect", ["onward", "event"])
def test_silence_event_by_event_agrees_with_the_regression(effect):
    journeys = silent_world(2, 800, onward=2.0)
    found = subjects(journeys, Churn.inactive("45d"))
    row = screen(found, journeys, {"p": "a:p"}, effect=effect).row(0, named=True)
    alone = PathHazard(patterns={"p": "a:p"}, effect=effect).fit(journeys, found).summary.row(0, named=True)
    assert row["coef"] == pytest.approx(alone["coef"], abs=1e-6)
    assert (row["exposed"], row["events"]) == (alone["exposed"], alone["events"])
    assert row["z"] == pytest.approx(alone["z"], rel=0.15)
    assert (row["days"] is None) == (effect == "event")


def test_a_path_with_no_churn_after_it_has_no_interval():
    journeys = journeys_of_arrays(
        [1, 1, 2, 2, 3, 3, 4, 4, 5, 5], [0, 4, 0, 5, 0, 1, 0, 2, 0, 9],
        ["join", "quit", "join", "quit", "join", "p", "join", "p", "join", "use"],
    )  # fmt: skip
    found = subjects(journeys, QUIT)
    row = screen(found, journeys, {"p": "a:p", "none": "a:use -> a:p"}).rows(named=True)
    assert row[0]["hazard_ratio"] == 0.0
    assert row[0]["coef"] is row[0]["lower"] is row[0]["se"] is None
    assert row[0]["z"] < 0
    assert (row[1]["exposed"], row[1]["p"]) == (0, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        PathHazard(patterns={"p": "a:p"}).fit(journeys, found)


def many(seed, persons=1500, paths=40, ratio=1.0, wait=150):
    """A world of ``paths`` meaningless touchpoints, ``wait`` days away, but the first, which multiplies the hazard."""
    rng = np.random.default_rng(seed)
    times = rng.exponential(wait, (persons, paths))
    hazard, budget = 0.01, rng.exponential(1, persons)
    first = times[:, 0]
    quits = np.where(budget < hazard * first, budget / hazard, first + (budget - hazard * first) / (hazard * ratio))
    who, which = np.nonzero((times < quits[:, None]) & (times < 100))
    left = np.flatnonzero(quits < 100)
    numbers = np.concatenate((np.arange(persons), who, left, [persons]))
    days = np.concatenate((np.zeros(persons), times[who, which], quits[left], [100.0]))
    names = np.concatenate(
        (np.full(persons, "join"), np.char.add("p", which.astype(str)), np.full(len(left), "quit"), ["end"])
    )
    return journeys_of_arrays(numbers, days, names), {f"p{j}": f"a:p{j}" for j in range(paths)}


@pytest.mark.parametrize("control", ["bh", "by", "max-t"])
def test_many_paths_of_which_one_matters(control):
    journeys, paths = many(1, ratio=1.8)
    table = screen(subjects(journeys, QUIT), journeys, paths, control=control, draws=300, seed=1)
    assert table["term"][0] == "p0"
    assert table["q"][0] < 0.02
    assert (table["q"][1:] > 0.05).all()
    assert table["family"].to_list() == [40] * 40


def test_null_worlds_have_the_size_they_claim():
    """600 tests of meaningless paths at the 5 % level, and the family-wise error of each adjustment."""
    p, families = [], {"bh": 0, "max-t": 0}
    for seed in range(15):
        journeys, paths = many(100 + seed, persons=800)
        found = subjects(journeys, QUIT)
        table = screen(found, journeys, paths, control="max-t", draws=200, seed=seed)
        p += table["p"].to_list()
        families["max-t"] += (table["q"] <= 0.05).any()
        families["bh"] += (screen(found, journeys, paths)["q"] <= 0.05).any()
    assert 0.03 <= np.mean(np.array(p) <= 0.05) <= 0.07
    assert families["max-t"] <= 4
    assert families["bh"] <= 4


def test_rare_paths_have_no_p_values_that_few_persons_cannot_show():
    # about eight persons with a path of whom three leave: far out, a normal deviate promises too much
    tables = []
    for seed in range(10):
        journeys, _ = many(300 + seed, persons=800, paths=200, wait=9_000)
        paths = journeys.touchpoints["touchpoint"].to_list()
        rare = [path for path in paths if path.startswith("a:p")]
        tables.append(screen(subjects(journeys, QUIT), journeys, rare))
    found = pl.concat(tables).filter(pl.col("expected") > 0.5)
    assert found["expected"].mean() < 5
    normal = 2 * ndtr(-found["z"].abs().to_numpy())
    assert (normal <= 0.001).mean() > 0.003
    assert (found["p"] <= 0.001).mean() <= 0.0025
    assert 0.02 <= (found["p"] <= 0.05).mean() <= 0.07


@pytest.mark.parametrize("common", [False, True])
def test_few_churned_persons_are_counted_as_poisson(common):
    rng = np.random.default_rng(5)
    person = np.arange(300)
    with_path = person[(person >= 12) == common]
    numbers = np.concatenate((person, with_path, person, [300]))
    days = np.concatenate((np.zeros(300), np.ones(len(with_path)), 2 + rng.integers(0, 100, 300), [200]))
    last = np.where(person % 4 > 0, "quit", "use")
    names = np.concatenate((np.full(300, "join"), np.full(len(with_path), "p"), last, ["end"]))
    journeys = journeys_of_arrays(numbers, days, names)
    row = screen(subjects(journeys, QUIT), journeys, {"p": "a:p"}).row(0, named=True)
    churned = 225
    mean = churned - row["expected"] if common else row["expected"]
    count = churned - row["observed"] if common else row["observed"]
    assert mean < 10 < churned - mean
    half = poisson.pmf(count, mean) / 2
    assert row["p"] == pytest.approx(2 * min(poisson.cdf(count, mean) - half, poisson.sf(count, mean) + half))


def test_max_t_is_about_the_largest_of_independent_scores():
    journeys, paths = many(7, persons=1200)
    table = screen(subjects(journeys, QUIT), journeys, paths, control="max-t", draws=2000, seed=3)
    independent = 1 - (1 - table["p"].to_numpy()) ** 40
    np.testing.assert_allclose(table["q"].to_numpy(), independent, atol=0.06)


def test_the_family_is_what_was_mined():
    journeys, paths = many(2, paths=6, ratio=1.5)
    found = subjects(journeys, QUIT)
    whole = screen(found, journeys, paths)
    part = screen(found, journeys, {"p0": "a:p0"}, family=6)
    assert part["family"][0] == 6
    assert part["q"][0] == pytest.approx(min(1.0, 6 * part["p"][0]))
    assert part["p"][0] == pytest.approx(whole.filter(term="p0")["p"][0], rel=1e-12)
    with pytest.raises(ArgumentError, match="family"):
        screen(found, journeys, paths, family=5)
    with pytest.raises(ArgumentError, match="family"):
        screen(found, journeys, paths, family=50, control="max-t")


def test_mined_paths_and_a_choice_that_saw_churn():
    journeys, _ = many(3, paths=6, ratio=1.5)
    found = subjects(journeys, QUIT)
    mined = cjm.mine_sequences(journeys, min_support=0.02, max_length=2)
    table = screen(found, journeys, mined)
    assert table.height == mined.height == table["family"][0]
    assert set(table["tested_on"]) == {"everyone"}
    outcome = found.frame.select("person", outcome="churned")
    first, second = found.split(0.5)
    looked_at = outcome.filter(pl.col("person").is_in(first.frame["person"].implode()))
    chosen = cjm.contrast(cjm.split_persons(journeys)[0], mined, looked_at).head(5)
    rest = screen(found, journeys, chosen)
    assert set(rest["tested_on"]) == {"the other part"}
    assert_same_but_part(rest, screen(second, journeys, paths_of(chosen)))
    assert_same_but_part(screen(found, journeys, paths_of(chosen), saw_outcome=True), rest)
    assert set(screen(found, journeys, chosen, saw_outcome=False)["tested_on"]) == {"everyone"}
    with pytest.warns(UserWarning, match="has seen those on whom it is tested"):
        screen(found, journeys, cjm.contrast(journeys, mined, outcome))


def paths_of(frame):
    patterns = [cjm.Pattern.from_touchpoints(path) for path in frame["pattern"]]
    return {str(pattern): pattern for pattern in patterns}


def assert_same_but_part(left, right):
    assert_frame_equal(left.drop("tested_on"), right.drop("tested_on"))


@pytest.mark.parametrize("share", [0.5, 0.3])
def test_paths_mined_by_churn_are_tested_on_those_the_search_left_out(share):
    journeys, _ = many(4, paths=6, ratio=1.5)
    found = subjects(journeys, QUIT)
    outcome = found.frame.select("person", outcome="churned")
    best = cjm.mine_discriminative(journeys, outcome, top_k=4, share=share)
    table = screen(found, journeys, best)
    assert set(table["tested_on"]) == {"the other part"}
    assert_same_but_part(table, screen(found.split(share)[1], journeys, paths_of(best)))
    with pytest.raises(ArgumentError, match="nobody is left"):
        screen(found, journeys, cjm.contrast(journeys, best, outcome))
    with pytest.raises(ArgumentError, match="nobody is left"):
        screen(found, journeys, cjm.mine_discriminative(journeys, outcome, top_k=4, share=1))


def test_a_choice_by_churn_is_honest_only_on_the_other_part():
    """The 4 of 40 meaningless paths that churn chose, in 15 worlds."""
    honest, same = [], []
    for seed in range(15):
        journeys, paths = many(300 + seed, persons=800)
        found = subjects(journeys, QUIT)
        first = screen(found.split(0.5)[0], journeys, paths)["term"][:4]
        chosen = {term: paths[term] for term in first}
        honest += screen(found, journeys, chosen, saw_outcome=True)["p"].to_list()
        same += screen(found.split(0.5)[0], journeys, chosen)["p"].to_list()
    assert np.mean(np.array(honest) <= 0.05) <= 0.15
    assert np.mean(np.array(same) <= 0.05) >= 0.4


def test_numbers_are_adjusted_for_in_fifths():
    journeys, plans = cancelling_world(4, 800)
    rng = np.random.default_rng(0)
    age = pl.Series("age", rng.normal(40, 10, plans.height))
    fifth = (age.rank("ordinal") - 1) * 5 // plans.height
    found = subjects(journeys, QUIT, persons=plans.with_columns(age, fifth=fifth))
    exact = screen(found, journeys, {"p": "a:p"}, adjust=["fifth"])
    cut = screen(found, journeys, {"p": "a:p"}, adjust=["age"])
    assert cut["coef"][0] == pytest.approx(exact["coef"][0], abs=0.01)
    gaps = found.frame.with_columns(age=pl.when(pl.col("person") > 50).then("age"))
    holes = screen(Subjects(gaps, found.churn, found.end, (), pl.DataFrame()), journeys, {"p": "a:p"}, adjust=["age"])
    assert holes["exposed"][0] == cut["exposed"][0]


def test_neither_buckets_nor_blocks_matter(tmp_path, monkeypatch):
    journeys, paths = many(5, persons=400, paths=5)
    journeys.write(tmp_path / "store", bucket_events=200)
    stored = cjm.open_journeys(tmp_path / "store")
    assert sum(1 for _ in stored.buckets()) > 2
    found = subjects(journeys, QUIT)
    whole = screen(found, journeys, paths)
    assert_frame_equal(screen(found, stored, paths), whole)
    assert whole["exposed"].sum() > 3 * 60
    monkeypatch.setattr(_screen, "_ENTRIES", 60)  # completions at once
    assert_frame_equal(screen(found, stored, paths), whole)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"control": "holm"}, ArgumentError, "max-t"),
        ({"effect": "event"}, ArgumentError, "effect"),
        ({"adjust": ["plam"]}, ArgumentError, "plan"),
        ({"patterns": {}}, ArgumentError, "no patterns"),
        ({"patterns": {"p": "a:pp"}}, ArgumentError, "a:p"),
        ({"patterns": pl.DataFrame({"path": [["a:p"]]})}, ContractError, "mine_sequences"),
        ({"max_gap": "3d"}, ArgumentError, "limits of their own"),
        ({"level": 2.0}, ArgumentError, "0.95"),
    ],
)
def test_wrong_calls_say_what_is_wrong(change, error, words):
    journeys, plans = cancelling_world(1, 50)
    with pytest.raises(error, match=words):
        screen(subjects(journeys, QUIT, persons=plans), journeys, **{"patterns": {"p": "a:p"}, **change})


def test_nobody_churned():
    journeys = journeys_of_arrays([1, 1, 2, 2], [0, 5, 0, 9], ["join", "p", "join", "p"])
    never = Churn.table(pl.DataFrame({"person": [99], "time": pl.Series([0]).cast(TIME)}))
    with pytest.raises(InputError, match="none of 2 subjects churned"):
        screen(subjects(journeys, never), journeys, "a:p")
