"""Noun filling: what is masked, and the share of nouns guessed wholly right, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers_training import SHAPE, World, run_stage, tiny

from understudy import artifact
from understudy.artifact import Artifact
from understudy.config import parse
from understudy.corpus.nouns import FILE, Noun
from understudy.model.encoder import MaskedLM
from understudy.tokenizer import Tokenizer
from understudy.training import distill, pretrain
from understudy.training.distill import DistillConfig
from understudy.training.filling import Filling, blank, blanked
from understudy.training.machine import Machine
from understudy.training.objectives import Distillation, MaskedLanguageModelling
from understudy.training.pretrain import PretrainConfig

PLAIN = Machine(torch.device("cpu"), "fp32", False, None)


def noun(text: str, of: str, lang: str = "en") -> Noun:
    return Noun(lang, text, text.index(of), text.index(of) + len(of))


NOUNS = [
    noun("wake me six", "six"),
    noun("play me six", "six", "de"),
    noun("play me imagine", "imagine", "de"),
    noun("play me nix", "nix", "de"),
]


def says(world: World, piece: str) -> MaskedLM:
    """A model that thinks `piece` the likeliest everywhere."""
    model = tiny(world.vocab_size)
    tokenizer = Tokenizer.load(world.tokenizer.path)
    [number] = [i for i in range(tokenizer.size) if tokenizer._backend.id_to_token(i) == piece]
    with torch.no_grad():
        model.encoder.words.weight.zero_()
        model.head.bias_V[number] = 1.0
    return model


def filling(world: World, nouns: list[Noun] = NOUNS, **options: Any) -> Filling:
    settings = {"max_length": 32, "budget": 64, "device": torch.device("cpu"), **options}
    return Filling.of(nouns, Tokenizer.load(world.tokenizer.path), **settings)


def write_nouns(path: Path) -> Artifact:
    with artifact.writing(path, kind="nouns", config={}) as draft:
        (draft.path / FILE).write_text("".join(json.dumps(n._asdict()) + "\n" for n in NOUNS))
    return artifact.open(path)


def masked(world: World, of: Noun, **options: Any) -> list[str]:
    """The sentence as the model sees it."""
    tokenizer = Tokenizer.load(world.tokenizer.path)
    made = blanked([blank(of, tokenizer, language=0, **{"max_length": 32, **options})], mask=tokenizer.mask)
    return [tokenizer._backend.id_to_token(int(i)) for i in made.ids_T]


def test_a_noun_is_masked_with_all_its_pieces(world: World) -> None:
    assert masked(world, noun("wake me six", "six")) == ["<s>", "▁wake", "▁me", "<mask>", "</s>"]
    assert masked(world, noun("play me abc now", "abc")) == ["<s>", "▁play", "▁me", *["<mask>"] * 4, "▁now", "</s>"]


def test_what_stands_beside_a_noun_in_its_word_stays(world: World) -> None:
    assert masked(world, noun("hear m'ab", "ab")) == ["<s>", "▁hear", "▁", "m", "<unk>", "<mask>", "<mask>", "</s>"]


def test_of_a_long_sentence_the_part_around_the_noun_is_kept(world: World) -> None:
    text = "wake wake wake me six now now now"
    assert masked(world, noun(text, "six"), max_length=5) == ["<s>", "▁me", "<mask>", "▁now", "</s>"]
    assert masked(world, noun("six me now now now", "six"), max_length=5) == ["<s>", "<mask>", "▁me", "▁now", "</s>"]
    assert masked(world, noun("now now now me six", "six"), max_length=5) == ["<s>", "▁now", "▁me", "<mask>", "</s>"]


def test_every_piece_must_be_guessed_and_languages_weigh_the_same(world: World) -> None:
    found = filling(world).accuracy(MaskedLanguageModelling(says(world, "▁six")), autocast=PLAIN.autocast)
    assert found["fill.en"] == 100.0  # six
    assert found["fill.de"] == pytest.approx(100 / 3)  # six; not imagine, nor the four pieces of nix
    assert found["fill"] == pytest.approx((100 + 100 / 3) / 2)


def test_some_pieces_right_are_not_enough(world: World) -> None:
    nouns = [noun("hear m'ss", "ss"), noun("hear m'sa", "sa")]
    found = filling(world, nouns).accuracy(MaskedLanguageModelling(says(world, "s")), autocast=PLAIN.autocast)
    assert found == {"fill": 50.0, "fill.en": 50.0}


@pytest.mark.parametrize("budget", [8, 1000])
def test_batching_changes_nothing_and_nothing_is_left_behind(world: World, budget: int) -> None:
    objective = Distillation(tiny(world.vocab_size, dropout=0.5), tiny(world.vocab_size))
    objective.train()
    state = torch.get_rng_state()
    found = filling(world, budget=budget).accuracy(objective, autocast=PLAIN.autocast)
    assert found == filling(world).accuracy(objective, autocast=PLAIN.autocast)
    assert torch.equal(torch.get_rng_state(), state)
    assert objective.training


def test_the_likeliest_word_is_that_of_the_whole_model(world: World) -> None:
    model = tiny(world.vocab_size)
    [made] = filling(world, budget=1000).batches
    with torch.no_grad():
        logits_MV = model(made.ids_T, made.layout, at_M=made.masked_M)
    assert torch.equal(MaskedLanguageModelling(model).likeliest(made), logits_MV.argmax(-1))


def test_runs_say_how_many_nouns_they_fill(world: World, tmp_path: Path) -> None:
    inputs = {**world.inputs, "nouns": write_nouns(tmp_path / "nouns")}
    table: dict[str, Any] = {"data": "shards", "tokenizer": "tok", "model": SHAPE, "batch_tokens": 128, "nouns": "nouns"}
    table |= {"optimizer": {"lr": 5e-3}, "eval_every": 20, "precision": "fp32", "compile": False}
    teacher = run_stage(
        pretrain.run, parse(PretrainConfig, {**table, "steps": 60}, where="stage.t"), tmp_path / "teacher", inputs
    )
    teachers = [{"use": "teacher", "steps": 20}]
    config = parse(DistillConfig, {**table, "teachers": teachers}, where="stage.s")
    student = run_stage(distill.run, config, tmp_path / "student", {**inputs, "teacher": teacher})
    for made, evaluations in ((teacher, 3), (student, 1)):
        lines = [json.loads(line) for line in (made.path / "log.jsonl").read_text().splitlines()]
        valid = [line["valid"] for line in lines if "valid" in line]
        assert len(valid) == evaluations
        assert valid[-1]["fill"] == pytest.approx((valid[-1]["fill.de"] + valid[-1]["fill.en"]) / 2)
        assert made.metrics["fill"] == round(valid[-1]["fill"], 2)
        assert set(made.metrics["fill_by_language"]) == {"de", "en"}
        by_language = made.metrics["perplexity_by_language"]
        assert made.metrics["perplexity_macro"] == pytest.approx((by_language["de"] + by_language["en"]) / 2, abs=2e-3)
