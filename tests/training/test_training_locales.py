"""Learning from some locales only: what is scored on the others is zero-shot."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers_training import SHAPE, World

from understudy import artifact
from understudy.config import parse
from understudy.corpus.sampling import normal
from understudy.corpus.utterances import read_labels
from understudy.errors import DataError, RecipeError
from understudy.interpretation import Interpretation
from understudy.training import finetune
from understudy.training.finetune import FinetuneConfig
from understudy.training.labelled import budgeted, hold_out, in_locales


def config(**settings: object) -> FinetuneConfig:
    table = {"model": SHAPE, "tokenizer": "tok", "data": "labels", "steps": 2, "precision": "fp32", "compile": False}
    return parse(FinetuneConfig, {**table, **settings}, where="stage.nlu")


def run(world: World, folder: Path, **settings: object) -> dict[str, object]:
    with artifact.writing(folder / "nlu", kind="nlu", config={}) as draft:
        finetune.run(config(**settings), world.inputs, draft, seed=0)
    return dict(artifact.open(folder / "nlu").metrics)


def test_only_the_utterances_of_these_locales_are_learned_from(world: World, tmp_path: Path) -> None:
    gold = read_labels(world.labels.path / "train.jsonl")
    english = [one for one in gold if one.locale == "en-US"]
    assert 0 < len(english) < len(gold)
    metrics = run(world, tmp_path, locales=["en-US"], held_out=0.25)
    assert metrics["held_out"] == len(english) // 4
    assert metrics["utterances"] == len(english) - len(english) // 4


def test_a_share_of_one_locale_is_what_a_share_of_all_takes_of_it(world: World) -> None:
    gold = read_labels(world.labels.path / "train.jsonl")
    alone = budgeted(in_locales(gold, ["de-DE"]), 0.2, seed=3)
    assert alone == [one for one in budgeted(gold, 0.2, seed=3) if one.locale == "de-DE"]
    assert in_locales(gold, None) == gold


def test_shares_of_a_whole_number_are_not_rounded() -> None:
    gold = [Interpretation(f"utterance {n}", "greet", locale="en-US") for n in range(100)]
    assert len(budgeted(gold, 0.07, seed=0)) == 7  # 0.07 x 100 is a little more than 7 in floating point
    assert len(hold_out(gold, 0.29, seed=0)[1]) == 29  # and 0.29 x 100 a little less than 29


def test_translations_are_held_out_together() -> None:
    gold = [
        Interpretation(f"{n} in {locale}", "greet", locale=locale, id=str(n)) for locale in ("de-DE", "en-US") for n in range(8)
    ]
    learned, aside = hold_out([*gold, Interpretation("alone", "greet", locale="en-US", id="9")], 0.25, seed=0)
    assert len({one.id for one in aside}) == 2  # of nine
    assert not {one.id for one in aside} & {one.id for one in learned}
    assert len(aside) + len(learned) == 17


def test_utterances_without_an_id_are_held_out_of_each_locale() -> None:
    gold = [Interpretation(f"{n}", "greet", locale=locale) for locale in ("de-DE", "en-US") for n in range(8)]
    with_ids = [Interpretation(f"{n}", "greet", locale="de-DE", id=str(n)) for n in range(4)]
    _, alone = hold_out(gold, 0.25, seed=0)
    _, mixed = hold_out([*with_ids, *gold], 0.25, seed=0)
    assert [one.locale for one in alone] == ["de-DE", "de-DE", "en-US", "en-US"]
    assert [one for one in mixed if not one.id] == alone
    assert len(mixed) == 5


def test_a_locale_without_utterances_is_named_with_the_nearest(world: World, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Got: en-UK.*Wanted: one of de-DE, en-US.*'en-US'"):
        run(world, tmp_path, locales=["de-DE", "en-UK"])
    assert not (tmp_path / "nlu").exists()


def test_no_locales_at_all_are_refused() -> None:
    with pytest.raises(RecipeError, match="locales"):
        config(locales=[])


def test_a_text_without_an_id_is_not_learned_from_where_a_copy_of_it_is_held_out() -> None:
    gold = [Interpretation(text, "greet", locale="en-US") for text in ("hi", "Hi!", "hello", "hey", "good day") for _ in range(5)]
    learned, aside = hold_out(gold, 0.25, seed=0)
    assert {normal(one.text) for one in aside} & {normal(one.text) for one in learned} == set()
    assert len({normal(one.text) for one in aside}) == 1  # of four texts
