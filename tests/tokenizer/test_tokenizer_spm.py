"""The SentencePiece model gives the ids of tokenizer.json for what `cut` gives."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.artifact import Artifact
from understudy.errors import ArtifactError
from understudy.tokenizer import Tokenizer, spm
from understudy.tokenizer.backend import BYTES, SPECIALS, build
from understudy.tokenizer.pieces import STEP

# Many spellings of equal score: every sum of two halves is that of another.
_DRAWN = random.Random(0)
PIECES = [("▁", -3.0), ("a", -2.0), ("b", -2.0), ("é", -2.5), ("私", -1.0), ("<", -4.0), ("s", -4.0), (">", -4.0)]
PIECES += [("".join(p), STEP * _DRAWN.randint(-5000, -1)) for n in (2, 3) for p in product("ab", repeat=n)]
PIECES += [("▁" + "".join(p), -3.5) for p in product("ab", repeat=2)]


def readers(byte_fallback: bool) -> tuple[Tokenizer, sentencepiece.SentencePieceProcessor]:
    tokenizer = Tokenizer(build(PIECES, byte_fallback=byte_fallback).to_str().encode())
    model = spm.model(PIECES, byte_fallback=byte_fallback)
    return tokenizer, sentencepiece.SentencePieceProcessor(model_proto=model)


def beside(folder: Path, model: bytes) -> Tokenizer:
    """The tokenizer of PIECES in a folder that holds `model` too."""
    (folder / "tokenizer.json").write_text(build(PIECES).to_str(), encoding="utf-8")
    (folder / spm.FILE).write_bytes(model)
    return Tokenizer.load(folder)


READERS = {byte_fallback: readers(byte_fallback) for byte_fallback in (False, True)}


def encode(processor: sentencepiece.SentencePieceProcessor, tokenizer: Tokenizer, text: str) -> list[int]:
    return [i for item in tokenizer.cut(text) for i in processor.encode(item)]


def test_cut_is_what_the_model_sees() -> None:
    assert READERS[False][0].cut("Play  ﬁne私は jazz\n") == ["▁Play", "▁fine", "私", "は", "▁jazz"]
    assert READERS[False][0].cut("\ud800") == ["▁\ufffd"]
    assert READERS[False][0].cut(" \n") == []


def test_control_symbols_stand_where_ours_do() -> None:
    processor = READERS[True][1]
    assert [processor.id_to_piece(i) for i in range(5)] == list(SPECIALS)
    assert (processor.bos_id(), processor.pad_id(), processor.eos_id(), processor.unk_id()) == (0, 1, 2, 3)
    assert [processor.is_control(i) for i in range(6)] == [True, True, True, False, True, False]
    assert processor.piece_to_id(BYTES[0]) == 5
    assert processor.is_byte(5)
    assert processor.get_piece_size() == READERS[True][0].size


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="ab", max_size=400), st.booleans())
def test_equal_ids_where_many_spellings_are_as_good(text: str, byte_fallback: bool) -> None:
    tokenizer, processor = READERS[byte_fallback]
    assert encode(processor, tokenizer, text) == tokenizer.encode_texts([text])[0]


@settings(deadline=None)
@given(st.text() | st.text(alphabet="abé <s>▁私がｶﾞ\u3099\u200b\u00ad\ufe0f\x00😀"), st.booleans())
def test_equal_ids_on_any_text(text: str, byte_fallback: bool) -> None:
    tokenizer, processor = READERS[byte_fallback]
    assert encode(processor, tokenizer, text) == tokenizer.encode_texts([text])[0]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return beside(tmp_path_factory.mktemp("tokenizer"), spm.model(PIECES))


@settings(deadline=None, max_examples=300)
@given(st.lists(st.text(max_size=20) | st.text(alphabet="abé <s>▁私がｶﾞ\u3099\u200b\u00ad\ufe0f\x00😀"), max_size=4))
def test_many_words_at_once_have_the_ids_they_have_alone(quick: Tokenizer, texts: list[str]) -> None:
    assert quick.encode_texts(texts) == READERS[False][0].encode_texts(texts)


def test_a_model_of_another_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="another vocabulary"):
        beside(tmp_path, spm.model(PIECES[1:])).encode_texts(["ab"])


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot be read"):
        beside(tmp_path, b"not a model").encode_texts(["ab"])


@settings(deadline=None)
@given(st.text() | st.text(alphabet="ab 私がﬁ①\u3099\u200b\u3000\x1c😀"))
def test_text_comes_back_in_its_normal_form(text: str) -> None:
    tokenizer = READERS[True][0]
    normal = "".join(tokenizer.cut(text)).replace("▁", " ").removeprefix(" ")
    assert tokenizer.decode(tokenizer.encode_texts([text])[0]) == normal


@pytest.mark.parametrize("text", ["wake me at 7, please!", "七時にjazzをかけて", "मुझे सात बजे जगाओ", "réveille-moi 😀", "أيقظني"])
def test_the_artifact_holds_the_model(trained: Artifact, tokenizer: Tokenizer, text: str) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(trained.path / "sentencepiece.model"))
    assert encode(processor, tokenizer, text) == tokenizer.encode_texts([text])[0]
