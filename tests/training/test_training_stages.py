"""The stages from artifacts to artifacts, and what they refuse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers_training import SHAPE, World, run_stage, sentences, write_shards, write_tokenizer
from safetensors.torch import load_file

from understudy import artifact
from understudy.artifact import Artifact
from understudy.config import parse
from understudy.corpus.utterances import read_labels
from understudy.errors import ArtifactError, DataError, RecipeError, TrainingError
from understudy.model.folder import load_encoder
from understudy.model.nlu import Predictor
from understudy.training import distill, finetune, pretrain
from understudy.training.distill import DistillConfig
from understudy.training.finetune import FinetuneConfig
from understudy.training.labelled import budgeted, hold_out
from understudy.training.pretrain import PretrainConfig

FAST: dict[str, Any] = {"precision": "fp32", "compile": False}


def pretraining(**settings: Any) -> PretrainConfig:
    table = {
        "data": "shards",
        "tokenizer": "tok",
        "steps": 40,
        "batch_tokens": 128,
        "optimizer": {"lr": 5e-3},
        "eval_every": 20,
        "save_every": 5,
    }
    if "init" not in settings:
        table["model"] = SHAPE
    return parse(PretrainConfig, {**table, **FAST, **settings}, where="stage.teacher")


@pytest.fixture(scope="module")
def teacher(world: World, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    torch.set_num_threads(1)
    return run_stage(pretrain.run, pretraining(steps=120), tmp_path_factory.mktemp("t") / "teacher", world.inputs)


def logged(path: Path) -> list[float]:
    return [line["loss"] for line in map(json.loads, path.read_text().splitlines()) if "loss" in line]


def test_pretraining_learns_and_says_so(world: World, teacher: Artifact) -> None:
    m = teacher.metrics
    assert m["perplexity"] < world.vocab_size / 3
    assert set(m["perplexity_by_language"]) == {"de", "en"}
    assert m["steps"] == 120
    assert m["tokens"] > 120 * 64
    assert m["body_parameters"] == 2 * (4 * 32**2 + 2 * 32 * 64)
    assert teacher.manifest.tokenizer == world.tokenizer.manifest.tokenizer
    assert len(logged(teacher.path / "log.jsonl")) == 120


def test_a_pretrained_encoder_loads_and_goes_on(world: World, teacher: Artifact, tmp_path: Path) -> None:
    inputs = {**world.inputs, "teacher": teacher}
    config = pretraining(init="teacher", steps=5)
    second = run_stage(pretrain.run, config, tmp_path / "second", inputs)
    assert logged(second.path / "log.jsonl")[0] < logged(teacher.path / "log.jsonl")[0] / 2
    assert load_encoder(second.path).config == load_encoder(teacher.path).config


def test_equal_seeds_give_equal_encoders_and_others_do_not(world: World, tmp_path: Path) -> None:
    made = [
        run_stage(pretrain.run, pretraining(steps=5), tmp_path / str(i), world.inputs, seed=seed)
        for i, seed in enumerate((1, 1, 2))
    ]
    assert made[0].hash == made[1].hash != made[2].hash


def distilling(**settings: Any) -> DistillConfig:
    table: dict[str, Any] = {
        "data": "shards",
        "tokenizer": "tok",
        "model": {**SHAPE, "hidden": 16},
        "teachers": [{"use": "teacher", "steps": 30}],
    }
    table |= {"batch_tokens": 128, "optimizer": {"lr": 5e-3}, "eval_every": 10, "save_every": 10, **FAST}
    return parse(DistillConfig, {**table, **settings}, where="stage.student")


def without_validation(world: World, path: Path) -> Artifact:
    shutil.copytree(world.shards.path, path)
    (path / "valid.bin").write_bytes(b"")
    np.save(path / "valid.offsets.npy", np.zeros(1, np.int64))
    np.save(path / "valid.lang.npy", np.empty(0, np.uint8))
    return replace(world.shards, path=path)


def test_a_turn_until_convergence_wants_something_to_validate_on(world: World, teacher: Artifact, tmp_path: Path) -> None:
    turns = [{"use": "teacher", "steps": 30}, {"use": "teacher", "steps": 30, "until": "converged"}]
    inputs = {**world.inputs, "teacher": teacher, "shards": without_validation(world, tmp_path / "shards")}
    with pytest.raises(TrainingError, match="nothing to validate on"):
        run_stage(distill.run, distilling(teachers=turns), tmp_path / "student", inputs)


def test_distilling_from_two_teachers_in_turn(world: World, teacher: Artifact, tmp_path: Path) -> None:
    turns = [
        {"use": "teacher", "steps": 60, "until": "converged", "patience": 1, "tolerance": 0.9},
        {"use": "teacher", "steps": 20},
    ]
    student = run_stage(
        distill.run, distilling(teachers=turns, hidden=0.5), tmp_path / "student", {**world.inputs, "teacher": teacher}
    )
    first, second = student.metrics["turns"]
    assert first["steps"] == 20  # nothing falls by nine tenths in ten updates
    assert second["steps"] == student.metrics["steps"] == 20
    assert second["valid_soft"] < first["valid_soft"]
    assert "valid_hidden" in second
    assert load_encoder(student.path).config.hidden == 16
    assert {"log-0.jsonl", "log-1.jsonl"} <= set(student.manifest.files)


def test_a_teacher_of_another_tokenizer_is_refused(world: World, teacher: Artifact, tmp_path: Path) -> None:
    other = write_tokenizer(tmp_path / "tok", extra="zebra")
    shards = write_shards(tmp_path / "shards", other.path)
    inputs = {**world.inputs, "tok": other, "shards": shards, "teacher": teacher}
    with pytest.raises(ArtifactError, match=r"this encoder was made with another tokenizer"):
        run_stage(distill.run, distilling(), tmp_path / "student", inputs)
    with pytest.raises(ArtifactError, match=r"this shards was made|these shards were made|made with another tokenizer"):
        run_stage(pretrain.run, pretraining(), tmp_path / "p", {**world.inputs, "tok": other})


def test_a_layer_map_that_does_not_fit_is_refused(world: World, teacher: Artifact, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="the layer map does not fit"):
        run_stage(
            distill.run, distilling(hidden=1.0, layer_map=[0, 2]), tmp_path / "student", {**world.inputs, "teacher": teacher}
        )


def test_what_does_not_fit_a_later_turn_is_told_before_the_first(world: World, teacher: Artifact, tmp_path: Path) -> None:
    deep = run_stage(pretrain.run, pretraining(steps=1, model={**SHAPE, "layers": 3}), tmp_path / "deep", world.inputs)
    turns = [{"use": "deep", "steps": 2}, {"use": "teacher", "steps": 2}]
    config = distilling(hidden=1.0, layer_map=[0, 2], teachers=turns)
    with pytest.raises(RecipeError, match=r"layer_map.*each from 0 to 1"):
        run_stage(distill.run, config, tmp_path / "student", {**world.inputs, "deep": deep, "teacher": teacher})
    assert not list(tmp_path.rglob("turn-*"))


def test_a_turn_has_the_stages_settings_where_it_has_none_of_its_own() -> None:
    turns = [{"use": "a", "steps": 1}, {"use": "b", "steps": 1, "batch_tokens": 64, "max_length": 16, "data": "others"}]
    config = distilling(batch_tokens=128, teachers=turns)
    first, second = (config.turn(teacher) for teacher in config.teachers)
    assert (first.batch_tokens, first.max_length, first.data) == (128, None, "shards")
    assert (second.batch_tokens, second.max_length, second.data) == (64, 16, "others")
    assert second.optimizer == config.optimizer


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"init": "x", "model": "student-17m"}, "exactly one of 'model'"),
        ({"model": "student-18m"}, "student-17m"),
        ({"model": {**SHAPE, "hiden": 3}}, "hidden"),
        ({"stepps": 3}, "steps"),
        ({"optimizer": {"name": "sgd"}}, "adam"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_early(settings: dict[str, Any], message: str) -> None:
    table = {"data": "shards", "tokenizer": "tok", "steps": 1, "model": SHAPE}
    with pytest.raises(RecipeError, match=message):
        parse(PretrainConfig, {**table, **settings}, where="stage.teacher")


def finetuning(**settings: Any) -> FinetuneConfig:
    table: dict[str, Any] = {"data": "labels", "lr": 5e-3, "epochs": 12, "batch": 16, "width": 32, **FAST}
    return parse(FinetuneConfig, {**table, **settings}, where="stage.nlu")


def test_finetuning_learns_a_small_language_wholly(world: World, teacher: Artifact, tmp_path: Path) -> None:
    config = finetuning(encoder="teacher", held_out=0.2, domain=1.0)
    nlu = run_stage(finetune.run, config, tmp_path / "nlu", {**world.inputs, "teacher": teacher}, kind="nlu")
    assert nlu.metrics["valid"]["exact"] == 1.0
    parse_ = Predictor.load(nlu.path)
    for (text, intent, value), found in zip(sentences(), parse_.batch([s[0] for s in sentences()]), strict=True):
        assert (found.intent, [s.value for s in found.slots]) == (intent, [value]), text
        assert found.domain == intent.split("_")[0]
    assert nlu.metrics["valid"]["domain_accuracy"] == 1.0


def test_finetuning_from_scratch_with_a_frozen_encoder_moves_only_heads(world: World, tmp_path: Path) -> None:
    common = {"model": SHAPE, "tokenizer": "tok", "mode": "frozen"}
    made = [run_stage(finetune.run, finetuning(**common, steps=n), tmp_path / str(n), world.inputs, kind="nlu") for n in (1, 4)]
    one, four = (load_file(a.path / "model.safetensors") for a in made)
    changed = {name.split(".")[0] for name in one if not torch.equal(one[name], four[name])}
    assert changed == {"heads"}


def test_temperatures_are_folded_into_the_last_layers_and_change_no_answer(world: World, tmp_path: Path) -> None:
    common = {"model": SHAPE, "tokenizer": "tok", "held_out": 0.25, "epochs": 6, "class_weights": "sqrt", "accept": 0.9}
    made = {
        name: run_stage(finetune.run, finetuning(**common, calibrate=name == "fitted"), tmp_path / name, world.inputs, kind="nlu")
        for name in ("raw", "fitted")
    }
    raw, fitted = (load_file(made[name].path / "model.safetensors") for name in ("raw", "fitted"))
    found = made["fitted"].metrics["temperatures"]
    assert set(found) == {"intent", "slots", "domain"}
    assert "temperatures" not in made["raw"].metrics
    for name, weight in raw.items():
        head = name.split(".")[1] if name.startswith("heads.") and name.split(".")[2] == "6" else None
        torch.testing.assert_close(fitted[name] * (found[head] if head else 1.0), weight, rtol=1e-3, atol=1e-6)
    texts = [text for text, _, _ in sentences()]
    one, two = (Predictor.load(made[name].path) for name in ("raw", "fitted"))
    for before, after in zip(one.batch(texts), two.batch(texts), strict=True):
        assert (before.intent, before.domain) == (after.intent, after.domain)
        assert [(s.name, s.start, s.end) for s in before.slots] == [(s.name, s.start, s.end) for s in after.slots]


def test_a_threshold_accepts_its_share_of_what_was_held_out(world: World, tmp_path: Path) -> None:
    config = finetuning(model=SHAPE, tokenizer="tok", held_out=0.5, epochs=2, accept=0.6)
    nlu = run_stage(finetune.run, config, tmp_path / "nlu", world.inputs, kind="nlu")
    predict = Predictor.load(nlu.path)
    assert predict.settings.threshold == nlu.metrics["threshold"] > 0
    _, aside = hold_out(read_labels(world.labels.path / "train.jsonl"), 0.5, seed=0)
    accepted = sum(not found.out_of_domain for found in predict.batch([g.text for g in aside])) / len(aside)
    assert 0.6 <= accepted < 0.75


def test_without_a_domain_loss_there_is_no_domain_head(world: World, tmp_path: Path) -> None:
    config = finetuning(model=SHAPE, tokenizer="tok", domain=0, steps=2)
    nlu = run_stage(finetune.run, config, tmp_path / "nlu", world.inputs, kind="nlu")
    predict = Predictor.load(nlu.path)
    assert set(predict.model.heads) == {"intent", "slots"}
    found = predict("wake me six")
    assert (found.domain, found.out_of_domain) == (predict.labels.domains[found.intent], False)


def test_a_choice_needs_utterances_to_choose_by(world: World, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="'accept' needs utterances"):
        finetuning(model=SHAPE, tokenizer="tok", accept=0.9)
    for wants, key in (({"accept": 0.9}, "accept"), ({"select": "best"}, "select = 'best'")):
        config = finetuning(model=SHAPE, tokenizer="tok", held_out=0.001, **wants)
        with pytest.raises(TrainingError, match=f"no held-out utterances to choose by.*leave out {key}"):
            run_stage(finetune.run, config, tmp_path / "nlu", world.inputs, kind="nlu")


def test_budgets_are_stratified_and_nested(world: World) -> None:
    gold = read_labels(world.labels.path / "train.jsonl")
    fifth, half = budgeted(gold, 0.2, seed=3), budgeted(gold, 0.5, seed=3)
    per_locale = {loc: sum(g.locale == loc for g in gold) for loc in ("de-DE", "en-US")}
    assert {loc: sum(g.locale == loc for g in fifth) for loc in per_locale} == {loc: -(-n // 5) for loc, n in per_locale.items()}
    assert {g.text for g in fifth} < {g.text for g in half}
    assert budgeted(gold, 0.2, seed=4) != fifth
    learned, aside = hold_out(gold, 0.25, seed=0)
    assert len(learned) + len(aside) == len(gold)
    assert not {g.text for g in learned} & {g.text for g in aside}


def test_a_label_that_the_inventory_lacks_is_refused(world: World, tmp_path: Path) -> None:
    with artifact.writing(tmp_path / "labels", kind="labels", config={}) as draft:
        row = {"text": "wake me six", "locale": "en-US", "intent": "alarm_unset", "domain": "alarm", "slots": []}
        (draft.path / "train.jsonl").write_text(json.dumps(row) + "\n")
        (draft.path / "labels.json").write_text('{"intents": ["alarm_set"], "domains": {}, "slots": []}')
    inputs = {**world.inputs, "labels": artifact.open(tmp_path / "labels")}
    config = finetuning(model=SHAPE, tokenizer="tok")
    with pytest.raises(DataError, match="alarm_unset"):
        run_stage(finetune.run, config, tmp_path / "nlu", inputs, kind="nlu")


def test_no_utterances_are_nothing_to_learn_from(world: World, tmp_path: Path) -> None:
    with artifact.writing(tmp_path / "labels", kind="labels", config={}) as draft:
        (draft.path / "train.jsonl").write_text("")
        (draft.path / "labels.json").write_text('{"intents": ["a"], "domains": {}, "slots": []}')
    inputs = {**world.inputs, "labels": artifact.open(tmp_path / "labels")}
    with pytest.raises((TrainingError, DataError)):
        run_stage(finetune.run, finetuning(model=SHAPE, tokenizer="tok"), tmp_path / "nlu", inputs, kind="nlu")


KILLED = """
import os, random, signal, sys, time, torch
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from helpers_training import run_stage
from understudy import artifact
from understudy.training import pretrain
from understudy.training.pretrain import PretrainConfig
torch.set_num_threads(1)
config = PretrainConfig.model_validate_json(sys.argv[2])
inputs = {name: artifact.open(path) for name, path in zip(("tok", "shards"), sys.argv[4:6])}
moments, kills, first = random.Random(7), 0, None
scratch = Path(sys.argv[3]).with_name(".killed.scratch")
while kills < 20:
    began = time.monotonic()
    child = os.fork()  # what is imported is imported once
    if not child:
        run_stage(pretrain.run, config, Path(sys.argv[3]), inputs)
        os._exit(0)
    if first is None:  # how long this machine takes to its first checkpoint
        while not list(scratch.glob("step-*")) and not os.waitpid(child, os.WNOHANG)[0]:
            time.sleep(0.01)
        first = time.monotonic() - began
    else:
        time.sleep(first * moments.uniform(0.05, 2.0))
    if os.waitpid(child, os.WNOHANG)[0]:
        break
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    kills += 1
print(kills)
"""


def test_a_run_killed_twenty_times_ends_as_one_never_disturbed(world: World, tmp_path: Path) -> None:
    steady = {"warmup": 0, "decay": "constant"}
    kept = [100 * n for n in range(1, 40)]  # encoders, so that kills fall among them too
    config = pretraining(steps=100_000, eval_every=100, save_every=3, schedule=steady, keep_examples=kept)  # and into a save
    target = tmp_path / "killed"
    paths = [str(target), str(world.tokenizer.path), str(world.shards.path)]
    arguments = [sys.executable, "-c", KILLED, str(Path(__file__).parent), config.model_dump_json(), *paths]
    done = subprocess.run(arguments, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "20"
    assert not target.exists()
    made = max(int(p.name[5:]) for p in (tmp_path / ".killed.scratch").glob("step-*"))
    short = config.model_copy(update={"steps": made + 5})  # the same run, let end soon after the last kill
    mark = artifact.fingerprint("encoder", short.model_dump(mode="json"), {}, 0)
    (tmp_path / ".killed.scratch" / "fingerprint").write_text(mark)
    resumed = run_stage(pretrain.run, short, target, world.inputs)
    whole = run_stage(pretrain.run, short, tmp_path / "whole", world.inputs)
    assert logged(resumed.path / "log.jsonl") == logged(whole.path / "log.jsonl")
    assert resumed.hash == whole.hash  # every file, to the bit
