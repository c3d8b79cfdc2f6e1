"""Names from the data, whatever they hold, are only ever shown."""

from html.parser import HTMLParser
from xml.etree import ElementTree

import polars as pl
import pytest
import report_examples as examples
from report_words import drawn

from cjm.report import render

PAYLOADS = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "svg": "</svg><script>alert(2)</script>",
    "address": "javascript:alert(1)",
    "template": "{{ 7 * 191 }}{% raw %}",
    "expression": "datum['x'] + event.view",
    "unicode": "ścieżka:客户 عميل 🛒",
    "long": "web:" + "x" * 296,
    "right to left": "web:\u202eecaps\u2066",
    "lines": "web:\nhome\r\n\tnext\x00\x0b\u2028end",
    "style": "</style><style>body{display:none}",
    "comment": "<!-- ]]> -->",
    "id": 'id="clip0" url(#clip0)',
    "entity": "&lt;b&gt;&amp;",
}
TAGS = {
    "html",
    "head",
    "meta",
    "link",
    "title",
    "style",
    "body",
    "header",
    "h1",
    "h2",
    "h3",
    "p",
    "span",
    "i",
    "nav",
    "ol",
    "li",
    "a",
    "ul",
    "main",
    "section",
    "figure",
    "figcaption",
    "div",
    "details",
    "summary",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "bdi",
    "small",
    "svg",
    "g",
    "path",
    "rect",
    "line",
    "text",
    "tspan",
    "desc",
    "circle",
    "defs",
    "clippath",
}


_DRAWN = ("flow", "funnel", "goal_journeys", "transitions")


class Reader(HTMLParser):
    """Collect tags and attributes as a browser would see them."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.words = set(), set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.words.append(data)


def hostile(value, payload):
    """Put the payload into every text of a frame (in front, so that it survives shortening)."""
    names = [name for name, kind in value.schema.items() if kind == pl.String and name not in ("unit", "term", "state")]
    lists = [name for name, kind in value.schema.items() if kind == pl.List(pl.String)]
    return value.with_columns(
        *(pl.concat_str(pl.lit(payload), pl.col(name)).alias(name) for name in names if name not in ("action",)),
        *(pl.col(name).list.eval(pl.concat_str(pl.lit(payload), pl.element())).alias(name) for name in lists),
    )


def check(page):
    reader = Reader()
    reader.feed(page)
    assert reader.tags <= TAGS
    assert not [name for name in reader.attributes if name.startswith("on")]
    assert not set(page) & set("\u202e\u2066\x00\x0b\u2028")
    assert "1337" not in page
    return "".join(reader.words)


def start_of(payload):
    """What must be seen of a payload: its first line, without what turns the direction of the text."""
    return payload.split("\n")[0].replace("\u202e", "�").replace("\u2066", "�")[:19]


@pytest.mark.parametrize("shift", range(3))
def test_names_in_every_table_are_only_shown(shift):
    payloads = list(PAYLOADS.values())
    tables = {
        name: hostile(table, payloads[(index * 3 + shift) % len(payloads)])
        for index, (name, table) in enumerate(examples.tables().items())
    }
    shown = check(render(tables, {}))
    seen = {
        payloads[(index * 3 + shift) % len(payloads)]
        for index, name in enumerate(tables)
        if name in ("quality", "flow", "goal_journeys", "moments")
    }
    assert all(start_of(payload) in shown for payload in seen)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=list(PAYLOADS))
def test_names_in_the_run_and_the_pictures_are_only_shown(payload):
    run = {
        "title": payload,
        "created": payload,
        "churn": payload,
        "warnings": [payload],
        "notes": [payload],
        "versions": {payload: payload},
        "inputs": [{"source": payload, "path": payload, "rows": 5, "bytes": 7, "modified": payload}],
        "steps": [{"step": payload, "rows_in": 5, "rows_out": 4, "seconds": 0.25}],
        "period": {"start": payload, "end": payload},
    }
    page = render({name: hostile(examples.tables()[name], payload) for name in _DRAWN}, run)
    shown = check(page)
    assert start_of(payload) in shown
    pictures = drawn(page)
    assert len(pictures) == 2 * len(_DRAWN)
    for picture in pictures:
        words = "".join(ElementTree.fromstring(picture).itertext())
        assert start_of(payload)[:5] in words


def test_channels_and_columns_with_hostile_names():
    frame = examples.timeline().with_columns(channel=pl.lit("</svg><script>alert(1)</script>"))
    page = render({"timeline": frame.with_columns(pl.lit("x").alias("<script>alert(3)</script>"))}, {})
    assert "<script" not in page
    assert "&lt;/svg&gt;&lt;script&gt;" in page


def test_a_null_name_is_shown_as_none():
    frame = examples.timeline().with_columns(channel=pl.lit(None, pl.String))
    assert "(none) carried" in render({"timeline": frame}, {})
