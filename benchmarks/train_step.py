"""Training speed on utterances or text: ours beside transformers' `RobertaPreLayerNormForMaskedLM` with its own loss.

    python benchmarks/train_step.py [--text] [--layers 4 --hidden 768 --ffn 1200 --heads 12 --vocab 16000 --seconds 20]

Both train the same shape on the same sequences with AdamW in the same precision, in turns in one run. Ours: packed tokens,
like lengths together, the vocabulary softmax at masked positions only, blocks compiled where a compiler is found. Theirs:
padded batches with like lengths together, as their Trainer's `group_by_length` makes them, logits at every position. Useful
tokens are those that are not padding. With --text, sequences are 512 tokens long: nothing is padded, and what is left is the
softmax and the loop.

A --vocab above 16,000 is simulated: ids are those of a vocabulary of 16,000, learned from the text, in a model of that many
rows. What the larger table costs, the softmax and the update over all of it, is the same; only the masks' random tokens reach
the other rows.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from common import claim, finish
from sequences import Sequences, public_text, utterances
from transformers import RobertaPreLayerNormConfig, RobertaPreLayerNormForMaskedLM

from understudy.model.encoder import MaskedLM
from understudy.model.presets import shape
from understudy.training.batches import MaskedSequences, Pieces, batches
from understudy.training.loop import steps
from understudy.training.machine import Machine
from understudy.training.masking import Masking
from understudy.training.objectives import MaskedLanguageModelling
from understudy.training.optim import OptimConfig, build
from understudy.training.parallel import ParallelConfig
from understudy.training.schedule import ScheduleConfig

DROPOUT = 0.1
TURNS = 3
PAD, MASK, SPECIALS = 1, 4, 5
WANTED = {("utterances", "cpu"): 4.0, ("utterances", "cuda"): 5.0, ("text", "cpu"): 2.5, ("text", "cuda"): 2.5}
Autocast = Callable[[], contextlib.AbstractContextManager[None]]


def ours(objective: MaskedLanguageModelling, machine: Machine, data: Sequences, batch_tokens: int, vocab: int) -> Iterator[int]:
    """Updates of ours; yields the useful tokens of each."""
    sequences = MaskedSequences(Pieces(data, max_length=512), Masking(0.15, vocab), seed=0)
    optimizer = build(objective, OptimConfig(lr=1e-4))
    schedule = ScheduleConfig().of(peak=1e-4, steps=100_000)
    made = batches(sequences, budget=batch_tokens, seed=0)
    stream = (tuple(part.to(machine.device) for part in parts) for parts in made)
    yield from (step.tokens for step in steps(objective.train(), stream, optimizer, schedule, autocast=machine.autocast))


def theirs(model: RobertaPreLayerNormForMaskedLM, machine: Machine, data: Sequences, batch_tokens: int) -> Iterator[int]:
    """Updates of transformers' model on padded batches of like lengths; yields the useful tokens of each."""
    model.to(machine.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    generator = np.random.default_rng(0)
    rows = max(1, int(batch_tokens / data.lengths.mean()))
    while True:
        order = generator.permutation(len(data))
        windows = [order[at : at + 50 * rows] for at in range(0, len(order), 50 * rows)]
        flat = np.concatenate([window[np.argsort(-data.lengths[window], kind="stable")] for window in windows])
        for start in range(0, len(flat), rows):
            shown, mask, labels = (part.to(machine.device) for part in padded(data, flat[start : start + rows], model))
            with machine.autocast():
                loss = model(input_ids=shown, attention_mask=mask, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            yield int(data.lengths[flat[start : start + rows]].sum())


def padded(data: Sequences, chosen: np.ndarray, model: RobertaPreLayerNormForMaskedLM) -> tuple[torch.Tensor, ...]:
    """Ids with masks in them, attention mask and labels (B, L), as their collator makes them, without a loop over rows."""
    lengths = data.lengths[chosen]
    within = np.arange(lengths.max())
    mask = torch.from_numpy(within < lengths[:, None])
    at = np.minimum(data.offsets[chosen][:, None] + within, len(data.tokens) - 1)
    ids = torch.from_numpy(data.tokens[at].astype(np.int64)).where(mask, PAD)
    picked = (torch.rand(ids.shape) < 0.15) & (ids >= SPECIALS)
    fate = torch.rand(ids.shape)
    shown = torch.where(picked & (fate < 0.8), MASK, ids)
    shown = torch.where(picked & (fate >= 0.9), torch.randint(SPECIALS, model.config.vocab_size, ids.shape), shown)
    return shown, mask.long(), torch.where(picked, ids, -100)


def in_turns(runs: dict[str, Iterator[int]], seconds: float, machine: Machine, warm_up: int) -> dict[str, float]:
    """Useful tokens a second of each, measured for about `seconds`; one update to warm up and one per turn at the least."""
    for updates in runs.values():  # compilation, allocator
        done, until = 0, time.perf_counter() + seconds
        while not done or (done < warm_up and time.perf_counter() < until):
            next(updates)
            done += 1
    tokens, spent = dict.fromkeys(runs, 0), dict.fromkeys(runs, 0.0)
    for _ in range(TURNS):
        for name, updates in runs.items():
            synchronise(machine)
            started, until = time.perf_counter(), time.perf_counter() + seconds / TURNS
            tokens[name] += next(updates)
            while time.perf_counter() < until:
                tokens[name] += next(updates)
            synchronise(machine)
            spent[name] += time.perf_counter() - started
    return {name: tokens[name] / spent[name] for name in runs}


def synchronise(machine: Machine) -> None:
    if machine.device.type == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"layers": 4, "hidden": 768, "ffn": 1200, "heads": 12, "vocab": 16000, "batch-tokens": 4096}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--text", action="store_true", help="sequences of 512 tokens instead of utterances")
    parser.add_argument("--limit", type=int, default=40_000, help="utterances or rows of text")
    parser.add_argument("--seconds", type=float, default=20.0, help="measured for each, in turns")
    parser.add_argument(
        "--warm-up", type=int, default=3, help="updates of each before, fewer where they take longer than --seconds"
    )
    parser.add_argument("--no-compile", action="store_true")
    a = parser.parse_args()
    kind, make = ("text", public_text) if a.text else ("utterances", utterances)
    with contextlib.redirect_stdout(io.StringIO()):
        source, known, data = make(a.vocab, limit=a.limit)
    vocab = max(a.vocab, known)
    table = {name: getattr(a, name) for name in ("layers", "hidden", "ffn", "heads")}
    table |= {"dropout": DROPOUT, "attention_dropout": DROPOUT}
    objective = MaskedLanguageModelling(MaskedLM(shape(table, vocab), generator=torch.Generator().manual_seed(0)))
    machine = Machine.prepare(objective, "auto", False if a.no_compile else "auto", ParallelConfig())
    config = RobertaPreLayerNormConfig(
        vocab_size=vocab, hidden_size=a.hidden, num_hidden_layers=a.layers, num_attention_heads=a.heads, intermediate_size=a.ffn,
        max_position_embeddings=514, type_vocab_size=1, hidden_dropout_prob=DROPOUT, attention_probs_dropout_prob=DROPOUT, pad_token_id=PAD,
    )  # fmt: skip
    runs = {
        "ours": ours(objective, machine, data, a.batch_tokens, vocab),
        "transformers": theirs(RobertaPreLayerNormForMaskedLM(config), machine, data, a.batch_tokens),
    }
    speed = in_turns(runs, a.seconds, machine, a.warm_up)
    print(
        f"{source}, {len(data)} sequences of {data.lengths.mean():.1f} tokens in the mean; {a.layers} x {a.hidden}, "
        f"vocabulary {vocab} ({known} in use), {a.batch_tokens} tokens per update, {machine.precision}"
    )
    for name, value in speed.items():
        print(f"{name:>14}: {value:8,.0f} useful tokens/s")
    finish(
        "train_step",
        [
            claim(f"ours, {kind}", speed["ours"], "tokens/s"),
            claim(f"transformers, {kind}", speed["transformers"], "tokens/s"),
            claim(f"ratio, {kind}", speed["ours"] / speed["transformers"], "x", WANTED[kind, machine.device.type]),
        ],
    )


if __name__ == "__main__":
    main()
