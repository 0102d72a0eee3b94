"""Days written with a slash and without a year, where what stands before tells that they are days: "le 14/07", "on 12/25"."""

from __future__ import annotations

from re import Match

from understudy.text.locales.base import Locale, Rule

__all__ = ["rules"]

_BEFORE = {
    "en": "on|until|till|since|due|dated|through|mon|monday|tue|tuesday|wed|wednesday|thu|thursday|fri|friday|sat|saturday|sun|sunday",
    "es": "el|del|al|día|desde el|hasta el|lunes|martes|miércoles|jueves|viernes|sábado|domingo",
    "fr": "le|du|au|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche",
    "it": "il|dal|al|del|giorno|lunedì|martedì|mercoledì|giovedì|venerdì|sabato|domenica",
    "pt": "dia|em|no dia|até|desde|segunda|terça|quarta|quinta|sexta|sábado|domingo",
}  # fmt: skip
# Behind a fraction, never behind a day.
_PARTS = {
    "en": "of|inch|mile|cup|acre",
    "es": "de|del",
    "fr": "de|du|des|d'",
    "it": "di|del|della|dei|delle|d'",
    "pt": "de|do|da|dos|das",
}


def rules(locale: Locale) -> list[Rule]:
    """The rule of a language that writes days so; none for others."""
    if locale.lang not in _BEFORE:
        return []
    behind = "|".join(rf"(?<=\b{word}{end})" for word in _BEFORE[locale.lang].split("|") for end in (" ", ", "))
    parts = rf"(?! ?(?:{_PARTS[locale.lang]})(?!\w))"
    return [Rule("slashday", rf"(?=\d\d?/\d)(?:{behind})(?P<a>\d\d?)/(?P<b>\d\d?)(?![\w/%]|[.,]\d){parts}", _read)]


def _read(m: Match[str], text: str, locale: Locale) -> str | None:
    a, b = int(m["a"]), int(m["b"])
    day, month = (b, a) if locale.month_first else (a, b)
    if (a, b) in locale.said_so or not (1 <= day <= 31 and 1 <= month <= 12):
        return None
    return locale.date(day, month, None, month_first=locale.month_first)
