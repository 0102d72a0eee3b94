"""Models of other makes as teachers in stages: adopted, listened to, learned from, with their own tokenizers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers_foreign import KINDS, build_model, build_tokenizer, write_foreign
from helpers_training import SHAPE, World, run_stage, write_shards
from safetensors.torch import load_file
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForMaskedLM, BertModel
from transformers.utils import logging as hub_logging

from understudy import artifact, recipe
from understudy.artifact import Artifact
from understudy.config import parse
from understudy.errors import ArtifactError, ExportError, RecipeError
from understudy.evaluation import masked_lm
from understudy.evaluation.masked_lm import MaskedLmConfig
from understudy.export import export
from understudy.model import adopt
from understudy.model.adopt import AdoptConfig
from understudy.model.encoder import Layout
from understudy.model.folder import load_encoder
from understudy.model.foreign import ForeignMaskedLM, load_teacher
from understudy.model.heads import NLU
from understudy.model.nlu import Predictor, save_nlu
from understudy.planner import plan
from understudy.tokenizer import Tokenizer
from understudy.training import distill, finetune, listen, pretrain
from understudy.training.distill import DistillConfig
from understudy.training.finetune import FinetuneConfig
from understudy.training.listen import ListenConfig
from understudy.training.pretrain import PretrainConfig

MASKED = {"data": "shards", "tokenizer": "theirs", "batch_tokens": 128, "precision": "fp32", "compile": False}
LEARNING = {**MASKED, "model": {**SHAPE, "max_length": 24}, "optimizer": {"lr": 5e-3}, "eval_every": 5}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    level = hub_logging.get_verbosity()
    hub_logging.set_verbosity_error()
    hub_logging.disable_progress_bar()
    yield
    hub_logging.set_verbosity(level)


def adopted(folder: Path, path: Path) -> Artifact:
    return run_stage(adopt.run, AdoptConfig(model=str(folder)), path, {})


@pytest.fixture(scope="module", params=KINDS)
def inputs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Artifact]:
    root = tmp_path_factory.mktemp(request.param)
    theirs = adopted(write_foreign(root / "hub", request.param), root / "theirs")
    return {"theirs": theirs, "shards": write_shards(root / "shards", theirs.path)}


def student(inputs: Mapping[str, Artifact], path: Path, **settings: Any) -> Artifact:
    table = {**LEARNING, "teachers": [{"use": "theirs", "steps": 15}], **settings}
    return run_stage(distill.run, parse(DistillConfig, table, where="stage.student"), path, inputs)


def test_an_adopted_model_is_its_files_and_says_what_it_is(inputs: Mapping[str, Artifact]) -> None:
    theirs = inputs["theirs"]
    hub = theirs.path.parent / "hub"
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        assert (theirs.path / name).read_bytes() == (hub / name).read_bytes()
    assert theirs.manifest.tokenizer == Tokenizer.load(hub).hash
    assert (theirs.metrics["layers"], theirs.metrics["hidden"], theirs.metrics["max_length"]) == (3, 32, 24)
    assert "commit" not in theirs.metrics
    assert isinstance(load_teacher(theirs.path), ForeignMaskedLM)


def test_a_student_learns_from_it(inputs: Mapping[str, Artifact], tmp_path: Path) -> None:
    made = student(inputs, tmp_path / "student", hidden=0.5, whole_words=True)
    (turn,) = made.metrics["turns"]
    assert turn["steps"] == 15
    lines = [json.loads(line) for line in (made.path / "log.jsonl").read_text().splitlines()]
    validations = [line["valid"]["loss"] for line in lines if "valid" in line]
    assert validations[-1] < validations[0]
    assert made.manifest.tokenizer == inputs["theirs"].manifest.tokenizer


def test_a_student_of_theirs_loads_in_transformers(inputs: Mapping[str, Artifact], tmp_path: Path) -> None:
    made = student(inputs, tmp_path / "student")
    tokenizer = Tokenizer.load(made.path)
    rows = [torch.tensor(tokenizer.encode(text.split()).ids) for text in ("wake me at six", "play", "ring me again today")]
    mask_BL = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    ids_BL = pad_sequence(rows, batch_first=True, padding_value=tokenizer.pad)
    with torch.inference_mode():
        ours_TV = load_encoder(made.path)(torch.cat(rows), Layout.packed([len(row) for row in rows]))
        theirs = AutoModelForMaskedLM.from_pretrained(made.path).eval()(input_ids=ids_BL, attention_mask=mask_BL)
    assert (ours_TV - theirs.logits[mask_BL.bool()]).abs().max() < 1e-4
    assert (theirs.logits.shape[-1], tokenizer.size) == (tokenizer.size, ours_TV.shape[-1])


def test_a_student_learns_from_what_was_heard_of_it(inputs: Mapping[str, Artifact], tmp_path: Path) -> None:
    config = parse(ListenConfig, {**MASKED, "teacher": "theirs", "k": 16}, where="stage.heard")
    heard = run_stage(listen.run, config, tmp_path / "heard", inputs, kind="teachings")
    made = student({**inputs, "heard": heard}, tmp_path / "student", teachers=[{"use": "heard", "steps": 5}])
    assert made.metrics["turns"][0]["steps"] == 5


def test_masks_are_of_their_vocabulary(inputs: Mapping[str, Artifact]) -> None:
    tokenizer = Tokenizer.load(inputs["theirs"].path)
    config = parse(PretrainConfig, {**LEARNING, "mask_rate": 0.5, "steps": 1}, where="stage.x")
    corpus = pretrain.Corpus.open(inputs["shards"], inputs["theirs"], config, max_length=24, seed=0, device=torch.device("cpu"))
    (batch,) = next(corpus.stream(config, 0)(0))
    ends = batch.layout.bounds_B1[1:].long() - 1
    assert set(batch.ids_T[ends].tolist()) == {tokenizer.eos}
    assert set(batch.ids_T[batch.layout.bounds_B1[:-1].long()].tolist()) == {tokenizer.bos}
    shown_M = batch.ids_T[batch.masked_M]
    assert 0.6 < (shown_M == tokenizer.mask).float().mean() < 0.95
    assert not set(batch.targets_M.tolist()) & (set(tokenizer.specials.all) - {tokenizer.unk})


def test_another_tokenizer_is_refused(inputs: Mapping[str, Artifact], world: World, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="this encoder was made with another tokenizer"):
        student({**world.inputs, "theirs": inputs["theirs"]}, tmp_path / "student", tokenizer="tok")


def test_pretraining_does_not_go_on_from_it(inputs: Mapping[str, Artifact], tmp_path: Path) -> None:
    table = {**LEARNING, "init": "theirs", "steps": 5, "model": None}
    with pytest.raises(ArtifactError, match="not an encoder of ours.*distil an encoder from it"):
        run_stage(pretrain.run, parse(PretrainConfig, table, where="x"), tmp_path / "x", inputs)


FINETUNING = {"encoder": "theirs", "data": "labels", "precision": "fp32", "compile": False, "width": 16}


def test_it_is_fine_tuned_as_a_baseline_and_answers_the_same_after_loading(
    inputs: Mapping[str, Artifact], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[NLU] = []
    monkeypatch.setattr(finetune, "save_nlu", lambda nlu, *a, **k: (trained.append(nlu.eval()), save_nlu(nlu, *a, **k)))
    config = parse(FinetuneConfig, {**FINETUNING, "steps": 20, "lr": 5e-3}, where="x")
    made = run_stage(finetune.run, config, tmp_path / "nlu", {**world.inputs, **inputs}, kind="nlu")
    loaded = Predictor.load(made.path)
    before = Predictor(trained[0], loaded.labels, loaded.tokenizer, loaded.settings)
    text = "please wake me seven today"
    assert loaded(text) == before(text)
    assert made.manifest.tokenizer == inputs["theirs"].manifest.tokenizer
    with pytest.raises(ExportError, match="only encoders of ours are exported"):
        run_stage(export.run, export.ExportConfig(model="nlu"), tmp_path / "x", {"nlu": made}, kind="runtime")


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"layer_decay": 0.9}, "layer_decay"),
        ({"optimizer": "muon"}, "optimizer"),
        ({"parallel": {"checkpointing": "block"}}, "check"),
    ],
)
def test_what_tells_its_blocks_apart_is_refused(
    inputs: Mapping[str, Artifact], world: World, tmp_path: Path, settings: dict[str, Any], key: str
) -> None:
    config = parse(FinetuneConfig, {**FINETUNING, **settings}, where="x")
    with pytest.raises(RecipeError, match=f"{key}.*cannot be fine-tuned like this"):
        run_stage(finetune.run, config, tmp_path / "x", {**world.inputs, **inputs}, kind="nlu")


def test_a_pickle_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    folder = write_foreign(tmp_path / "hub", "bert")
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"weights are pickled.*pytorch_model\.bin.*convert it once"):
        adopted(folder, tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()


def test_a_folder_without_a_tokenizer_file_is_refused(tmp_path: Path) -> None:
    folder = write_foreign(tmp_path / "hub", "bert")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ArtifactError, match=r"no tokenizer\.json.*AutoTokenizer"):
        adopted(folder, tmp_path / "theirs")


def test_a_model_without_a_head_is_refused(tmp_path: Path) -> None:
    folder = write_foreign(tmp_path / "hub", "bert")
    BertModel(build_model("bert", build_tokenizer("bert")).config, add_pooling_layer=False).save_pretrained(folder)
    with pytest.raises(ArtifactError, match="not whole, so it cannot teach"):
        adopted(folder, tmp_path / "theirs")


def test_weights_in_several_files_stay_so(tmp_path: Path) -> None:
    folder = write_foreign(tmp_path / "hub", "xlm-roberta")
    (folder / "model.safetensors").unlink()
    build_model("xlm-roberta", build_tokenizer("xlm-roberta")).save_pretrained(folder, max_shard_size="20KB")
    theirs = adopted(folder, tmp_path / "theirs")
    parts = sorted(name for name in theirs.manifest.files if name.endswith(".safetensors"))
    assert len(parts) > 1
    assert sum(len(load_file(theirs.path / part)) for part in parts) > 10
    assert load_teacher(theirs.path).config.layers == 3


def test_an_adopted_encoder_is_measured_like_one_of_ours(inputs: Mapping[str, Artifact], tmp_path: Path) -> None:
    with artifact.writing(tmp_path / "nouns", kind="nouns", config={}) as draft:
        (draft.path / "nouns.jsonl").write_text(json.dumps({"lang": "en", "text": "wake me six", "start": 8, "end": 11}))
    config = parse(MaskedLmConfig, {"encoders": {"it": "theirs"}, "data": "shards", "nouns": "nouns"}, where="stage.m")
    made = run_stage(
        masked_lm.run, config, tmp_path / "report", {**inputs, "nouns": artifact.open(tmp_path / "nouns")}, kind="report"
    )
    found = made.metrics["encoders"]["it"]
    assert set(found["perplexity_by_language"]) == {"de", "en"}
    assert found["fill"] in (0.0, 100.0)


def test_a_recipe_from_text_to_a_student_of_an_adopted_teacher(tmp_path: Path) -> None:
    write_foreign(tmp_path / "hub", "xlm-roberta")
    (tmp_path / "r.toml").write_text(f"""
name = "r"
artifacts = "{tmp_path}/made"
[stage.text]
kind = "corpus"
sources = [{{ builtin = "traffic", size = 30, languages = ["de", "en"] }}]
spoken = 0.0
[stage.xlmr]
kind = "adopt"
model = "{tmp_path}/hub"
[stage.tokens]
kind = "shards"
tokenizer = "xlmr"
mix = [{{ corpus = "text" }}]
max_length = 24
[stage.student]
kind = "distill"
data = "tokens"
tokenizer = "xlmr"
model = {{ layers = 1, hidden = 16, ffn = 16, heads = 2, max_length = 24 }}
teachers = [{{ use = "xlmr", steps = 3 }}]
batch_tokens = 64
""")
    loaded = recipe.load(tmp_path / "r.toml")
    (planned,) = plan(loaded, gpus=1, gpu="h200")
    size = build_tokenizer("xlm-roberta").get_vocab_size()
    assert (planned.teacher, planned.model.vocab_size) == ("xlmr", size)
    made = {done.name: done.artifact for done in recipe.run(loaded)}
    assert load_encoder(made["student"].path).config.vocab_size == size
    assert all(item.state == "cached" for item in recipe.plan(loaded))
