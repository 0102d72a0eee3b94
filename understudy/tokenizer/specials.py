"""Ids that mean something by themselves: where a sequence begins and ends, what is masked, what nothing is learned of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from understudy.config import Config
from understudy.errors import ArtifactError
from understudy.tokenizer.backend import BOS, EOS, MASK, PAD, SPECIALS, UNK

__all__ = ["OURS", "Specials", "find"]

# Ours and RoBERTa's, then BERT's, then Gemma's.
_SPELLED: Final = {
    BOS: (BOS, "[CLS]", "<bos>"),
    PAD: (PAD, "[PAD]"),
    EOS: (EOS, "[SEP]", "<eos>"),
    UNK: (UNK, "[UNK]"),
    MASK: (MASK, "[MASK]"),
}


class Specials(Config):
    """Ids of the control symbols of one vocabulary; by default those of ours.

    bos, eos: around every sequence (`[CLS]` and `[SEP]` in BERT). others: further ones, that a model is neither asked about nor
    shown by chance.
    """

    bos: int = 0
    pad: int = 1
    eos: int = 2
    unk: int = 3
    mask: int = 4
    others: tuple[int, ...] = ()

    @property
    def all(self) -> tuple[int, ...]:
        """Every one of them once, in order."""
        return tuple(sorted({self.bos, self.pad, self.eos, self.unk, self.mask, *self.others}))


OURS: Final = Specials()


def find(backend: Any, vocabulary: Mapping[str, int], *, where: Path | None) -> Specials:
    """The control symbols of a `tokenizers.Tokenizer` with this vocabulary that neither pads nor truncates.

    They go by their names, but where the tokenizer's own file puts one id before a text and one after it, those are bos and eos.
    Raises ArtifactError where one is missing.
    """
    added = {token.content: i for i, token in backend.get_added_tokens_decoder().items() if token.special}
    named = {ours: _id(theirs, added, vocabulary) for ours, theirs in _SPELLED.items()}
    around = backend.encode("", add_special_tokens=True).ids
    if len(around) == 2:
        named |= {BOS: around[0], EOS: around[1]}
    found = {name: i for name, i in named.items() if i is not None}
    if missing := [name for name in SPECIALS if name not in found]:
        raise ArtifactError("the tokenizer lacks control symbols", where=where, got=f"no {', '.join(missing)}")
    bos, pad, eos, unk, mask = (found[name] for name in SPECIALS)
    others = set(added.values()) - {bos, pad, eos, unk, mask}
    return Specials(bos=bos, pad=pad, eos=eos, unk=unk, mask=mask, others=tuple(sorted(others)))


def _id(names: tuple[str, ...], added: Mapping[str, int], vocabulary: Mapping[str, int]) -> int | None:
    """The id of the first of `names` that is a control symbol, or else a piece at all: text may hold such names too."""
    return next((ids[name] for ids in (added, vocabulary) for name in names if name in ids), None)
