"""Pictures in a browser: nothing is fetched, nothing runs, no text is cut or stands on another."""

import os
import shutil

import plot_examples as examples
import pytest
from plot_examples import FRAMES, draw
from test_plot_names import PAYLOADS, hostile

# Marks beyond the picture and texts on one another; what a frame of its own cuts is cut on purpose.
FAULTS = """() => {
  const svg = document.querySelector('svg'), edge = svg.getBoundingClientRect(), faults = [];
  const own = mark => mark.closest('svg') === svg;
  for (const mark of svg.querySelectorAll('text, rect, path, circle, line')) {
    const at = mark.getBoundingClientRect();
    if (own(mark) && (at.left < edge.left - 1 || at.right > edge.right + 1 || at.top < edge.top - 1
                      || at.bottom > edge.bottom + 1))
      faults.push(`${mark.tagName} ${mark.textContent} is beyond the edge`);
  }
  const texts = [...svg.querySelectorAll('text')].filter(own)
    .map(text => [text.getBoundingClientRect(), text.textContent]);
  texts.forEach(([one, words], index) => texts.slice(index + 1).forEach(([other, more]) => {
    const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
    const tall = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
    if (wide > 1.5 && tall > 4.5) faults.push(`${words} stands on ${more}`);
  }));
  return faults;
}"""


@pytest.fixture(scope="module")
def page():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium found: put it on the PATH or name it in the variable CHROMIUM")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser.new_page(viewport={"width": 1000, "height": 800})
        browser.close()


def look(page, path):
    """Open the file and return what went wrong."""
    wrong = []
    handlers = {
        "console": lambda message: wrong.append(f"console: {message.text}"),
        "dialog": lambda dialog: (wrong.append("dialog"), dialog.dismiss()),
        "request": lambda request: wrong.append(request.url) if request.url != path.as_uri() else None,
    }
    for event, handler in handlers.items():
        page.on(event, handler)
    page.goto(path.as_uri())
    wrong += page.evaluate(FAULTS)
    for event, handler in handlers.items():
        page.remove_listener(event, handler)
    return wrong


@pytest.mark.parametrize("width", [360, 900])
@pytest.mark.parametrize("name", sorted(FRAMES))
def test_pictures_in_chromium(page, tmp_path, name, width):
    assert look(page, draw(name, width=width).save(tmp_path / "x.html")) == []


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_hostile_names_in_chromium(page, tmp_path, name):
    for index, payload in enumerate(PAYLOADS.values()):
        path = draw(name, hostile(name, payload), width=420).save(tmp_path / f"{index}.html")
        assert look(page, path) == [], payload


def test_groups_in_chromium(page, tmp_path):
    values = list(PAYLOADS.values())[:20]
    for name in ("funnel", "timeline"):
        for width in (360, 900):
            frame = examples.grouped(FRAMES[name](), values=values)
            assert look(page, draw(name, frame, width=width).save(tmp_path / "x.html")) == []


def test_the_browser_test_can_fail(page, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="50"><text x="60" y="20">too long</text>'
        '<text x="60" y="22">on it</text><image href="x.png"/></svg>'
    )
    assert len(look(page, path)) >= 3
