"""The twelve languages, each made on first use."""

from __future__ import annotations

from functools import lru_cache

from understudy.errors import DataError, nearest

from .ar import Arabic
from .base import Amount, Locale, Money, Rule
from .de import German
from .en import English
from .es import Spanish
from .fr import French
from .hi import Hindi
from .it import Italian
from .ja import Japanese
from .mr import Marathi
from .pt import Portuguese
from .ta import Tamil
from .te import Telugu

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
    raise DataError("no spoken form for this language", got=lang, wanted=", ".join(LANGUAGES), hint=nearest(lang, LANGUAGES))
