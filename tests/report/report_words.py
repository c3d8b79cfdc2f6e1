"""What a reader sees of a page, for the tests of the report."""

import re
from html import unescape

from cjm.report import render


def text_of(page):
    """The words a reader sees, one space between them."""
    body = re.sub(r"<style>.*?</style>|<svg.*?</svg>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", body)).replace("\xa0", " "))


def drawn(page):
    """The pictures of a page, each in both widths."""
    return re.findall(r'<div class="(?:wide|narrow)" role="img"[^>]*>(.*?)</div>', page, re.DOTALL)


def titles(page):
    return {key: text_of(title) for key, title in re.findall(r'<section id="(\w+)">.*?<h2>(.*?)</h2>', page, re.DOTALL)}


def only(page_of, run=None):
    return titles(render(page_of, run or {}))


def section(page, key):
    """The words of one section."""
    return text_of(re.search(rf'<section id="{key}">.*?</section>', page, re.DOTALL)[0])
