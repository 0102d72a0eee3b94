"""Italian. Compounds of "tre" are written without the accent, as recognisers do."""

from __future__ import annotations

import re
from re import Match
from typing import ClassVar

from understudy.text.locales import numbers
from understudy.text.locales.base import Amount, Locale, Money, Rule
from understudy.text.locales.kings import KINGS, QUEENS

__all__ = ["Italian"]

_KINGS = KINGS["it"]
_ELIDED = re.compile(r"\buna (?=[aeiou])")


def _century(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "XX secolo": the ordinal before its noun."""
    n = numbers.roman(m["roman"])
    return None if n is None or not text[m.start() : m.end("roman")].isupper() else f"{locale.ordinal(n, 'º')} secolo"


def _era(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "a.C.": before Christ, where the second letter alone is a capital; "A.C." begins many another name."""
    era = {"a": "avanti cristo", "d": "dopo cristo"}[m["era"]]
    return era if text[m.start()].islower() and text[m.start("c")].isupper() else None


def _dotted_time(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "ore 8.30", "alle 8.30"."""
    return locale.time(int(m["h"]), int(m["m"]), None, "")


def _one_oclock(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "all'1" and "dall'1:30": hours are feminine, and one word with the article; "l'1 gennaio" is no hour."""
    if m["m"] is not None:
        words = locale.time(1, int(m["m"]), None, "")
    else:
        words = "una" if m["day"] is None else "uno"
    return f"{m['a']}'{words}"


def _lettered(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "1h30" is a duration where no clock is spoken of."""
    hours, minutes = int(m["h"]), int(m["m"])
    return f"{'un' if hours == 1 else locale.cardinal(hours)}{chr(39) if hours == 1 else ' '}or{'a' if hours == 1 else 'e'} e {locale.counted(minutes)} minut{'o' if minutes == 1 else 'i'}"


class Italian(Locale):
    lang = "it"
    groups = ". "
    rules_gender: ClassVar = {"m": "spellout-numbering", "f": "spellout-cardinal-feminine"}
    rules_ordinal: ClassVar = {"º": "spellout-ordinal-masculine", "°": "spellout-ordinal-masculine", "ª": "spellout-ordinal-feminine",
                               "o": "spellout-ordinal-masculine", "a": "spellout-ordinal-feminine"}  # fmt: skip
    point = "virgola"
    minus = "meno"
    percent = "percento"
    to = "a"
    per = "per"
    over = "fratto"
    said_so = frozenset({(24, 7)})
    mixed_link = "e"
    scale_link = "di"
    first_of_month = "primo"
    symbols: ClassVar = {
        "&": "e commerciale", "+": "più", "=": "uguale", "@": "chiocciola", "%": "percento", "°": "gradi", "×": "per", "÷": "diviso",
        "$": "dollaro", "€": "euro", "£": "sterlina", "¥": "yen", "#": "cancelletto",
    }  # fmt: skip
    address: ClassVar = {
        "@": "chiocciola", ".": "punto", "/": "slash", "-": "trattino", ":": "due punti", "_": "trattino basso", "&": "e commerciale",
        "www": "w w w", "https": "h t t p s", "http": "h t t p",
    }  # fmt: skip
    abbreviations: ClassVar = {
        "sig.": "signor", "sig.ra": "signora", "sig.na": "signorina", "dott.": "dottor", "dott.ssa": "dottoressa", "dr.": "dottor",
        "prof.": "professor", "prof.ssa": "professoressa", "dip.": "dipartimento", "p.za": "piazza", "p.zza": "piazza", "ecc.": "eccetera",
        "ing.": "ingegner", "avv.": "avvocato", "pag.": "pagina", "v.le": "viale", "tel.": "telefono", "dr.ssa": "dottoressa",
        "sigg.": "signori", "sigg.ri": "signori", "sig.re": "signore", "proff.": "professori", "dott.ri": "dottori", "gent.mo": "gentilissimo",
        "gent.ma": "gentilissima", "egr.": "egregio", "spett.le": "spettabile", "arch.": "architetto", "geom.": "geometra", "rag.": "ragionier",
        "c.so": "corso", "l.go": "largo", "p.le": "piazzale", "p.tta": "piazzetta", "f.lli": "fratelli", "s.p.a.": "società per azioni",
        "f.to": "firmato", "pagg.": "pagine", "p.es.": "per esempio", "p. es.": "per esempio", "dip.ti": "dipartimenti",
    }  # fmt: skip
    before_number: ClassVar = {
        "n.": "numero", "nr.": "numero", "n°": "numero", "art.": "articolo", "artt.": "articoli", "cap.": "capitolo", "vol.": "volume",
        "p.": "pagina", "pp.": "pagine", "fig.": "figura", "par.": "paragrafo", "ca.": "circa", "sez.": "sezione", "tab.": "tabella", "int.": "interno", "es.": "esempio",
    }  # fmt: skip
    before_name: ClassVar = {"s.": "san", "on.": "onorevole", "sen.": "senatore", "gen.": "generale", "col.": "colonnello", "cap.": "capitano",
                             "mons.": "monsignor", "card.": "cardinale", "ten.": "tenente", "com.": "comandante", "cav.": "cavalier", "prof.": "professor"}  # fmt: skip
    month_aliases: ClassVar = {"sett": 9, "genn": 1, "febbr": 2}
    articles = (
        "il ",
        "lo ",
        "la ",
        "l'",
        "i ",
        "gli ",
        "le ",
        "del ",
        "dello ",
        "della ",
        "al ",
        "allo ",
        "alla ",
        "dal ",
        "dalla ",
        "nel ",
        "nella ",
        "sul ",
        "sulla ",
    )
    called = r"[ivx]+ secolo"
    telephone_pattern = r"(?<![\d.,-])3\d\d[ -.]\d{6,7}(?![\d-])|(?<![\d.,-])3\d\d[ -]\d{3}[ -]\d{3,4}(?![\d-])"
    scales: ClassVar = {
        **{w: w for w in ("mila", "milione", "milioni", "miliardo", "miliardi")}, "mln": "milioni", "mld": "miliardi",
    }  # fmt: skip
    single_scales: ClassVar = {"mln": "milione", "mld": "miliardo"}
    money_names: ClassVar = {
        "usd": Money("dollaro", "dollari", "centesimo", "centesimi"), "eur": Money("euro", "euro", "centesimo", "centesimi"),
        "gbp": Money("sterlina", "sterline", "penny", "penny", "f"), "jpy": Money("yen", "yen"),
        "rub": Money("rublo", "rubli", "copeca", "copeche", "m", "f"), "chf": Money("franco svizzero", "franchi svizzeri", "centesimo", "centesimi"),
        "inr": Money("rupia", "rupie", "paisa", "paise", "f"), "krw": Money("won", "won"),
    }  # fmt: skip
    unit_names: ClassVar = {
        "electric-ampere": ("ampere", "ampere"),
        "mass-tonne": ("tonnellata", "tonnellate"),
        "area-acre": ("acro", "acri"),
    }
    unit_genders: ClassVar = {
        "duration-hour": "f", "mass-tonne": "f", "mass-pound": "f", "mass-ounce": "f", "length-yard": "f", "duration-week": "f",
        "energy-kilocalorie": "f", "pressure-atmosphere": "f",
    }  # fmt: skip
    local_units: ClassVar = {
        "ore": "duration-hour",
        "sec.": "duration-second",
        "min.": "duration-minute",
        "kmq": "area-square-kilometer",
        "mq": "area-square-meter",
        "mc": "volume-cubic-meter",
        "db": "decibel",
    }
    no_units = frozenset({"in", "st", "pt", "ac"})
    time_suffixes = r"a\. ?m\.?|p\. ?m\.?|am|pm"
    hour_letter = True
    ordinal_pattern = r"(?<![\w,])(?P<n>\d{1,3}(?:\.\d{3})+|\d+)(?P<mark>[ºª]|°(?!\s?[ckf\d]))"
    elided = re.compile(r"(?<!\w)(?:l|d|all|dall|dell|nell|sull)'\Z")
    elided_before = ("u", "o")
    roman_after = "|".join(["secolo|capitolo|volume|libro|canto|atto|articolo|titolo|parte|guerra mondiale", *_KINGS])

    def extra_rules(self) -> list[Rule]:
        months = "|".join(sorted(self.months[0], key=len, reverse=True))
        return [
            Rule(
                "elided",
                r"(?<![\w.,/:-])1 (?P<noun>ora|oncia|arancia|amica|entrata|insalata)(?!\w)",
                lambda m, text, locale: f"un'{m['noun']}",
            ),
            Rule(
                "oneoclock",
                rf"(?P<a>l|all|dall|dell|nell|sull)'1(?::(?P<m>[0-5]\d))?(?![\w/°º-]|[.,:]\d| ?%)(?P<day>(?= (?:{months})(?!\w)))?",
                _one_oclock,
                "letter",
            ),
            Rule(
                "lettered",
                r"(?<!lle )(?<!ore )(?<![\w.,:/-])(?P<h>\d\d?) ?h ?(?P<m>[0-5]\d)(?: ?min)?(?!\w| ?[-–] ?\d\d?h)",
                _lettered,
            ),
            Rule("century", r"(?<!\w)(?P<roman>[ivx]+) secolo(?!\w)", _century, "letter"),
            Rule("dottedtime", r"(?:(?<=\bore )|(?<=lle ))(?P<h>2[0-3]|1\d|0?\d)\.(?P<m>[0-5]\d)(?![\d%]|[.,]\d)", _dotted_time),
            Rule("era", r"(?<!\w)(?P<era>[ad])\. ?(?P<c>c)\.?(?!\w)", _era, "letter"),
        ]

    def cardinal(self, n: int) -> str:
        return super().cardinal(n).replace("tré", "tre")

    def counted(self, n: int, gender: str = "m") -> str:
        if n == 1:
            return "una" if gender == "f" else "un"
        return self.cardinal(n)

    def amount(self, a: Amount, gender: str | None = None) -> str:
        if a.scale is not None and a.whole == "1" and a.decimals is None:
            return f"{self.minus if a.negative else ''} un {self.scale(a)}"
        return super().amount(a, gender)

    def measure(self, a: Amount, unit: str) -> str | None:
        words = super().measure(a, unit)
        return None if words is None else _ELIDED.sub("un'", words)

    def roman(self, word: str, n: int) -> str:
        """Kings, popes and centuries are counted with ordinals: "luigi quattordicesimo"."""
        if word == "secolo" or word in _KINGS:
            return f"{word} {self.ordinal(n, 'ª' if word in QUEENS else 'º')}"
        return super().roman(word, n)

    def denominator(self, d: int, many: bool) -> str | None:
        if d == 2:
            return "mezzi" if many else "mezzo"
        words = self.ordinal(d, "º")
        return None if words is None or d < 2 else f"{words[:-1]}i" if many else words

    def decimal_words(self, whole: str, decimals: str) -> str:
        """Up to three digits as a number, leading zeros and longer ones digit by digit."""
        tail = self.cardinal(int(decimals)) if len(decimals) <= 3 and decimals[0] != "0" else self.digits(decimals)
        return f"{self.cardinal(int(whole or 0))} {self.point} {tail}"

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        words = self.counted(hour, "f") if hour != 1 else "una"
        if minute:
            words += f" e {self.counted(minute)} minut{'o' if minute == 1 else 'i'}"
        if second:
            words += f" e {self.counted(second)} second{'o' if second == 1 else 'i'}"
        return words + self.meridiem(suffix)
