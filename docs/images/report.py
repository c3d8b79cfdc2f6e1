"""Draw the picture of the report that the README shows.

Call: python docs/images/report.py cjm-demo/report.html     (after ``make demo``; needs Chromium and playwright)
"""

from __future__ import annotations

import shutil
import sys
from base64 import b64encode
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

COLUMNS = (("header", "#paths"), ("#patterns", "#when"))
WIDTH, SHOWN, HEIGHT = 800, 620, 1400  # pixels: of the page, of a column, of the picture


def pictures(page: Page, wanted: tuple[str, ...]) -> list[str]:
    """Return the parts of a page as images for another page; the header reaches down to the first section."""
    found = []
    for selector in wanted:
        box = page.locator("section" if selector == "header" else selector).first.bounding_box()
        assert box is not None
        top, height = (0, box["y"]) if selector == "header" else (box["y"], box["height"])
        taken = page.screenshot(clip={"x": 0, "y": top, "width": WIDTH, "height": height}, full_page=True)
        found.append(f'<img src="data:image/png;base64,{b64encode(taken).decode()}">')
    return found


def main() -> None:
    """Draw the columns side by side."""
    report = Path(sys.argv[1]).resolve()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        page.goto(report.as_uri())
        columns = "".join(f"<div>{''.join(pictures(page, wanted))}</div>" for wanted in COLUMNS)
        sheet = browser.new_page(viewport={"width": 2 * SHOWN, "height": HEIGHT})
        style = f"body {{margin: 0; display: flex}} img {{display: block; width: {SHOWN}px}}"
        sheet.set_content(f"<style>{style}</style>{columns}")
        sheet.screenshot(path=Path(__file__).with_name("report.png"))
        browser.close()


if __name__ == "__main__":
    main()
