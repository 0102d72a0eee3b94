"""Batches: packed tokens, cut by a token budget, in an order that is computed and never stored.

Everything here is a pure function of seed and position: which sequences update number n sees is worked out from (seed,
epoch, index) by a keyed permutation, and which of their tokens are masked from (seed, epoch, sequence, token) by a keyed
hash. So a checkpoint holds one integer, and neither the number of micro-batches nor of machines changes what is learned from.

An update's batch may be cut in parts of like size (`Batch.split` through the stream's `parts`): gradients are accumulated
over them, here or on several machines.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from understudy.corpus.order import Permutation, epoch_key
from understudy.corpus.tokenset import TokenSet
from understudy.model.encoder import Layout
from understudy.training.masking import Ints, Masking

__all__ = [
    "Batch",
    "LabelledBatch",
    "LabelledSequences",
    "MaskedBatch",
    "MaskedSequences",
    "Pieces",
    "Source",
    "TaughtBatch",
    "ahead",
    "batches",
    "one_epoch",
    "onto",
]

WINDOW_BATCHES = 64  # how many batches' worth of sequences are sorted by length together
B = TypeVar("B", bound="Batch")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Sequences laid end to end. Fields named _T are per token, _B per sequence; tensors are int64 unless said.

    languages_B: index of each sequence's language.
    pairs: tokens that attention compares, the sum of squared lengths.
    idle: stands in where an update has no share for a rank; its losses count nothing.
    """

    ids_T: Tensor
    layout: Layout
    languages_B: Tensor
    pairs: int = 0
    idle: bool = False

    @property
    def tokens(self) -> int:
        return int(self.ids_T.shape[0])

    def to(self: B, device: torch.device | str) -> B:
        """The same batch on `device`."""
        stays = ("pairs", "idle", "labelled")
        moved = {f.name: getattr(self, f.name).to(device) for f in fields(self) if f.name not in stays}
        return replace(self, **moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedBatch(Batch):
    """For masked language modelling. masked_M: places among the T tokens to be predicted; targets_M: the tokens that stood
    there."""

    masked_M: Tensor
    targets_M: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TaughtBatch(MaskedBatch):
    """With what was kept of a teacher at the masked tokens: kept_MK: words; mass_MK: float32, what part of its distribution each
    stands for."""

    kept_MK: Tensor
    mass_MK: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledBatch(Batch):
    """For language understanding. intents_B; domains_B, -1 where there is none; firsts_W: places among the T tokens of each
    word's first piece; tags_W.

    labelled: whether the labels are known; where not, they are all -1, and only a teacher can say anything.
    """

    intents_B: Tensor
    domains_B: Tensor
    firsts_W: Tensor
    tags_W: Tensor
    labelled: bool = True


class Pieces:
    """The sequences of a token set, those longer than `max_length` cut into pieces, each with its own <s> and </s>.

    lengths: of every piece, specials included. langs: language of every piece.
    """

    def __init__(self, tokens: TokenSet, *, max_length: int) -> None:
        if max_length < 3:
            raise ValueError(f"max_length must leave room between <s> and </s>, got {max_length}")
        self._tokens, self._specials = tokens.tokens, tokens.specials
        self._starts, self.lengths, self.langs = tokens.offsets[:-1], tokens.lengths, tokens.langs
        if len(self.lengths) and int(self.lengths.max()) > max_length:
            room, inner = max_length - 2, self.lengths - 2
            count = np.maximum(1, -(-inner // room))
            of = np.repeat(np.arange(len(count)), count)
            nth = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
            # A later piece begins one token early and ends one late: those two become its <s> and </s>.
            self._starts = self._starts[of] + nth * room
            self.lengths = np.minimum(room, inner[of] - nth * room) + 2
            self.langs = self.langs[of]

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, indices: Ints) -> Ints:
        """The tokens of these pieces, laid end to end."""
        lengths = self.lengths[indices]
        ends = np.cumsum(lengths)
        at = np.repeat(self._starts[indices] - (ends - lengths), lengths) + np.arange(ends[-1])
        ids: Ints = self._tokens[at].astype(np.int64)
        ids[ends - lengths], ids[ends - 1] = self._specials.bos, self._specials.eos
        return ids


class MaskedSequences:
    """Makes masked batches of the sequences at given indices."""

    def __init__(self, sequences: Pieces, masking: Masking, *, seed: int) -> None:
        self.lengths, self._sequences, self._masking, self._seed = sequences.lengths, sequences, masking, seed

    def batch(self, indices: Ints, *, epoch: int) -> MaskedBatch:
        lengths = self.lengths[indices]
        ids = self._sequences[indices]
        shown, chosen = self._masking.apply(ids, lengths, indices, seed=self._seed, epoch=epoch)
        return MaskedBatch(
            ids_T=torch.from_numpy(shown),
            layout=Layout.packed(torch.from_numpy(lengths)),
            languages_B=torch.from_numpy(self._sequences.langs[indices].astype(np.int64)),
            pairs=int((lengths.astype(np.int64) ** 2).sum()),
            masked_M=torch.from_numpy(chosen),
            targets_M=torch.from_numpy(ids[chosen]),
        )


@dataclass(frozen=True)
class Labelled:
    """One labelled utterance as numbers. firsts and tags are per word that the tokenizer's cut left."""

    ids: Sequence[int]
    firsts: Sequence[int]
    tags: Sequence[int]
    intent: int
    language: int
    domain: int = -1


class LabelledSequences:
    """Makes labelled batches of the utterances at given indices."""

    def __init__(self, examples: Sequence[Labelled]) -> None:
        self._examples = examples
        self.lengths = np.array([len(e.ids) for e in examples], np.int64)

    def batch(self, indices: Ints, *, epoch: int) -> LabelledBatch:
        chosen = [self._examples[int(i)] for i in indices]
        starts = np.cumsum(self.lengths[indices]) - self.lengths[indices]
        return LabelledBatch(
            ids_T=torch.tensor([i for e in chosen for i in e.ids]),
            layout=Layout.packed(torch.from_numpy(self.lengths[indices])),
            languages_B=torch.tensor([e.language for e in chosen]),
            pairs=int((self.lengths[indices] ** 2).sum()),
            intents_B=torch.tensor([e.intent for e in chosen]),
            domains_B=torch.tensor([e.domain for e in chosen]),
            firsts_W=torch.tensor([int(start) + f for start, e in zip(starts, chosen, strict=True) for f in e.firsts]),
            tags_W=torch.tensor([t for e in chosen for t in e.tags]),
        )


class Source(Protocol[B]):  # type: ignore[misc]
    """What batches are made from."""

    lengths: Ints

    def batch(self, indices: Ints, *, epoch: int) -> B: ...


def one_epoch(costs: Ints, *, budget: int, key: str, order_by: Ints | None = None) -> Iterator[Ints]:
    """The indices of each batch of one pass over the data, every index once; a pure function of its arguments.

    Args:
        costs: what each sequence takes of the budget, e.g. its tokens.
        budget: what a batch may cost at most; a sequence that alone costs more is a batch of its own.
        key: of the permutation: another key, another order.
        order_by: lengths; where given, sequences of like length come together, and the batches of one window of about 64
            are shuffled. Attention on a grid then has little padding, at no cost to exactness.
    """
    n = len(costs)
    order = Permutation(n, key=key)
    window = n if order_by is None else max(1, int(WINDOW_BATCHES * budget // max(1.0, float(costs.mean()))))
    for start in range(0, n, window):
        indices = order[start : start + window]
        if order_by is not None:
            indices = indices[np.argsort(order_by[indices], kind="stable")]
        ends, last = [], np.cumsum(costs[indices])
        at = 0
        while at < len(indices):
            before = last[at - 1] if at else 0
            at = max(at + 1, int(np.searchsorted(last, before + budget, side="right")))
            ends.append(at)
        cuts = [indices[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]
        shuffled = Permutation(len(cuts), key=f"{key}/window/{start}")[:] if order_by is not None else range(len(cuts))
        yield from (cuts[int(i)] for i in shuffled)


def batches(
    source: Source[B],
    *,
    budget: int,
    seed: int,
    costs: Ints | None = None,
    bucketed: bool = True,
    parts: int = 1,
    rank: int = 0,
    world: int = 1,
    start: int = 0,
) -> Iterator[tuple[B, ...]]:
    """Without end, what each update learns from: `parts` micro-batches on each of `world` ranks, together within `budget`.

    Args:
        budget: tokens of one update over all ranks, or of whatever `costs` counts.
        bucketed: whether sequences of like length come together.
        parts: micro-batches of one rank, fewer where there are too few sequences; on all ranks equally many, if need be idle.
        rank, world: whose share is made, of how many.
        start: updates to pass over; only lengths are looked at to find the place, nothing is read.
    """
    costs = source.lengths if costs is None else costs
    number, epoch = 0, 0
    while True:
        for indices in one_epoch(costs, budget=budget, key=epoch_key(seed, epoch), order_by=source.lengths if bucketed else None):
            if number >= start:
                runs = _parts(indices, source.lengths, parts * world)
                share = -(-len(runs) // world)
                made = [source.batch(run, epoch=epoch) for run in runs[rank * share : (rank + 1) * share]]
                if len(made) < share:
                    made += [replace(source.batch(runs[0], epoch=epoch), idle=True)] * (share - len(made))
                yield tuple(made)
            number += 1
        epoch += 1


def onto(device: torch.device, made: Iterator[tuple[B, ...]]) -> Iterator[tuple[B, ...]]:
    """The same batches on `device`: for a GPU made ahead, for a CPU as they are asked for.

    On a CPU a second thread takes the cores that the step computes on: the tiny recipe's teacher took 1.7 times as long.
    """
    moved = (tuple(part.to(device) for part in parts) for parts in made)
    return moved if device.type == "cpu" else ahead(moved)


def ahead(made: Iterator[T], count: int = 2) -> Iterator[T]:
    """The same items, of which up to `count` are made in a thread before they are asked for."""
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
        waiting = deque(thread.submit(next, made) for _ in range(count))
        while True:
            try:
                item = waiting.popleft().result()
            except StopIteration:
                return
            waiting.append(thread.submit(next, made))
            yield item


def _parts(indices: Ints, lengths: Ints, parts: int) -> list[Ints]:
    """`indices` in at most `parts` runs of about equally many tokens, none of them empty."""
    if parts == 1:
        return [indices]
    ends = np.cumsum(lengths[indices])
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts)
    return [run for run in np.split(indices, cuts) if len(run)]
