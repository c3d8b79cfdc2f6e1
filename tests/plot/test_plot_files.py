"""A picture in a notebook and in files."""

import re
import struct
import subprocess
import sys
from dataclasses import FrozenInstanceError
from xml.etree import ElementTree

import pytest
from plot_examples import FRAMES, SVG, draw, read

from cjm.errors import ArgumentError, RunError

NAMES = sorted(FRAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_stands_alone_and_says_what_it_is(name):
    picture = draw(name)
    root = read(picture)
    assert root.get("role") == "img"
    assert root.get("aria-label") == f"{picture.title}. {picture.description}"
    assert [child.tag for child in root[:3]] == [f"{SVG}title", f"{SVG}desc", f"{SVG}rect"]
    assert (root[0].text, root[1].text) == (picture.title, picture.description)
    ground = root[2]
    assert [ground.get(key) for key in ("x", "y", "width", "height", "fill")] == [
        "0",
        "0",
        root.get("width"),
        root.get("height"),
        "#fff",
    ]
    assert not re.search(r"<script|<style|<image|<use|href|url\(|@import|\bon\w+=|\bid=", picture.svg)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_frame_gives_the_same_picture(name):
    assert draw(name) == draw(name)


def test_a_picture_is_a_value():
    picture = draw("flow")
    assert repr(picture) == "Picture('Flow over the first 3 steps')"
    assert hash(picture) == hash(draw("flow"))
    with pytest.raises(FrozenInstanceError):
        picture.svg = ""


def test_a_notebook_shows_the_picture_on_a_light_ground():
    picture = draw("funnel")
    shown = picture._repr_html_()
    assert picture.svg in shown
    assert "background:#fff" in shown.split("<svg")[0]
    ElementTree.fromstring(shown)


@pytest.mark.parametrize("name", NAMES)
def test_saved_as_svg(name, tmp_path):
    picture = draw(name)
    path = picture.save(tmp_path / "a picture.SVG")
    assert path == tmp_path / "a picture.SVG"
    assert path.read_bytes().decode() == picture.svg


@pytest.mark.parametrize("name", NAMES)
def test_saved_as_png_with_two_pixels_a_pixel(name, tmp_path):
    data = draw(name, width=640).save(tmp_path / "x.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    wide, tall = struct.unpack(">II", data[16:24])
    root = read(draw(name, width=640))
    assert (wide, tall) == (1280, 2 * int(root.get("height")))
    assert len(data) > 5_000


def test_saved_as_html_with_a_strict_policy(tmp_path):
    picture = draw("flow")
    page = picture.save(str(tmp_path / "x.html")).read_text(encoding="utf-8")
    assert picture.svg in page
    assert page.startswith("<!doctype html>")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert "<script" not in page
    assert re.findall(r"https?://[^\"' ]*", page) == ["http://www.w3.org/2000/svg"]
    assert "<title>Flow over the first 3 steps</title>" in page


@pytest.mark.parametrize("name", ["x.pdf", "x", "x.svg.gz", ".svg"])
def test_another_ending_is_refused(name, tmp_path):
    with pytest.raises(ArgumentError, match=r"cannot be written as .*End the name in \.svg, \.png or \.html"):
        draw("flow").save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["svg", "png", "html"])
def test_a_failed_write_leaves_the_old_file(suffix, tmp_path, monkeypatch):
    path = tmp_path / f"x.{suffix}"
    path.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(RunError, match="No space left"):
            draw("flow").save(path)
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    draw("flow").save(path)
    assert path.read_bytes() != b"old"
    with pytest.raises(RunError, match="Check that the folder exists"):
        draw("flow").save(tmp_path / "none" / path.name)


def test_import_is_light():
    heavy = ("altair", "vl_convert", "jinja2", "numba", "pandas", "lifelines", "scipy", "IPython")
    code = f"import sys, cjm.plot; print([name for name in {heavy!r} if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
