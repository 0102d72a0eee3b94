"""The encoder: RoBERTa with pre-layernorm (A 2.4), in one file, on one device.

Notable choices
- Tokens are **packed**: a batch is T tokens of B sequences laid end to end, and a `Layout` (layout.py) says where each begins.
  Everything but attention (LayerNorm, projections, feed-forward) runs on T tokens, so padding costs nothing there.
- Attention never crosses a sequence boundary. On a GPU, in half precision and without dropout of its own, it is
  variable-length flash attention (torch's kernel knows no dropout); elsewhere queries, keys and values are put into a
  (B, L) grid, attention masks keys only where lengths differ, and the tokens are taken out again. Batches of like lengths
  (the trainer's business) keep the grid full.
- Query, key and value are one matrix; `folder.py` splits it on the way to Hugging Face names.
- Same function, tensor for tensor, as transformers' `roberta_prelayernorm`: learned positions from row 2 of their table,
  one row of token types, exact GELU, biases everywhere, output projection tied to the word embeddings.
- Both cures of A 2.4 against fp16 overflow come with torch: SDPA scales before the product of queries and keys or sums it
  in fp32, and autocast keeps LayerNorm in fp32.
- No optimizer, loss, data or parallelism here: those come from outside. Blocks compile once, with a dynamic T.

Shape legend: B sequences, L longest sequence, T packed tokens, M chosen tokens, D width, F feed-forward width, H heads,
K head width (D = H K), V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.attention.varlen import varlen_attn

from understudy.config import Config
from understudy.model.dropout import Dropout, dropout
from understudy.model.layout import Layout, even

__all__ = ["Encoder", "EncoderConfig", "Layout", "MaskedHead", "MaskedLM", "initialise"]

POSITION_OFFSET = 2  # RoBERTa's positions begin after the padding row of their table


class EncoderConfig(Config):
    """The shape of an encoder, and its dropout.

    layers: blocks. hidden: width, a multiple of `heads`. ffn: width between a block's two layers. heads: of attention.
    vocab_size: ids of the tokenizer. max_length: tokens of the longest sequence.
    dropout, attention_dropout: shares dropped, of hidden values and of attention. layer_norm_eps: added to the variance.
    """

    layers: int = Field(gt=0)
    hidden: int = Field(gt=0)
    ffn: int = Field(gt=0)
    heads: int = Field(gt=0)
    vocab_size: int = Field(gt=0)
    max_length: int = Field(default=512, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    attention_dropout: float = Field(default=0.1, ge=0, lt=1)
    layer_norm_eps: float = Field(default=1e-5, gt=0)

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> EncoderConfig:
        if self.hidden % self.heads:
            raise ValueError(f"hidden must be a multiple of heads: {self.hidden} is not one of {self.heads}")
        return self

    @property
    def body_parameters(self) -> int:
        """Weights of the blocks' matrices, layers x (4 D^2 + 2 D F): the count by which A names its models."""
        return self.layers * (4 * self.hidden**2 + 2 * self.hidden * self.ffn)

    @property
    def parameters_total(self) -> int:
        """Every weight of a `MaskedLM` of this shape, tied embeddings counted once."""
        D, norm = self.hidden, 2 * self.hidden
        embeddings = (self.vocab_size + self.max_length + POSITION_OFFSET + 1) * D + norm
        biases_and_norms = self.layers * (4 * D + self.ffn + D + 2 * norm) + norm
        head = D**2 + D + norm + self.vocab_size
        return embeddings + self.body_parameters + biases_and_norms + head

    def flops(self, *, tokens: int, pairs: int, masked: int = 0) -> float:
        """Multiplications and additions of one forward pass: matrices, attention, and the vocabulary where it is computed.

        Args:
            tokens: all of them. pairs: that attention compares, the sum of squared lengths.
            masked: tokens at which the output projection runs. A backward pass costs twice as much as a forward pass.
        """
        D = self.hidden
        return 2.0 * self.body_parameters * tokens + 4.0 * D * self.layers * pairs + 2.0 * masked * (D**2 + D * self.vocab_size)


