"""Shapes of the papers, and how recipes name them."""

from __future__ import annotations

import pytest

from understudy.errors import RecipeError
from understudy.model.presets import PRESETS, shape

# Worked by hand: layers x (4 D^2 + 2 D F).
BY_HAND = {
    "teacher-9.3b": 46 * (4 * 4096**2 + 2 * 4096 * 16384),
    "teacher-2.3b": 29 * (4 * 2560**2 + 2 * 2560 * 10240),
    "teacher-700m": 566_231_040,
    "assistant-170m": 167_772_160,
    "base-85m": 84_934_656,
    "student-17m": 16_809_984,
    "student-5m": 4_552_704,
}
IN_MILLIONS = {"teacher-9.3b": 9_260, "teacher-2.3b": 2_280, "assistant-170m": 167.8, "student-17m": 16.8, "student-5m": 4.55}


@pytest.mark.parametrize("name", PRESETS)
def test_the_body_counts_what_a_hand_counts(name: str) -> None:
    assert shape(name, 150_000).body_parameters == BY_HAND[name]


@pytest.mark.parametrize(("name", "millions"), IN_MILLIONS.items())
def test_the_body_is_the_size_in_the_papers_name(name: str, millions: float) -> None:
    assert shape(name, 150_000).body_parameters / 1e6 == pytest.approx(millions, rel=0.0015)


def test_the_vocabulary_dominates_the_small_student() -> None:
    student = shape("student-17m", 150_000)
    embeddings = (150_000 + 514 + 1) * 768 + 2 * 768
    biases_and_norms = 4 * (4 * 768 + 1200 + 768 + 4 * 768) + 2 * 768
    head = 768**2 + 768 + 2 * 768 + 150_000
    assert student.parameters_total == embeddings + 16_809_984 + biases_and_norms + head == 133_183_152
    assert embeddings > 6 * student.body_parameters


def test_printed_values_of_the_tables() -> None:
    teacher, student = shape("teacher-2.3b", 150_000), shape("student-17m", 150_000)
    assert (teacher.layers, teacher.hidden, teacher.ffn, teacher.heads, teacher.max_length) == (29, 2560, 10240, 32, 512)
    assert (student.layers, student.hidden, student.ffn, student.heads, student.max_length) == (4, 768, 1200, 12, 512)
    assert {shape(name, 9).max_length for name in ("teacher-700m", "teacher-9.3b")} == {1024}
    assert {(s.dropout, s.attention_dropout) for s in (shape(name, 9) for name in PRESETS)} == {(0.1, 0.1)}


def test_a_table_may_start_from_a_preset() -> None:
    config = shape({"preset": "student-17m", "dropout": 0.0}, 100)
    assert (config.hidden, config.dropout, config.attention_dropout) == (768, 0.0, 0.1)


def test_a_table_may_say_everything() -> None:
    config = shape({"layers": 2, "hidden": 64, "ffn": 128, "heads": 2}, 100)
    assert (config.layers, config.vocab_size, config.max_length) == (2, 100, 512)


def test_a_misspelt_preset_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"stage.student.model: there is no such model.*Did you mean 'student-17m'\?"):
        shape("student-17", 100, where="stage.student.model")


def test_a_misspelt_key_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"model.hiden: unknown key.*Did you mean 'hidden'\?"):
        shape({"layers": 2, "hiden": 64, "hidden": 64, "ffn": 128, "heads": 2}, 100)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(RecipeError, match="65 is not one of 2"):
        shape({"layers": 2, "hidden": 65, "ffn": 128, "heads": 2}, 100)


def test_the_vocabulary_is_the_tokenizers_matter() -> None:
    with pytest.raises(RecipeError, match="comes from the tokenizer"):
        shape({"preset": "student-5m", "vocab_size": 7}, 100)
