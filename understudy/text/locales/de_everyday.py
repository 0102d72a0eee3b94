"""German notation of every day: "1h30", "um 8h", "3:2", "1:0", "Hauptstr. 12", "1m80"."""

from __future__ import annotations

import re
from re import Match

from understudy.text.locales.base import Amount, Locale, Rule

__all__ = ["rules"]

_GAME = re.compile(
    r"\b(?:gewinnt|gewann|gewonnen|verliert|verlor|verloren|steht|stand|endet|endete|siegt|siegte|führt|ergebnis|endstand)\b[^.,;!?\d]{0,24}$"
)
_UNIT = re.compile(r" ?(?:uhr|[€$£%°=]|\d)")


def rules() -> list[Rule]:
    """The rules, for a locale's own."""
    clock = "|".join(rf"(?<=\b{word} )" for word in ("um", "ab", "bis", "gegen"))
    return [
        Rule("clock", rf"(?=\d\d? ?h)(?:{clock})(?P<h>2[0-4]|1?\d) ?h(?: ?(?P<m>[0-5]\d))?(?![\w/]|[.,:]\d| ?\d)", _clock),
        Rule("colonclock", r"(?<![\w.,:])(?P<h>2[0-4]|[01]?\d):(?P<m>[0-5]\d) ?h(?!\w)", _clock),
        Rule("spent", r"(?<![\w.,:/])(?P<h>\d{1,2})h(?P<m>[0-5]\d)(?:min)?(?!\w)", _spent),
        Rule("result", r"(?<![\w.,:/-])(?P<a>\d{1,2})(?P<sign>[:-])(?P<b>\d{1,2})(?![\w:/-]|[.,]\d)", _result),
        Rule("street", r"(?<!\w)[a-zäöüß]{2,24}str\.(?= ?\d)", lambda m, text, locale: f"{m.group()[:-1]}aße", "letter"),
    ]


def _clock(m: Match[str], text: str, locale: Locale) -> str | None:
    return locale.time(int(m["h"]), int(m["m"]) if m["m"] else None, None, "")


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
