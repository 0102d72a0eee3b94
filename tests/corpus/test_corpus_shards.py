"""From rows to token sequences: counts, packing, cutting, mixing, the reader and its checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from understudy import artifact
from understudy.artifact import Artifact
from understudy.corpus.shards import ShardsConfig, TokenSet, mix_takes, of_sequences, run
from understudy.corpus.tokenset import TokenWriter, dtype_for, write_index
from understudy.errors import ArtifactError, DataError
from understudy.tokenizer.specials import OURS, Specials
from understudy.tokenizer.train import save

Row = tuple[str, str, int]
Shards = Callable[..., Artifact]

# ids: a = 6, b = 7, c = 8; a word is "▁a" or "▁b" ... = 9, 10, 11
PIECES = [("▁", -9.0), ("a", -5.0), ("b", -5.0), ("c", -5.0), ("▁a", -2.0), ("▁b", -2.0), ("▁c", -2.0), ("私", -3.0)]
S, END, A, B, C, WATASHI = 0, 2, 9, 10, 11, 12


def corpus(path: Path, train: Sequence[Row], valid: Sequence[Row] = ()) -> Artifact:
    with artifact.writing(path, kind="corpus", config={}) as draft:
        for name, rows in (("train", train), ("valid", valid)):
            columns = {
                "text": pa.array([r[0] for r in rows], pa.string()),
                "lang": pa.array([r[1] for r in rows], pa.string()),
                "count": pa.array([r[2] for r in rows], pa.int32()),
            }
            pq.write_table(pa.table(columns), draft.path / f"{name}.parquet")
    return artifact.open(path, kind="corpus")


@pytest.fixture
def shards(tmp_path: Path) -> Shards:
    """Makes a shards artifact of corpora given as rows; the mix refers to them as c0, c1, …"""

    def make(*corpora: tuple[Sequence[Row], Sequence[Row]], name: str = "shards", seed: int = 0, **settings: object) -> Artifact:
        if not (tmp_path / "tokenizer").exists():
            with artifact.writing(tmp_path / "tokenizer", kind="tokenizer", config={}) as draft:
                save(draft.path, PIECES)
        inputs = {"t": artifact.open(tmp_path / "tokenizer")}
        for number, (train, valid) in enumerate(corpora):
            inputs[f"c{number}"] = corpus(tmp_path / f"c{number}", train, valid)
        config = ShardsConfig.model_validate({"tokenizer": "t", "mix": [{"corpus": "c0"}], **settings})
        with artifact.writing(tmp_path / name, kind="shards", config={}, parents=inputs, seed=seed) as draft:
            run(config, inputs, draft, seed=seed)
            assert not list(draft.scratch.glob("part*"))
        return artifact.open(tmp_path / name, kind="shards")

    return make


def sequences(made: Artifact, split: str = "train") -> list[list[int]]:
    tokens = TokenSet.open(made.path, "train" if split == "train" else "valid")
    return [tokens[i].tolist() for i in range(len(tokens))]


def test_a_row_is_a_sequence_as_often_as_its_count_says(shards: Shards) -> None:
    made = shards(([("a b", "en", 2), ("私a", "ja", 1), ("c", "en", 0)], [("c", "de", 5)]))
    assert sequences(made) == [[S, A, B, END], [S, A, B, END], [S, WATASHI, A, END]]
    assert sequences(made, "valid") == [[S, C, END]]
    tokens = TokenSet.open(made.path, "train")
    assert tokens.languages == ("de", "en", "ja")
    assert tokens.langs.tolist() == [1, 1, 2]
    assert tokens.lengths.tolist() == [4, 4, 4]
    assert tokens[0].dtype == np.int32
    assert tokens.vocab_size == 13
    assert tokens.tokenizer == made.manifest.tokenizer


def test_figures_by_hand(shards: Shards) -> None:
    made = shards(([("a b", "en", 2), ("q", "ja", 1)], []))
    # en: 2 sequences of 4 tokens; ja: <s> ▁ <unk> </s>, one of two pieces unknown
    assert made.metrics["train"] == {
        "sequences": 3,
        "tokens": 12,
        "mean_length": 4.0,
        "attended": 4.0,
        "unk_portion": round(100 / 6, 4),
        "languages": {
            "en": {"sequences": 2, "tokens": 8, "mean_length": 4.0, "attended": 4.0, "unk_portion": 0.0},
            "ja": {"sequences": 1, "tokens": 4, "mean_length": 4.0, "attended": 4.0, "unk_portion": 50.0},
        },
    }


def test_a_token_of_a_long_sequence_attends_to_more(shards: Shards) -> None:
    made = shards(([("a b", "en", 1), ("a b a b a b", "en", 1)], []))
    assert made.metrics["train"]["attended"] == round((4 * 4 + 8 * 8) / 12, 2)


def test_short_rows_are_dropped(shards: Shards) -> None:
    rows = [("a b a b", "en", 3), ("a b a b a", "en", 1), ("", "en", 1)]
    made = shards((rows, []), mix=[{"corpus": "c0", "min_tokens": 5}])
    assert sequences(made) == [[S, A, B, A, B, A, END]]
    assert made.metrics["parts"][0]["train"]["short_rows"] == 4


def test_long_sequences_are_cut_and_counted(shards: Shards) -> None:
    made = shards(([("a a a a a a b", "en", 1), ("a b", "en", 3)], []), max_length=8)
    assert sequences(made)[:2] == [[S, A, A, A, A, A, A, END], [S, B, END]]
    report = made.metrics["parts"][0]["train"]
    assert (report["sequences"], report["within"], report["cut"], report["within_percent"]) == (4, 3, 1, 75.0)


def test_rows_of_a_language_are_packed_to_words(shards: Shards) -> None:
    rows = [("a b", "en", 1), ("私", "ja", 1), ("c", "en", 1), ("a", "en", 1), ("b b b b b", "en", 1), ("私私", "ja", 1)]
    made = shards((rows, []), mix=[{"corpus": "c0", "pack_words": 3}])
    assert sequences(made) == [
        [S, A, B, END, C, END],  # 3 words; "a" would be the fourth
        [S, A, END],  # closed before a row of five
        [S, B, B, B, B, B, END],  # what is open at the end follows in the order of languages
        [S, WATASHI, END, WATASHI, WATASHI, END],
    ]


def test_copies_are_not_packed_side_by_side(shards: Shards) -> None:
    rows = [("a", "en", 2), ("b", "en", 1), ("c", "en", 3)]
    made = shards((rows, []), mix=[{"corpus": "c0", "pack_words": 3}])
    assert sequences(made) == [[S, A, END, B, END, C, END], [S, A, END, C, END, C, END]]


@pytest.mark.parametrize(
    ("available", "parts", "takes"),
    [
        ([100, 1000], [1, 2], [100, 200]),  # one part Stage 1 to two parts in-house (A 2.1)
        ([1000, 100], [1, 2], [50, 100]),
        ([30, 20, 70], [3, 1, 6], [30, 10, 60]),
        ([7], [0.5], [7]),
        ([10, 0], [1, 2], [10, 0]),
        ([0, 0], [1, 2], [0, 0]),
        ([3, 10], [0.3, 0.7], [3, 7]),
    ],
)
def test_mix_by_hand(available: list[int], parts: list[float], takes: list[int]) -> None:
    assert mix_takes(available, parts) == takes


def test_proportions_of_tokens_take_fewer_of_longer_sequences() -> None:
    # 10 sequences of 40 tokens, 100 of 6: 70 : 30 of tokens takes all 400 of the first and 171 of the second, 28 sequences.
    parts = of_sequences([70, 30], [10, 100], [400, 600])
    assert parts == [1.75, 5.0]
    assert mix_takes([10, 100], parts) == [10, 28]


def test_parts_are_mixed_in_proportion_without_repeating(shards: Shards) -> None:
    general, house = [(f"{'a ' * n}b", "en", 1) for n in range(1, 41)], [("c", "de", 1)] * 10
    mix = [{"corpus": "c0", "parts": 1}, {"corpus": "c1", "parts": 2}]
    made = shards((general, general), (house, []), mix=mix)
    found = [tuple(s) for s in sequences(made)]
    assert found.count((S, C, END)) == 10
    assert len(found) == 15
    assert len({s for s in found if C not in s}) == 5
    assert [part["train"]["taken"] for part in made.metrics["parts"]] == [5, 10]
    assert len(sequences(made, "valid")) == 40  # a part without held-out rows does not hold the others back


def test_the_choice_follows_the_seed(shards: Shards) -> None:
    corpora = ([(f"{'a ' * n}b", "en", 1) for n in range(1, 41)], []), ([("c", "de", 1)] * 10, [])
    mix = [{"corpus": "c0"}, {"corpus": "c1"}]
    one, same, other = (shards(*corpora, mix=mix, name=f"s{n}", seed=seed) for n, seed in enumerate([1, 1, 2]))
    assert one.hash == same.hash
    assert one.hash != other.hash


def test_size_bounds_the_tokens(shards: Shards) -> None:
    made = shards(([("a b", "en", 100)], [("a", "en", 1)]), size=200)
    assert made.metrics["train"]["tokens"] == 200
    assert made.metrics["valid"]["sequences"] == 1


def test_a_part_without_sequences_is_an_error(shards: Shards) -> None:
    with pytest.raises(DataError, match=r"nothing to train on\. Got: 3 rows, 3 of them with fewer than 5 pieces"):
        shards(([("a", "en", 3)], []), mix=[{"corpus": "c0", "min_tokens": 5}])


@pytest.mark.parametrize(("vocab", "width"), [(65_536, 2), (65_537, 4)])
def test_width_follows_the_vocabulary(tmp_path: Path, vocab: int, width: int) -> None:
    writer = TokenWriter(tmp_path, "train", dtype_for(vocab))
    writer.add([0, vocab - 1, 2], [3], [0])
    writer.close()
    write_index(tmp_path, languages=["en"], vocab_size=vocab, tokenizer="x")
    assert (tmp_path / "train.bin").stat().st_size == 3 * width
    assert TokenSet.open(tmp_path, "train")[0].tolist() == [0, vocab - 1, 2]


def test_control_symbols_are_in_the_index_and_were_ours_before(loose: Path) -> None:
    assert TokenSet.open(loose, "train").specials == OURS
    theirs = Specials(bos=7, eos=8, others=(9,))
    write_index(loose, languages=["de", "en"], vocab_size=10, tokenizer="x", specials=theirs)
    assert TokenSet.open(loose, "train").specials == theirs
    old = json.loads((loose / "shards.json").read_text())
    del old["specials"]
    (loose / "shards.json").write_text(json.dumps(old))
    assert TokenSet.open(loose, "train").specials == OURS


def test_an_empty_split_is_readable(shards: Shards) -> None:
    tokens = TokenSet.open(shards(([("a", "en", 1)], [])).path, "valid")
    assert (len(tokens), tokens.lengths.tolist()) == (0, [])


def test_reading_outside_is_an_index_error(shards: Shards) -> None:
    tokens = TokenSet.open(shards(([("a", "en", 1)], [])).path, "train")
    for outside in (1, -1):
        with pytest.raises(IndexError):
            tokens[outside]


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    """Shard files outside of an artifact, to be damaged."""
    writer = TokenWriter(tmp_path, "train", dtype_for(10))
    writer.add([0, 5, 2, 0, 2], [3, 2], [0, 1])
    writer.close()
    write_index(tmp_path, languages=["de", "en"], vocab_size=10, tokenizer="x")
    return tmp_path


def test_truncated_tokens_are_refused(loose: Path) -> None:
    (loose / "train.bin").write_bytes((loose / "train.bin").read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=r"train\.bin: the tokens were truncated\. Got: 9 bytes\. Wanted: 10 bytes"):
        TokenSet.open(loose, "train")


@pytest.mark.parametrize("name", ["train.bin", "train.offsets.npy", "train.lang.npy", "shards.json"])
def test_missing_files_are_named(loose: Path, name: str) -> None:
    (loose / name).unlink()
    with pytest.raises(ArtifactError, match=name.replace(".", r"\.")):
        TokenSet.open(loose, "train")


@pytest.mark.parametrize("name", ["train.offsets.npy", "train.lang.npy", "shards.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"\x93NUMPY\x01\x00"])
def test_damaged_files_are_named(loose: Path, name: str, content: bytes) -> None:
    (loose / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=name.replace(".", r"\.")):
        TokenSet.open(loose, "train")


@pytest.mark.parametrize("offsets", [[0, 3], [0, 4, 3], [1, 3, 5], []])
def test_offsets_that_do_not_fit_are_refused(loose: Path, offsets: list[int]) -> None:
    np.save(loose / "train.offsets.npy", np.array(offsets, dtype=np.int64))
    with pytest.raises(ArtifactError, match="sequence index"):
        TokenSet.open(loose, "train")


def test_unknown_languages_and_types_are_refused(loose: Path) -> None:
    np.save(loose / "train.lang.npy", np.array([0, 2], dtype=np.uint8))
    with pytest.raises(ArtifactError, match="unknown language"):
        TokenSet.open(loose, "train")
    np.save(loose / "train.lang.npy", np.array([0.0, 1.0]))
    with pytest.raises(ArtifactError, match="got: float64|Got: float64"):
        TokenSet.open(loose, "train")
    index = json.loads((loose / "shards.json").read_text())
    (loose / "shards.json").write_text(json.dumps({**index, "dtype": "uint32"}))
    with pytest.raises(ArtifactError, match="index of the token shards is damaged"):
        TokenSet.open(loose, "train")
