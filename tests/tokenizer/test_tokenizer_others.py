"""Tokenizers of other makes: the ids that transformers gives for the same words, and their control symbols."""

from __future__ import annotations

from pathlib import Path

import pytest
import tokenizers
from helpers_foreign import KINDS, TEXTS, build_tokenizer
from tokenizers import pre_tokenizers
from transformers import PreTrainedTokenizerFast

from understudy.errors import ArtifactError
from understudy.text.words import split
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.specials import Specials

ALL = (*KINDS, "gemma")


def ours(made: tokenizers.Tokenizer) -> Tokenizer:
    return Tokenizer(made.to_str().encode())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", [*TEXTS, "zebra Ω", "don't ,; 7:30"])
def test_the_ids_of_words_are_those_of_transformers(kind: str, text: str) -> None:
    made = build_tokenizer(kind)
    tokenizer = ours(made)
    if kind == "modernbert":  # what add_prefix_space = True does in transformers
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    theirs = PreTrainedTokenizerFast(tokenizer_object=made)(split(text), is_split_into_words=True)
    encoding = tokenizer.encode(split(text))
    assert encoding.ids == theirs["input_ids"]
    assert encoding.first == [theirs.word_to_tokens(word).start for word in range(len(split(text)))]


@pytest.mark.parametrize("kind", ["modernbert", "gemma"])
@pytest.mark.parametrize("text", TEXTS)
def test_words_are_encoded_as_in_running_text(kind: str, text: str) -> None:
    made = build_tokenizer(kind)
    assert ours(made).encode(split(text)).ids == made.encode(f" {text}").ids


def test_kanji_and_kana_follow_each_other_without_a_space() -> None:
    made = build_tokenizer("modernbert")
    assert ours(made).encode(split("私は")).ids == made.encode("私は").ids


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("text", [*TEXTS, "私は jazz <s>"])
def test_pieces_are_those_of_words_and_know_their_characters(kind: str, text: str) -> None:
    tokenizer = ours(build_tokenizer(kind))
    ids, spans = tokenizer.pieces(text)
    assert ids == tokenizer.encode(split(text)).ids[1:-1]
    letters = {i for i, c in enumerate(text) if c.isalpha()}  # not all characters: BERT drops accents
    assert letters <= {i for start, end in spans for i in range(start, end)}
    assert all(not text[start:end].isspace() for start, end in spans)


def test_control_symbols_are_found_wherever_they_stand() -> None:
    found = {kind: ours(build_tokenizer(kind)) for kind in ALL}
    last = {kind: tokenizer.size - 1 for kind, tokenizer in found.items()}
    n = last["modernbert"]
    assert found["xlm-roberta"].specials == Specials(mask=last["xlm-roberta"])
    assert found["bert"].specials == Specials(bos=3, pad=0, eos=4, unk=2, mask=5, others=(1,))
    assert found["modernbert"].specials == Specials(bos=n - 3, pad=n - 1, eos=n - 2, unk=n - 4, mask=n)
    assert found["gemma"].specials == Specials(bos=2, pad=0, eos=1, unk=3, mask=4)


def test_what_the_file_puts_around_a_text_goes_before_names() -> None:
    made = build_tokenizer("bert")
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[unused0] $A [MASK]", special_tokens=[("[unused0]", 1), ("[MASK]", 5)]
    )
    assert (ours(made).bos, ours(made).eos) == (1, 5)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("text", ["<s> </s> <mask>", "[CLS] [SEP] [MASK] [PAD]", "<bos><eos>"])
def test_a_control_symbol_in_a_text_is_text(kind: str, text: str) -> None:
    tokenizer = ours(build_tokenizer(kind))
    inner = tokenizer.encode(split(text)).ids[1:-1]
    assert not set(inner) & (set(tokenizer.specials.all) - {tokenizer.unk})


@pytest.mark.parametrize(("kind", "word"), [("xlm-roberta", "zebra"), ("bert", "zusammen"), ("modernbert", "zebra")])
def test_pieces_that_begin_a_word_are_known(kind: str, word: str) -> None:
    tokenizer = ours(build_tokenizer(kind))
    inner = tokenizer.encode([word, word]).ids[1:-1]
    pieces = len(inner) // 2
    assert pieces > 1
    assert tokenizer.begins_V[inner].tolist() == [True, *[False] * (pieces - 1)] * 2


def test_ids_with_gaps_are_refused(tmp_path: Path) -> None:
    made = tokenizers.Tokenizer(
        tokenizers.models.WordPiece({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 9}, unk_token="[UNK]")
    )
    with pytest.raises(ArtifactError, match=r"ids have gaps\. Got: 5 ids up to 9"):
        ours(made)