class Attention(nn.Module):
    """Multi-head self-attention inside each sequence."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.attention_dropout
        self.qkv = nn.Linear(config.hidden, 3 * config.hidden)
        self.out = nn.Linear(config.hidden, config.hidden)

    def forward(self, h_TD: Tensor, layout: Layout) -> Tensor:
        qkv_T3HK = self.qkv(h_TD).unflatten(-1, (3, self.heads, -1))
        rate = self.dropout if self.training else 0.0
        if _varlen_can(qkv_T3HK, rate) and layout.bounds_B1 is not None:
            bounds, longest = layout.bounds_B1, layout.cells_BL.shape[1]
            q_THK, k_THK, v_THK = qkv_T3HK.unbind(1)
            o_THK = varlen_attn(q_THK, k_THK, v_THK, bounds, bounds, longest, longest)
            return self.out(o_THK.flatten(1))  # type: ignore[no-any-return, union-attr]
        q_BHLK, k_BHLK, v_BHLK = layout.pad(qkv_T3HK).permute(2, 0, 3, 1, 4).unbind(0)
        mask_B11L = None if layout.mask_BL is None else layout.mask_BL[:, None, None, :]
        if qkv_T3HK.dtype == torch.bfloat16 and not qkv_T3HK.is_cuda:
            o_BHLK = _plain(q_BHLK, k_BHLK, v_BHLK, mask_B11L, rate)
        else:
            o_BHLK = F.scaled_dot_product_attention(q_BHLK, k_BHLK, v_BHLK, attn_mask=mask_B11L, dropout_p=rate)
        return self.out(layout.unpad(o_BHLK.transpose(1, 2).flatten(2)))  # type: ignore[no-any-return]


def _plain(q_BHLK: Tensor, k_BHLK: Tensor, v_BHLK: Tensor, mask_B11L: Tensor | None, rate: float) -> Tensor:
    """Attention as two products, for bf16 on the CPU: forward and backward take 14 ms where torch's own kernel takes 128
    (400 sequences of 10 tokens, one core), 24 where it takes 68 at 128 tokens, and 100 where it takes 120 at 512.
    In fp32 torch's kernel is the faster one."""
    scores_BHLL = (q_BHLK * q_BHLK.shape[-1] ** -0.5) @ k_BHLK.transpose(2, 3)
    if mask_B11L is not None:
        scores_BHLL = scores_BHLL.masked_fill(~mask_B11L, -torch.inf)
    return dropout(scores_BHLL.softmax(-1), rate) @ v_BHLK


def _varlen_can(qkv_T3HK: Tensor, rate: float) -> bool:
    """Whether torch's variable-length flash attention takes this input: it knows half precision and no dropout."""
    fits = qkv_T3HK.shape[-1] % 8 == 0 and qkv_T3HK.shape[-1] <= 256
    return qkv_T3HK.is_cuda and qkv_T3HK.dtype in (torch.bfloat16, torch.float16) and rate == 0 and fits


class Norm(nn.LayerNorm):
    """LayerNorm in the precision of what comes in, though sharding may have gathered its weights in a narrower one."""

    def forward(self, h_TD: Tensor) -> Tensor:
        weight_D, bias_D = self.weight.to(h_TD.dtype), self.bias.to(h_TD.dtype)
        return F.layer_norm(h_TD, self.normalized_shape, weight_D, bias_D, self.eps)


class Block(nn.Module):
    """Attention and feed-forward, each behind a LayerNorm and around a residual."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.attention_norm = Norm(config.hidden, config.layer_norm_eps)
        self.attention = Attention(config)
        self.ffn_norm = Norm(config.hidden, config.layer_norm_eps)
        self.ffn_in = nn.Linear(config.hidden, config.ffn)
        self.ffn_out = nn.Linear(config.ffn, config.hidden)
        self.dropout = Dropout(config.dropout)

    def forward(self, h_TD: Tensor, layout: Layout) -> Tensor:
        h_TD = h_TD + self.dropout(self.attention(self.attention_norm(h_TD), layout))
        return h_TD + self.dropout(self.ffn_out(F.gelu(self.ffn_in(self.ffn_norm(h_TD)))))  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Token ids to contextual vectors. Weights are torch's defaults until `initialise` or a loader fills them."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(config.vocab_size, config.hidden)
        self.positions = nn.Embedding(config.max_length + POSITION_OFFSET, config.hidden)
        self.token_type = nn.Embedding(1, config.hidden)
        self.embedding_norm = nn.LayerNorm(config.hidden, config.layer_norm_eps)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.final_norm = nn.LayerNorm(config.hidden, config.layer_norm_eps)

    def forward(self, ids_T: Tensor, layout: Layout, *, hidden: bool = False) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Vectors (T, D) of the tokens `ids_T` (int64), after the final LayerNorm.

        With `hidden`, also the output (T, D) of every block, before the final LayerNorm, for hidden-layer matching (A 2.6).
        Raises ValueError where a sequence is longer than `config.max_length`.
        """
        if not torch.compiler.is_compiling() and layout.cells_BL.shape[1] > self.config.max_length:
            raise ValueError(f"a sequence of {layout.cells_BL.shape[1]} tokens; max_length is {self.config.max_length}")
        T = len(ids_T)
        layout = layout.filled(self.words.weight, self.config.max_length)
        if (added := len(layout.positions_T) - T) > 0:
            ids_T = F.pad(ids_T, (0, added))
        h_TD = self.words(ids_T) + self.positions(layout.positions_T + POSITION_OFFSET) + self.token_type.weight
        h_TD = self.dropout(self.embedding_norm(h_TD))
        outputs = []
        for block in self.blocks:
            h_TD = block(h_TD, layout)
            if hidden:  # else, where nothing is learned, no block's output outlives the next block
                outputs.append(h_TD[:T])
        h_TD = self.final_norm(h_TD)[:T]
        return (h_TD, outputs) if hidden else h_TD


