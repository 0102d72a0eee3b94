"""A trimmed vocabulary spells what it covers as before, and everything somehow."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, models, pre_tokenizers, processors
from tokenizers import Tokenizer as Backend

from understudy.corpus.tinyworld import LOCALES, utterances
from understudy.corpus.utterances import LabelSource, read_labelled
from understudy.errors import ExportError
from understudy.text.words import split
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.backend import SPACE, SPECIALS, build
from understudy.tokenizer.trim import kept_ids, trim


def pair(pieces: Iterable[tuple[str, float]], texts: Iterable[str], **options: bool) -> tuple[Tokenizer, Tokenizer, np.ndarray]:
    """The tokenizer of `pieces`, the one trimmed to what `texts` use, and the ids that were kept."""
    serialized = build(list(pieces), **options).to_str().encode()
    whole = Tokenizer(serialized)
    kept = kept_ids(serialized, {i for ids in whole.encode_texts(texts) for i in ids})
    return whole, Tokenizer(trim(serialized, kept)), kept


def test_trimming_by_hand():
    pieces = [("▁wake", -3.0), ("▁me", -3.0), ("▁up", -3.0), ("me", -4.0), ("▁", -6.0), *((c, -8.0) for c in "wakemup")]
    whole, smaller, kept = pair(pieces, ["wake me"])
    assert [i for i in range(whole.size) if i not in kept] == [7, 8]  # "▁up" and "me"; letters and control symbols stay
    assert (smaller.bos, smaller.pad, smaller.eos, smaller.unk, smaller.mask) == (0, 1, 2, 3, 4)
    assert kept[smaller.encode(["wake", "me"]).ids].tolist() == whole.encode(["wake", "me"]).ids == [0, 5, 6, 2]
    assert smaller.decode(smaller.encode(["up", "me"]).ids) == "up me"
    assert len(smaller.encode(["up"]).ids) == 5  # <s> ▁ u p </s>


words_of_abc = st.text("abc", min_size=1, max_size=8)


@given(
    st.dictionaries(st.text("abc", min_size=2, max_size=4), st.integers(-6, -1), max_size=12),
    st.lists(words_of_abc, min_size=1, max_size=6),
    st.lists(words_of_abc, max_size=6),
)
def test_covered_words_are_spelled_as_before_ties_included(pieces: dict[str, int], used: list[str], others: list[str]):
    scored = [(piece, float(score)) for piece, score in pieces.items()]
    scored += [(f"{SPACE}{piece}", float(score)) for piece, score in pieces.items()]
    whole, smaller, kept = pair([*scored, (SPACE, -3.0), *((c, -3.0) for c in "abc")], used)
    for word in [*used, *others]:
        before, after = (t.encode([word]).ids for t in (whole, smaller))
        if set(before) <= set(kept.tolist()):
            assert kept[after].tolist() == before
        assert smaller.unk not in after
        assert smaller.decode(after) == word


@pytest.mark.parametrize("byte_fallback", [False, True])
def test_unknown_characters_are_what_they_were(byte_fallback: bool):
    whole, smaller, kept = pair([("▁a", -1.0), ("▁", -5.0), ("a", -5.0)], ["a"], byte_fallback=byte_fallback)
    for text in ("ж", "aж", "<s>", "\ud800", "私"):
        assert kept[smaller.encode(split(text)).ids].tolist() == whole.encode(split(text)).ids


def test_control_symbols_behind_the_vocabulary_move_up():
    """As in files of other makes: `<mask>` has an id beyond the model's pieces, and the ends are written another way."""
    pieces = [("<pad>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -3.0), ("▁ab", -2.0), ("a", -4.0), ("b", -4.0)]
    backend = Backend(models.Unigram(pieces, unk_id=3))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIALS])
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 1), add_prefix_space=False)
    serialized = backend.to_str().encode()
    whole, kept = Tokenizer(serialized), kept_ids(serialized, set())
    smaller = Tokenizer(trim(serialized, kept))
    assert (whole.mask, smaller.mask, len(kept)) == (8, 7, 8)
    assert (smaller.bos, smaller.eos, smaller.unk) == (1, 2, 3)
    assert kept[smaller.encode(["b"]).ids].tolist() == whole.encode(["b"]).ids


def test_other_vocabularies_are_refused():
    backend = Backend(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    with pytest.raises(ExportError, match=r"cannot be trimmed.*WordPiece.*Export without trim"):
        kept_ids(backend.to_str().encode(), {1})


def test_the_file_is_smaller_and_nothing_else_changes():
    serialized = build([("▁wake", -3.0), ("▁", -6.0)]).to_str().encode()
    before, after = json.loads(serialized), json.loads(trim(serialized, np.array([0, 1, 2, 3, 4, 6])))
    assert after["model"].pop("vocab") == [*([s, -1000.0] for s in SPECIALS), ["▁", -6.0]]
    before["model"].pop("vocab")
    assert after == before


def real_texts() -> tuple[list[str], list[str]]:
    """Train and dev of MASSIVE where UNDERSTUDY_DATA has it, else of the built-in world."""
    root = Path(os.environ.get("UNDERSTUDY_DATA", "")) / "massive"
    if not os.environ.get("UNDERSTUDY_DATA") or not root.is_dir():
        rows = [one.text for lang in LOCALES for one in islice(utterances(lang, seed=0), 250)]
        return rows[: 3 * len(rows) // 4], rows[3 * len(rows) // 4 :]
    found: dict[str, list[str]] = {"train": [], "dev": []}
    for partition, row in read_labelled(LabelSource(path=str(root), format="massive")):
        found[partition].append(row.text)
    return found["train"], found["dev"]


def test_real_text_is_spelled_as_before():
    train, dev = real_texts()
    counts = Counter(SPACE + word for text in train[::5] for word in split(text))
    parts: Counter[str] = Counter()
    for word, n in counts.items():  # many pieces that overlap, so that words have many spellings of like score
        parts.update({word[i : i + k]: n for k in (2, 3, 4, 6) for i in range(len(word) - k + 1)})
    letters = {c for text in (*train, *dev) for c in text} - {" "} | {SPACE}
    total = parts.total()
    pieces = [(p, round(1024 * math.log(n / total)) / 1024) for p, n in parts.most_common(20_000)] + [(c, -20.0) for c in letters]
    whole, smaller, kept = pair(pieces, train[::5])
    kept_of = set(kept.tolist())
    assert smaller.size < whole.size
    # Words are spelled one by one, so that different words stand for all text; every fourth of them takes seconds.
    different = sorted({word for text in (*train, *dev) for word in split(text)})[::4]
    covered = 0
    for before, after in zip(whole.encode_texts(different), smaller.encode_texts(different), strict=True):
        if kept_of.issuperset(before):
            assert kept[after].tolist() == before
            covered += 1
        assert (smaller.unk in after) == (whole.unk in before)
    assert 0.5 * len(different) < covered < len(different)
