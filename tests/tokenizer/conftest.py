"""A small trained tokenizer for the room's tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from understudy import artifact
from understudy.artifact import Artifact
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.train import TokenizerConfig, run

SENTENCES = {
    "en": ["wake me up at seven", "play some jazz music please", "what is the weather in berlin tomorrow"],
    "de": ["weck mich um sieben uhr", "spiel bitte etwas musik", "wie wird das wetter morgen in münchen"],
    "fr": ["réveille-moi à sept heures", "quel temps fera-t-il à paris demain"],
    "ja": ["七時に起こしてください", "jazzをかけて", "明日の天気はどうですか"],
    "hi": ["मुझे सात बजे जगाओ", "कल मौसम कैसा रहेगा"],
    "ta": ["என்னை ஏழு மணிக்கு எழுப்பு"],
    "ar": ["أيقظني في الساعة السابعة", "كيف الطقس غدا"],
}


def write_corpus(path: Path, train: Sequence[tuple[str, str, int]], valid: Sequence[tuple[str, str, int]] = ()) -> Artifact:
    """A corpus artifact of (text, lang, count) rows."""
    with artifact.writing(path, kind="corpus", config={}) as draft:
        for name, rows in (("train", train), ("valid", valid)):
            columns = {
                "text": pa.array([r[0] for r in rows], pa.string()),
                "lang": pa.array([r[1] for r in rows], pa.string()),
                "count": pa.array([r[2] for r in rows], pa.int32()),
            }
            pq.write_table(pa.table(columns), draft.path / f"{name}.parquet")
    return artifact.open(path, kind="corpus")


def train_tokenizer(path: Path, inputs: Mapping[str, Artifact], *, seed: int = 0, **settings: object) -> Artifact:
    """A tokenizer artifact, made as the runner makes it."""
    config = TokenizerConfig.model_validate(settings)
    with artifact.writing(path, kind="tokenizer", config=config.model_dump(mode="json"), parents=inputs, seed=seed) as draft:
        run(config, inputs, draft, seed=seed)
    return artifact.open(path, kind="tokenizer")


@pytest.fixture(scope="session")
def make_corpus() -> Callable[..., Artifact]:
    return write_corpus


@pytest.fixture(scope="session")
def make_tokenizer() -> Callable[..., Artifact]:
    return train_tokenizer


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    return [text for texts in SENTENCES.values() for text in texts]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    rows = [(text, lang, 3) for lang, texts in SENTENCES.items() for text in texts]
    return write_corpus(tmp_path_factory.mktemp("tokenizer") / "corpus", rows, rows[::3])


@pytest.fixture(scope="session")
def trained(corpus: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return train_tokenizer(
        tmp_path_factory.mktemp("tokenizer") / "tokenizer", {"c": corpus}, corpus="c", vocab_size=600, kanji=False, max_length=64
    )


@pytest.fixture(scope="session")
def tokenizer(trained: Artifact) -> Tokenizer:
    return Tokenizer.load(trained.path)
