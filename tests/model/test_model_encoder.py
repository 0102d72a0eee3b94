"""The encoder's shapes, counts, layouts and initial weights."""

from __future__ import annotations

import shutil
import weakref
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from understudy.model import layout
from understudy.model.encoder import EncoderConfig, Layout, MaskedLM, initialise
from understudy.model.heads import NLU

CONFIG = EncoderConfig(layers=3, hidden=32, ffn=48, heads=4, vocab_size=50, max_length=24)
LENGTHS = [5, 1, 9, 3]


def model(seed: int = 0, config: EncoderConfig = CONFIG) -> MaskedLM:
    return MaskedLM(config, generator=torch.Generator().manual_seed(seed)).eval()


def ids(count: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(5, CONFIG.vocab_size, (count,), generator=torch.Generator().manual_seed(seed))


def test_a_config_counts_its_weights() -> None:
    assert CONFIG.parameters_total == sum(weight.numel() for weight in model().parameters())


def test_the_body_is_the_main_matrices_of_the_blocks() -> None:
    blocks = model().encoder.blocks
    assert CONFIG.body_parameters == sum(w.numel() for w in blocks.parameters() if w.ndim == 2)


def test_heads_divide_the_width() -> None:
    with pytest.raises(ValidationError, match="10 is not one of 4"):
        EncoderConfig(layers=1, hidden=10, ffn=4, heads=4, vocab_size=5)


def test_a_packed_layout_worked_by_hand() -> None:
    layout = Layout.packed([2, 3, 1])
    assert layout.positions_T.tolist() == [0, 1, 0, 1, 2, 0]
    assert layout.sequences_T.tolist() == [0, 0, 1, 1, 1, 2]
    assert layout.cells_BL.tolist() == [[0, 1, 0], [2, 3, 4], [5, 0, 0]]
    assert layout.slots_T is not None
    assert layout.slots_T.tolist() == [0, 1, 3, 4, 5, 6]
    assert layout.mask_BL is not None
    assert layout.mask_BL.tolist() == [[True, True, False], [True, True, True], [True, False, False]]
    assert layout.bounds_B1 is not None
    assert layout.bounds_B1.tolist() == [0, 2, 5, 6]


def test_sequences_of_one_length_need_no_mask_and_no_gather() -> None:
    layout = Layout.packed([4, 4])
    assert layout.mask_BL is None
    assert layout.slots_T is None
    x_TD = torch.randn(8, 3)
    assert layout.pad(x_TD).data_ptr() == x_TD.data_ptr()


@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_unpad_undoes_pad(lengths: list[int]) -> None:
    layout = Layout.packed(lengths)
    x_TD = torch.arange(2.0 * sum(lengths)).view(-1, 2)
    assert layout.unpad(layout.pad(x_TD)).equal(x_TD)


@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4))
@settings(max_examples=15, deadline=None)
def test_gradients_through_the_grid(lengths: list[int]) -> None:
    layout = Layout.packed(lengths)
    mask_BL = torch.ones_like(layout.cells_BL, dtype=torch.bool) if layout.mask_BL is None else layout.mask_BL
    x_TD = torch.randn(sum(lengths), 2, dtype=torch.float64, requires_grad=True)

    def running_sum(x_TD: torch.Tensor) -> torch.Tensor:
        return layout.unpad(layout.pad(x_TD).where(mask_BL[..., None], 0).square().cumsum(1))

    assert torch.autograd.gradcheck(running_sum, (x_TD,))


@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_mean_and_first_are_of_each_sequence(lengths: list[int]) -> None:
    layout = Layout.packed(torch.tensor(lengths))
    x_TD = torch.randn(sum(lengths), 2, generator=torch.Generator().manual_seed(0))
    parts = x_TD.split(lengths)
    torch.testing.assert_close(layout.mean(x_TD), torch.stack([part.mean(0) for part in parts]))
    assert layout.first(x_TD).equal(torch.stack([part[0] for part in parts]))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(30, 33))
