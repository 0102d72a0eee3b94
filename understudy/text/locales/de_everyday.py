"""German notation of every day: "1h30", "um 8h", "8.30-12 Uhr", "3:2", "1:0", "Hauptstr. 12", "1,- €"."""

from __future__ import annotations

import re
from re import Match

from understudy.text.locales.base import Amount, Locale, Rule

__all__ = ["rules"]

_GAME = re.compile(
    r"\b(?:gewinnt|gewann|gewonnen|verliert|verlor|verloren|steht|stand|endet|endete|siegt|siegte|führt|ergebnis|endstand)\b[^.,;!?\d]{0,24}$"
)
_CLOCK = r"um|ab|bis|gegen"
# Behind the first time of "um 8h30-9h15".
_UNTIL = re.compile(rf"\b(?:{_CLOCK}) \d\d?h(?:\d\d)? ?[-–] ?$")
_UNIT = re.compile(r" ?(?:uhr|[€$£%°=]|\d)")


def rules() -> list[Rule]:
    """The rules, for a locale's own."""
    clock = "|".join(rf"(?<=\b{word} )" for word in _CLOCK.split("|"))
    hour = r"(?P<h>2[0-4]|1?\d) ?h(?: ?(?P<m>[0-5]\d))?(?![\w/]|[.,:]\d| ?\d)"
    time = r"(?:2[0-4]|[01]?\d)(?:\.[0-5]\d)?"
    opening = rf"(?<![\w.,:/])(?<!am )(?<!vom )(?<!zum )(?<!de[mn] )(?P<h>2[0-4]|[01]?\d)(?:\.(?P<m>[0-5]\d))?(?=(?:(?: ?[-–] ?| (?:bis|und|oder) ){time}){{1,3}} ?uhr(?!\w))"
    return [
        Rule("opening", opening, _opening),
        Rule("evenprice", r"(?<![\w.,])(?P<n>\d{1,3}(?:\.\d{3})+|\d{1,9}),(?:--?|[–—]) ?(?:€|eur(?:o)?(?!\w))", _even_price),
        Rule("clock", rf"(?=\d\d? ?h)(?:{clock}){hour}", _clock),
        Rule("clockend", rf"(?<=[h\d][-–]){hour}", _clock_end),
        Rule("colonclock", r"(?<![\w.,:])(?P<h>2[0-4]|[01]?\d):(?P<m>[0-5]\d) ?h(?!\w)", _clock),
        Rule("spent", r"(?<![\w.,:/])(?P<h>\d{1,2})h(?P<m>[0-5]\d)(?:min)?(?!\w)", _spent),
        Rule("result", r"(?<![\w.,:/-])(?P<a>\d{1,2})(?P<sign>[:-])(?P<b>\d{1,2})(?![\w:/-]|[.,]\d)", _result),
        Rule("street", r"(?<!\w)[a-zäöüß]{2,24}str\.(?= ?\d)", lambda m, text, locale: f"{m.group()[:-1]}aße", "letter"),
    ]


def _opening(m: Match[str], text: str, locale: Locale) -> str | None:
    """All times but the last of "8.30-12 und 14-18.30 Uhr", which has the word behind it."""
    return locale.time(int(m["h"]), int(m["m"]), None, "") if m["m"] else locale.counted(int(m["h"]))


def _even_price(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "1,- €"."""
    return locale.money(Amount(m["n"].replace(".", "")), "eur")


def _clock(m: Match[str], text: str, locale: Locale) -> str | None:
    return locale.time(int(m["h"]), int(m["m"]) if m["m"] else None, None, "")


def _clock_end(m: Match[str], text: str, locale: Locale) -> str | None:
    return _clock(m, text, locale) if _UNTIL.search(m.string, max(0, m.start() - 16), m.start()) else None


def _spent(m: Match[str], text: str, locale: Locale) -> str | None:
    parts = [
        locale.measure(Amount(m["h"]), "duration-hour"),
        locale.measure(Amount(m["m"].lstrip("0") or "0"), "duration-minute"),
    ]
    return " ".join(filter(None, parts))


def _result(m: Match[str], text: str, locale: Locale) -> str | None:
    """The result of a game, or a ratio: with a colon that is none of a time, or with a dash behind a word of games."""
    if m["sign"] == "-" and (not _GAME.search(m.string, max(0, m.start() - 40), m.start()) or _UNIT.match(m.string, m.end())):
        return None
    known = m["sign"] == "-" or len(m["b"]) == 1
    return f"{locale.cardinal(int(m['a']))} zu {locale.cardinal(int(m['b']))}" if known else None
