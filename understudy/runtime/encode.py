"""From text to the arrays a model reads, remembering where every word stands in the text.

Shapes: B sequences, L positions of the longest sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from understudy.errors import DataError
from understudy.text.spoken import Formatter
from understudy.text.words import Word, words
from understudy.tokenizer import Tokenizer

__all__ = ["Encoded", "encode", "encode_each", "in_batches", "pad", "placed", "token_batches"]

Ints = NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Encoded:
    """An utterance as a model sees it.

    `words` have spans in `text`; `ids` are the tokens with their <s> and </s>; `first[w]` is the index in `ids` of word w's
    first piece. Words that the maximum length cut off have no entry in `first`. `spoken` is the spoken form that the words are of,
    where it is another than `text`.
    """

    text: str
    words: list[Word]
    ids: list[int]
    first: list[int]
    spoken: str = ""


def encode(
    text: str,
    tokenizer: Tokenizer,
    *,
    max_length: int,
    lang: str | None = None,
    spoken: bool = False,
    lower: bool = False,
) -> Encoded:
    """Cut `text` into words and the words into tokens.

    Args:
        text: what was said or typed.
        tokenizer: the model's own.
        max_length: tokens that the model accepts, <s> and </s> included; the rest is cut off.
        lang: language ("en") or locale ("en-US") of the text; used only with `spoken`.
        spoken: convert typed text to the form it is spoken in ("7:30" -> "seven thirty") where `lang` is known; the words'
            spans stay spans of the text as given (paper section A 2.2).
        lower: lower-case each word before it is cut into pieces; spans stay as they are.

    Raises:
        DataError: the text holds no word, or `spoken` is set and no formatter knows `lang`.
    """
    found, form = _spoken(text, lang) if spoken and lang else ([], "")
    found = found or words(text)  # punctuation alone has no spoken form, yet a caller who sends it wants an answer
    if not found:
        raise DataError("there is nothing to understand", got=repr(text[:40]), wanted="text with at least one word")
    forms = [word.text.lower() for word in found] if lower else [word.text for word in found]
    encoding = tokenizer.encode(forms, max_length=max_length)
    return Encoded(text, found, encoding.ids, encoding.first, form)


def encode_each(
    texts: Sequence[str], langs: Sequence[str | None] | str | None, encode: Callable[[str, str | None], Encoded]
) -> list[Encoded]:
    """Each text encoded in its language: one for all, or one (or None) per text.

    Raises DataError as `encode` does, naming the text's place, or where texts and languages differ in number.
    """
    each = [langs] * len(texts) if isinstance(langs, str) or langs is None else list(langs)
    if len(each) != len(texts):
        raise DataError("texts and languages differ in number", got=f"{len(texts)} texts, {len(each)} languages")
    found = []
    for index, (text, lang) in enumerate(zip(texts, each, strict=True)):
        try:
            found.append(encode(text, lang))
        except DataError as error:
            raise placed(error, index) from None
    return found


def placed(error: DataError, index: int) -> DataError:
    """What is wrong with the text of that place in a list."""
    return DataError(error.what, where=f"text {index}", got=error.got, wanted=error.wanted, hint=error.hint)


def _spoken(text: str, lang: str) -> tuple[list[Word], str]:
    """The words of the spoken form, with their spans in `text`, and the form itself where it is another."""
    formatter = _formatter(lang.replace("_", "-").partition("-")[0].lower())
    form = formatter(text)
    # What was said rather than typed is in spoken form already: seeing that takes a quarter of the time of aligning it. Texts with
    # full stops are aligned, for the initials of one reading ("a. m.") share its span.
    if form == text:
        return (formatter.align(text) if "." in text else words(text)), ""
    return formatter.align(text), form


@cache
def _formatter(lang: str) -> Formatter:
    return Formatter(lang)


def pad(sequences: Sequence[Sequence[int]], *, pad_id: int) -> tuple[Ints, Ints]:
    """`input_ids` and `attention_mask`, both int64 [B, L], of sequences filled up to the longest with `pad_id`."""
    if len(sequences) == 1:  # what a single call has; in less than half the time
        alone_BL = np.array(sequences, dtype=np.int64)
        return alone_BL, np.ones_like(alone_BL)
    lengths_B = np.fromiter((len(s) for s in sequences), dtype=np.int64, count=len(sequences))
    mask_BL = (np.arange(lengths_B.max())[None, :] < lengths_B[:, None]).astype(np.int64)
    ids_BL = np.full(mask_BL.shape, pad_id, dtype=np.int64)
    for row, sequence in zip(ids_BL, sequences, strict=True):
        row[: len(sequence)] = sequence
    return ids_BL, mask_BL


def in_batches(encoded: Sequence[Encoded], answer: Callable[[Sequence[int]], Sequence[T]], *, budget: int) -> list[T]:
    """What `answer` says of each, in their order; it is asked for the indices of one batch of `token_batches` at a time."""
    found: dict[int, T] = {}
    for indices in token_batches([len(e.ids) for e in encoded], budget=budget):
        found.update(zip(indices, answer(indices), strict=True))
    return [found[index] for index in range(len(encoded))]


def token_batches(lengths: Sequence[int], *, budget: int) -> Iterator[list[int]]:
    """Indices of sequences of like length, in batches of at most `budget` padded tokens (one sequence at the least)."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        # Lengths rise, so the newest member says how wide the batch becomes.
        if batch and lengths[index] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
