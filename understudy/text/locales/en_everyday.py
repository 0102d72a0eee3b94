"""English notation of every day: "1h30m", "6 ft 2 in", "exit 21A", "1080p", "oven at 350F", "a 10K"."""

from __future__ import annotations

import re
from re import Match

from understudy.text.locales.base import Amount, Locale, Rule

__all__ = ["rules"]

# A letter behind these and a number is one of the number, and no unit: "exit 21A", "seat 14C".
_PLACES = "exit|gate|seat|room|row|platform|apartment|apt|unit|flat|bus|line|route|terminal|track|lane|bay|dock|section|building|suite|class"
_WARM = re.compile(
    r"\b(?:thermostat|temp|temps|temperature|oven|heat|heating|heater|bake|roast|preheat|cool|warm|ac|air|outside)\b.{0,20}$"
)
_NO_INCH = "the|an?|this|that|my|your|his|her|our|their|height|length|depth|width|each|every|all|front"  # Behind the preposition.
_RUN = re.compile(r"\b(?:an?|the|run|ran|running|race) $")


def rules() -> list[Rule]:
    """The rules, for a locale's own."""
    places = "|".join(rf"(?<=\b{place} )" for place in _PLACES.split("|"))
    minutes = r"(?P<m>[0-5]?\d) ?m(?:ins?)?(?: ?(?P<s>[0-5]?\d) ?s(?:ecs?)?)?"
    time = rf"(?P<h>\d{{1,2}}) ?h(?:rs?)?(?: ?{minutes}|(?<=\dh)(?P<bare>[0-5]\d))?"
    return [
        Rule("spent", rf"(?:(?<![\w.,:/$-])|(?<=\dh-)|(?<=\dh\d\d-)|(?<=\dm-))(?<!\d ){time}(?![\w/]|[.,:]\d|'\w)", _spent),
        Rule(
            "feetinches",
            rf"(?<![\w.,/-])(?P<ft>\d{{1,2}}) ?(?:ft\.?|feet|foot) ?(?P<in>1[01]|\d)(?P<half>\.5| ?1/2|½)? ?in(?:\.|ch(?:es)?)?(?!\w)(?! (?:{_NO_INCH})(?!\w))",
            _feet_inches,
        ),
        Rule("lettered", rf"(?=\d+[a-h])(?:{places})(?P<n>\d{{1,4}})(?P<letter>[a-h])(?!\w)", _lettered),
        Rule("scanned", r"(?<![\w.,])(?P<n>480|720|1080|1440|2160)(?=[pi](?!\w))", _scanned),
        Rule("warmth", r"(?<![\w.,])(?P<n>-?\d{1,3}) ?(?P<unit>[fc])(?![\w'°])", _warmth),
        Rule("run", r"(?<![\w.,$])(?P<n>5|10|15)(?=k(?!\w))", _run),
    ]


def _spent(m: Match[str], text: str, locale: Locale) -> str | None:
    """Hours with what follows them; "h" in a capital is none."""
    if "H" in text[m.start() : m.end()]:
        return None
    units = (("h", "duration-hour"), ("m", "duration-minute"), ("bare", "duration-minute"), ("s", "duration-second"))
    return " ".join(locale.measure(Amount(m[part]), unit) or "" for part, unit in units if m[part] is not None)


def _feet_inches(m: Match[str], text: str, locale: Locale) -> str | None:
    inches = Amount(m["in"], "5" if m["half"] == ".5" else None, (1, 2) if m["half"] and m["half"] != ".5" else None)
    return f"{locale.measure(Amount(m['ft']), 'length-foot')} {locale.measure(inches, 'length-inch')}"


def _lettered(m: Match[str], text: str, locale: Locale) -> str | None:
    n = m["n"]
    return f"{locale.year(int(n)) if len(n) == 4 else locale.cardinal(int(n))} {m['letter']}"


def _scanned(m: Match[str], text: str, locale: Locale) -> str | None:
    """The lines of a screen, in pairs: ten eighty, seven twenty."""
    high, low = divmod(int(m["n"]), 100)
    return f"{locale.cardinal(high)} {locale.cardinal(low)}"


def _warmth(m: Match[str], text: str, locale: Locale) -> str | None:
    """A capital F or C where the talk is of warmth."""
    if not text[m.start("unit")].isupper() or not _WARM.search(m.string, max(0, m.start() - 40), m.start()):
        return None
    n = m["n"].lstrip("-")
    unit = {"f": "temperature-fahrenheit", "c": "temperature-celsius"}[m["unit"]]
    return locale.measure(Amount(n, negative=m["n"] != n), unit)


def _run(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "A 10K" is run, and not ten thousand."""
    return locale.cardinal(int(m["n"])) if _RUN.search(m.string, max(0, m.start() - 12), m.start()) else None
