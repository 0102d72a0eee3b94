"""Memory: the estimate by hand, and the refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from understudy.artifact import Artifact
from understudy.errors import RecipeError
from understudy.tokenizer import memory
from understudy.tokenizer.memory import MIB, sample_bytes, training_bytes

Make = Callable[..., Artifact]


def test_the_estimate_of_training() -> None:
    # laid out: (3+1)*5 + (2+1)*2 (a word seen once counts twice) = 26 characters of 24 bytes
    # distinct: 3+3 + 6+3 bytes ("né" would be 3; each Tamil letter is 3) = 15 of 45 bytes
    assert training_bytes({"abc": 5, "கா": 1}) == 192 * MIB + 26 * 24 + 15 * 45


def test_the_estimate_before_reading() -> None:
    assert sample_bytes(100_000_000) == 192 * MIB + 3_600_000_000


def test_a_sample_that_does_not_fit_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch, corpus: Artifact, tmp_path: Path, make_tokenizer: Make
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 10 * MIB)
    with pytest.raises(RecipeError) as error:
        make_tokenizer(tmp_path / "t", {"c": corpus}, corpus="c", vocab_size=600, kanji=False)
    assert "sample_characters: the vocabulary's sample does not fit into memory" in str(error.value)
    assert "takes about 193 MiB, 10 MiB are available" in str(error.value)
    assert "Lower sample_characters" in str(error.value)
    assert not (tmp_path / "t").exists()


def test_words_that_do_not_fit_are_refused_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 200 * MIB)
    memory.require_for_training({"a" * 9: 10_000})
    with pytest.raises(RecipeError, match=r"training on 1 distinct words takes about 215 MiB, 200 MiB are available"):
        memory.require_for_training({"a" * 9: 100_000})
