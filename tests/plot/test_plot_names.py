"""Names from the data, whatever they hold, are only ever shown, and do not move what stands around them."""

import re
from datetime import timedelta

import plot_examples as examples
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plot_examples import FRAMES, SVG, draw, read, words

PAYLOADS = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "apostrophe": "' onload='alert(1)",
    "end of picture": "</svg><script>alert(2)</script>",
    "end of title": "</title><script>alert(3)</script>",
    "foreign": "<foreignObject><iframe src=javascript:alert(4)></iframe></foreignObject>",
    "animate": "<animate onbegin=alert(5) attributeName=x dur=1s>",
    "use": '<use href="data:image/svg+xml,x#y"/>',
    "address": "javascript:alert(6)",
    "entity": "&lt;b&gt;&amp;&#x3c;",
    "declaration": '<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]>&y;',
    "cdata": "]]><!-- --><![CDATA[",
    "instruction": "<?xml-stylesheet href='http://x/y.css'?>",
    "template": "{{ 7 * 191 }}{% raw %}${1337}",
    "style": "</style><style>*{display:none}",
    "reference": "url(#clip0) url(http://x/y)",
    "quotes": "\"'`´„“",
    "backslash": "\\u003cscript\\u003e \\x3c",
    "long": "web:" + "x" * 5000,
    "wide": "web:" + "W@" * 200,
    "right to left": "عميل:زيارة الموقع",
    "override": "web:\u202eecaps\u2066\u2069\u200f",
    "ideographs": "客户:" + "访问" * 100,
    "emoji": "web:🛒👩‍👩‍👧‍👦🏳️‍🌈" * 10,
    "ligature": "﷽" * 40,
    "zero width": "web:\u200b\u200b\ufeff\u2060home",
    "joiners": "\u200d\u200c\u200d",
    "piled": "a" + "\u0300\u0489" * 300,
    "blank": "   ",
    "empty": "",
    "lines": "web:\nhome\r\n\tnext\x00\x0b\x1b[31m\u2028end",
    "no characters": "\ufffe\uffff\udc80".encode("utf-8", "ignore").decode(),
    "beyond": "\U0001fffe\U0010ffff\ue000",
    "arrow": "web:a -> web:b",
    "comma": "a,b;c:d:e",
    "none": "None",
}
TAGS = {"svg", "g", "path", "rect", "line", "circle", "text", "title", "desc"}
ATTRIBUTES = {
    *("xmlns", "width", "height", "viewBox", "font-family", "role", "aria-label", "style", "transform", "d", "fill"),
    *("fill-opacity", "stroke", "stroke-width", "stroke-linejoin", "stroke-dasharray", "paint-order", "overflow"),
    *("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "font-size", "font-weight", "text-anchor"),
}
NAMES = sorted(FRAMES)


def hostile(name, payload):
    frame = FRAMES[name]()
    if name == "retention":
        return frame.with_columns(cohort=pl.lit(payload) + pl.col("cohort").rank("dense").cast(pl.String))
    texts = [column for column, kind in frame.schema.items() if kind == pl.String]
    return frame.with_columns(
        pl.when(pl.col(texts).str.starts_with("(")).then(pl.col(texts)).otherwise(pl.lit(payload) + pl.col(texts))
    )


def check(picture):
    root = read(picture)
    for mark in root.iter():
        assert mark.tag.removeprefix(SVG) in TAGS
        assert set(mark.attrib) <= ATTRIBUTES
    assert not set(picture.svg) & set("\u202e\u2066\u200b\ufeff\x00\x0b\x1b\u2028\ufffe\uffff")
    assert root.get("style") == "max-width:100%;height:auto"
    assert not re.search(
        r"""(?:=|url\()\s*["']?\s*(?:https?:|data:|javascript:|file:)(?!//www\.w3\.org/2000/svg")""", tagged(picture)
    )
    return root


def tagged(picture):
    """The picture without its texts and the attribute that repeats its title."""
    bare = re.sub(r' aria-label="[^"]*"', "", picture.svg)
    return "".join(re.findall(r"<[^>]*>", bare))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=list(PAYLOADS))