def test_a_filled_layout_has_even_sizes_and_its_own_sequences_first(lengths: list[int], longest: int) -> None:
    weight = torch.zeros(1, dtype=torch.bfloat16)
    own = Layout.packed(lengths)
    filled = own.filled(weight, longest)
    assert filled.bounds_B1 is not None
    every = filled.bounds_B1.diff().tolist()
    assert every[: len(lengths)] == lengths
    assert sum(every) % layout.EVEN_T == len(every) % layout.EVEN_B == 0
    assert max(every) == min(longest, max(lengths) + -max(lengths) % layout.EVEN_L)
    assert filled.filled(weight, longest) is filled
    assert own.filled(weight.float(), longest) is own


@pytest.mark.parametrize("heads", ["mlm", "nlu"])
def test_what_fills_a_batch_moves_nothing(heads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = model()
    whole = encoder if heads == "mlm" else NLU(encoder.encoder, 3, 5, generator=torch.Generator().manual_seed(0)).eval()
    found = []
    for fills in (False, True):
        monkeypatch.setattr(layout, "compiles_shapes", lambda x, fills=fills: fills)
        whole.zero_grad()
        outputs = whole(ids(sum(LENGTHS)), Layout.packed(LENGTHS))
        outputs = [outputs] if heads == "mlm" else list(outputs[:2])
        sum(out.square().sum() for out in outputs).backward()
        found.append((outputs, {name: w.grad for name, w in whole.named_parameters() if w.grad is not None}))
    torch.testing.assert_close(found[1], found[0])


@pytest.mark.parametrize("lengths", [[], [3, 0], [-1], [[1, 2]]])
def test_a_layout_refuses_what_is_no_batch(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        Layout.packed(lengths)


@given(lengths=st.lists(st.integers(1, 8), min_size=2, max_size=5), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_no_sequence_sees_another(lengths: list[int], seed: int) -> None:
    encoder, tokens = model().encoder, ids(sum(lengths), seed)
    together = encoder(tokens, Layout.packed(lengths)).split(lengths)
    for part, alone in zip(tokens.split(lengths), together, strict=True):
        torch.testing.assert_close(encoder(part, Layout.packed([len(part)])), alone, atol=1e-5, rtol=0)


def test_changing_one_sequence_changes_no_bit_of_the_others() -> None:
    encoder, tokens = model().encoder, ids(sum(LENGTHS))
    other = tokens.clone()
    other[6:15] = ids(9, seed=7)
    before, after = (encoder(t, Layout.packed(LENGTHS)).split(LENGTHS) for t in (tokens, other))
    assert [a.equal(b) for a, b in zip(before, after, strict=True)] == [True, True, False, True]


def test_no_gradient_crosses_a_boundary() -> None:
    encoder, tokens = model().encoder, ids(sum(LENGTHS))
    words = encoder.words(tokens).detach().requires_grad_()
    encoder.words.forward = lambda _: words  # type: ignore[method-assign]
    encoder(tokens, Layout.packed(LENGTHS)).split(LENGTHS)[2].square().sum().backward()
    assert words.grad is not None
    assert [bool(part.any()) for part in words.grad.split(LENGTHS)] == [False, False, True, False]


def test_padded_equals_packed() -> None:
    encoder, tokens = model().encoder, ids(sum(LENGTHS))
    rows = torch.nn.utils.rnn.pad_sequence(list(tokens.split(LENGTHS)), batch_first=True, padding_value=1)
    layout = Layout.padded(torch.arange(9) < torch.tensor(LENGTHS)[:, None])
    assert layout.mask_BL is not None
    padded = encoder(rows.flatten(), layout)
    packed = encoder(tokens, Layout.packed(LENGTHS))
    torch.testing.assert_close(padded[layout.mask_BL.flatten()], packed, atol=1e-5, rtol=0)
    torch.testing.assert_close(layout.mean(padded), Layout.packed(LENGTHS).mean(packed), atol=1e-5, rtol=0)


def test_hidden_gives_every_block_before_the_last_norm() -> None:
    encoder, tokens = model().encoder, ids(sum(LENGTHS))
    last, blocks = encoder(tokens, Layout.packed(LENGTHS), hidden=True)
    assert len(blocks) == CONFIG.layers
    assert encoder.final_norm(blocks[-1]).equal(last)
    assert encoder(tokens, Layout.packed(LENGTHS)).equal(last)


def test_logits_at_chosen_tokens_are_rows_of_all_logits() -> None:
    lm, tokens, layout = model(), ids(sum(LENGTHS)), Layout.packed(LENGTHS)
    at_M = torch.tensor([2, 11])
    torch.testing.assert_close(lm(tokens, layout, at_M=at_M), lm(tokens, layout)[at_M])


def test_too_long_a_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="25 tokens; max_length is 24"):
        model().encoder(ids(25), Layout.packed([25]))


def test_the_longest_sequence_is_accepted() -> None:
    assert model().encoder(ids(24), Layout.packed([24])).isfinite().all()


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    first, same, other = (model(seed).encoder.blocks[1].ffn_in.weight for seed in (0, 0, 1))
    assert first.equal(same)
    assert not first.equal(other)


def test_initial_weights_follow_the_table() -> None:
    lm = model(config=EncoderConfig(layers=2, hidden=256, ffn=512, heads=4, vocab_size=2000))
    for name, weight in lm.named_parameters():
        if name.endswith(("bias", "bias_V")):
            assert not weight.any(), name
        elif "norm" in name:
            assert (weight == 1).all(), name
        else:
            assert weight.std().item() == pytest.approx(0.02, rel=0.15), name
            assert abs(weight.mean().item()) < 0.003, name


def test_by_fan_in_scales_linears_by_their_inputs() -> None:
    layer = torch.nn.Linear(400, 400)
    initialise(layer, generator=torch.Generator().manual_seed(0), by_fan_in=True)
    assert layer.weight.std().item() == pytest.approx(0.05, rel=0.02)


def test_a_model_on_the_meta_device_is_initialised_once_materialised() -> None:
    with torch.device("meta"):
        lm = MaskedLM(CONFIG)
    assert all(weight.is_meta for weight in lm.parameters())
    lm.to_empty(device="cpu")
    initialise(lm, generator=torch.Generator().manual_seed(0))
    assert all(a.equal(b) for a, b in zip(lm.parameters(), model().parameters(), strict=True))


def test_dropout_acts_in_training_only() -> None:
    lm, tokens, layout = model(), ids(sum(LENGTHS)), Layout.packed(LENGTHS)
    assert lm(tokens, layout).equal(lm(tokens, layout))
    lm.train()
    assert not lm(tokens, layout).equal(lm(tokens, layout))


@pytest.mark.parametrize("lengths", [LENGTHS, [6, 6]])
def test_bf16_attention_on_the_cpu_is_attention(lengths: list[int]) -> None:
    attention, layout = model().encoder.blocks[0].attention, Layout.packed(lengths)
    h_TD = torch.randn(sum(lengths), 32, generator=torch.Generator().manual_seed(0)) * 10
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = attention(h_TD, layout).float()
    torch.testing.assert_close(rough, attention(h_TD, layout), atol=0.02, rtol=0.02)


def test_attention_dropout_acts_in_bf16_on_the_cpu() -> None:
    attention = model(config=CONFIG.model_copy(update={"attention_dropout": 0.5})).encoder.blocks[0].attention.train()
    h_TD, layout = torch.randn(sum(LENGTHS), 32), Layout.packed(LENGTHS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not attention(h_TD, layout).equal(attention(h_TD, layout))
        assert attention.eval()(h_TD, layout).equal(attention(h_TD, layout))


def test_autocast_keeps_norms_and_residuals_in_fp32() -> None:
    tokens, layout = ids(sum(LENGTHS)), Layout.packed(LENGTHS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        h_TD, blocks = model().encoder(tokens, layout, hidden=True)
    assert h_TD.dtype == blocks[0].dtype == torch.float32
    torch.testing.assert_close(h_TD, model().encoder(tokens, layout), atol=0.1, rtol=0)


@pytest.mark.parametrize("training", [False, True])
def test_one_graph_of_a_block_serves_every_length(training: bool) -> None:
    encoder = model(config=EncoderConfig(layers=1, hidden=8, ffn=8, heads=2, vocab_size=50, max_length=24, dropout=0.0, attention_dropout=0.0)).encoder  # fmt: skip
    encoder.train(training)
    batches = [[5, 1, 9, 3], [7, 2], [4, 8, 6, 5, 3], [12, 3, 11]]
    wanted = [encoder(ids(sum(lengths)), Layout.packed(lengths)) for lengths in batches]
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    encoder.blocks[0].compile(dynamic=True, fullgraph=True, backend="aot_eager")
    for lengths, want in zip(batches, wanted, strict=True):
        found = encoder(ids(sum(lengths)), Layout.packed(lengths))
        torch.testing.assert_close(found, want, atol=1e-5, rtol=0)
        if training:
            weight = encoder.blocks[0].attention.qkv.weight
            grads = [torch.autograd.grad(h_TD.square().sum(), weight)[0] for h_TD in (found, want)]
            torch.testing.assert_close(*grads, atol=1e-4, rtol=1e-3)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_block_gives_the_same_numbers() -> None:
    encoder = model(config=EncoderConfig(layers=1, hidden=8, ffn=8, heads=2, vocab_size=50, max_length=24)).encoder
    want = encoder(ids(18), Layout.packed(LENGTHS))
    torch._dynamo.reset()
    encoder.blocks[0].compile(dynamic=True, fullgraph=True)
    with torch.inference_mode():
        torch.testing.assert_close(encoder(ids(18), Layout.packed(LENGTHS)), want, atol=1e-5, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="variable-length attention runs on a GPU")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_variable_length_attention_equals_the_grid(dtype: torch.dtype) -> None:
    config = EncoderConfig(layers=2, hidden=64, ffn=96, heads=4, vocab_size=50, max_length=24, dropout=0.0, attention_dropout=0.0)
    encoder = model(config=config).encoder.cuda().to(dtype)
    layout, tokens = Layout.packed(LENGTHS, device="cuda"), ids(sum(LENGTHS)).cuda()
    grid = replace(layout, bounds_B1=None)  # without bounds, attention takes the grid
    torch.testing.assert_close(encoder(tokens, layout), encoder(tokens, grid), atol=0.05, rtol=0)
    grads = [torch.autograd.grad(encoder(tokens, at).square().sum(), encoder.words.weight)[0] for at in (layout, grid)]
    assert (grads[0] - grads[1]).norm() < 0.03 * grads[1].norm()


def test_flops_by_hand() -> None:
    config = EncoderConfig(layers=2, hidden=8, ffn=12, heads=2, vocab_size=100)
    body = 2 * (4 * 8 * 8 + 2 * 8 * 12)  # 896 weights, each multiplied and added once per token
    # Two sequences of 3 and 5 tokens: 9 + 25 pairs, a product of width 8 for scores and one for sums, in each of two layers.
    assert config.flops(tokens=8, pairs=34) == 2 * body * 8 + 2 * (2 * 34 * 2 * 8)
    assert config.flops(tokens=0, pairs=0, masked=3) == 3 * 2 * (8 * 8 + 8 * 100)


def test_where_nothing_is_learned_no_blocks_output_outlives_the_next() -> None:
    encoder = MaskedLM(CONFIG.model_copy(update={"layers": 4})).eval().encoder
    made: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []

    def count(_block: object, _inputs: object, output: torch.Tensor) -> None:
        made.append(weakref.ref(output))
        alive.append(sum(one() is not None for one in made))

    for block in encoder.blocks:
        block.register_forward_hook(count)
    with torch.no_grad():
        encoder(torch.tensor([5, 6, 7]), Layout.packed([3]))
    assert alive == [1, 2, 2, 2]  # a block's input and its output
