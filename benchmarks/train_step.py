"""Training speed on utterances: ours beside transformers' `RobertaPreLayerNormForMaskedLM` with its own loss.

    python benchmarks/train_step.py [--layers 4 --hidden 768 --ffn 1200 --heads 12 --vocab 16000 --seconds 20]

Both train the same shape on the same utterances with AdamW in the same precision, in turns in one run. Ours: packed tokens,
like lengths together, the vocabulary softmax at masked positions only, blocks compiled where a compiler is found. Theirs:
padded batches with like lengths together, as their Trainer's `group_by_length` makes them, logits at every position. Useful
tokens are those that are not padding.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from common import claim, finish, texts
from transformers import RobertaPreLayerNormConfig, RobertaPreLayerNormForMaskedLM

from understudy import artifact
from understudy.model.encoder import MaskedLM
from understudy.model.presets import shape
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.train import TokenizerConfig
from understudy.tokenizer.train import run as train_tokenizer
from understudy.training.batches import MaskedSequences, Pieces, batches
from understudy.training.loop import steps
from understudy.training.masked import Machine
from understudy.training.masking import Masking
from understudy.training.objectives import MaskedLanguageModelling
from understudy.training.optim import OptimConfig, build
from understudy.training.schedule import ScheduleConfig

DROPOUT = 0.1
WARM_UP = 3


class Utterances:
    """Token ids in memory, with the interface of a token set."""

    def __init__(self, rows: list[list[int]]) -> None:
        self.tokens = np.concatenate([np.array(row, np.int32) for row in rows])
        self.offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        self.lengths = np.array([len(row) for row in rows], np.int64)
        self.langs = np.zeros(len(rows), np.uint8)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]


def tokenized(vocab: int, limit: int) -> tuple[str, int, Utterances]:
    """Utterances as ids of a vocabulary learned from them."""
    source, rows = texts(limit=limit)
    with tempfile.TemporaryDirectory() as folder:
        table = pa.table({"text": rows, "lang": ["xx"] * len(rows), "count": pa.array([1] * len(rows), pa.int32())})
        with artifact.writing(Path(folder) / "corpus", kind="corpus", config={}) as draft:
            pq.write_table(table, draft.path / "train.parquet")
            pq.write_table(table.slice(0, 100), draft.path / "valid.parquet")
        corpus = artifact.open(Path(folder) / "corpus")
        config = TokenizerConfig.model_validate({"corpus": "corpus", "vocab_size": vocab, "kanji": False})
        with artifact.writing(Path(folder) / "tokenizer", kind="tokenizer", config={}) as draft:
            train_tokenizer(config, {"corpus": corpus}, draft, seed=0)
        tokenizer = Tokenizer.load(Path(folder) / "tokenizer")
    ids = [[tokenizer.bos, *row, tokenizer.eos] for row in tokenizer.encode_texts(rows)]
    return source, tokenizer.size, Utterances(ids)


def ours(model: MaskedLM, data: Utterances, batch_tokens: int, compile_: bool) -> Iterator[int]:
    """Updates of ours; yields the useful tokens of each."""
    objective = MaskedLanguageModelling(model)
    machine = Machine.prepare(objective, "auto", "auto" if compile_ else False)
    sequences = MaskedSequences(Pieces(data, max_length=512), Masking(0.15, model.config.vocab_size), seed=0)
    optimizer = build(objective, OptimConfig(lr=1e-4))
    schedule = ScheduleConfig().of(peak=1e-4, steps=100_000, width=model.config.hidden)
    stream = batches(sequences, budget=batch_tokens, seed=0)
    yield from (step.tokens for step in steps(objective, stream, optimizer, schedule, autocast=machine.autocast))


def theirs(
    model: RobertaPreLayerNormForMaskedLM,
    data: Utterances,
    batch_tokens: int,
    autocast: Callable[[], contextlib.AbstractContextManager[None]],
) -> Iterator[int]:
    """Updates of transformers' model on padded batches of like lengths; yields the useful tokens of each."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    generator = np.random.default_rng(0)
    mean = float(data.lengths.mean())
    rows = max(1, int(batch_tokens / mean))
    while True:
        order = generator.permutation(len(data))
        groups = [sorted(order[i : i + 50 * rows], key=lambda j: -data.lengths[j]) for i in range(0, len(order), 50 * rows)]
        flat = [j for group in groups for j in group]
        for start in range(0, len(flat), rows):
            chosen = flat[start : start + rows]
            longest = int(max(data.lengths[j] for j in chosen))
            ids = torch.full((len(chosen), longest), 1, dtype=torch.int64)
            for at, j in enumerate(chosen):
                ids[at, : data.lengths[j]] = torch.from_numpy(data[j].astype(np.int64))
            mask = (ids != 1).long()
            picked = (torch.rand(ids.shape) < 0.15) & (ids >= 5)
            labels = torch.where(picked, ids, -100)
            fate = torch.rand(ids.shape)
            shown = torch.where(picked & (fate < 0.8), 4, ids)
            shown = torch.where(picked & (fate >= 0.9), torch.randint(5, model.config.vocab_size, ids.shape), shown)
            with autocast():
                loss = model(input_ids=shown, attention_mask=mask, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            yield int(mask.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"layers": 4, "hidden": 768, "ffn": 1200, "heads": 12, "vocab": 16000, "batch-tokens": 4096}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=20.0, help="measured for each, in turns")
    parser.add_argument("--no-compile", action="store_true")
    a = parser.parse_args()
    with contextlib.redirect_stdout(io.StringIO()):
        source, vocab, data = tokenized(a.vocab, 40_000)
    table = {
        "layers": a.layers,
        "hidden": a.hidden,
        "ffn": a.ffn,
        "heads": a.heads,
        "dropout": DROPOUT,
        "attention_dropout": DROPOUT,
    }
    model = MaskedLM(shape(table, vocab), generator=torch.Generator().manual_seed(0))
    config = RobertaPreLayerNormConfig(
        vocab_size=vocab, hidden_size=a.hidden, num_hidden_layers=a.layers, num_attention_heads=a.heads, intermediate_size=a.ffn,
        max_position_embeddings=514, type_vocab_size=1, hidden_dropout_prob=DROPOUT, attention_probs_dropout_prob=DROPOUT, pad_token_id=1,
    )  # fmt: skip
    machine = Machine.prepare(MaskedLanguageModelling(model), "auto", False)
    runs = {
        "ours": ours(model, data, a.batch_tokens, not a.no_compile),
        "transformers": theirs(RobertaPreLayerNormForMaskedLM(config), data, a.batch_tokens, machine.autocast),
    }
    tokens, seconds = dict.fromkeys(runs, 0), dict.fromkeys(runs, 0.0)
    for updates in runs.values():  # compilation, allocator
        for _ in range(WARM_UP):
            next(updates)
    while min(seconds.values()) < a.seconds:
        for name, updates in runs.items():
            started = time.perf_counter()
            for _ in range(2):
                tokens[name] += next(updates)
            seconds[name] += time.perf_counter() - started
    speed = {name: tokens[name] / seconds[name] for name in runs}
    print(
        f"{source}, {len(data)} utterances, mean {data.lengths.mean():.1f} tokens; {a.layers} x {a.hidden}, vocabulary {vocab}, {machine.precision}"
    )
    for name, value in speed.items():
        print(f"{name:>14}: {value:8,.0f} useful tokens/s")
    finish(
        "train_step",
        [
            claim("ours", speed["ours"], "tokens/s"),
            claim("transformers", speed["transformers"], "tokens/s"),
            claim("ratio", speed["ours"] / speed["transformers"], "x", 4.0),
        ],
    )


if __name__ == "__main__":
    main()