def test_names_are_only_shown(name, payload):
    picture = draw(name, hostile(name, payload))
    check(picture)
    plain = draw(name)
    # as many marks as with tame names, and no picture that is blown up
    for tag in ("path", "g"):
        assert sum(1 for _ in read(picture).iter(f"{SVG}{tag}")) == sum(1 for _ in read(plain).iter(f"{SVG}{tag}"))
    assert float(read(picture).get("height")) <= float(read(plain).get("height")) + 60
    assert read(picture).get("width") == read(plain).get("width")
    assert len(picture.svg) < 3 * len(plain.svg) + 4000


@pytest.mark.parametrize("name", ["funnel", "timeline", "flow"])
@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=list(PAYLOADS))
def test_groups_are_only_shown(name, payload):
    frame = examples.grouped(FRAMES[name](), payload or "x", (payload,) if name == "flow" else (payload, "other"))
    picture = draw(name, frame)
    check(picture)
    if name == "flow":
        assert picture.title.startswith("Flow over the first 3 steps · ")
        check(draw("flow", frame, width=320))


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=list(PAYLOADS))
def test_names_in_errors_are_short(payload):
    frame = examples.grouped(examples.flow(), "segment", (payload, "other"))
    with pytest.raises(ValueError, match="Choose one") as error:
        draw("flow", frame)
    assert len(str(error.value)) < 250
    assert not set(str(error.value)) & set("\n\r\x00\x1b\u202e")


def test_something_of_every_name_is_seen():
    for payload in ("script", "entity", "right to left", "ideographs", "long", "apostrophe"):
        start = PAYLOADS[payload][:4]
        assert any(
            text.startswith(start) for text in words(draw("step_matrix", hostile("step_matrix", PAYLOADS[payload])))
        )


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=12, unique=True), st.sampled_from([320, 900]))
def test_any_text_can_be_a_name(texts, width):
    count = len(texts)
    frames = {
        "flow": pl.DataFrame({"step": 1, "source": texts, "target": texts[::-1], "persons": range(1, count + 1)}),
        "transitions": pl.DataFrame({"source": texts, "target": texts[::-1], "count": range(1, count + 1)}),
        "step_matrix": pl.DataFrame(
            {"step": 1, "touchpoint": texts, "persons": range(count), "of": 99, "share": [0.1] * count}
        ),
        "timeline": pl.DataFrame({"period": [examples.START] * count, "channel": texts, "events": 3, "persons": 2}),
        "retention": pl.DataFrame({"cohort": texts, "period": 0, "persons": 2, "of": 4, "rate": 0.5}),
    }
    for name, frame in frames.items():
        check(draw(name, frame, width=width))


def test_times_as_long_as_can_be():
    long = timedelta(days=200_000, hours=1)
    frame = examples.funnel().with_columns(pl.lit(long).alias("time_p50"))
    assert "200,000 days 1 h" in words(draw("funnel", frame))
    check(draw("transitions", examples.transitions().with_columns(pl.lit(long).alias("time_p50"))))


@pytest.mark.parametrize("payload", ["piled", "ligature", "ideographs", "emoji"])
def test_letters_of_unknown_size_are_kept_in_their_place(payload):
    root = read(draw("step_matrix", hostile("step_matrix", PAYLOADS[payload])))
    frames = [mark for mark in root.iter(f"{SVG}svg") if mark is not root]
    assert len(frames) == 3
    assert {mark.get("overflow") for mark in frames} == {"hidden"}
    assert all(float(mark.get("width")) < 300 and float(mark.get("height")) < 20 for mark in frames)
    plain = read(draw("step_matrix"))
    assert [mark for mark in plain.iter(f"{SVG}svg") if mark is not plain] == []
