"""German: one and a half of something, in the case that a preposition asks for ("in 1 Stunde", "für 1 €", "nach 1/2 Jahr")."""

from __future__ import annotations

import re
from re import Match

from understudy.text.locales.base import Locale, Rule
from understudy.text.locales.counted import NOUNS

__all__ = ["declined", "half", "rules"]

# Prepositions of one case; "auf", "über", "unter" and the like take either, and say less of it with numbers.
_ACCUSATIVE, _DATIVE = "für|um|ohne|gegen|durch", "in|an|mit|nach|von|seit|vor|zu|aus|bei|ab|binnen"
_ADVERB = r"ca\.|circa|etwa|rund|genau|nur|knapp|gut|ungefähr|mindestens|höchstens|maximal|fast|mehr als|weniger als"
_GOVERNED = re.compile(rf"\b(?:(?P<accusative>{_ACCUSATIVE})|{_DATIVE})(?: (?:{_ADVERB}))? $")
_NEAR = 32  # characters: the longest preposition and adverb.
_FEMININE = frozenset(NOUNS["de"]["f"].split())
_NEUTER = frozenset(
    ["pfund", "kilogramm", "kilo", "gramm", "jahr", "jahrhundert", "prozent", "stück", "glas", "kind", "zimmer", "bier", "brot", "brötchen", "ei",
     "ticket", "lied", "foto", "bett", "buch"]
)  # fmt: skip
# The others, and units that are not counted by name. "Um ein Grad" is said as often as "um einen Grad": it is left as it is.
_MASCULINE = frozenset(NOUNS["de"]["m"].split()) - _NEUTER - {"grad"} | {"rubel", "quadratkilometer", "kubikmeter"}
_NOUN = re.compile(r" ?(\w*)")


def declined(text: str, start: int, end: int, words: str) -> str:
    """`words`, read from `start` to `end` of `text`, where they begin with one thing behind a preposition."""
    one, _, more = words.lower().partition(" ")
    m = _GOVERNED.search(text, max(0, start - _NEAR), start) if one in ("ein", "eine") else None
    if m is None or more.startswith(("halb ", "ein")):
        return words
    adjective, _, rest = more.partition(" ") if more.startswith("halbe") else ("", "", more)
    behind = _NOUN.match(rest or text[end : end + _NEAR])
    masculine = behind is not None and behind[1] in _MASCULINE
    if m["accusative"] and not masculine:
        return words
    ending = "en" if m["accusative"] else "em" if one == "ein" else "er"
    return " ".join(filter(None, (f"ein{ending}", adjective and "halben", rest)))


def half(noun: str) -> str | None:
    """ "Half a" before a noun, in the nominative; None for nouns whose gender is not known."""
    if noun in _FEMININE:
        return "eine halbe"
    return "ein halber" if noun in _MASCULINE else "ein halbes" if noun in _NEUTER else None


def rules() -> list[Rule]:
    """Half of something, and the first number of "1-2 Tage"."""
    nouns = "|".join(sorted(_FEMININE | _NEUTER | _MASCULINE, key=len, reverse=True))
    to = r"(?: ?[-–] ?| (?:bis|oder) )\d+ ?"
    return [
        Rule("half", rf"(?<![\w.,/])(?<!\d )(?:1/2|½)(?= (?P<noun>{nouns})(?!\w))", _read_half),
        Rule(
            "oneto",
            rf"(?<![\w.,/:-])1(?={to}(?P<sign>[€$£%°]|(?:[kcm]?m|k?g|m?l|h|min|sek|std)(?!\w))?(?P<noun>[^\W\d_])?)",
            _read_one_to,
        ),
    ]


def _read_half(m: Match[str], text: str, locale: Locale) -> str | None:
    return half(m["noun"])


def _read_one_to(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "Ein bis zwei Tage", not "eins": before a noun, which is in capitals, or the sign of a unit."""
    noun = m["noun"] is not None and text[m.start("noun")].isupper()
    return "ein" if noun or m["sign"] else None
