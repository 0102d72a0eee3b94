"""Halves and quarters in Hindi, which has words for one and a half, two and a half, a quarter more and a quarter less."""

from __future__ import annotations

import re

from understudy.text.locales.base import Locale
from understudy.text.locales.halves import QUARTERS

__all__ = ["HALVED", "before_noun", "decimal", "past"]

# A half, a quarter more and a quarter less, which Hindi says of time, of its large units and of what is weighed and measured out.
HALVED = (
    r"(?:घंटे|घंटों|घंटा|घण्टे|घण्टा|दिन|दिनों|हफ़्ते|हफ्ते|सप्ताह|महीने|महीनों|महीना|साल|सालों|वर्ष|वर्षों|मिनट"
    r"|किलो|लीटर|गुना|गुने|गुनी|कप|चम्मच|दर्जन|एकड़|बीघा|किलोमीटर|मीटर)(?![\w\u0900-\u0963])"
)
# Half of something agrees with it; quarters of some things have names of their own.
_FEMININE, _OBLIQUE = "कटोरी|चुटकी|रोटी|गोली|टिकिया|बोतल|प्लेट|बाल्टी|रात|टंकी|थैली", "घंटे|घण्टे|महीने|हफ़्ते|हफ्ते"
_PART = re.compile(rf" (?:(?P<f>{_FEMININE})|(?P<o>{_OBLIQUE})|(?P<hour>घंटा|घण्टा)|(?P<kilo>किलो|लीटर))(?![\w\u0900-\u0963])")


def decimal(whole: str, decimals: str | None, locale: Locale) -> str | None:
    """ "One and a half", "three and a quarter", ... in a word; None for other decimals and below one."""
    n, quarters = int(whole or 0), QUARTERS.get((decimals or "").removesuffix("0") or "")
    return past(n, quarters, locale) if n and quarters else None


def past(n: int, quarters: int, locale: Locale) -> str:
    """`n` and one to three quarters: सवा, साढ़े (डेढ़, ढाई), पौने."""
    if quarters == 3:
        return f"पौने {locale.cardinal(n + 1)}"
    if quarters == 1:
        return "सवा" if n == 1 else f"सवा {locale.cardinal(n)}"
    return {1: "डेढ़", 2: "ढाई"}.get(n) or f"साढ़े {locale.cardinal(n)}"


def before_noun(part: str, text: str, end: int) -> str:
    """A half agrees with what is halved, behind `end` of `text`; a quarter is पाव of a kilo, three are पौन of an hour."""
    m = _PART.match(text, end)
    if m is None:
        return part
    if part.endswith("आधा"):
        return f"{part[:-1]}{'ी' if m['f'] else 'े' if m['o'] else 'ा'}"
    if m["kilo"] and part.startswith("एक"):
        return "पाव"
    return "पौन" if part.startswith("तीन") and (m["hour"] or m["o"]) else part
