"""The page by keyboard, by ear, on a phone, in the dark and without motion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_playground import ARABIC, TEXT, parse

from understudy.runtime.session import Runtime

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Every element with words of its own: its colour beside what is painted behind it. Opaque colours only, as the page has.
CONTRASTS = """() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = channels(colour).slice(0, 3).map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = e => { const c = getComputedStyle(e).backgroundColor; return channels(c)[3] === 0 ? behind(e.parentElement) : c; };
  const worded = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.checkVisibility() && !e.matches('option, .unseen');
  return [...document.body.querySelectorAll('*')].filter(e => worded(e) || e.matches('textarea, select')).map(e => {
    const [one, two] = [light(getComputedStyle(e).color), light(behind(e))].sort((a, b) => b - a);
    return [e.tagName + '.' + e.className, (one + 0.05) / (two + 0.05)];
  });
}"""


def focused(page: Page) -> str:
    found: str = page.evaluate("document.activeElement.id || document.activeElement.tagName")
    return found


def test_everything_is_done_by_keyboard(page: Page):
    assert focused(page) == "text"
    page.keyboard.type("stop")
    page.keyboard.press("Enter")
    page.wait_for_selector("article")
    order = []
    for _ in range(6):
        page.keyboard.press("Tab")
        order.append(focused(page))
        outline = page.evaluate("getComputedStyle(document.activeElement).outline")
        assert "solid 3px" in outline, f"{order[-1]} does not show that it has the focus"
    assert order == ["model", "other", "lang", "BUTTON", "SUMMARY", "SUMMARY"]
    page.keyboard.press("Enter")
    assert page.is_visible("#hint")
    page.keyboard.press("Escape")
    assert focused(page) == "text"
    page.keyboard.type("hello")
    assert page.input_value("#text") == "hello", "Escape selects what was there"


def test_shift_and_enter_is_a_new_line(page: Page):
    page.fill("#text", "one")
    page.press("#text", "Shift+Enter")
    page.keyboard.type("two")
    assert page.input_value("#text") == "one\ntwo"
    assert page.locator("article").count() == 0


def test_arrows_bring_back_what_was_asked(page: Page):
    for text in ("stop", "hello", "hello"):
        parse(page, text)
    page.fill("#text", "half a")
    seen = []
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown", "ArrowDown", "ArrowDown"):
        page.press("#text", key)
        seen.append(page.input_value("#text"))
    assert seen == ["hello", "stop", "stop", "hello", "half a", "half a"]


def test_a_screen_reader_is_told_what_was_found(page: Page, runtime_dir: Path):
    found = Runtime.load(runtime_dir)(TEXT)
    parse(page, TEXT)
    said = page.inner_text("[role=status]")
    assert said.startswith(f"main: {found.intent}, ")
    assert all(f"{slot.name}: {slot.value}" in said for slot in found.slots)


def test_every_control_has_a_name(page: Page):
    for role, name in (("textbox", "Utterance"), ("combobox", "Model"), ("combobox", "Compare with"), ("combobox", "Language")):
        assert page.get_by_role(role, name=name, exact=True).count() == 1  # type: ignore[arg-type]
    assert page.get_by_role("button", name="Parse", exact=True).count() == 1


@pytest.mark.parametrize("text", [TEXT, ARABIC, "w" * 300])
def test_a_phone_needs_no_sideways_scrolling(page: Page, text: str):
    page.set_viewport_size({"width": 320, "height": 640})
    page.select_option("#other", "strict")
    page.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")
    parse(page, text, cards=2)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert page.evaluate("[...document.querySelectorAll('main *')].every(e => e.getBoundingClientRect().right <= 320.5)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read(page: Page, scheme: str):
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.select_option("#other", "strict")
    page.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")
    parse(page, TEXT, cards=2)
    contrasts = page.evaluate(CONTRASTS)
    kinds = {name for name, _ in contrasts}
    assert {"BDI.", "SPAN.badge", "SPAN.flag", "TEXTAREA.", "BUTTON.", "KBD."} <= kinds
    assert [(name, round(ratio, 2)) for name, ratio in contrasts if ratio < 4.5] == []


@pytest.mark.parametrize(("wish", "name"), [("no-preference", "fill"), ("reduce", "none")])
def test_nothing_moves_for_who_wants_no_motion(page: Page, wish: str, name: str):
    page.emulate_media(reduced_motion=wish)  # type: ignore[arg-type]
    parse(page, "stop")
    assert page.eval_on_selector(".bar", "bar => getComputedStyle(bar, '::before').animationName") == name
