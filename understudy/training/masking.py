"""Which tokens are hidden from the model, drawn from (seed, epoch, sequence, token) and nothing else (A 2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from understudy.corpus.order import mix
from understudy.tokenizer.specials import OURS, Specials

__all__ = ["Draws", "Ints", "Masking"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Masking:
    """Which tokens are chosen for prediction and what is shown in their place (A 2.4).

    In each sequence a share `rate` of the tokens is chosen, up or down to a whole number by chance, so that the expected
    share is exact and short utterances are seldom left without any. Of the chosen, 80 % become `specials.mask`, 10 % another
    token, 10 % stay. Specials are never chosen and never drawn.

    begins_V: for whole-word masking, True at the ids of pieces that begin a word. The share is then of words, and a chosen
    word is chosen with all its pieces, each of which has its own fate.
    """

    rate: float
    vocab_size: int
    specials: Specials = OURS
    begins_V: npt.NDArray[np.bool_] | None = None

    @cached_property
    def _plain_V(self) -> npt.NDArray[np.bool_]:
        plain_V = np.ones(self.vocab_size, np.bool_)
        plain_V[list(self.specials.all)] = False
        return plain_V

    @cached_property
    def _words(self) -> Ints:
        """The ids that may be shown in place of another."""
        return np.flatnonzero(self._plain_V)

    def apply(self, ids_T: Ints, lengths_B: Ints, indices_B: Ints, *, seed: int, epoch: int) -> tuple[Ints, Ints]:
        """Ids with masks in them, and the places chosen, in order. Depends on each sequence's index, not on its batch."""
        sequence_T = np.repeat(np.arange(len(lengths_B)), lengths_B)
        position_T = np.arange(len(ids_T)) - np.repeat(np.cumsum(lengths_B) - lengths_B, lengths_B)
        draws = Draws(seed, epoch)
        first_U, unit_T = self._units(ids_T, position_T)
        sequence_U, plain_U = sequence_T[first_U], self._plain_V[ids_T[first_U]]
        score_U = np.where(plain_U, draws(0, indices_B[sequence_U], position_T[first_U]), 1.0)
        wanted_B = np.bincount(sequence_U, weights=plain_U, minlength=len(lengths_B)) * self.rate
        count_B = np.floor(wanted_B + draws(1, indices_B, np.zeros_like(indices_B)))
        # Inside each sequence the best scores first; sequences stay in place. One whole number sorts ten times as fast as two keys.
        order_U = np.argsort((sequence_U << 41) + (score_U * 2.0**40).astype(np.int64), kind="stable")
        units_B = np.bincount(sequence_U, minlength=len(lengths_B))
        place_U = np.arange(len(first_U)) - np.repeat(np.cumsum(units_B) - units_B, units_B)
        chosen_U = np.zeros(len(first_U), np.bool_)
        chosen_U[order_U[place_U < count_B[sequence_U]]] = True
        chosen_M = np.flatnonzero(chosen_U[unit_T])
        shown_T = ids_T.copy()
        fate_M = draws(2, indices_B[sequence_T[chosen_M]], position_T[chosen_M])
        random_M = draws(3, indices_B[sequence_T[chosen_M]], position_T[chosen_M])
        drawn_M = self._words[(random_M * len(self._words)).astype(np.int64)]
        shown_T[chosen_M] = np.where(fate_M < 0.8, self.specials.mask, np.where(fate_M < 0.9, drawn_M, ids_T[chosen_M]))
        return shown_T, chosen_M

    def _units(self, ids_T: Ints, position_T: Ints) -> tuple[Ints, Ints]:
        """What is chosen as one: the first token of each unit, and the unit of each token. Tokens, or words with all their pieces."""
        if self.begins_V is None:
            each_T = np.arange(len(ids_T))
            return each_T, each_T
        special_T = ~self._plain_V[ids_T]
        new_T = special_T | self.begins_V[ids_T] | (position_T == 0)
        new_T[1:] |= special_T[:-1]
        return np.flatnonzero(new_T), np.cumsum(new_T) - 1


class Draws:
    """Uniform numbers in [0, 1) that depend on nothing but seed, epoch and counters: splitmix64 over each in turn.

    Called with a stream (0 to 3 are those of masks) and two counters. Another use takes another stream.
    """

    def __init__(self, seed: int, epoch: int) -> None:
        start = np.array([seed & 0xFFFFFFFFFFFFFFFF], np.uint64)
        self._key = _mix(_mix(start) + np.array([epoch], np.uint64))

    def __call__(self, stream: int, first: Ints, second: Ints) -> npt.NDArray[np.float64]:
        state = _mix(self._key + np.array([stream], np.uint64))
        for counter in (first, second):
            state = _mix(state + counter.astype(np.uint64))
        return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """One step of splitmix64 (Steele, Lea, Flood 2014)."""
    return mix(x + np.uint64(0x9E3779B97F4A7C15))
