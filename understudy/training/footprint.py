"""Bytes that a rank needs to train a model, reckoned from what the code keeps; held against torch's memory trackers by
`benchmarks/planner.py`.

With T tokens in a micro-batch, s bytes a number in products (2, or 4 in fp32), n ranks that hold the weights between them:

| weights       | 4 P / n held; the root (embeddings, head) whole in fp32; blocks gathered in s: two at a time, or all        |
| gradients     | 4 P / n                                                                                                     |
| optimizer     | 8 P / n                                                                                                     |
| activations   | per token and block 8 D + 6 s D + 2 s F; "selective" 4 D + 6 s D + s F; "block" 4 D; dropout's masks        |
| vocabulary    | V D (4 of the gradient, s of a chunk's share of it on a GPU, s of a copy of the weights), a chunk of logits |

A frozen encoder and a teacher that is listened to keep nothing for a backward pass: of activations one block's, of weights' copies
one matrix's. Heads are taken to weigh as much as the masked-LM head in whose place they stand; what they alone learn is left out.

Blocks that are compiled keep less, so this is the most. P parameters, D width, F feed-forward width, V vocabulary, L longest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from understudy.model.encoder import EncoderConfig
from understudy.training.losses import CHUNK_ELEMENTS, CHUNK_ELEMENTS_CUDA, LEAST_CHUNK, TILE
from understudy.training.parallel import ParallelConfig

__all__ = ["CPU", "GPUS", "Device", "Memory", "Run", "memory"]


@dataclass(frozen=True)
class Device:
    """Bytes of memory and FLOP/s in bf16 products, as the maker prints them (dense, without sparsity)."""

    memory: float
    flops: float
    gpu: bool = True


GPUS: Final[Mapping[str, Device]] = {
    "h200": Device(141e9, 989e12),
    "h100": Device(80e9, 989e12),
    "a100-80g": Device(80e9, 312e12),
    "a100-40g": Device(40e9, 312e12),
    "l40s": Device(48e9, 362e12),
    "a10g": Device(24e9, 70e12),
    "l4": Device(24e9, 121e12),
    "v100-32g": Device(32e9, 125e12),  # fp16: it knows no bf16
    "t4": Device(16e9, 65e12),  # the same
}
CPU = Device(math.inf, 0.0, gpu=False)


@dataclass(frozen=True)
class Run:
    """How a model is trained. tokens: of one rank's micro-batch. length: of a sequence. masked: 0 where no word is guessed. low:
    products in bf16 or fp16. learned: all of it, heads on a frozen encoder, or nothing of a teacher that is listened to."""

    tokens: int
    length: int
    masked: int
    world: int
    parallel: ParallelConfig
    low: bool = True
    optimizer: str = "adam"
    accumulate: int = 1
    teacher: EncoderConfig | None = None
    matched: int = 0  # hidden layers that are compared
    learned: Literal["all", "heads", "nothing"] = "all"


@dataclass(frozen=True)
class Memory:
    """Bytes of one rank. `peak` is less than the sum: not all are needed at once."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    vocabulary: float
    peak: float


def memory(model: EncoderConfig, run: Run, device: Device) -> Memory:
    """The most that a rank will hold on its device in an update."""
    if run.learned != "all":
        return _forward(model, run, device)
    parallel, s = run.parallel, 2 if run.low else 4
    n = 1 if parallel.shard == "none" else run.world // parallel.replicas
    P, D, V = model.parameters_total, model.hidden, model.vocab_size
    root = P - model.layers * _block(model)
    held, grads, states = (0.0,) * 3 if parallel.offload else (4 * P / n, 4 * P / n, 8 * P / n)
    gathered = _gathered(model, run, s)
    beside = _listened(run, device, s, n)
    kept = _activations(model, run, device, s)
    vocabulary = _vocabulary(model, run, device, s)
    # The backward pass begins with the decoder's gradient in hand, and makes the last block's activations again where they went.
    again = _per_token(model, run, device, s, "none") - _per_token(model, run, device, s, parallel.checkpointing)
    ffn, cells = 2 * s * model.ffn, 0 if device.gpu else 4 * model.heads * run.length
    again += max(8 * D + ffn, cells - ffn)  # gradients of the feed-forward; when attention has its turn its activations are gone
    turning = max(vocabulary, 4 * V * D * bool(run.masked) + again * run.tokens)
    listening = held + gathered + states + beside + kept + turning + (grads if run.accumulate > 1 else 0)
    twice = 8 if run.masked else 4 * (run.accumulate > 1)  # the embeddings' gradient as decoder, as embeddings, and their sum
    learning = held + states + grads + beside + twice * V * D + (8 * root if run.world > 1 else 0)
    updating = held + states + grads + beside + {"lamb": 4 * P / n, "muon": 8 * P / n}.get(run.optimizer, 0)
    return Memory(held + gathered + beside, grads, states, kept, vocabulary, max(listening, learning, updating))


