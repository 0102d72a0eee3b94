"""Addresses as written in the United States: house number, street, state and zip code."""

from __future__ import annotations

from re import Match

from understudy.text.locales.base import Locale, Rule

__all__ = ["rules"]

_STREETS = {
    "st": "street", "ave": "avenue", "rd": "road", "blvd": "boulevard", "dr": "drive", "ln": "lane", "pl": "place", "ct": "court",
    "hwy": "highway", "expy": "expressway", "pkwy": "parkway", "sq": "square", "ter": "terrace", "cir": "circle", "fwy": "freeway",
    "trl": "trail", "tpke": "turnpike", "aly": "alley", "plz": "plaza",
}  # fmt: skip
_SIDES = {
    "n": "north",
    "s": "south",
    "e": "east",
    "w": "west",
    "ne": "northeast",
    "nw": "northwest",
    "se": "southeast",
    "sw": "southwest",
}
_STATES = {
    "al": "alabama", "ak": "alaska", "az": "arizona", "ar": "arkansas", "ca": "california", "co": "colorado", "ct": "connecticut",
    "de": "delaware", "fl": "florida", "ga": "georgia", "hi": "hawaii", "id": "idaho", "il": "illinois", "in": "indiana", "ia": "iowa",
    "ks": "kansas", "ky": "kentucky", "la": "louisiana", "me": "maine", "md": "maryland", "ma": "massachusetts", "mi": "michigan",
    "mn": "minnesota", "ms": "mississippi", "mo": "missouri", "mt": "montana", "ne": "nebraska", "nv": "nevada", "nh": "new hampshire",
    "nj": "new jersey", "nm": "new mexico", "ny": "new york", "nc": "north carolina", "nd": "north dakota", "oh": "ohio", "ok": "oklahoma",
    "or": "oregon", "pa": "pennsylvania", "ri": "rhode island", "sc": "south carolina", "sd": "south dakota", "tn": "tennessee",
    "tx": "texas", "ut": "utah", "vt": "vermont", "va": "virginia", "wa": "washington", "wv": "west virginia", "wi": "wisconsin",
    "wy": "wyoming", "dc": "d. c.",
}  # fmt: skip


def rules() -> list[Rule]:
    """The rules of an address, for a locale's own."""
    kinds = "|".join(_STREETS)
    street = (
        rf"(?<![\w.,$-])(?P<n>\d{{1,5}}) (?:(?P<side>[ns][ew]|[nsew])\.? )?(?:(?P<nth>\d+)(?P<mark>st|nd|rd|th)|(?P<name>[a-z]+(?: [a-z]+){{0,2}}?)) "
        rf"(?P<kind>{kinds})(?:\.(?!\w)|(?![\w.]))(?: (?P<end>[ns][ew])(?!\w))?"
    )
    return [
        Rule("street", street, _street),
        Rule("state", rf"(?<=, )(?P<state>{'|'.join(_STATES)}),? (?P<zip>\d{{5}})(?![\w-])", _state, "letter"),
        Rule("saint", r"(?<![\w.])st\. (?=[a-z])", _saint, "letter"),
    ]


def _street(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "1428 Elm St.": the house number as a year or digit by digit, the kind of street in full."""
    names = text[m.start("name") : m.end("name")].split() if m["name"] else []
    if len(names) > 1 and not all(name[0].isupper() for name in names):
        return None
    nth = locale.ordinal(int(m["nth"]), m["mark"]) if m["nth"] else m["name"]
    if nth is None:
        return None
    words = [_house(m["n"], locale), _SIDES.get(m["side"] or "", ""), nth, _STREETS[m["kind"]], _SIDES.get(m["end"] or "", "")]
    return " ".join(words)


def _house(n: str, locale: Locale) -> str:
    """A house number: as said of years, "one twenty three" and "twelve eleven", beyond four digits one by one."""
    if len(n) == 3 and n[1] != "0":
        return f"{locale.cardinal(int(n[0]))} {locale.cardinal(int(n[1:]))}"
    if len(n) == 3 and n[1:] == "00":
        return locale.cardinal(int(n))
    return locale.year(int(n)) if len(n) == 4 else locale.digits(n) if len(n) > 2 else locale.cardinal(int(n))


def _state(m: Match[str], text: str, locale: Locale) -> str | None:
    """ ", CA 95051": a state in capitals and its zip code."""
    return f"{_STATES[m['state']]} {locale.digits(m['zip'])}" if text[m.start() : m.start() + 2].isupper() else None


def _saint(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "St. Louis"; after a name in capitals it ends a street."""
    before = text[max(0, m.start() - 32) : m.start()].rstrip(" ")[-16:].rpartition(" ")[2]
    return "saint" if text[m.start()].isupper() and text[m.end()].isupper() and not before[:1].isupper() else None
