"""Portuguese. Number words are Brazilian as in CLDR's root Portuguese; what differs in Portugal is the spelling of teens only."""

from __future__ import annotations

from re import Match
from typing import ClassVar

from understudy.text.locales.base import Amount, Locale, Money, Rule
from understudy.text.locales.kings import KINGS, QUEENS

__all__ = ["Portuguese"]

_UNITS = ("", "primeiro", "segundo", "terceiro", "quarto", "quinto", "sexto", "sétimo", "oitavo", "nono")
_TENS = (
    "",
    "décimo",
    "vigésimo",
    "trigésimo",
    "quadragésimo",
    "quinquagésimo",
    "sexagésimo",
    "septuagésimo",
    "octogésimo",
    "nonagésimo",
)
_HUNDREDS = ("", "centésimo", "ducentésimo", "trecentésimo", "quadringentésimo", "quingentésimo", "sexcentésimo", "septingentésimo",
             "octingentésimo", "noningentésimo")  # fmt: skip
_KINGS = KINGS["pt"]
_SCALES = ("", "mil", "milhão", "bilhão", "trilhão", "quatrilhão", "quintilhão")
_MANY = ("", "mil", "milhões", "bilhões", "trilhões", "quatrilhões", "quintilhões")


class Portuguese(Locale):
    lang = "pt"
    largest = 10**18
    point = "vírgula"
    minus = "menos"
    percent = "por cento"
    to = "a"
    per = "por"
    over = "sobre"
    said_so = frozenset({(24, 7)})
    mixed_link = "e"
    extension = "extensão"
    date_link = " de "
    money_joint = " e "
    scale_link = "de"
    first_of_month = "primeiro"
    symbols: ClassVar = {
        "&": "e", "+": "mais", "=": "igual a", "@": "arroba", "%": "por cento", "°": "graus", "×": "vezes", "÷": "dividido por",
        "$": "dólar", "€": "euro", "£": "libra", "¥": "iene", "#": "cardinal",
    }  # fmt: skip
    address: ClassVar = {
        "@": "arroba", ".": "ponto", "/": "barra", "-": "hífen", ":": "dois pontos", "_": "sublinhado",
        "www": "w w w", "https": "h t t p s", "http": "h t t p",
    }  # fmt: skip
    abbreviations: ClassVar = {
        "dr.": "doutor", "dra.": "doutora", "sr.": "senhor", "sra.": "senhora", "prof.": "professor", "profa.": "professora",
        "av.": "avenida", "etc.": "et cetera", "n.º": "número", "nº": "número", "pág.": "página", "tel.": "telefone",
        "eng.": "engenheiro", "srta.": "senhorita", "srs.": "senhores", "sras.": "senhoras", "drs.": "doutores", "prof.ª": "professora",
        "profª": "professora", "profs.": "professores", "exmo.": "excelentíssimo", "exma.": "excelentíssima", "ilmo.": "ilustríssimo", "ltda.": "limitada",
        "p. ex.": "por exemplo", "p.ex.": "por exemplo", "págs.": "páginas", "n°": "número", "nºs": "números", "aprox.": "aproximadamente",
        "cia.": "companhia", "depto.": "departamento", "dpto.": "departamento", "pça.": "praça", "trav.": "travessa", "rod.": "rodovia", "gal.": "general",
        "cel.": "coronel", "cap.": "capitão", "dep.": "deputado", "pe.": "padre", "sto.": "santo", "sta.": "santa", "vol.": "volume",
        "a.c.": "antes de cristo", "a. c.": "antes de cristo", "d.c.": "depois de cristo", "d. c.": "depois de cristo", "obs.": "observação",
    }  # fmt: skip
    before_number: ClassVar = {"art.": "artigo", "arts.": "artigos", "cap.": "capítulo", "fig.": "figura", "p.": "página", "pp.": "páginas", "no.": "número",
                               "inc.": "inciso", "apto.": "apartamento", "ap.": "apartamento"}  # fmt: skip
    before_name: ClassVar = {"d.": "dom", "r.": "rua", "s.": "são"}
    articles = ("o ", "a ", "os ", "as ", "do ", "da ", "no ", "na ", "ao ", "à ", "pelo ", "pela ")
    centuries = frozenset({"século", "séculos"})
    scales: ClassVar = {
        w: w for w in ("mil", "milhão", "milhões", "bilhão", "bilhões", "biliões", "trilhão", "trilhões", "mil milhões")
    } | {"mi": "milhões", "bi": "bilhões", "tri": "trilhões"}  # fmt: skip
    single_scales: ClassVar = {"mi": "milhão", "bi": "bilhão", "tri": "trilhão"}
    single_below_two = True
    money_names: ClassVar = {
        "brl": Money("real", "reais", "centavo", "centavos"), "usd": Money("dólar", "dólares", "centavo", "centavos"),
        "eur": Money("euro", "euros", "cêntimo", "cêntimos"), "gbp": Money("libra", "libras", "pêni", "pence", "f"),
        "jpy": Money("iene", "ienes"), "inr": Money("rupia", "rupias", "paisa", "paisas", "f"),
        "chf": Money("franco suíço", "francos suíços", "cêntimo", "cêntimos"),
    }  # fmt: skip
    money_symbols: ClassVar = {"r$": "brl", "us$": "usd"}
    unit_names: ClassVar = {"temperature-celsius": ("grau celsius", "graus celsius"), "mass-tonne": ("tonelada", "toneladas")}
    unit_genders: ClassVar = {"duration-hour": "f", "mass-tonne": "f", "mass-pound": "f", "length-mile": "f", "mass-ounce": "f",
                               "speed-mile-per-hour": "f", "length-yard": "f", "length-inch": "f", "energy-kilocalorie": "f", "duration-week": "f"}  # fmt: skip
    local_units: ClassVar = {"seg": "duration-second", "segs": "duration-second", "mins": "duration-minute"}
    no_units = frozenset({"in", "d", "h", "hr", "hrs", "st", "pt", "ac"})
    no_codes = frozenset({"top", "cup", "all", "mop"})
    telephone_pattern = (
        r"(?<![\d-])(?!(?:1[5-9]|20)\d\d-(?:1[5-9]|20)\d\d)(?:\d\d )?\d{4,5}-\d{4}(?![\d-])|(?<![\d.,-])0[389]00[ -]\d{3}[ -]\d{4}(?![\d-])"
        r"|(?<![\d.,-])\d{3}\.\d{3}\.\d{3}-\d\d(?![\d-])|(?<![\d.,-])\d{5}-\d{3}(?![\d-])"
    )
    time_suffixes = r"horas|h(?!\d)|a\. ?m\.?|p\. ?m\.?|am|pm"
    hour_letter = True
    ordinal_pattern = r"(?<![\w,])(?P<n>\d{1,3}(?:\.\d{3})+|\d+)\.?(?P<mark>[ºª]|°(?!\s?[ckf\d]))"
    roman_after = "|".join(["séculos?|capítulo|tomo|volume|livro|ato|título|parte|guerra mundial|artigo", *_KINGS])

    def extra_rules(self) -> list[Rule]:
        clock = r"(?<![\d.:,])(?P<h>2[0-4]|[01]?\d)(?: ?h ?|:)(?P<m>[0-5]\d)?(?::(?P<s>[0-5]\d))?(?= d[ao] (?P<part>manhã|tarde|noite))"
        # Behind prices "mi" is a scale, before nouns too; elsewhere it may be a mile.
        millions = r"(?<![\w.,/:])(?P<n>\d{1,3})(?:,(?P<decimals>\d{1,2}))? (?P<scale>mi)(?= de )"
        return [Rule("daytime", clock, _daytime), Rule("scaled", millions, _scaled)]

    def roman(self, word: str, n: int) -> str:
        """Kings, popes and centuries up to the tenth have ordinals: "pedro segundo", "século quinto", but "luís catorze"."""
        mark = "ª" if word in QUEENS else ""
        return (
            f"{word} {self.ordinal(n, mark)}"
            if n <= 10 and (word in _KINGS or word in self.centuries)
            else super().roman(word, n)
        )

    def cardinal(self, n: int) -> str:
        """Own rules: CLDR's put "e" where Portuguese has none before the last group (mil e cem, but mil cento e dez)."""
        return self._grouped(n, "m")

    def counted(self, n: int, gender: str = "m") -> str:
        return self._grouped(n, gender)

    def _grouped(self, n: int, gender: str) -> str:
        if n < 1000:
            ruleset = "spellout-cardinal-feminine" if gender == "f" else "spellout-cardinal-masculine"
            return self._spelled(ruleset, n).replace("quatorze", "catorze")
        groups = []
        while n:
            n, low = divmod(n, 1000)
            groups.append(low)
        if len(groups) > len(_SCALES):
            return self.digits("".join(f"{g:03}" for g in reversed(groups)).lstrip("0"))
        words: list[str] = []
        least = min(i for i, g in enumerate(groups) if g)
        for i in reversed(range(len(groups))):
            if not groups[i]:
                continue
            count = "" if (i, groups[i]) == (1, 1) else self._grouped(groups[i], gender if i < 2 else "m")
            scale = _SCALES[i] if groups[i] == 1 else _MANY[i]
            # "e" stands before the last group where it is a round hundred or below one: two simple words end the number.
            last = i == least and words and (groups[i] < 100 or groups[i] % 100 == 0)
            words.append(f"{'e ' if last else ''}{count} {scale}".strip())
        return " ".join(" ".join(words).split())

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        if not 0 < n < 2000:
            return None
        thousand = "milésimo" if n >= 1000 else ""
        words = " ".join(w for w in (thousand, _HUNDREDS[n // 100 % 10], _TENS[n // 10 % 10], _UNITS[n % 10]) if w)
        return words.replace("o ", "a ")[:-1] + "a" if mark == "ª" else words

    def denominator(self, d: int, many: bool) -> str | None:
        name = {2: "meio", 3: "terço"}.get(d)
        if name is None and (d <= 10 or d in (100, 1000)):
            name = self.ordinal(d)
        if name is None:
            return f"{self.cardinal(d)} avos" if d else None
        return f"{name}s" if many else name

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        words = f"{self.counted(hour, 'f')} hora{'' if hour == 1 else 's'}"
        if second is not None:
            words += f" e {self.cardinal(minute or 0)} minuto{'' if minute == 1 else 's'}"
            words += f" e {self.cardinal(second)} segundo{'' if second == 1 else 's'}"
        elif minute:
            words += f" e {self.cardinal(minute)}"
        return words + self.meridiem(suffix)


def _scaled(m: Match[str], text: str, locale: Locale) -> str | None:
    return locale.amount(Amount(m["n"], m["decimals"], None, m["scale"]))


def _daytime(m: Match[str], text: str, locale: Locale) -> str | None:
    """Before "da tarde" and the like the hour is read on the twelve-hour clock where that is how it is said."""
    hour = int(m["h"])
    rest = [None if m[k] is None else int(m[k]) for k in ("m", "s")]
    if 12 < hour < (24 if m["part"] == "noite" else 20):
        hour -= 12
    return locale.time(hour, rest[0], rest[1], "h")
