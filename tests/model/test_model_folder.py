"""Encoders as folders: what is written comes back, and what is wrong is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from understudy.errors import ArtifactError
from understudy.model.encoder import EncoderConfig, Layout, MaskedLM
from understudy.model.folder import load_encoder, save_encoder

CONFIG = EncoderConfig(layers=2, hidden=16, ffn=24, heads=2, vocab_size=50, max_length=12, dropout=0.2, attention_dropout=0.0)


@pytest.fixture
def folder(tmp_path: Path, fifty_pieces: Path) -> Path:
    save_encoder(MaskedLM(CONFIG, generator=torch.Generator().manual_seed(0)), tmp_path / "encoder", fifty_pieces)
    return tmp_path / "encoder"


def edit(path: Path, **changes: object) -> None:
    table = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in {**table, **changes}.items() if v is not None}))


def edit_weights(folder: Path, **changes: torch.Tensor | None) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors |= {name.replace("__", "."): weight for name, weight in changes.items() if weight is not None}
    gone = {name.replace("__", ".") for name, weight in changes.items() if weight is None}
    save_file({name: weight for name, weight in tensors.items() if name not in gone}, folder / "model.safetensors")


def test_what_is_saved_comes_back(folder: Path) -> None:
    model, loaded = MaskedLM(CONFIG, generator=torch.Generator().manual_seed(0)), load_encoder(folder)
    assert loaded.config == CONFIG
    assert not loaded.training
    assert loaded.state_dict().keys() == model.state_dict().keys()
    assert all(loaded.state_dict()[name].equal(weight) for name, weight in model.state_dict().items())


def test_a_loaded_model_can_be_trained(folder: Path) -> None:
    model = load_encoder(folder)
    model(torch.tensor([0, 7, 2]), Layout.packed([3])).sum().backward()
    assert all(weight.requires_grad and weight.grad is not None for weight in model.parameters())


def test_half_precision_is_kept(tmp_path: Path, fifty_pieces: Path) -> None:
    model = MaskedLM(CONFIG, generator=torch.Generator().manual_seed(0)).bfloat16()
    save_encoder(model, tmp_path / "encoder", fifty_pieces)
    assert {weight.dtype for weight in load_encoder(tmp_path / "encoder").parameters()} == {torch.bfloat16}


def test_equal_models_are_equal_bytes(tmp_path: Path, folder: Path, fifty_pieces: Path) -> None:
    save_encoder(load_encoder(folder), tmp_path / "again", fifty_pieces)
    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_saving_over_the_folder_the_tokenizer_is_in(folder: Path) -> None:
    save_encoder(load_encoder(folder), folder, folder)
    assert load_encoder(folder).config == CONFIG


def test_a_missing_tensor_is_named(folder: Path) -> None:
    edit_weights(folder, lm_head__dense__weight=None)
    with pytest.raises(ArtifactError, match=r"the tensor 'lm_head.dense.weight' is missing"):
        load_encoder(folder)


def test_a_tensor_of_another_shape_is_named(folder: Path) -> None:
    edit_weights(folder, roberta_prelayernorm__encoder__layer__1__intermediate__dense__weight=torch.zeros(23, 16))
    with pytest.raises(ArtifactError, match=r"layer.1.intermediate.dense.weight' does not fit.*\[23, 16\].*\[24, 16\]"):
        load_encoder(folder)


def test_a_third_of_query_key_value_of_another_shape_is_named(folder: Path) -> None:
    edit_weights(folder, roberta_prelayernorm__encoder__layer__0__attention__self__key__bias=torch.zeros(15))
    with pytest.raises(ArtifactError, match=r"layer.0.attention.self.key.bias' does not fit.*\[15\].*\[16\]"):
        load_encoder(folder)


def test_damaged_weights_are_refused(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-5])
    with pytest.raises(ArtifactError, match=r"model.safetensors: the weights are damaged"):
        load_encoder(folder)


def test_missing_weights_are_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"model.safetensors: the weights cannot be read"):
        load_encoder(folder)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"config.json: the encoder's config cannot be read"):
        load_encoder(tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["{", "[]", "7"])
def test_a_damaged_config_is_refused(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(ArtifactError, match="config is damaged"):
        load_encoder(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "'model_type' differs. Got: bert. Wanted: roberta-prelayernorm"),
        ({"type_vocab_size": 2}, "'type_vocab_size' differs"),
        ({"hidden_act": "relu"}, "'hidden_act' differs"),
        ({"tie_word_embeddings": False}, "'tie_word_embeddings' differs"),
        ({"hidden_size": None}, "no key 'hidden_size'"),
        ({"hidden_size": 15}, "15 is not one of 2"),
        ({"num_hidden_layers": "two"}, "config is damaged"),
        ({"max_position_embeddings": None}, "no key 'max_position_embeddings'"),
    ],
)
def test_a_foreign_config_is_refused(folder: Path, changes: dict[str, object], message: str) -> None:
    edit(folder / "config.json", **changes)
    with pytest.raises(ArtifactError, match=message):
        load_encoder(folder)


def test_a_tokenizer_of_another_size_is_refused_on_saving(tmp_path: Path, fifty_pieces: Path) -> None:
    model = MaskedLM(CONFIG.model_copy(update={"vocab_size": 51}))
    with pytest.raises(ArtifactError, match=r"tokenizer does not match the encoder. Got: 50 pieces. Wanted: 51 pieces"):
        save_encoder(model, tmp_path / "encoder", fifty_pieces)


def test_a_tokenizer_of_another_size_is_refused_on_loading(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"].append(["▁more", -9.0])
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ArtifactError, match="tokenizer does not match the encoder"):
        load_encoder(folder)


def test_a_missing_or_damaged_tokenizer_is_named(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"tokenizer.json: the tokenizer cannot be read"):
        load_encoder(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ArtifactError, match=r"tokenizer.json: the tokenizer cannot be read"):
        load_encoder(folder)


def test_a_tokenizer_without_its_config_is_refused(tmp_path: Path, fifty_pieces: Path) -> None:
    (fifty_pieces / "tokenizer_config.json").unlink()
    with pytest.raises(ArtifactError, match=r"tokenizer_config.json: a file of the tokenizer is missing"):
        save_encoder(MaskedLM(CONFIG), tmp_path / "encoder", fifty_pieces)
