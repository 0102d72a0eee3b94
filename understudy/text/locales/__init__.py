"""The twelve languages, each made on first use."""

from __future__ import annotations

from functools import lru_cache

from understudy.errors import DataError, nearest
from understudy.text.locales.ar import Arabic
from understudy.text.locales.base import Amount, Locale, Money, Rule
from understudy.text.locales.de import German
from understudy.text.locales.en import English
from understudy.text.locales.es import Spanish
from understudy.text.locales.fr import French
from understudy.text.locales.hi import Hindi
from understudy.text.locales.it import Italian
from understudy.text.locales.ja import Japanese
from understudy.text.locales.mr import Marathi
from understudy.text.locales.pt import Portuguese
from understudy.text.locales.ta import Tamil
from understudy.text.locales.te import Telugu

__all__ = ["LANGUAGES", "Amount", "Locale", "Money", "Rule", "locale"]

_CLASSES: tuple[type[Locale], ...] = (
    Arabic, German, English, Spanish, French, Hindi, Italian, Japanese, Marathi, Portuguese, Tamil, Telugu,
)  # fmt: skip
LANGUAGES: tuple[str, ...] = tuple(c.lang for c in _CLASSES)


@lru_cache(maxsize=len(_CLASSES))
def locale(lang: str) -> Locale:
    """The grammar of `lang` (two letters). Raises DataError for a language without one."""
    for c in _CLASSES:
        if c.lang == lang:
            return c()
    hint = nearest(lang, LANGUAGES) or "Leave it as it is written: spoken = 0 for a corpus, spoken = false elsewhere"
    raise DataError("no spoken form for this language", got=lang, wanted=", ".join(LANGUAGES), hint=hint)
