"""How often each row is seen: language shares, square-root counts, and decisions by keyed hash.

Nothing here keeps state: each decision depends on a seed and the row alone, so that a corpus of any size streams through
and the same rows give the same decisions in any process.
"""

from __future__ import annotations

import functools
import hashlib
import math
import re
import unicodedata
from collections.abc import Mapping

from understudy.text.characters import SKIP

__all__ = [
    "copies",
    "derive",
    "fraction",
    "is_spoken",
    "language_shares",
    "normal",
    "normal_key",
    "sampled_counts",
    "sqrt_count",
]


def fraction(purpose: str, seed: int, key: str) -> float:
    """A number in [0, 1), uniform over keys, the same for the same purpose, seed and key everywhere."""
    return (_bits(purpose, seed, key) >> 3) / 2**53


def derive(purpose: str, seed: int) -> int:
    """A seed of its own (56 bits) for each purpose."""
    return _bits(purpose, seed, "")


def _bits(purpose: str, seed: int, key: str) -> int:
    hashed = _keyed(purpose, seed).copy()
    hashed.update(key.encode("utf-8", "surrogatepass"))
    return int.from_bytes(hashed.digest(), "big")


@functools.lru_cache(maxsize=64)
def _keyed(purpose: str, seed: int) -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=7, key=f"{seed}:{purpose}".encode())


def language_shares(counts: Mapping[str, float], alpha: float | None) -> dict[str, float]:
    """Share q of each language after sampling (A 2.1): p_i = n_i / sum n_k, q_i = p_i^alpha / sum p_j^alpha.

    alpha = 0.5 lifts small languages; 1 or None leaves the shares as they are; 0 makes them equal. Languages with no rows
    have share 0.
    """
    total = sum(counts.values())
    powers = {lang: (n / total) ** (1.0 if alpha is None else alpha) if n > 0 else 0.0 for lang, n in counts.items()}
    whole = sum(powers.values())
    return {lang: power / whole for lang, power in powers.items()}


def sqrt_count(count: int) -> int:
    """How often an utterance that was seen `count` times is kept (A 2.1): the square root, 100 -> 10, rounded half up, at least 1."""
    root = math.isqrt(count)
    return max(1, root + (count > root * root + root))  # (root + 1/2)^2 = root^2 + root + 1/4 lies between two integers


def sampled_counts(totals: Mapping[str, float], *, alpha: float | None, size: int | None = None) -> dict[str, float]:
    """How many copies of each row of a language are wanted, a real number, so that the languages get their shares (A 2.1).

    Args:
        totals: rows per language, each as often as its count says.
        alpha: exponent of `language_shares`, None for no sampling.
        size: rows wanted over all languages; as many as there are by default.
    """
    wanted = size if size is not None else sum(totals.values())
    shares = language_shares(totals, alpha)
    return {lang: shares[lang] * wanted / n if n > 0 else 0.0 for lang, n in totals.items()}


def copies(wanted: float, *, seed: int, key: str) -> int:
    """`wanted` as a whole number: its floor, and one more with the probability of what is left, by keyed hash (A 2.1)."""
    whole = math.floor(wanted)
    return whole + (wanted > whole and fraction("copies", seed, key) < wanted - whole)


def is_spoken(share: float, *, seed: int, key: str) -> bool:
    """Whether a row is written in spoken form (A 2.2: 70 % spoken, 30 % written)."""
    return fraction("spoken", seed, key) < share


def normal_key(form: str) -> float:
    """Where a text of this normal form falls in [0, 1): it is held out where this is below the held-out share.

    Depends on the normal form alone and on no seed, so that duplicates never straddle; over two corpora they may where one holds out
    a smaller share, its `valid_rows` being reached: `exclude` keeps them apart.
    """
    return fraction("valid", 0, form)


class _Letters(dict[int, "str | None"]):
    """A translation table that drops white space, punctuation, symbols, what surrounds or varies these, and control characters; filled
    as characters come up."""

    def __missing__(self, code: int) -> str | None:
        category = unicodedata.category(chr(code))
        kept = None if category[0] in "ZPSC" or category == "Me" or _SKIPPED.match(chr(code)) else chr(code)
        self[code] = kept
        return kept


_SKIPPED = re.compile(f"[{SKIP}]")
_LETTERS = _Letters()


def normal(text: str) -> str:
    """Letters, marks and digits of a text, compatibility-composed and case-folded: equal for texts that differ in nothing else."""
    return unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS)
