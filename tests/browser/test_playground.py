"""The page to try models on, in a real browser before a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers_server import running

from understudy.interpretation import Interpretation
from understudy.runtime.session import Runtime

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TEXT = "wake me up at nine am on friday"
ARABIC = "اضبط المنبه على السادسة يوم الجمعة"


@pytest.fixture(scope="module")
def main(runtime_dir: Path) -> Runtime:
    return Runtime.load(runtime_dir)


@pytest.fixture(scope="module")
def strict(strict_dir: Path) -> Runtime:
    return Runtime.load(strict_dir)


@pytest.fixture(scope="module")
def guarded(runtime_dir: Path) -> Iterator[str]:
    with running("--model", f"main={runtime_dir}", token="s3cret") as (_, url):
        yield url


def parse(page: Page, text: str, *, cards: int = 1) -> None:
    page.fill("#text", text)
    page.press("#text", "Enter")
    page.wait_for_function("n => document.querySelectorAll('#results[aria-busy=false] article').length === n", arg=cards)


def marks(page: Page, selector: str = "mark") -> list[tuple[str, str]]:
    """Name and words of every slot that is marked in the text."""
    script = "found => found.map(m => [m.querySelector('small').textContent, m.firstChild.textContent])"
    return [(name, words) for name, words in page.eval_on_selector_all(selector, script)]


def unmarked(page: Page) -> str | None:
    """The text on the page without the names of slots in it."""
    page.eval_on_selector_all("mark small", "labels => labels.forEach(label => label.remove())")
    return page.text_content(".text")


def slots(found: Interpretation) -> list[tuple[str, str]]:
    assert found.slots, "a test of marks wants a text with slots"
    return [(slot.name, slot.value) for slot in found.slots]


def test_intent_confidence_slots_time_and_hash_are_shown(page: Page, main: Runtime):
    found = main(TEXT)
    parse(page, TEXT)
    card = page.inner_text("article")
    assert found.intent in card
    assert f"{100 * round(found.confidence, 4):.1f} %" in card
    assert found.domain in card
    assert "ms there and back" in card
    assert main.hash[:12] in card
    assert marks(page) == slots(found)


def test_the_words_of_slots_stand_in_a_table_with_their_confidences(page: Page, main: Runtime):
    parse(page, TEXT)
    rows = [[cell.strip() for cell in row.split("\t")] for row in page.locator("table tr").all_inner_texts()]
    assert rows == [[s.name, s.value, f"{100 * round(s.confidence, 4):.1f} %"] for s in main(TEXT).slots]


def test_arabic_runs_from_right_to_left(page: Page, main: Runtime):
    parse(page, ARABIC)
    assert marks(page) == slots(main(ARABIC))
    assert page.eval_on_selector(".text", "e => getComputedStyle(e).direction") == "rtl"
    assert page.eval_on_selector("#text", "e => e.matches(':dir(rtl)')")
    places = [box["x"] for box in (mark.bounding_box() for mark in page.locator("mark").all()) if box]
    assert places == sorted(places, reverse=True)
    assert len(places) == len(main(ARABIC).slots)


@pytest.mark.parametrize("text", ["कल सुबह छह बजे जगाना", "நாளை காலை எழுப்பு", "రేపు ఉదయం లేపు", "明日の朝七時に起こして"])
def test_marks_keep_the_text_of_every_script(page: Page, main: Runtime, text: str):
    parse(page, text)
    assert marks(page) == slots(main(text))
    assert unmarked(page) == text


def test_emoji_shift_no_marks(page: Page, main: Runtime):
    text = f"👩‍👩‍👧 🎉 {TEXT}"
    parse(page, text)
    assert marks(page) == slots(main(text))


def test_out_of_domain_is_said(page: Page):
    parse(page, TEXT)
    assert "out of domain" not in page.inner_text("article")
    page.select_option("#model", "strict")
    page.wait_for_selector(".badge")
    assert page.inner_text(".badge") == "out of domain"


def test_the_spoken_form_is_shown_where_the_model_read_another(page: Page):
    page.select_option("#model", "strict")
    page.select_option("#lang", "en")
    parse(page, "wake me at 7:30")
    assert "spoken: wake me at seven thirty" in page.inner_text("article")
    parse(page, "wake me at six")
    page.wait_for_function("document.querySelector('.text').textContent.includes('six')")
    assert "spoken:" not in page.inner_text("article")


def test_two_models_stand_side_by_side_with_their_differences(page: Page, main: Runtime, strict: Runtime):
    one, two = main(TEXT), strict(TEXT)
    page.select_option("#other", "strict")
    parse(page, TEXT, cards=2)
    assert page.locator("article h2").all_inner_texts() == ["main", "strict"]
    assert one.intent != two.intent
    assert page.locator("article .ranking .flag").count() == 2
    for place, (found, rest) in enumerate(((one, two), (two, one)), start=1):
        others = {(s.name, s.start, s.end) for s in rest.slots}
        alone = [(s.name, s.value) for s in found.slots if (s.name, s.start, s.end) not in others]
        assert marks(page, f"article:nth-child({place}) mark.differs") == alone
    assert page.inner_text("#verdict").startswith("They differ: intent")
    left, right = (page.locator("article").nth(n).bounding_box() for n in (0, 1))
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"]


def test_models_that_agree_are_said_to(browser: Browser, runtime_dir: Path):
    with running("--model", f"a={runtime_dir}", "--model", f"b={runtime_dir}") as (_, url), browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        page.select_option("#other", "b")
        parse(page, TEXT, cards=2)
        assert page.inner_text("#verdict") == "Both say the same."
        assert page.locator(".flag, mark.differs").count() == 0


def test_the_language_goes_along(page: Page):
    page.select_option("#lang", "de")
    with page.expect_request("**/v1/parse") as asked:
        parse(page, "stop")
    assert asked.value.post_data_json["lang"] == "de"
    assert page.get_attribute("#text", "lang") == "de"


def test_a_language_is_asked_for_where_a_model_reads_spoken_form(page: Page):
    def as_typed(route: Any) -> None:
        reply = route.fetch()
        models = [model | {"spoken": False, "languages": []} for model in reply.json()["models"]]
        route.fulfill(response=reply, json={"models": models})

    assert page.is_visible("#lang")
    page.route("**/v1/models", as_typed)
    page.reload()
    page.wait_for_selector("#model option", state="attached")
    assert not page.is_visible("#lang")
    parse(page, "stop")


def test_several_intents_are_ranked_where_the_reply_has_them(page: Page):
    def with_ranking(route: Any) -> None:
        reply = route.fetch()
        answer = reply.json()
        answer["interpretations"][0]["ranking"] = [
            {"intent": "music_play", "confidence": 0.75},
            {"intent": "greet", "confidence": 0.25},
        ]
        route.fulfill(response=reply, json=answer)

    page.emulate_media(reduced_motion="reduce")  # or the bars are still growing
    page.route("**/v1/parse", with_ranking)
    parse(page, "stop")
    assert [line.split() for line in page.locator(".ranking li").all_inner_texts()] == [
        ["music_play", "75.0", "%"],
        ["greet", "25.0", "%"],
    ]
    widths = page.eval_on_selector_all(
        ".bar", "bars => bars.map(b => parseFloat(getComputedStyle(b, '::before').width) / b.offsetWidth)"
    )
    assert widths == pytest.approx([0.75, 0.25], abs=0.01)


def test_markup_stays_text(page: Page):
    text = "<img src=x onerror=\"document.title='hurt'\"> <script>document.title='hurt'</script> play"
    parse(page, text)
    assert unmarked(page) == text
    assert page.locator("main img, main script").count() == 0
    assert page.title() == "understudy"


def test_a_refusal_is_shown_in_the_servers_words(page: Page):
    parse(page, "x" * 2001)
    assert page.inner_text("article [role=alert]") == (
        "Text 0 is too long. Got: 2001 characters. Wanted: at most 2000. Send single utterances."
    )


def test_a_server_that_is_gone_is_said(page: Page):
    page.context.set_offline(True)
    parse(page, TEXT)
    assert page.inner_text("article [role=alert]") == "The server does not answer."


def test_a_token_is_asked_for_and_a_wrong_one_refused(browser: Browser, guarded: str):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(guarded)
        page.wait_for_selector("#door")
        assert page.get_by_label("Token").get_attribute("type") == "password"
        for token in ("guess", "s3cret"):
            assert "This needs a token" in page.inner_text("#refusal")
            assert not page.is_visible("#text")
            page.keyboard.type(token)
            with page.expect_response("**/v1/models"):
                page.keyboard.press("Enter")
            page.wait_for_function("() => document.querySelector('#door').hidden || !document.querySelector('#token').value")
        page.wait_for_selector("#text")
        parse(page, TEXT)
        assert page.locator("mark").count() > 0
