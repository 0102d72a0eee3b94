"""Words to ids: parity of the shipped file with encoding word by word, places of first pieces, cutting, cache, errors."""

from __future__ import annotations

import json
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from understudy.artifact import Artifact
from understudy.errors import ArtifactError
from understudy.text.words import split, words
from understudy.tokenizer import Tokenizer, runtime
from understudy.tokenizer.backend import SPECIALS, build

SCORES = {
    "▁": -4.0,
    "▁play": -2.0,
    "▁jazz": -2.5,
    "ing": -3.0,
    "a": -5.0,
    "b": -5.0,
    "é": -5.0,
    "私": -3.0,
    "が": -3.0,
    "は": -3.0,
}
SCORES |= {"カ": -4.0, "\u3099": -6.0, "株": -4.0, "<": -9.0, ">": -9.0, "s": -9.0}
TOY = Tokenizer(build(list(SCORES.items())).to_str().encode())
PIECE = {piece: at for at, piece in enumerate([*SPECIALS, *SCORES])}
FILE = tokenizers.Tokenizer.from_str(TOY._backend.to_str())

# Texts where normalisation could reach over the edge of a word.
HARD = [
    "か\u3099", "ｶﾞ", "ﾊﾟ ｶﾞ", "は\u309a", "は\u0301\u3099", "私\ufe0fは", "葛\U000e0100城", "㍿ア", "a´b", "ﷺ", "①か\u3099", "ﬁne ﬀ",
    "e\u0301", "e\u00ad\u0301", "a\u200bb", "\ufe0f", "\ufe0f \u00ad", "❤\ufe0f", "a\x1cb", "x\x00y", "a\u00a0b\u3000c", "▁", "a▁b", "▁私▁",
    "가\u11a8", "\u0301", " \u0301a", "か゛", "ゟヿ", "私<s>は", "\u2028\u2029\x85", "\u200c\u200d", "क\u093c", "\u0bc6\u0bbe", "", "  ",
]  # fmt: skip


def by_words(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode([w.text for w in words(text)]).ids[1:-1]


def test_control_symbols_have_robertas_ids() -> None:
    assert (TOY.bos, TOY.pad, TOY.eos, TOY.unk, TOY.mask, TOY.size) == (0, 1, 2, 3, 4, 21)


@pytest.mark.parametrize("text", HARD)
def test_pieces_of_a_text_are_those_of_its_words(text: str) -> None:
    ids, spans = TOY.pieces(text)
    assert ids == by_words(TOY, text)
    assert len(spans) == len(ids)
    assert all(0 <= start <= end <= len(text) for start, end in spans)


def test_pieces_know_their_characters() -> None:
    ids, spans = TOY.pieces("playing  aé 私は")
    assert ids == [PIECE[p] for p in ("▁play", "ing", "▁", "a", "é", "私", "は")]
    assert spans == [(0, 4), (4, 7), (9, 10), (9, 10), (10, 11), (12, 13), (13, 14)]


def test_first_points_at_each_words_first_piece() -> None:
    encoding = TOY.encode(["playing", "jazz", "私", "は"])
    assert encoding.ids == [0, PIECE["▁play"], PIECE["ing"], PIECE["▁jazz"], PIECE["私"], PIECE["は"], 2]
    assert encoding.first == [1, 3, 4, 5]


def test_a_word_after_a_kanji_begins_with_a_word_mark() -> None:
    assert by_words(TOY, "私はjazzが") == [PIECE["私"], PIECE["は"], PIECE["▁jazz"], PIECE["が"]]


@pytest.mark.parametrize(("limit", "ids", "first"), [(7, 7, 4), (6, 6, 3), (4, 4, 1), (3, 3, 1), (2, 2, 0)])
def test_max_length_cuts_ids_and_words(limit: int, ids: int, first: int) -> None:
    encoding = TOY.encode(["playing", "jazz", "私", "は"], max_length=limit)
    assert (len(encoding.ids), len(encoding.first)) == (ids, first)
    assert encoding.ids[0] == TOY.bos
    assert encoding.ids[-1] == TOY.eos


def test_no_words_is_an_empty_sequence() -> None:
    assert TOY.encode([]).ids == [0, 2]


def test_every_word_has_a_piece() -> None:
    for word in ["\ufe0f", "\u00ad", "\ud800", "\U0001f600", "", "q" * 300]:
        assert len(TOY.encode([word, "a"]).first) == 2
        assert TOY.encode([word, "a"]).first[1] > 1


def test_half_width_and_combining_voicing_marks_stay_words() -> None:
    assert by_words(TOY, "ｶﾞ") == [PIECE["カ"], PIECE["\u3099"]]
    assert by_words(TOY, "が") == [PIECE["が"]]


def test_control_symbols_in_a_text_are_text() -> None:
    assert set(by_words(TOY, "<s> a<s>")).isdisjoint(range(5))
    assert TOY.encode_texts(["<s>"])[0] == [PIECE["▁"], PIECE["<"], PIECE["s"], PIECE[">"]]


@pytest.mark.parametrize("text", HARD, ids=ascii)
def test_file_equals_word_by_word_on_hard_text(text: str) -> None:
    FILE.encode_special_tokens = True
    assert FILE.encode(text, add_special_tokens=False).ids == by_words(TOY, text)


@settings(deadline=None)
@given(st.text() | st.text(alphabet="aé\u0301 \u3000かｶﾞ\u3099\u309a゛は㍿´①▁\u00ad\ufe0f\u200b私\x1c\u200d"))
def test_file_equals_word_by_word_on_any_text(text: str) -> None:
    FILE.encode_special_tokens = True
    assert FILE.encode(text, add_special_tokens=False).ids == by_words(TOY, text)


@settings(deadline=None)
@given(st.lists(st.text(max_size=20) | st.sampled_from(HARD), max_size=5))
def test_many_texts_equal_one_by_one(texts: list[str]) -> None:
    fresh = Tokenizer(FILE.to_str().encode())
    assert fresh.encode_texts(texts) == [by_words(TOY, text) for text in texts]


def test_every_code_point_is_cut_where_words_cuts() -> None:
    characters = [chr(c) for c in range(0x30000) if not 0xD800 <= c < 0xE000]
    texts = [f"a{c}b" for c in characters if c.isspace() or unicodedata.category(c)[0] in "CZM" or c >= "\u3000"][::7]
    encoded = FILE.encode_batch_fast(texts, add_special_tokens=False)
    assert [e.ids for e in encoded] == [by_words(TOY, text) for text in texts]


def test_lone_surrogates_do_not_fail() -> None:
    assert TOY.encode_texts(["a \ud800", "b\udfff"])[0][-1] == TOY.unk


def test_decode_restores_text_and_shows_unknowns() -> None:
    ids = TOY.encode(["playing", "jazz", "私", "は"], max_length=None).ids
    assert TOY.decode(ids) == "playing jazz私は"
    assert TOY.decode([0, TOY.unk, TOY.mask, 2]) == "<unk><mask>"


def test_cache_is_bounded_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "CACHED_WORDS", 8)
    fresh = Tokenizer(FILE.to_str().encode())
    texts = [f"a{'b' * n} play jazz" for n in range(50)]
    assert [fresh.encode(split(t)).ids[1:-1] for t in texts] == fresh.encode_texts(texts)
    for text in texts:
        fresh.encode_texts([text])
    assert len(fresh._words) <= 8 + 3
    assert len(fresh._words.older) <= 8 + 3


