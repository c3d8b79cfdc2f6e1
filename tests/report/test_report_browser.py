"""The page in a browser: nothing is fetched, nothing fails, nothing runs over the edge."""

import os
import shutil
from pathlib import Path

import pytest
import report_examples as examples
from test_report_names import PAYLOADS, hostile

from cjm import job
from cjm.datasets import sample_path
from cjm.report import write_report

WIDTHS = {"desktop": 1280, "phone": 390}


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium found: put it on the PATH or name it in the variable CHROMIUM")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


def look(browser, path, width, shot):
    """Open the file and return what went wrong."""
    wrong = []
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.on("console", lambda message: wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (wrong.append("dialog"), dialog.dismiss()))
    page.on(
        "request",
        lambda request: (
            wrong.append(f"request: {request.url}") if request.url not in (path.as_uri(), "data:,") else None
        ),
    )
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(item => { item.open = true })")
    for name in ("document.documentElement", "document.body"):
        over = page.evaluate(f"{name}.scrollWidth - window.innerWidth")
        if over > 0:
            wrong.append(f"{over} pixels too wide")
    empty = page.evaluate(
        "[...document.querySelectorAll('figure > div > svg')].filter(s => s.checkVisibility()).filter(s => "
        "s.getBoundingClientRect().height < 40 || s.getBoundingClientRect().right > window.innerWidth + 1).length"
    )
    if empty:
        wrong.append(f"{empty} pictures are empty or cut")
    # Exactly one of the two widths of each picture is shown.
    shown = page.evaluate(
        "[...document.querySelectorAll('figure')]"
        ".map(f => [...f.querySelectorAll(':scope > div > svg')].filter(s => s.checkVisibility()).length)"
    )
    if set(shown) - {1}:
        wrong.append(f"pictures shown: {shown}")
    page.evaluate("document.querySelectorAll('section > details ~ details').forEach(item => { item.open = false })")
    page.screenshot(path=shot, full_page=True)
    page.close()
    return wrong


@pytest.fixture
def shots(tmp_path):
    folder = Path(os.environ.get("CJM_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_page_in_chromium(browser, tmp_path, shots):
    path = write_report(examples.tables(), examples.run(), tmp_path / "report.html")
    for device, width in WIDTHS.items():
        shot = shots / f"report-{device}.png"
        assert look(browser, path, width, shot) == []
        assert shot.stat().st_size > 20_000


def test_page_of_the_sample_in_chromium(browser, tmp_path, shots):
    folder = job.run(job.load_config(sample_path() / "cjm.toml"), output=tmp_path / "out")
    for device, width in WIDTHS.items():
        assert look(browser, folder / "report.html", width, shots / f"sample-{device}.png") == []


def test_hostile_page_in_chromium(browser, tmp_path, shots):
    tables = examples.tables()
    for name, payload in zip(tables, [*PAYLOADS.values()] * 2, strict=False):
        tables[name] = hostile(tables[name], payload)
    run = examples.run(title=PAYLOADS["long"], notes=list(PAYLOADS.values()), warnings=list(PAYLOADS.values()))
    path = write_report(tables, run, tmp_path / "hostile.html")
    for device, width in WIDTHS.items():
        assert look(browser, path, width, shots / f"hostile-{device}.png") == []


def test_the_browser_test_can_fail(browser, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text(
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
        "<img src='x.png'><p style='width:3000px'>x"
    )
    assert len(look(browser, path, 390, tmp_path / "bad.png")) >= 2
