"""The layout of the transition graph: levels, columns, room for boxes and labels."""

import itertools
import re

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from plot_examples import SVG, draw, read, tips
from scipy.optimize import isotonic_regression

from cjm.plot._graph import Item, _apart, arranged, levels

names = st.sampled_from(["(start)", "(end)", *"abcdefghij"])
edges = st.dictionaries(st.tuples(names, names), st.integers(1, 1000).map(float), min_size=1, max_size=24)


def strain(level, graph):
    return sum(
        w * (level[target] - level[source] - 1) ** 2 for (source, target), w in graph.items() if source != target
    )


@settings(max_examples=60, deadline=None)
@given(edges, st.integers(0, 1000))
def test_no_other_levels_are_less_strained(graph, seed):
    chance = np.random.default_rng(seed)
    found = levels(graph)
    least = strain(found, graph)
    for _ in range(20):
        other = {name: level + chance.normal(0, 0.3) for name, level in found.items()}
        assert strain(other, graph) >= least - 1e-6 * (1 + least)


def test_parts_without_an_edge_between_them_begin_together():
    found = levels({("a", "b"): 9, ("b", "c"): 9, ("x", "y"): 1, ("z", "z"): 1})
    assert found == {"a": 0, "b": 1, "c": 2, "x": 0, "y": 1, "z": 0}


def test_the_usual_order_reads_from_left_to_right():
    path = ["(start)", "new", "checked", "sent", "paid", "(end)"]
    graph = dict.fromkeys(itertools.pairwise(path), 100.0) | {
        ("sent", "checked"): 5.0,
        ("new", "(end)"): 9.0,
    }
    placed = arranged(graph, 4, heights=dict.fromkeys(path, 38.0), port=8, gap=20)
    assert [placed.nodes[name].column for name in path] == [0, 1, 2, 3, 4, 5]
    assert len(placed.lanes["new", "(end)"]) == 3


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-30, 30), st.floats(5, 9), st.floats(0.01, 1)), min_size=1, max_size=12),
)
def test_places_are_the_nearest_without_overlap(rows):
    items = [Item(str(i), 0, height, weight) for i, (_, height, weight) in enumerate(rows)]
    found = _apart(items, list(range(len(rows))), [want for want, _, _ in rows])
    offsets = np.cumsum([0] + [(a[1] + b[1]) / 2 for a, b in itertools.pairwise(rows)])
    wanted = np.array([want for want, _, _ in rows]) - offsets
    expected = isotonic_regression(wanted, weights=[0.02 + weight for _, _, weight in rows]).x + offsets
    np.testing.assert_allclose(found, expected, atol=1e-6)


def areas(picture):
    """Where the boxes stand: those marks that say what their arrows bring."""
    return [
        tuple(float(mark.get(name)) for name in ("x", "y", "width", "height"))
        for mark, tip in tips(picture, "rect")
        if "arrows shown bring" in tip
    ]


def meet(one, other):
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


def frame_of(graph):
    rows = [(source, target, int(count), 0.5) for (source, target), count in graph.items()]
    return pl.DataFrame(rows, schema=["source", "target", "count", "share"], orient="row")


@settings(max_examples=60, deadline=None)
@given(edges, st.sampled_from([320, 500, 900, 1400]))
def test_boxes_and_labels_are_clear_of_each_other(graph, width):
    picture = draw("transitions", frame_of(graph), width=width)
    boxes = areas(picture)
    assert len(boxes) == len({name for edge in graph for name in edge})
    root = read(picture)
    labels = [
        tuple(float(mark.get(name)) for name in ("x", "y", "width", "height"))
        for mark in root.iter(f"{SVG}rect")
        if mark.get("fill-opacity") == "0.8"
    ]
    everything = boxes + labels
    assert not [(a, b) for i, a in enumerate(everything) for b in everything[i + 1 :] if meet(a, b)]
    inner = width - 32
    assert all(x >= -0.1 and x + w <= inner + 0.1 and y >= -0.1 for x, y, w, _ in everything)


@settings(max_examples=60, deadline=None)
@given(edges)
def test_every_arrow_joins_its_boxes(graph):
    picture = draw("transitions", frame_of(graph))
    where = {
        tip.partition(": arrows shown")[0]: tuple(float(mark.get(name)) for name in ("x", "y", "width", "height"))
        for mark, tip in tips(picture, "rect")
        if "arrows shown bring" in tip
    }
    found = tips(picture, "g")
    assert len(found) == len(graph)
    for group, tip in found:
        source, target = re.match(r"(.*) → (.*):", tip).groups()
        line, head = group.findall(f"{SVG}path")
        start = [float(part) for part in re.findall(r"-?\d+\.?\d*", line.get("d"))[:2]]
        end = [float(part) for part in re.findall(r"-?\d+\.?\d*", head.get("d"))[-2:]]
        for (x, y), (left, top, wide, tall) in ((start, where[source]), (end, where[target])):
            assert left - 0.1 <= x <= left + wide + 0.1
            assert top - 0.1 <= y <= top + tall + 0.1


def test_rows_in_another_order_give_the_same_picture():
    graph = {("a", "b"): 5.0, ("b", "c"): 4.0, ("c", "a"): 3.0, ("a", "c"): 2.0, ("d", "a"): 1.0}
    assert draw("transitions", frame_of(graph)) == draw("transitions", frame_of(dict(reversed(graph.items()))))


def test_what_leads_nowhere_on_stands_in_two_columns():
    sources = [f"web:{name} -> web:{name}" for name in "abcdefgh"]
    graph = {(source, f"web:t{index % 3}"): 10.0 + index for index, source in enumerate(sources)}
    boxes = areas(draw("transitions", frame_of(graph)))
    assert sorted({round(x) for x, _, _, _ in boxes}) == [0, round(868 - boxes[0][2])]


def test_neighbours_in_the_last_column_are_joined_inside_the_picture():
    graph = {("a", "b"): 100.0, ("b", "c"): 90.0, ("c", "d"): 50.0, ("d", "c"): 40.0, ("a", "d"): 9.0}
    picture = draw("transitions", frame_of(graph), width=320)
    edge = max(x for x, _, _, _ in areas(picture))
    assert sum(1 for x, _, _, _ in areas(picture) if x == edge) >= 2
    for group, _ in tips(picture, "g"):
        numbers = re.findall(r"-?\d+\.?\d*", group.find(f"{SVG}path").get("d"))
        assert max(map(float, numbers[::2])) <= 288