def test_long_words_are_not_kept() -> None:
    fresh = Tokenizer(FILE.to_str().encode())
    fresh.encode_texts(["ab" * 100])
    fresh.encode(["ab" * 100])
    assert not fresh._words


@pytest.mark.parametrize("unit", ["a", "か", "\u200b", "e\u0301", "▁", "🙂", "aか\u200bनم", "\x00"], ids=ascii)
def test_a_line_of_megabytes_is_encoded_as_any(unit: str) -> None:
    text = unit * (1_000_000 // len(unit.encode()))
    fresh = Tokenizer(FILE.to_str().encode())
    ids = fresh.encode_texts([text])[0]
    assert ids
    assert len(fresh._words) <= 8
    assert fresh.encode(split(text), max_length=16).ids[1:-1] == ids[:14]


def test_threads_share_a_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "CACHED_WORDS", 8)
    fresh = Tokenizer(FILE.to_str().encode())
    texts = [f"a{'b' * (n % 90)} play" for n in range(400)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: fresh.encode_texts([text])[0], texts))
    assert found == [by_words(TOY, text) for text in texts]


def test_hash_is_of_the_file(trained: Artifact, tokenizer: Tokenizer) -> None:
    assert tokenizer.hash == trained.manifest.files["tokenizer.json"].sha256 == trained.manifest.tokenizer
    assert Tokenizer.load(trained.path / "tokenizer.json").hash == tokenizer.hash


@pytest.mark.parametrize("text", ["wake me at 7, please!", "七時にjazzをかけて", "मुझे सात बजे जगाओ", "réveille-moi", "أيقظني"])
def test_transformers_reads_the_directory(trained: Artifact, tokenizer: Tokenizer, text: str) -> None:
    theirs = AutoTokenizer.from_pretrained(trained.path)
    assert theirs(text)["input_ids"] == tokenizer.encode(split(text)).ids
    assert [theirs.bos_token_id, theirs.pad_token_id, theirs.eos_token_id, theirs.unk_token_id, theirs.mask_token_id] == list(
        range(5)
    )
    assert theirs.model_max_length == 64
    assert theirs.decode(tokenizer.encode(split(text)).ids, skip_special_tokens=True).split() != []


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"tokenizer\.json: the tokenizer cannot be read"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"version": "1.0", "model": {"type": "Foo"}}'])
def test_a_damaged_tokenizer_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ArtifactError, match="cannot be read"):
        Tokenizer.load(tmp_path)


def test_a_tokenizer_without_control_symbols_is_refused() -> None:
    foreign = tokenizers.Tokenizer(tokenizers.models.Unigram([("<unk>", 0.0), ("a", -1.0)], 0, False))
    with pytest.raises(ArtifactError, match="no <s>, <pad>, </s>, <mask>"):
        Tokenizer(foreign.to_str().encode())


def test_bytes_spell_unknown_characters() -> None:
    pieces = [("▁", -2.0), ("a", -2.0)]
    tokenizer = Tokenizer(build(pieces, byte_fallback=True).to_str().encode())
    ids = tokenizer.encode(["añ"]).ids
    assert tokenizer.unk not in ids
    assert len(ids) == 2 + 2 + 2
    assert tokenizer.decode(ids) == "añ"
    assert json.loads(tokenizer._backend.to_str())["model"]["byte_fallback"] is True