class MaskedHead(nn.Module):
    """What stands between the encoder and the tied output projection: dense, GELU, LayerNorm, and the output's bias."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden, config.hidden)
        self.norm = nn.LayerNorm(config.hidden, config.layer_norm_eps)
        self.bias_V = nn.Parameter(torch.zeros(config.vocab_size))

    def features(self, h_MD: Tensor) -> Tensor:
        """What the output projection reads (M, D); the product with V columns is left to the loss, which does it in chunks."""
        return self.norm(F.gelu(self.dense(even(h_MD))))[: len(h_MD)]  # type: ignore[no-any-return]


class MaskedLM(nn.Module):
    """Encoder and masked-language-model head. The output projection is the word embedding, held once, by the encoder."""

    def __init__(self, config: EncoderConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.head = MaskedHead(config)
        initialise(self, generator=generator)

    @property
    def decoder_weight_VD(self) -> Tensor:
        return self.encoder.words.weight

    @property
    def decoder_bias_V(self) -> Tensor:
        return self.head.bias_V

    def forward(self, ids_T: Tensor, layout: Layout, *, at_M: Tensor | None = None) -> Tensor:
        """Logits (M, V) at the tokens `at_M` (int64 indices among the T), or (T, V) at all of them."""
        h_TD = self.encoder(ids_T, layout)
        h_MD = h_TD if at_M is None else h_TD.index_select(0, at_M)
        return F.linear(self.head.features(h_MD), self.decoder_weight_VD, self.decoder_bias_V)


@torch.no_grad()
def initialise(
    module: nn.Module,
    *,
    generator: torch.Generator | None = None,
    by_fan_in: bool = False,
    put: Callable[[Tensor, Tensor], object] = Tensor.copy_,
) -> None:
    """Fill all weights of `module` in the order of its parts, RoBERTa's way.

    | part                            | weight                      | bias |
    |---------------------------------|-----------------------------|------|
    | every Linear (also residual)    | normal(0, 0.02)             | 0    |
    | every Linear where `by_fan_in`  | normal(0, 1 / sqrt(inputs)) | 0    |
    | every Embedding                 | normal(0, 0.02)             | -    |
    | every LayerNorm                 | 1                           | 0    |
    | MaskedHead.bias_V               | 0                           | -    |

    `by_fan_in` is for small stacks such as task heads, through which 0.02 would let the signal fade.
    Numbers are drawn on the generator's device (the CPU without one), so equal seeds give equal weights on every device.
    On the meta device nothing happens: shard, materialise, then call this again, with a `put` that copies the values of a whole
    weight into the part that is held here.
    """
    for part in module.modules():
        for name, weight in part.named_parameters(recurse=False):
            if weight.is_meta:
                continue
            if name.startswith("bias"):
                weight.zero_()
            elif isinstance(part, nn.LayerNorm):
                weight.fill_(1.0)
            else:
                std = weight.shape[-1] ** -0.5 if by_fan_in and isinstance(part, nn.Linear) else 0.02
                device = "cpu" if generator is None else generator.device
                put(weight, torch.empty(weight.shape, device=device).normal_(0.0, std, generator=generator))