def _forward(model: EncoderConfig, run: Run, device: Device) -> Memory:
    """What a rank holds where blocks are not learned, so that their forward pass leaves nothing behind."""
    s, D, F, V = 2 if run.low else 4, model.hidden, model.ffn, model.vocab_size
    n = 1 if run.parallel.shard == "none" else run.world // run.parallel.replicas
    held = 0 if run.parallel.offload else 4 * model.parameters_total / n
    weights = held + _gathered(model, run, s) + _listened(run, device, s, n)
    cells = 0 if device.gpu or not run.low else 2 * s * model.heads * run.length
    # Residual and norm, and what feed-forward or attention read and give.
    kept = run.tokens * (8 * D + s * D + max(2 * s * F, 6 * s * D + cells))
    chunk = _chunk(model, run, device)
    # Logits as they come; then in fp32, over the temperature, with their sums up to each word, or before them the weights' copy.
    wide = max(8 * chunk * V, s * V * D if run.low else 0)
    vocabulary = s * chunk * V + wide + 4 * run.tokens * D + 8 * run.masked * D if run.masked else 0.0
    return Memory(weights, 0.0, 0.0, kept, vocabulary, weights + max(kept, vocabulary))


def _per_token(model: EncoderConfig, run: Run, device: Device, s: int, checkpointing: str) -> float:
    """Bytes that a block keeps of each token for its backward pass."""
    D, F, H = model.hidden, model.ffn, model.heads
    if checkpointing == "block":
        return 4 * D
    dropout, attention_dropout = model.dropout > 0, model.attention_dropout > 0
    # One look at every other token: kept by the kernels that do attention in one go as a sum per head only.
    cells = H * run.length
    if device.gpu:
        attention = 4.0 * H
    elif run.low or attention_dropout:
        attention = cells * s * (3 if attention_dropout and checkpointing == "none" else 1)
    else:
        attention = 4.0 * H
    if checkpointing == "selective":
        return 4 * D + 6 * s * D + s * F + attention
    masks = 2 * D * (1 if device.gpu else s) if dropout else 0
    return 8 * D + 6 * s * D + 2 * s * F + masks + attention


def _activations(model: EncoderConfig, run: Run, device: Device, s: int) -> float:
    """What the whole forward pass keeps, its embeddings and final norm with it."""
    blocks = model.layers * _per_token(model, run, device, s, run.parallel.checkpointing)
    return run.tokens * (blocks + 16 * model.hidden + 4 * run.matched * model.hidden)


def _vocabulary(model: EncoderConfig, run: Run, device: Device, s: int) -> float:
    """What the loss needs of its own at the most: the gradient of the decoder, and a chunk of logits."""
    if not run.masked:
        return 0.0
    V, D = model.vocab_size, model.hidden
    rows, chunk = V if device.gpu else min(V, TILE), _chunk(model, run, device)
    copies = (s if run.low else 0.0) + 4 + s * rows / V
    logits = chunk * V * (4 + (2 * s if run.low else 4))
    if run.teacher is not None:
        copies += s * run.teacher.hidden / D if run.low else 0
        logits += chunk * V * (s + 12)
    return V * D * copies + logits + 12 * run.masked * D


def _block(model: EncoderConfig) -> float:
    """Parameters of a block."""
    return model.body_parameters / model.layers + 9 * model.hidden + model.ffn


def _gathered(model: EncoderConfig, run: Run, s: int) -> float:
    """Weights that others hold, or copies of those held here, while there is computed with them."""
    if run.world > 1:
        blocks = 2 if run.parallel.shard == "full" else model.layers + 1
        return 4 * (model.parameters_total - model.layers * _block(model)) + s * _block(model) * blocks
    if not run.low:
        return 0.0
    return _one_copy(model, s) if run.learned != "all" else s * (model.body_parameters + model.hidden**2)


def _one_copy(model: EncoderConfig, s: int) -> int:
    """Of the weights of one product: autocast keeps no copies of those that do not learn."""
    return s * model.hidden * max(3 * model.hidden, model.ffn)


def _chunk(model: EncoderConfig, run: Run, device: Device) -> int:
    """Positions whose logits are made together, see `losses.at_once`."""
    return min(run.masked, max(LEAST_CHUNK, (CHUNK_ELEMENTS_CUDA if device.gpu else CHUNK_ELEMENTS) // model.vocab_size))


def _listened(run: Run, device: Device, s: int, n: int) -> float:
    """The teacher's weights, and what its forward pass leaves behind."""
    if (teacher := run.teacher) is None:
        return 0.0
    P, block = teacher.parameters_total, teacher.body_parameters / teacher.layers
    root = P - teacher.body_parameters
    held = 0 if run.parallel.offload else 4 * P / n
    if run.world == 1:
        gathered: float = _one_copy(teacher, s) if run.low else 0
    else:
        gathered = 4 * root + s * block * (2 if run.parallel.shard == "full" else teacher.layers)
    return held + gathered + 4 * run.tokens * run.matched * teacher.hidden
