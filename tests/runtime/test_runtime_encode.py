"""Text to arrays: words and spans, spoken form, cutting, padding, batches."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.corpus.tinyworld import LOCALES, utterances
from understudy.errors import DataError
from understudy.runtime.decode import Labels, decode
from understudy.runtime.encode import encode, pad, token_batches
from understudy.text.spoken import Formatter
from understudy.text.words import words
from understudy.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def tokenizer(tokenizer_dir: Path) -> Tokenizer:
    return Tokenizer.load(tokenizer_dir)


def test_words_keep_their_places_and_first_pieces(tokenizer: Tokenizer):
    found = encode("wake  me at six", tokenizer, max_length=24)
    assert [tuple(w) for w in found.words] == [("wake", 0, 4), ("me", 6, 8), ("at", 9, 11), ("six", 12, 15)]
    assert found.first == [1, 2, 3, 4]
    assert (found.ids[0], found.ids[-1], len(found.ids)) == (tokenizer.bos, tokenizer.eos, 6)


def test_lowering_changes_the_pieces_but_no_span(tokenizer: Tokenizer):
    lowered = encode("Wake ME at Six", tokenizer, max_length=24, lower=True)
    assert lowered.ids == encode("wake me at six", tokenizer, max_length=24).ids
    assert [w.text for w in lowered.words] == ["Wake", "ME", "at", "Six"]


def test_spoken_form_keeps_spans_of_the_given_text(tokenizer: Tokenizer):
    text = "Wake me at 7:30!"
    found = encode(text, tokenizer, max_length=24, lang="en-US", spoken=True)
    assert [w.text for w in found.words] == ["wake", "me", "at", "seven", "thirty"]
    assert {text[w.start : w.end] for w in found.words[3:]} == {"7:30"}
    assert found.spoken == "wake me at seven thirty"
    assert encode("wake me at six", tokenizer, max_length=24, lang="en", spoken=True).spoken == ""


def test_without_a_language_text_stays_as_typed(tokenizer: Tokenizer):
    assert [w.text for w in encode("at 7:30", tokenizer, max_length=24, spoken=True).words] == ["at", "7:30"]


def test_what_has_no_spoken_form_is_read_as_typed(tokenizer: Tokenizer):
    assert [w.text for w in encode("?!", tokenizer, max_length=24, lang="en", spoken=True).words] == ["?!"]


def test_an_unknown_language_is_refused_only_where_it_matters(tokenizer: Tokenizer):
    with pytest.raises(DataError, match="xx"):
        encode("hello", tokenizer, max_length=24, lang="xx", spoken=True)
    assert encode("hello", tokenizer, max_length=24, lang="xx").words


@pytest.mark.parametrize("text", ["", " \t\n\u3000"])
def test_nothing_to_understand(tokenizer: Tokenizer, text: str):
    with pytest.raises(DataError, match="nothing to understand"):
        encode(text, tokenizer, max_length=24)


def test_long_text_is_cut_and_says_where(tokenizer: Tokenizer):
    found = encode("wake me at six " * 10, tokenizer, max_length=6)
    assert (len(found.ids), found.ids[-1], found.first, len(found.words)) == (6, tokenizer.eos, [1, 2, 3, 4], 40)


@given(st.text(min_size=1, max_size=60))
def test_any_text_encodes_within_bounds(text: str):
    # One tokenizer for all examples: hypothesis and function-scoped fixtures do not mix.
    tokenizer = _shared()
    if not text.strip():
        return
    found = encode(text, tokenizer, max_length=16)
    assert 2 < len(found.ids) <= 16
    assert all(0 <= i < tokenizer.size for i in found.ids)
    assert len(found.first) <= len(found.words)
    assert all(text[w.start : w.end] == w.text for w in found.words)


def _shared(cache: list[Tokenizer] = []) -> Tokenizer:  # noqa: B006
    if not cache:
        import tempfile

        from helpers_tiny import write_tokenizer

        with tempfile.TemporaryDirectory() as folder:
            cache.append(Tokenizer.load(write_tokenizer(Path(folder) / "tokenizer")))
    return cache[0]


def test_padding_by_hand():
    ids_BL, mask_BL = pad([[0, 7, 2], [0, 2]], pad_id=1)
    assert ids_BL.tolist() == [[0, 7, 2], [0, 2, 1]]
    assert mask_BL.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert ids_BL.dtype == mask_BL.dtype == np.int64


def test_batches_by_hand():
    # Sorted: 2, 3, 3, 9. Two of 3 make 6; a third would too with 2 first: 3 x 3 = 9 > 8.
    assert list(token_batches([3, 9, 2, 3], budget=8)) == [[2, 0], [3], [1]]


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 200))
def test_batches_hold_everything_once_and_within_the_budget(lengths: list[int], budget: int):
    batches = list(token_batches(lengths, budget=budget))
    assert sorted(i for b in batches for i in b) == list(range(len(lengths)))
    assert all(len(b) == 1 or len(b) * max(lengths[i] for i in b) <= budget for b in batches)


FORMATTERS = {lang: Formatter(lang) for lang in sorted(LOCALES)}


@pytest.mark.parametrize("lang", sorted(LOCALES))
def test_text_in_spoken_form_has_the_words_that_aligning_finds(lang: str, tokenizer: Tokenizer):
    formatter = FORMATTERS[lang]
    texts = [formatter(one.text) for one in islice(utterances(lang, seed=0), 60)]
    for text in [*texts, "a. m.", "seven a. m. today"]:
        assert encode(text, tokenizer, max_length=64, lang=lang, spoken=True).words == formatter.align(text)


@settings(deadline=None)
@given(st.sampled_from(sorted(LOCALES)), st.text(max_size=12) | st.text("ab'-7:3%£ 分時कமُ", max_size=12))
def test_the_spoken_form_of_any_text_has_the_words_that_aligning_finds(lang: str, typed: str):
    text = FORMATTERS[lang](typed)
    if "." not in text and FORMATTERS[lang](text) == text:
        assert words(text) == FORMATTERS[lang].align(text)


TYPED = {
    "ar": "أيقظني بعد 25 دقيقة", "de": "weck mich in 25 minuten", "en": "wake me in 25 minutes", "es": "despiértame en 25 minutos",
    "fr": "réveille-moi dans 25 minutes", "hi": "मुझे 25 मिनट में जगाओ", "it": "svegliami tra 25 minuti", "ja": "25分後に起こして",
    "mr": "मला 25 मिनिटांनी उठव", "pt": "acorda-me em 25 minutos", "ta": "என்னை 25 நிமிடத்தில் எழுப்பு", "te": "నన్ను 25 నిమిషాల్లో లేపు",
}  # fmt: skip


@pytest.mark.parametrize("lang", TYPED)
def test_a_slot_of_spoken_digits_is_the_digits_that_were_typed(lang: str, tokenizer: Tokenizer):
    text = TYPED[lang]
    start = text.index("25")
    encoded = encode(text, tokenizer, max_length=64, lang=lang, spoken=True)
    read = [w for w, word in enumerate(encoded.words) if word.start < start + 2 and word.end > start]
    assert read
    assert not any(word.text.isdecimal() for word in encoded.words)
    labels = Labels.from_inventory(["alarm"], {}, ["number"])
    logits_WS = np.zeros((len(encoded.words), 3), np.float32)
    logits_WS[:, 0] = 1
    logits_WS[read[0], 1] = logits_WS[read[1:], 2] = 2
    [slot] = decode(text, encoded.words, np.zeros(1), logits_WS, labels).slots
    assert "25" in slot.value == text[slot.start : slot.end]
    assert slot.value in ("25", "25分")  # Japanese reads number and counter as one
