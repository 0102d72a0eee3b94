"""Pictures of the playground for the documentation: docs/images/playground-*.png.

understudy serve --model student=DIR --model twin=DIR
python tests/browser/screenshots.py http://127.0.0.1:8080
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from browsing import browsing, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

IMAGES = Path(__file__).parents[2] / "docs" / "images"


class Shot(NamedTuple):
    """A picture: its name, what is typed, the width of the window, and how it is shown."""

    name: str
    text: str
    width: int = 760
    lang: str = ""
    beside: str = ""
    scheme: Any = "light"


SHOTS = (
    Shot("light", "book me a taxi to the airport at nine", lang="en"),
    Shot("compare", "tell me about the concert in lyon on saturday", 1040, "en", "twin", "dark"),
    Shot("phone", "شغل موسيقى الجاز في المطبخ", 360, "ar"),
)


def take(browser: Browser, url: str, shot: Shot) -> Path:
    """Write a picture of the page at `url`; its path."""
    view = {"width": shot.width, "height": 400}
    with browser.new_context(
        viewport=view, device_scale_factor=1.3, color_scheme=shot.scheme, reduced_motion="reduce"
    ) as context:
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector("#model option", state="attached")
        if page.is_visible("#lang"):
            page.select_option("#lang", shot.lang)
        page.select_option("#other", shot.beside)
        page.fill("#text", shot.text)
        for _ in range(3):  # the first answers of a connection take longer than those after them
            page.press("#text", "Enter")
            page.wait_for_selector("#results[aria-busy=false] article")
        page.evaluate("document.activeElement.blur()")
        path = IMAGES / f"playground-{shot.name}.png"
        page.screenshot(path=path, full_page=True)
    return path


def main(url: str) -> None:
    found = chromium()
    assert found is not None, "no Chromium on this machine"
    IMAGES.mkdir(exist_ok=True)
    with browsing(found) as browser:
        for shot in SHOTS:
            path = take(browser, url, shot)
            print(f"{path}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main(sys.argv[1])
