"""Prices with a letter or with cents behind their sign: "3 M€" and "1,5 Md€" in Spanish, French, Italian and Portuguese, "5€50"."""

from __future__ import annotations

from re import Match

from understudy.text.locales.base import Amount, Locale, Rule

__all__ = ["rules"]

# One and many of what the letters stand for.
_SCALES = {
    "es": {"k": ("mil", "mil"), "m": ("millón", "millones")},
    "fr": {"k": ("mille", "mille"), "m": ("million", "millions"), "md": ("milliard", "milliards")},
    "it": {"m": ("milione", "milioni"), "md": ("miliardo", "miliardi")},
    "pt": {"k": ("mil", "mil"), "m": ("milhão", "milhões")},
}
_CENTS = {"de": "", "es": "con", "fr": "", "it": "e", "pt": "e"}  # What stands before them.
_SIGNS = {"€": "eur", "$": "usd", "£": "gbp"}


def rules(locale: Locale) -> list[Rule]:
    """The rules of a language that writes so; none for others."""
    signs, found = "".join(_SIGNS), []
    if locale.lang in _SCALES:
        scales = "|".join(sorted(_SCALES[locale.lang], reverse=True))
        found.append(
            Rule("millions", rf"(?<![\w.,])(?P<n>\d+)(?:,(?P<decimals>\d+))? ?(?P<scale>{scales})(?P<sign>[{signs}])", _millions)
        )
    if locale.lang in _CENTS:
        found.append(Rule("signcents", rf"(?<![\w.,])(?P<n>\d{{1,6}})(?P<sign>[{signs}])(?P<cents>\d\d)(?![\w%]|[.,]\d)", _cents))
    return found


def _millions(m: Match[str], text: str, locale: Locale) -> str | None:
    single = (m["n"] == "1" and m["decimals"] is None) or (locale.single_below_two and int(m["n"]) < 2)
    scale = _SCALES[locale.lang][m["scale"]][not single]
    return locale.money(Amount(m["n"], m["decimals"], None, scale), _SIGNS[m["sign"]])


def _cents(m: Match[str], text: str, locale: Locale) -> str | None:
    """The cents as they are said after the sign: "cinq euros cinquante"."""
    return f"{locale.money(Amount(m['n']), _SIGNS[m['sign']])} {_CENTS[locale.lang]} {locale.cardinal(int(m['cents']))}"
