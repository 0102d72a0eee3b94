"""Italian. Compounds of "tre" are written without the accent, as recognisers do."""

from __future__ import annotations

from typing import ClassVar

from understudy.text.locales.base import Locale, Money

__all__ = ["Italian"]


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
        "ing.": "ingegner", "avv.": "avvocato", "pag.": "pagina", "v.le": "viale", "tel.": "telefono",
    }  # fmt: skip
    scales: ClassVar = {w: w for w in ("mila", "milione", "milioni", "miliardo", "miliardi")}
    money_names: ClassVar = {
        "usd": Money("dollaro", "dollari", "centesimo", "centesimi"), "eur": Money("euro", "euro", "centesimo", "centesimi"),
        "gbp": Money("sterlina", "sterline", "penny", "penny", "f"), "jpy": Money("yen", "yen"),
        "rub": Money("rublo", "rubli", "copeca", "copeche", "m", "f"), "chf": Money("franco svizzero", "franchi svizzeri", "centesimo", "centesimi"),
        "inr": Money("rupia", "rupie", "paisa", "paise", "f"),
    }  # fmt: skip
    unit_names: ClassVar = {"electric-ampere": ("ampere", "ampere")}
    unit_genders: ClassVar = {"duration-hour": "f", "mass-tonne": "f", "mass-pound": "f", "mass-ounce": "f"}
    no_units = frozenset({"in", "st", "pt", "ac"})
    time_suffixes = r"a\. ?m\.?|p\. ?m\.?|am|pm"
    ordinal_pattern = r"(?<![\w,])(?P<n>\d{1,3}(?:\.\d{3})+|\d+)(?P<mark>[ºª]|°(?!\s?[ckf\d]))"
    roman_after = r"secolo|capitolo"

    def cardinal(self, n: int) -> str:
        return super().cardinal(n).replace("tré", "tre")

    def counted(self, n: int, gender: str = "m") -> str:
        if n == 1:
            return "una" if gender == "f" else "un"
        return self.cardinal(n)

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
            words += f" e {self.cardinal(minute)} minut{'o' if minute == 1 else 'i'}"
        if second:
            words += f" e {self.cardinal(second)} second{'o' if second == 1 else 'i'}"
        return words + self.meridiem(suffix)
