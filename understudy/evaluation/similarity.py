"""How like general text the utterances of a domain are: by their words, and by how well a teacher foresees them (B).

Two measures of one thing, of which neither needs a model that was fine-tuned.
"""

from __future__ import annotations

import string
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch

from understudy.errors import DataError
from understudy.model.encoder import MaskedLM
from understudy.runtime.encode import token_batches
from understudy.text.words import split
from understudy.tokenizer.rows import read_rows
from understudy.training.filling import Blank, blanked
from understudy.training.objectives import MaskedLanguageModelling

__all__ = ["corpus_words", "divergences", "jensen_shannon", "pseudo_perplexity", "unigrams"]

_MARKS = string.punctuation + "¿¡«»“”„‘’‚…–—।॥、。「」？！،؛؟"

Utterances = Mapping[str, Mapping[str, Sequence[str]]]
"""Texts by domain and language."""


def unigrams(text: str) -> list[str]:
    """The words of `text` for counting: without case, and without the marks around them, which spoken text lacks."""
    return [word for word in (found.strip(_MARKS) for found in split(text.casefold())) if word]


def corpus_words(path: Path) -> dict[str, Counter[str]]:
    """How often each word stands in the rows of a corpus's parquet file, by language; a row counts as often as it is seen."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for rows in read_rows(path):
        for text, lang, count in zip(rows.texts, rows.langs, rows.counts.tolist(), strict=True):
            for word in unigrams(text):
                found[lang][word] += count
    return dict(found)


def jensen_shannon(p: Mapping[str, int], q: Mapping[str, int]) -> float:
    """Jensen-Shannon divergence, in bits, of two distributions given as counts of words (Lin 1991).

    0 where they are equal, 1 where no word stands in both. The mean of the Kullback-Leibler divergences of both from their
    mean. Raises ValueError where one holds no word.
    """
    known = sorted({*p, *q})
    counts_2W = np.array([[p.get(word, 0) for word in known], [q.get(word, 0) for word in known]], dtype=np.float64)
    totals_2 = counts_2W.sum(axis=1, keepdims=True, initial=0.0)
    if not known or not totals_2.all():
        raise ValueError("a distribution needs at least one word")
    shares_2W = counts_2W / totals_2
    middle_W = shares_2W.mean(axis=0)
    ratios_2W = np.divide(shares_2W, middle_W, out=np.ones_like(shares_2W), where=shares_2W > 0)
    # Rounding may leave equal distributions a hair below 0.
    return max(0.0, float((shares_2W * np.log2(ratios_2W)).sum() / 2))


def divergences(
    generic: Mapping[str, Mapping[str, int]], utterances: Utterances, *, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Jensen-Shannon divergence between general text and each domain's utterances, by domain and language.

    The estimate grows as a sample shrinks, so in each language as many words are taken of every domain as of the one that has
    fewest, to the utterance; which ones is drawn by `seed`. Languages without general text are left out.
    """
    found: dict[str, dict[str, float]] = {domain: {} for domain in utterances}
    for lang in sorted({lang for texts in utterances.values() for lang in texts} & {lang for lang in generic if generic[lang]}):
        words = {domain: [unigrams(text) for text in texts[lang]] for domain, texts in utterances.items() if texts.get(lang)}
        words = {domain: cut for domain, cut in words.items() if any(cut)}
        least = min(sum(map(len, cut)) for cut in words.values()) if words else 0
        for domain, cut in words.items():
            order = np.random.default_rng([seed, *domain.encode(), *lang.encode()]).permutation(len(cut))
            sample: Counter[str] = Counter()
            for index in order:
                if sample.total() >= least:
                    break
                sample.update(cut[index])
            found[domain][lang] = jensen_shannon(generic[lang], sample)
    return found


def pseudo_perplexity(
    model: MaskedLM,
    sequences: Sequence[Sequence[int]],
    *,
    mask: int,
    batch_tokens: int = 8192,
    autocast: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> float:
    """exp of the mean cross-entropy of every token with nothing but that token masked (Salazar et al. 2020).

    Args:
        model: an encoder with its masked-LM head, on any device.
        sequences: ids with their <s> and </s>, which are not foreseen; each is read once for every token between them.
        mask: id of <mask>.
        batch_tokens: tokens of one forward pass.
        autocast: context of the forward pass, e.g. bf16.

    Raises DataError where there is no token to foresee.
    """
    copies = [Blank(list(ids), [at], 0) for ids in sequences for at in range(1, len(ids) - 1)]
    if not copies:
        raise DataError("there is nothing to foresee", got=f"{len(sequences)} sequences", wanted="at least one token of text")
    objective, device = MaskedLanguageModelling(model).eval(), next(model.parameters()).device
    total = 0.0
    with torch.inference_mode():
        for chosen in token_batches([len(copy.ids) for copy in copies], budget=batch_tokens):
            batch = blanked([copies[index] for index in chosen], mask=mask).to(device)
            with autocast():
                total += float(objective(batch)["mlm"].sum)
    return float(np.exp(total / len(copies)))
