"""Noun filling: of nouns masked with all their pieces, how many are guessed wholly right (A 2.7).

Unlike perplexity it can be compared between tokenizers. Shapes: B sequences, T packed tokens, M masked tokens, N languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from understudy.corpus.nouns import Noun
from understudy.model.encoder import Layout
from understudy.tokenizer import Tokenizer
from understudy.training.batches import MaskedBatch, one_epoch
from understudy.training.objectives import Distillation, MaskedLanguageModelling
from understudy.training.ranks import total
from understudy.training.tally import Autocast, Metrics, share_of

__all__ = ["Blank", "Filling", "blank", "blanked"]


class Blank(NamedTuple):
    """A sentence with a noun or a token to be guessed. ids: as it was written, <s> and </s> included; at: places of its pieces."""

    ids: list[int]
    at: list[int]
    language: int


def blank(noun: Noun, tokenizer: Tokenizer, *, language: int, max_length: int) -> Blank:
    """A noun as ids: all pieces with a letter of it are to be guessed, and the "▁" of a word that it begins.

    Of a sentence longer than `max_length` tokens that much is kept around the noun.
    """
    ids, spans = tokenizer.pieces(noun.text)
    at = [i for i, (a, b) in enumerate(spans) if max(a, noun.start) < min(b, noun.end)]
    room = max_length - 2
    first = max(0, min((at[0] + at[-1] + 1 - room) // 2, len(ids) - room))
    cut = [tokenizer.bos, *ids[first : first + room], tokenizer.eos]
    return Blank(cut, [i - first + 1 for i in at if first <= i < first + room], language)


def blanked(blanks: Sequence[Blank], *, mask: int) -> MaskedBatch:
    """Sentences side by side, with what is to be guessed masked."""
    lengths_B = np.array([len(b.ids) for b in blanks], np.int64)
    starts_B = np.cumsum(lengths_B) - lengths_B
    ids_T = torch.tensor([i for b in blanks for i in b.ids])
    masked_M = torch.tensor([int(start) + i for start, b in zip(starts_B, blanks, strict=True) for i in b.at])
    return MaskedBatch(
        ids_T=ids_T.index_fill(0, masked_M, mask),
        layout=Layout.packed(torch.from_numpy(lengths_B)),
        languages_B=torch.tensor([b.language for b in blanks]),
        pairs=int((lengths_B**2).sum()),
        masked_M=masked_M,
        targets_M=ids_T[masked_M],
    )


@dataclass(frozen=True)
class Filling:
    """Nouns to be guessed, the same in the same batches each time. languages: by the numbers that batches give them."""

    batches: tuple[MaskedBatch, ...]
    languages: tuple[str, ...]

    @classmethod
    def of(cls, nouns: Sequence[Noun], tokenizer: Tokenizer, *, max_length: int, budget: int, device: torch.device) -> Filling:
        """Nouns in batches of `budget` tokens, on `device`."""
        languages = tuple(sorted({noun.lang for noun in nouns}))
        number = {lang: i for i, lang in enumerate(languages)}
        blanks = [blank(noun, tokenizer, language=number[noun.lang], max_length=max_length) for noun in nouns]
        lengths = np.array([len(b.ids) for b in blanks], np.int64)
        cut = one_epoch(lengths, budget=budget, key="nouns", order_by=lengths)
        return cls(tuple(blanked([blanks[i] for i in part], mask=tokenizer.mask).to(device) for part in cut), languages)

    @torch.no_grad()
    def accuracy(self, objective: MaskedLanguageModelling | Distillation, *, autocast: Autocast) -> Metrics:
        """Percent of nouns of which every piece is the likeliest at its mask: `fill.de` of a language, `fill` their mean.

        Each rank takes its share of the batches. Dropout is off and no random number is drawn.
        """
        training = objective.training
        objective.eval()
        counts_2N = torch.zeros(2, len(self.languages), dtype=torch.float64, device=self.batches[0].ids_T.device)
        for part in share_of(self.batches):
            with autocast():
                found_M = objective.likeliest(part)
            sequence_M = part.layout.sequences_T[part.masked_M]
            wrong_B = torch.zeros_like(part.languages_B).index_add_(0, sequence_M, (found_M != part.targets_M).long())
            both_2B = torch.stack([wrong_B == 0, torch.ones_like(wrong_B, dtype=torch.bool)]).double()
            counts_2N.index_add_(1, part.languages_B, both_2B * (not part.idle))
        objective.train(training)
        sums = total(counts_2N.flatten().tolist())
        right, asked = sums[: len(self.languages)], sums[len(self.languages) :]
        percent = {lang: 100 * r / n for lang, r, n in zip(self.languages, right, asked, strict=True)}
        return {"fill": sum(percent.values()) / len(percent), **{f"fill.{lang}": value for lang, value in percent.items()}}
