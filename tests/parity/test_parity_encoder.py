"""Our encoder against transformers' RobertaPreLayerNormForMaskedLM, loaded from our folders by AutoModelForMaskedLM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForMaskedLM, AutoTokenizer
from transformers.utils import logging as hub_logging

from understudy.model.encoder import EncoderConfig, Layout, MaskedLM
from understudy.model.folder import load_encoder, save_encoder

CONFIG = EncoderConfig(layers=4, hidden=48, ffn=80, heads=4, vocab_size=50, max_length=40, dropout=0.0, attention_dropout=0.0)
BATCHES = [[7], [6, 6, 6], [5, 1, 40, 17, 3], [40, 39], [3, 4, 5, 6, 7, 8]]
TOLERANCE = 1e-4


def tokens(lengths: list[int]) -> Tensor:
    return torch.randint(5, 50, (sum(lengths),), generator=torch.Generator().manual_seed(sum(lengths)))


def rows(x_T: Tensor, lengths: list[int], value: int) -> Tensor:
    return pad_sequence(list(x_T.split(lengths)), batch_first=True, padding_value=value)


def mask(lengths: list[int]) -> Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def train(model: MaskedLM, steps: int = 15) -> None:
    """A few large steps, so that no weight is near its initial value, LayerNorms and biases included."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
    for step in range(steps):
        lengths = BATCHES[step % len(BATCHES)]
        ids_T = tokens(lengths)
        loss = nn.functional.cross_entropy(model(ids_T, Layout.packed(lengths)), ids_T.roll(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.fixture(params=["random", "trained"])
def pair(request: pytest.FixtureRequest, tmp_path: Path, fifty_pieces: Path) -> tuple[MaskedLM, Any]:
    """One model twice: ours, and the one transformers loads from its folder."""
    model = MaskedLM(CONFIG, generator=torch.Generator().manual_seed(0))
    if request.param == "random":
        with torch.no_grad():
            for name, weight in model.named_parameters():  # far larger than initial weights: attention is sharp
                weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(name))) * 0.15)
    else:
        train(model)
    save_encoder(model.eval(), tmp_path / "encoder", fifty_pieces)
    hub_logging.disable_progress_bar()
    theirs, report = AutoModelForMaskedLM.from_pretrained(tmp_path / "encoder", output_loading_info=True)
    hub_logging.enable_progress_bar()
    assert not any(report.values()), report
    assert type(theirs).__name__ == "RobertaPreLayerNormForMaskedLM"
    return load_encoder(tmp_path / "encoder"), theirs.eval()


@pytest.mark.parametrize("lengths", BATCHES, ids=str)
def test_logits_equal_transformers(pair: tuple[MaskedLM, Any], lengths: list[int]) -> None:
    ours, theirs = pair
    ids_T = tokens(lengths)
    with torch.inference_mode():
        want_BLV = theirs(rows(ids_T, lengths, 1), attention_mask=mask(lengths).long()).logits
        packed_TV = ours(ids_T, Layout.packed(lengths))
        padded_TV = ours(rows(ids_T, lengths, 1).flatten(), Layout.padded(mask(lengths)))
    want_TV = want_BLV[mask(lengths)]
    assert want_TV.abs().max() > 1
    assert (packed_TV - want_TV).abs().max() < TOLERANCE
    assert (padded_TV[mask(lengths).flatten()] - want_TV).abs().max() < TOLERANCE


def test_block_outputs_equal_transformers(pair: tuple[MaskedLM, Any]) -> None:
    ours, theirs = pair
    lengths = BATCHES[2]
    ids_T = tokens(lengths)
    with torch.inference_mode():
        want = theirs(rows(ids_T, lengths, 1), attention_mask=mask(lengths).long(), output_hidden_states=True).hidden_states
        last_TD, blocks = ours.encoder(ids_T, Layout.packed(lengths), hidden=True)
    # theirs: the embeddings, every block but the last, and the last after the final LayerNorm
    for got_TD, want_BLD in zip([*blocks[:-1], last_TD], want[1:], strict=True):
        assert (got_TD - want_BLD[mask(lengths)]).abs().max() < TOLERANCE


def test_gradients_equal_transformers(pair: tuple[MaskedLM, Any]) -> None:
    ours, theirs = pair
    lengths = BATCHES[2]
    ids_T, targets_T = tokens(lengths), tokens(lengths).roll(3)
    loss = nn.functional.cross_entropy(ours(ids_T, Layout.packed(lengths)), targets_T)
    loss.backward()
    result = theirs(rows(ids_T, lengths, 1), attention_mask=mask(lengths).long(), labels=rows(targets_T, lengths, -100))
    result.loss.backward()
    assert loss.item() == pytest.approx(result.loss.item(), abs=1e-5)
    want = {name: weight.grad for name, weight in theirs.named_parameters()}
    for number, block in enumerate(ours.encoder.blocks):
        at = f"roberta_prelayernorm.encoder.layer.{number}."
        parts = block.attention.qkv.weight.grad.chunk(3)
        for name, part in zip(("query", "key", "value"), parts, strict=True):
            assert (part - want[f"{at}attention.self.{name}.weight"]).abs().max() < TOLERANCE
        assert (block.ffn_out.weight.grad - want[f"{at}output.dense.weight"]).abs().max() < TOLERANCE
        assert (block.attention_norm.bias.grad - want[f"{at}attention.LayerNorm.bias"]).abs().max() < TOLERANCE
    words = want["roberta_prelayernorm.embeddings.word_embeddings.weight"]
    assert (ours.encoder.words.weight.grad - words).abs().max() < TOLERANCE
    positions = want["roberta_prelayernorm.embeddings.position_embeddings.weight"]
    assert (ours.encoder.positions.weight.grad - positions).abs().max() < TOLERANCE
    assert (ours.head.bias_V.grad - want["lm_head.bias"]).abs().max() < TOLERANCE


def test_a_folder_that_transformers_saves_is_loaded(pair: tuple[MaskedLM, Any], tmp_path: Path, fifty_pieces: Path) -> None:
    ours, theirs = pair
    theirs.save_pretrained(tmp_path / "theirs")
    AutoTokenizer.from_pretrained(fifty_pieces).save_pretrained(tmp_path / "theirs")
    loaded = load_encoder(tmp_path / "theirs")
    assert loaded.config == CONFIG
    ids_T = tokens([9, 4])
    with torch.inference_mode():
        assert loaded(ids_T, Layout.packed([9, 4])).equal(ours(ids_T, Layout.packed([9, 4])))


def test_the_tokenizer_in_the_folder_is_read_by_transformers(pair: tuple[MaskedLM, Any], fifty_pieces: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(fifty_pieces)
    ids = tokenizer("wake me at six")["input_ids"]
    assert (ids[0], ids[-1], tokenizer.mask_token_id, tokenizer.pad_token_id) == (0, 2, 4, 1)
