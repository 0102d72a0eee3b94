"""Training a vocabulary: guarantees, determinism, sampling, limits, errors."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.artifact import Artifact
from understudy.config import parse
from understudy.errors import DataError, RecipeError
from understudy.text.words import UNSPACED, split
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.backend import build
from understudy.tokenizer.pieces import STEP, joyo_kanji, kana, train_pieces
from understudy.tokenizer.sample import Sample, sample_words
from understudy.tokenizer.train import TokenizerConfig

Make = Callable[..., Artifact]


def test_joyo_kanji_are_2136_and_distinct() -> None:
    kanji = joyo_kanji()
    assert len(kanji) == len(set(kanji)) == 2136
    assert re.fullmatch(f"[{UNSPACED}]+", kanji)
    # All but four official forms are in the everyday character set.
    assert [k for k in kanji if len(k.encode("euc_jp", "ignore")) != 2] == list("𠮟塡剝頰")


def test_kana_hold_both_syllabaries() -> None:
    assert set("あんゔゖアンヴヺー゙゚々") <= set(kana())
    assert re.fullmatch(f"[{UNSPACED}]+", kana())


def test_known_text_has_no_unknown_and_survives(tokenizer: Tokenizer, sentences: list[str]) -> None:
    for text, ids in zip(sentences, tokenizer.encode_texts(sentences), strict=True):
        assert tokenizer.unk not in ids
        assert "".join(tokenizer.decode(ids).split()) == "".join(text.split())


def test_no_piece_crosses_a_word(tokenizer: Tokenizer) -> None:
    for piece in tokenizer._backend.get_vocab():
        text = piece.removeprefix("▁")
        assert len(split(text)) <= 1, piece
        assert "▁" not in text


def test_pieces_of_unspaced_scripts_are_single_characters(tokenizer: Tokenizer) -> None:
    assert all(len(piece) == 1 for piece in tokenizer._backend.get_vocab() if re.search(f"[{UNSPACED}]", piece))


def test_metrics_tell_the_size_and_the_fit(trained: Artifact, tokenizer: Tokenizer) -> None:
    metrics = trained.metrics
    assert metrics["wanted"] == 600
    assert metrics["vocab_size"] == tokenizer.size <= 600
    assert metrics["overall"]["unk_portion"] == 0
    assert set(metrics["languages"]) <= {"en", "de", "fr", "ja", "hi", "ta", "ar"}
    assert metrics["languages"]["ja"]["split_ratio"] >= 1


def test_equal_seeds_make_equal_files(corpus: Artifact, tmp_path: Path, make_tokenizer: Make) -> None:
    made = [
        make_tokenizer(
            tmp_path / name, {"c": corpus}, corpora=["c"], vocab_size=400, kanji=False, sample_characters=300, seed=seed
        )
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert made[0].hash == made[1].hash
    assert made[0].hash != made[2].hash


def test_kanji_are_guaranteed(corpus: Artifact, tmp_path: Path, make_tokenizer: Make) -> None:
    made = Tokenizer.load(make_tokenizer(tmp_path / "t", {"c": corpus}, corpus="c", vocab_size=3000).path)
    ids = made.encode(list(joyo_kanji() + "叱ガ")).ids
    assert made.unk not in ids
    assert len(ids) == 2136 + 2 + 2


def test_digits_and_signs_are_guaranteed(tokenizer: Tokenizer) -> None:
    assert tokenizer.unk not in tokenizer.encode_texts(["0123456789 <a> @ x/y #%"])[0]


def test_a_vocabulary_without_room_is_refused(corpus: Artifact, tmp_path: Path, make_tokenizer: Make) -> None:
    with pytest.raises(RecipeError, match=r"too small for its characters.*2\d\d\d kanji and kana.*kanji = false"):
        make_tokenizer(tmp_path / "t", {"c": corpus}, corpus="c", vocab_size=1000)


def test_the_smallest_room_is_enough() -> None:
    sample = Sample(Counter({"aba": 3, "bb": 2}), Counter({"私": 4}), 20)
    with pytest.raises(RecipeError, match="at least 9"):
        train_pieces(sample, vocab_size=8)
    assert {piece for piece, _ in train_pieces(sample, vocab_size=9)} == {"▁", "a", "b", "私"}


def test_score_of_a_single_character_is_its_share_of_the_words() -> None:
    pieces = dict(train_pieces(Sample(Counter({"aba": 3, "bb": 2}), Counter({"私": 5}), 20), vocab_size=20))
    assert pieces["私"] == pytest.approx(math.log(5 / 10), abs=STEP)


def test_text_of_unspaced_scripts_only() -> None:
    pieces = train_pieces(Sample(Counter(), Counter({"私": 5, "は": 5}), 10), vocab_size=20)
    assert {piece for piece, _ in pieces} == {"▁", "私", "は"}


def test_rare_characters_are_left_out_by_coverage() -> None:
    sample = Sample(Counter({"ab": 999, "z": 2}), Counter({"私": 1}), 2001)
    assert {p for p, _ in train_pieces(sample, vocab_size=40, coverage=0.99) if p in "abz私"} == {"a", "b"}
    assert {p for p, _ in train_pieces(sample, vocab_size=40, coverage=1.0) if p in "abz私"} == {"a", "b", "z", "私"}


def test_counts_are_weights_and_words_are_normalised(tmp_path: Path, make_corpus: Make) -> None:
    corpus = make_corpus(tmp_path / "c", [("ﬁne ﬁne 私", "en", 3), ("fine", "en", 1), ("never", "en", 0)])
    sample = sample_words([corpus.path / "train.parquet"], characters_wanted=10**6, seed=0)
    assert sample.words == {"fine": 7}
    assert sample.singles == {"私": 3}
    assert sample.characters == 3 * 9 + 4


def test_sample_is_about_as_long_as_asked_for(tmp_path: Path, make_corpus: Make) -> None:
    corpus = make_corpus(tmp_path / "c", [("abcdefghi " * 2, "en", 100)] * 100)
    sample = sample_words([corpus.path / "train.parquet"], characters_wanted=50_000, seed=0)
    assert 47_000 < sample.characters < 53_000


def test_no_text_is_an_error(tmp_path: Path, make_tokenizer: Make, make_corpus: Make) -> None:
    empty = make_corpus(tmp_path / "c", [("   ", "en", 1)])
    with pytest.raises(DataError, match="no text to learn a vocabulary from"):
        make_tokenizer(tmp_path / "t", {"c": empty}, corpus="c", vocab_size=1000)


def test_broken_corpus_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing"):
        sample_words([tmp_path / "train.parquet"], characters_wanted=9, seed=0)
    (tmp_path / "train.parquet").write_bytes(b"PAR1 not parquet")
    with pytest.raises(DataError, match=r"train\.parquet: a corpus file cannot be read as parquet"):
        sample_words([tmp_path / "train.parquet"], characters_wanted=9, seed=0)
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "train.parquet")
    with pytest.raises(DataError, match="lacks a column"):
        sample_words([tmp_path / "train.parquet"], characters_wanted=9, seed=0)
    pq.write_table(pa.table({"text": ["a"], "lang": ["en"], "count": [-1]}), tmp_path / "train.parquet")
    with pytest.raises(DataError, match="negative"):
        sample_words([tmp_path / "train.parquet"], characters_wanted=9, seed=0)
    pq.write_table(pa.table({"text": ["a", None], "lang": ["en", "en"], "count": [1, 1]}), tmp_path / "train.parquet")
    with pytest.raises(DataError, match="a row lacks"):
        sample_words([tmp_path / "train.parquet"], characters_wanted=9, seed=0)


@pytest.mark.parametrize(("column", "values"), [("text", [5]), ("lang", [1.0]), ("count", ["9"])])
def test_columns_of_the_wrong_type_are_named(tmp_path: Path, column: str, values: list[object]) -> None:
    pq.write_table(pa.table({"text": ["a"], "lang": ["en"], "count": [1], column: values}), tmp_path / "train.parquet")
    with pytest.raises(DataError, match=rf"train\.parquet: the column '{column}' .* wrong type"):
        sample_words([tmp_path / "train.parquet"], characters_wanted=9, seed=0)


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    offsets = pa.array([0, 2], pa.int32()).buffers()[1]
    text = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(b"a\xff"))
    pq.write_table(pa.table({"text": text, "lang": ["en"], "count": [1]}), tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"train\.parquet: a corpus file is damaged"):
        sample_words([tmp_path / "train.parquet"], characters_wanted=9, seed=0)


def test_a_very_long_line_and_nul_are_read_and_counted(tmp_path: Path) -> None:
    texts = ["a" * 10_000_000, "wake\x00 me\x00", "\x00", "jazzを नमस्ते سلام"]
    pq.write_table(pa.table({"text": texts, "lang": ["en"] * 4, "count": [1] * 4}), tmp_path / "train.parquet")
    sample = sample_words([tmp_path / "train.parquet"], characters_wanted=10**9, seed=0)
    assert sample.too_long == 1
    assert sample.words == {"wake": 1, "me": 1, "\x00": 1, "jazz": 1, "नमस्ते": 1, "سلام": 1}
    assert sample.singles == {"を": 1}


def test_rare_words_that_make_room_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.tokenizer.sample.DISTINCT_WORDS", 3)
    pq.write_table(pa.table({"text": ["a a b c d"], "lang": ["en"], "count": [1]}), tmp_path / "train.parquet")
    sample = sample_words([tmp_path / "train.parquet"], characters_wanted=10**9, seed=0)
    assert (sample.words, sample.forgotten) == ({"a": 2}, 3)


def test_names_of_control_symbols_are_never_learnt() -> None:
    words = {f"x{i}<s>": 50 for i in range(100, 400)} | {f"{i}</s>": 50 for i in range(100, 400)} | {"<s>": 9000, "<0x41>": 9000}
    pieces = {piece for piece, _ in train_pieces(Sample(Counter(words), Counter(), 9), vocab_size=400, coverage=1.0)}
    assert pieces.isdisjoint({"<s>", "</s>", "<0x41>"})
    assert Tokenizer(build(train_pieces(Sample(Counter(words), Counter(), 9), vocab_size=400)).to_str().encode()).bos == 0


def test_scores_are_multiples_that_add_up_exactly(trained: Artifact) -> None:
    model = json.loads((trained.path / "tokenizer.json").read_text())["model"]
    assert all((score / STEP).is_integer() for _, score in model["vocab"])


def test_exactly_one_source_is_wanted() -> None:
    for sources in ({}, {"corpus": "a", "corpora": ["b"]}):
        with pytest.raises(RecipeError, match="either 'corpus' or 'corpora'"):
            parse(TokenizerConfig, {"vocab_size": 100, **sources}, where="stage.tokenizer")


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=8))
def test_any_text_trains_or_is_refused(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("any") / "train.parquet"
    pq.write_table(pa.table({"text": texts, "lang": ["en"] * len(texts), "count": [1] * len(texts)}), path)
    try:
        sample = sample_words([path], characters_wanted=10**6, seed=0)
    except DataError:
        return
    assert train_pieces(sample, vocab_size=400, coverage=1.0)


def test_real_text_is_spelled_without_loss(data_root: Path, tmp_path: Path, make_tokenizer: Make, make_corpus: Make) -> None:
    rows = []
    for path in sorted((data_root / "public").glob("*.parquet")):
        texts = next(pq.ParquetFile(path).iter_batches(batch_size=150, columns=["text"])).column("text").to_pylist()
        rows += [(text, path.stem, 1) for text in texts]
    corpus = make_corpus(tmp_path / "c", rows, rows[::10])
    made = make_tokenizer(tmp_path / "t", {"c": corpus}, corpus="c", vocab_size=6000, kanji=False, character_coverage=1.0)
    tokenizer = Tokenizer.load(made.path)
    texts = [row[0] for row in rows]
    encoded = tokenizer.encode_texts(texts)
    tokenizer._backend.encode_special_tokens = False
    whole = tokenizer._backend.encode_batch_fast(texts, add_special_tokens=False)
    assert [e.ids for e in whole] == encoded
    assert not any(tokenizer.unk in ids for ids in encoded)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(made.path / "sentencepiece.model"))
    assert [[i for item in tokenizer.cut(text) for i in processor.encode(item)] for text in texts] == encoded
    assert [tokenizer.decode(ids) for ids in encoded] == [
        "".join(tokenizer.cut(t)).replace("▁", " ").removeprefix(" ") for t in texts
    ]
