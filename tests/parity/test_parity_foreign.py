"""Hugging Face models as teachers: the same numbers as transformers gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import (  # fmt: skip
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedModel,
    RobertaConfig,
    RobertaForMaskedLM,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)
from transformers.utils import logging as hub_logging

from understudy.errors import ArtifactError
from understudy.model.encoder import Layout
from understudy.model.foreign import ForeignMaskedLM, load_foreign

SHAPE: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 40}
IDS: dict[str, Any] = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "vocab_size": 50}
LENGTHS = [5, 1, 9, 3]


def build(kind: str, **more: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    if kind == "bert":
        return BertForMaskedLM(BertConfig(**SHAPE, **{**IDS, **more}, max_position_embeddings=24))
    if kind == "modernbert":
        more = {"cls_token_id": 0, "sep_token_id": 2, "local_attention": 4, "global_attn_every_n_layers": 2, **more}
        return ModernBertForMaskedLM(ModernBertConfig(**SHAPE, **{**IDS, **more}, max_position_embeddings=24))
    if kind == "roberta":
        return RobertaForMaskedLM(RobertaConfig(**SHAPE, **{**IDS, **more}, max_position_embeddings=26))
    return XLMRobertaForMaskedLM(XLMRobertaConfig(**SHAPE, **{**IDS, **more}, max_position_embeddings=26))


def save(model: PreTrainedModel, folder: Path, fifty_pieces: Path) -> Path:
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(fifty_pieces).save_pretrained(folder)
    return folder


def ids() -> Tensor:
    return torch.randint(5, 50, (sum(LENGTHS),), generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _quiet() -> None:
    hub_logging.disable_progress_bar()


@pytest.fixture(params=["bert", "modernbert", "roberta", "xlm-roberta"])
def pair(request: pytest.FixtureRequest, tmp_path: Path, fifty_pieces: Path) -> tuple[ForeignMaskedLM, Any]:
    model = build(request.param).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape) * 0.05)
    return load_foreign(save(model, tmp_path / "theirs", fifty_pieces)), model


def padded(model: Any) -> Any:
    rows_BL = pad_sequence(list(ids().split(LENGTHS)), batch_first=True, padding_value=1)
    mask_BL = torch.arange(9) < torch.tensor(LENGTHS)[:, None]
    found = model(input_ids=rows_BL, attention_mask=mask_BL.long(), output_hidden_states=True)
    return found.logits[mask_BL], [h_BLD[mask_BL] for h_BLD in found.hidden_states]


def test_logits_from_the_parts_equal_transformers(pair: tuple[ForeignMaskedLM, Any]) -> None:
    ours, theirs = pair
    with torch.inference_mode():
        want_TV, _ = padded(theirs)
        assert (ours(ids(), Layout.packed(LENGTHS)) - want_TV).abs().max() < 1e-4
        at_M = torch.tensor([0, 7, 17])
        assert (ours(ids(), Layout.packed(LENGTHS), at_M=at_M) - want_TV[at_M]).abs().max() < 1e-4


def test_hidden_layers_equal_transformers(pair: tuple[ForeignMaskedLM, Any]) -> None:
    ours, theirs = pair
    with torch.inference_mode():
        _, want = padded(theirs)
        last_TD, blocks = ours.encoder(ids(), Layout.packed(LENGTHS), hidden=True)
    assert len(blocks) == ours.config.layers == len(ours.encoder.blocks)
    for got_TD, want_TD in zip(blocks, want[1:], strict=True):
        assert (got_TD - want_TD).abs().max() < 1e-4
    assert last_TD.shape == (sum(LENGTHS), ours.config.hidden)


def test_its_shape_and_longest_input(pair: tuple[ForeignMaskedLM, Any]) -> None:
    ours, _ = pair
    assert (ours.config.layers, ours.config.hidden, ours.config.vocab_size, ours.config.max_length) == (3, 32, 50, 24)
    assert ours(torch.randint(5, 50, (24,)), Layout.packed([24])).isfinite().all()


def test_rows_beyond_the_vocabulary_are_left_out(tmp_path: Path, fifty_pieces: Path) -> None:
    model = load_foreign(save(build("roberta", vocab_size=64), tmp_path / "theirs", fifty_pieces))
    assert model.decoder_weight_VD.shape == (50, 32)
    assert model.decoder_bias_V.shape == (50,)


def test_a_vocabulary_larger_than_the_model_is_refused(tmp_path: Path, fifty_pieces: Path) -> None:
    with pytest.raises(ArtifactError, match="tokenizer does not match the encoder. Got: 50 pieces, 40 outputs"):
        load_foreign(save(build("roberta", vocab_size=40), tmp_path / "theirs", fifty_pieces))


def test_a_model_without_a_head_is_refused(tmp_path: Path, fifty_pieces: Path) -> None:
    body = BertModel(BertConfig(**SHAPE, **IDS), add_pooling_layer=False)
    hub_logging.set_verbosity_error()
    with pytest.raises(ArtifactError, match="not whole, so it cannot teach. Got: no weights for cls.predictions"):
        load_foreign(save(body, tmp_path / "theirs", fifty_pieces))


def test_an_unknown_head_is_refused(tmp_path: Path, fifty_pieces: Path) -> None:
    config = DistilBertConfig(dim=32, n_layers=2, n_heads=4, hidden_dim=40, vocab_size=50, pad_token_id=1)
    with pytest.raises(ArtifactError, match=r"Distil|distilbert"):
        load_foreign(save(DistilBertForMaskedLM(config), tmp_path / "theirs", fifty_pieces))


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match="not a masked language model that transformers can load"):
        load_foreign(tmp_path / "empty")


def test_a_pickle_is_not_read(tmp_path: Path, fifty_pieces: Path) -> None:
    folder = save(build("bert"), tmp_path / "theirs", fifty_pieces)
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match="not a masked language model that transformers can load"):
        load_foreign(folder)
