"""Two sentences as one sequence, and the objective of telling how they relate (A 3.1).

Shapes: B sequences, T packed tokens, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from understudy.corpus.pairs import Pair
from understudy.model.encoder import Layout
from understudy.model.heads import Classifier
from understudy.text.spoken import Formatter
from understudy.text.words import split
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.runtime import ID
from understudy.training.batches import Batch, one_epoch
from understudy.training.losses import Part, label_cross_entropy
from understudy.training.masking import Ints
from understudy.training.objectives import Objective
from understudy.training.ranks import total
from understudy.training.tally import Autocast, share_of

__all__ = ["MARKS", "PairBatch", "PairSequences", "Relation", "number", "prepared", "shares", "told"]

MARKS = 4  # <s> premise </s> </s> hypothesis </s>
CHUNK = 10_000  # pairs that are cut into tokens together
BUDGET = 8192  # tokens of a batch that is only looked at
Ids = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairBatch(Batch):
    """For telling how two sentences relate. labels_B; rows_B: which of the sequences' pairs each is."""

    labels_B: Tensor
    rows_B: Tensor


class PairSequences:
    """Makes batches of the pairs at given indices. lengths: tokens of every pair, control symbols included. labels: of every pair."""

    def __init__(self, sequences: Sequence[Ids], labels: Sequence[int]) -> None:
        self.lengths: Ints = np.array([len(s) for s in sequences], np.int64)
        self.labels: Ints = np.array(labels, np.int64)
        self._tokens = np.concatenate(sequences) if len(sequences) else np.empty(0, ID)
        self._starts = np.cumsum(self.lengths) - self.lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, indices: Ints, *, epoch: int) -> PairBatch:
        lengths = self.lengths[indices]
        ends = np.cumsum(lengths)
        at = np.repeat(self._starts[indices] - (ends - lengths), lengths) + np.arange(ends[-1])
        return PairBatch(
            ids_T=torch.from_numpy(self._tokens[at].astype(np.int64)),
            layout=Layout.packed(torch.from_numpy(lengths)),
            languages_B=torch.zeros(len(indices), dtype=torch.int64),
            pairs=int((lengths**2).sum()),
            labels_B=torch.from_numpy(self.labels[indices]),
            rows_B=torch.from_numpy(indices),
        )


def shares(premise: int, hypothesis: int, room: int) -> tuple[int, int]:
    """How many tokens each of two sentences keeps: the longer one is shortened until both fit or are equally long, then both are.

    An odd token is the premise's.
    """
    if premise + hypothesis <= room:
        return premise, hypothesis
    kept = min(hypothesis, max(room // 2, room - premise))
    return room - kept, kept


def number(pairs: Iterable[Pair], tokenizer: Tokenizer, *, max_length: int, formatter: Formatter | None = None) -> PairSequences:
    """Pairs as `<s> premise </s> </s> hypothesis </s>`, RoBERTa's way, of at most `max_length` tokens, cut as `shares` says.

    formatter: turns both sentences into spoken form first; a sentence of which nothing is spoken stays as it is (A 2.2).
    """
    if max_length < MARKS + 2:
        raise ValueError(f"max_length must leave room for two sentences between {MARKS} marks, got {max_length}")
    bos, eos = np.array([tokenizer.bos], ID), np.array([tokenizer.eos], ID)
    sequences: list[Ids] = []
    labels: list[int] = []
    stream = iter(pairs)
    while chunk := list(islice(stream, CHUNK)):
        texts = [text for pair in chunk for text in (pair.premise, pair.hypothesis)]
        if formatter is not None:
            texts = [formatter(text) or text for text in texts]
        ids = [np.frombuffer(found, ID) for found in tokenizer.encode_split([split(text) for text in texts])]
        for premise, hypothesis in zip(ids[::2], ids[1::2], strict=True):
            a, b = shares(len(premise), len(hypothesis), max_length - MARKS)
            sequences.append(np.concatenate([bos, premise[:a], eos, eos, hypothesis[:b], eos]))
        labels += [pair.label for pair in chunk]
    return PairSequences(sequences, labels)


class Relation(Objective):
    """Cross-entropy of each pair's label."""

    asked = ("scores",)

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def counts(self, batch: PairBatch) -> dict[str, int]:
        return {"label": batch.labels_B.numel()}

    def flops(self, batch: PairBatch) -> float:
        config = self.classifier.encoder.config
        return 3 * config.flops(tokens=batch.tokens, pairs=batch.pairs)

    def forward(self, batch: PairBatch) -> dict[str, Part]:
        return {"label": Part(label_cross_entropy(self.scores(batch), batch.labels_B))}

    def scores(self, batch: PairBatch) -> Tensor:
        """Logits (B, C) of each pair."""
        logits_BC: Tensor = self.classifier(batch.ids_T, batch.layout)
        return logits_BC

    def blocks(self) -> Iterator[nn.ModuleList]:
        yield self.classifier.encoder.blocks


def prepared(sequences: PairSequences, device: torch.device) -> list[PairBatch]:
    """All pairs, in batches of like length on `device`: to look at, not to learn from."""
    cut = one_epoch(sequences.lengths, budget=BUDGET, key="pairs", order_by=sequences.lengths)
    return [sequences.batch(indices, epoch=0).to(device) for indices in cut]


@torch.no_grad()
def told(objective: Relation, batches: Sequence[PairBatch], *, autocast: Autocast) -> npt.NDArray[np.float64]:
    """Logits [N, C] of all pairs that the batches hold between them, in the order of their sequences. All ranks must ask; all get
    the same."""
    training = objective.training
    objective.eval()
    found_NC = np.zeros((sum(len(batch.rows_B) for batch in batches), objective.classifier.classes))
    for batch in share_of(batches):
        with autocast():
            logits_BC = objective.scores(batch)
        if not batch.idle:
            found_NC[batch.rows_B.cpu().numpy()] = logits_BC.double().cpu().numpy()
    objective.train(training)
    return np.array(total(found_NC.ravel().tolist())).reshape(found_NC.shape)
