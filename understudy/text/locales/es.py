"""Spanish."""

from __future__ import annotations

import re
from re import Match
from typing import ClassVar

from understudy.text.locales import numbers
from understudy.text.locales.base import Amount, Locale, Money, Rule
from understudy.text.locales.kings import KINGS, QUEENS

__all__ = ["Spanish"]

_TENTHS = {2: "medio", 3: "tercio", 4: "cuarto", 5: "quinto", 6: "sexto", 7: "séptimo", 8: "octavo", 9: "noveno", 10: "décimo",
           100: "centésimo", 200: "ducentésimo", 300: "tricentésimo", 400: "cuadringentésimo", 500: "quingentésimo", 600: "sexcentésimo",
           700: "septingentésimo", 800: "octingentésimo", 900: "noningentésimo", 1000: "milésimo", 10**6: "millonésimo"}  # fmt: skip
_UNITS = ("", "primero", "segundo", "tercero", "cuarto", "quinto", "sexto", "séptimo", "octavo", "noveno")
_TENS = ("", "décimo", "vigésimo", "trigésimo", "cuadragésimo", "quincuagésimo", "sexagésimo", "septuagésimo", "octogésimo", "nonagésimo")  # fmt: skip
_HUNDREDS = ("", "centésimo", "ducentésimo", "tricentésimo", "cuadringentésimo", "quingentésimo", "sexcentésimo", "septingentésimo",
             "octingentésimo", "noningentésimo")  # fmt: skip
_TEENS = ("décimo", "undécimo", "duodécimo", "decimotercero", "decimocuarto", "decimoquinto", "decimosexto", "decimoséptimo",
          "decimoctavo", "decimonoveno")  # fmt: skip
# Before a masculine noun the first and the third lose their last letter: "el 3º piso".
_SHORTENED = re.compile(
    r" (?:piso|puesto|lugar|capítulo|día|mes|año|siglo|trimestre|semestre|grado|curso|nivel|premio|turno|intento|episodio|partido|tiempo|set"
    r"|paso|punto|aniversario|cumpleaños|libro|tomo|acto|plato|domingo|lunes|martes|miércoles|jueves|viernes|sábado)(?!\w)"
)
# Hundreds of thousands agree with a feminine noun as hundreds do: "doscientas mil personas".
_HUNDREDS_OF = re.compile(r"(?<=ient)os(?=(?: (?!mill)\w+){0,3} mil\b)")

# What stands before a time with a full stop: nothing, a sign or one of these; "versión 2.15" is none, "2.50 metros" neither.
_CLOCK = re.compile(
    r"(?:^|[^\w\s] ?|\b(?:las?|a|y|e|o|hasta|desde|hacia|sobre|entre|de|del|es|son|horas?|hoy|mañana|tarde|noche|lunes|martes|miércoles|jueves"
    r"|viernes|sábado|domingo) )$"
)


def _dotted_time(m: Match[str], text: str, locale: Locale) -> str | None:
    if _CLOCK.search(m.string[max(0, m.start() - 16) : m.start()]) is None or locale.measured.match(m.string, m.end()):
        return None
    return locale.time(int(m["h"]), int(m["m"]), None, "")


_KINGS = KINGS["es"]
_ERAS = {"ac": "antes de cristo", "dc": "después de cristo", "ad": "después de cristo", "ec": "era común", "aec": "antes de la era común",
         "dec": "de la era común"}  # fmt: skip
_ERA = r"a\.? ?c\.?|d\.? ?c\.?|a\.? ?e\.? ?c\.?|d\.? ?e\.? ?c\.?|e\.? ?c\.?|ad"


def _era(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "500 a. C.", "siglo X e. c."."""
    before = m.string[max(m.start() - 8, 0) : m.start()].split()[-1]
    if not before.isdecimal() and numbers.roman(before) is None:
        return None
    return _ERAS[m["era"].replace(".", "").replace(" ", "")]


def _del_date(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "30 julio del 2020": "del" stays where it is written before the year."""
    return f"{locale.date(int(m['day']), locale.months[0][m['month']], None)} del {locale.year(int(m['year']))}"


def _zoned(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "10 h UTC": before a time zone the hour is that of a clock."""
    return locale.time(int(m["h"]), None, None, "")


def _zone(m: Match[str], text: str, locale: Locale) -> str | None:
    """ "UTC-4:30": the hours are feminine."""
    parts = [*m["zone"], locale.minus if m["sign"] == "-" else locale.symbols["+"], locale.counted(int(m["h"]), "f")]
    return " ".join([*parts, locale.cardinal(int(m["m"])) if m["m"] else ""])


class Spanish(Locale):
    lang = "es"
    largest = 10**24
    rules_gender: ClassVar = {"m": "spellout-cardinal-masculine", "f": "spellout-cardinal-feminine"}
    point = "coma"
    minus = "menos"
    percent = "por ciento"
    to = "a"
    per = "por"
    over = "sobre"
    said_so = frozenset({(24, 7)})
    mixed_link = "y"
    extension = "extensión"
    date_link = " de "
    scale_link = "de"
    symbols: ClassVar = {
        "&": "y", "+": "más", "=": "igual a", "@": "arroba", "%": "por ciento", "°": "grados", "×": "por", "÷": "entre",
        "$": "dólar", "€": "euro", "£": "libra", "¥": "yen", "#": "almohadilla", "|": "barra vertical",
    }  # fmt: skip
    address: ClassVar = {
        "@": "arroba", ".": "punto", "/": "barra", "-": "guion", ":": "dos puntos", "_": "guion bajo", "|": "barra vertical",
        "www": "w w w", "https": "h t t p s", "http": "h t t p", "?": "interrogación", "=": "igual", "&": "y",
    }  # fmt: skip
    abbreviations: ClassVar = {
        "dr.": "doctor", "dra.": "doctora", "sr.": "señor", "sra.": "señora", "srta.": "señorita", "dña.": "doña",
        "prof.": "profesor", "esq.": "esquina", "pza.": "plaza", "avda.": "avenida", "av.": "avenida", "ee. uu.": "estados unidos",
        "ee.uu.": "estados unidos", "etc.": "etcétera", "ud.": "usted", "uds.": "ustedes", "n.º": "número", "núm.": "número",
        "pág.": "página", "tel.": "teléfono", "sres.": "señores", "sras.": "señoras", "drs.": "doctores", "dres.": "doctores", "lic.": "licenciado",
        "ing.": "ingeniero", "arq.": "arquitecto", "profa.": "profesora", "prof.ª": "profesora", "vd.": "usted", "vds.": "ustedes",
        "p. ej.": "por ejemplo", "p.ej.": "por ejemplo", "págs.": "páginas", "nº": "número", "n°": "número", "n.os": "números", "aprox.": "aproximadamente",
        "gral.": "general", "cnel.": "coronel", "cap.": "capitán", "sto.": "santo", "sta.": "santa", "cía.": "compañía", "depto.": "departamento", "dpto.": "departamento",
        "jj. oo.": "juegos olímpicos", "jj.oo.": "juegos olímpicos", "rr. hh.": "recursos humanos", "rr.hh.": "recursos humanos",
        "cc. oo.": "comisiones obreras", "cc.oo.": "comisiones obreras", "ee.uu": "estados unidos", "eeuu": "estados unidos", "ctra.": "carretera",
        "c/": "calle", "admón.": "administración", "edo.": "estado", "blvr.": "bulevar", "izq.": "izquierda", "dcha.": "derecha", "dto.": "descuento",
        "fdo.": "firmado", "mons.": "monseñor", "pdte.": "presidente", "vol.": "volumen", "a. c.": "antes de cristo", "a.c.": "antes de cristo", "d. c.": "después de cristo",
        "d.c.": "después de cristo",
    }  # fmt: skip
    before_number: ClassVar = {
        "nro.": "número", "num.": "número", "art.": "artículo", "arts.": "artículos", "cap.": "capítulo", "fig.": "figura", "p.": "página",
        "pp.": "páginas", "km.": "kilómetro", "ext.": "extensión", "apdo.": "apartado", "ed.": "edición",
    }  # fmt: skip
    before_name: ClassVar = {"d.": "don", "s.": "san", "fr.": "fray"}
    month_aliases: ClassVar = {"setiembre": 9, "sep": 9}
    articles = ("el ", "la ", "los ", "las ", "del ", "al ", "de la ")
    centuries = frozenset({"siglo", "siglos"})
    scales: ClassVar = {"mill.": "millones", **{w: w for w in ("mil", "millón", "millones", "billón", "billones", "trillón", "trillones")}}  # fmt: skip
    single_scales: ClassVar = {"mill.": "millón"}
    money_names: ClassVar = {
        "usd": Money("dólar", "dólares", "centavo", "centavos"), "eur": Money("euro", "euros", "céntimo", "céntimos"),
        "gbp": Money("libra", "libras", "penique", "peniques", "f"), "jpy": Money("yen", "yenes", "centavo", "centavos"),
        "krw": Money("won", "wones"), "inr": Money("rupia", "rupias", "paisa", "paisas", "f", "f"),
        "crc_": Money("colón", "colones", "céntimo", "céntimos"), "pts": Money("peseta", "pesetas", "céntimo", "céntimos", "f"),
        "frf": Money("franco", "francos", "céntimo", "céntimos"), "dem": Money("marco", "marcos", "pfennig", "pfennigs"),
        "brl_": Money("real", "reales", "centavo", "centavos"), "nio": Money("córdoba", "córdobas", "centavo", "centavos"),
        "gtq_": Money("quetzal", "quetzales", "centavo", "centavos"), "mxn": Money("peso mexicano", "pesos mexicanos", "centavo", "centavos"),
        "gtq": Money("quetzal", "quetzales", "centavo", "centavos"), "hkd": Money("dólar de hong kong", "dólares de hong kong", "centavo", "centavos"), "usd_": Money("dólar estadounidense", "dólares estadounidenses", "centavo", "centavos"),
    }  # fmt: skip
    money_symbols: ClassVar = {
        "usd": "usd_", "₡": "crc_", "₧": "pts", "ptas": "pts", "fr": "frf", "mk": "dem", "r$": "brl_", "q": "gtq_", "mex$": "mxn",
        "rs": "inr",
    }  # fmt: skip
    unit_names: ClassVar = {
        "temperature-celsius": ("grado centígrado", "grados centígrados"), "temperature-kelvin": ("grado kelvin", "grados kelvin"),
        "duration-hour": ("hora", "horas"),
    }  # fmt: skip
    unit_genders: ClassVar = {
        "duration-hour": "f", "length-mile": "f", "speed-mile-per-hour": "f", "mass-tonne": "f", "mass-pound": "f", "mass-ounce": "f",
        "area-hectare": "f", "length-yard": "f", "length-inch": "f",
    }  # fmt: skip
    local_units: ClassVar = {"seg": "duration-second", "segs": "duration-second", "mins": "duration-minute"}
    no_units = frozenset({"in", "d", "st", "pt", "ac"})
    telephone_pattern = r"(?<![\d.,-])(?:[6-9]\d\d(?: \d\d){3}|9\d \d{3} \d\d \d\d)(?![\d-]|[.,]\d| \d)|(?<![\d-])(?!(?:1[5-9]|20)\d\d-(?:1[5-9]|20)\d\d)\d{4}-\d{4}(?![\d-])|(?<![\d-])\d{3}-\d{4}(?![\d-])|(?<![\d-])\d{3}-\d{3}-\d{3}(?![\d-])"
    no_codes = frozenset({"all", "top", "pen", "sos", "mop"})
    time_suffixes = r"a\. ?m\.?|p\. ?m\.?|am|pm|h(?:rs|oras|s)?\.?"
    hour_letter = True
    ordinal_pattern = r"(?<![\w,])(?P<n>\d{1,3}(?:[. ]\d{3})+|\d+)\.?(?P<mark>º|ª|ᵉʳ|(?:er[oa]?|r[oa]|d[oa]|t[oa]|m[oa]|v[oa]|n[oa]|o|a)(?!\w)|°(?!\s?[ckf]))"
    roman_after = "|".join([r"siglos?|s\.|capítulo|tomo|volumen|libro|acto|título|parte|guerra mundial|artículo", *_KINGS])

    def extra_rules(self) -> list[Rule]:
        """Times with a full stop: neither a date (two-digit minutes from 32) nor grouping (three digits) nor decimals (comma)."""
        dotted = r"(?<![\w.,$€£])(?P<h>2[0-3]|1\d|0?\d)\.(?P<m>[0-5]\d)(?![\d.,%]| ?(?:h|a\.?m|p\.?m|[$€£]))"
        day, year = r"(?P<day>3[01]|[12]\d|0?[1-9])", r"(?P<year>[12]\d{3})"
        centuries = "|".join(rf"(?<=siglo {'[ivx]' * n} )" for n in range(1, 6))
        month = "|".join(sorted(self.months[0], key=len, reverse=True))
        return [
            Rule("deldate", rf"(?<![\w./:,]){day} (?:de )?(?P<month>{month})\.? del {year}(?![\w%])", _del_date),
            Rule("dottedtime", dotted, _dotted_time),
            Rule(
                "zoned", r"(?<![\d.:,])(?P<h>2[0-4]|[01]?\d) ?h(?= (?:utc|gmt|est|pst|cst|mst|cet|edt|pdt|cdt|mdt)(?!\w))", _zoned
            ),
            Rule(
                "hour",
                r"(?:(?<=\ba la )|(?<=\bde la )|(?<=\bes la )|(?<=\bpara la )|(?<=\bhacia la ))1(?![\w%ºª°/]|[.,:]\d)",
                lambda m, text, locale: "una",
            ),
            Rule("zone", r"(?<![\w])(?P<zone>gmt|utc) ?(?P<sign>[+-])(?P<h>\d\d?)(?::(?P<m>\d\d))?(?!\d)", _zone, "letter"),
            Rule("era", rf"(?:(?<=\d )|{centuries})(?P<era>{_ERA})(?![^\W_])", _era, "letter"),
        ]

    def roman(self, word: str, n: int) -> str:
        """Kings and popes up to the tenth have ordinals: "carlos quinto", but "alfonso trece"."""
        if word in _KINGS and n <= 10:
            return f"{word} {self.ordinal(n, 'ª' if word in QUEENS else '')}"
        return super().roman("siglo" if word == "s." else word, n)

    def counted(self, n: int, gender: str = "m") -> str:
        words = super().counted(n, gender)
        return _HUNDREDS_OF.sub("as", words) if gender == "f" and n < 10**9 else words

    def joined(self, text: str, start: int, end: int, name: str, spoken: str, *, ranged: bool = False) -> tuple[int, str]:
        short = name == "ordinal" and spoken.endswith(("primero", "tercero")) and _SHORTENED.match(text, end)
        return end, spoken[:-1] if short else spoken

    def ordinal(self, n: int, mark: str = "", *, before: str = "") -> str | None:
        thousands, rest = divmod(n, 1000)
        if n < 1 or thousands > 1:
            return None
        hundreds, low = divmod(rest, 100)
        words = ["milésimo"] if thousands else []
        words += [_HUNDREDS[hundreds]] if hundreds else []
        if 10 <= low < 20:
            words.append("decimoprimero" if low == 11 and _short(mark) else _TEENS[low - 10])
        elif low // 10 == 2 and low % 10:
            words.append("vigesimo" + _UNITS[low % 10])
        else:
            words += [w for w in (_TENS[low // 10], _UNITS[low % 10]) if w]
        spoken = " ".join(words)
        if mark == "ª" or (len(mark) < 4 and mark.endswith("a")):
            return spoken.replace("o ", "a ").removesuffix("o") + "a"
        return spoken.removesuffix("o") if _short(mark) and spoken.endswith(("primero", "tercero")) else spoken

    def denominator(self, d: int, many: bool) -> str | None:
        name = _TENTHS.get(d)
        if name is None and d > 1000 and d % 1000 == 0 and str(d).strip("0") in "23456789" + "1":
            name = self.cardinal(d // 1000).replace(" ", "").removesuffix("mil") + "milésimo"
        if name is None and 10 < d < 100:
            name = _parts(d, self)
        return None if name is None else f"{name}s" if many else name

    def fraction(self, n: int, d: int) -> str:
        if (n, d) == (1, 2):
            return "medio"
        return super().fraction(n, d)

    def measure(self, a: Amount, unit: str) -> str | None:
        if a.fraction is None:
            return super().measure(a, unit)
        half = a.fraction == (1, 2)
        feminine = self.unit_genders.get(unit) == "f"
        name = super().measure(Amount("1"), unit)
        if name is None:
            return None
        noun = name.split(" ", 1)[1]
        part = "media" if half and feminine else self.fraction(*a.fraction)
        whole = f"{('una' if feminine else 'uno') if a.whole == '1' else self.cardinal(int(a.whole))} y " if a.whole else ""
        return f"{self.minus if a.negative else ''} {whole}{part} {'' if half else 'de '}{noun}"

    def amount(self, a: Amount, gender: str | None = None) -> str:
        if a.decimals is not None and a.scale is not None:
            words = super().amount(Amount(a.whole, a.decimals, negative=a.negative))
            return f"{words.removesuffix('o') if words.endswith('uno') else words} {self.scale(a)}"
        if a.decimals is not None and gender is not None:
            words = super().amount(a)
            if gender == "f":
                return words.replace("uno coma", "una coma").removesuffix("uno") + ("una" if words.endswith("uno") else "")
            return words.removesuffix("o") if words.endswith("uno") else words
        if a.scale is not None and a.decimals is None:
            return f"{self.minus if a.negative else ''} {self.counted(int(a.whole))} {self.scale(a)}"
        return super().amount(a, gender)

    def decimal_words(self, whole: str, decimals: str) -> str:
        """Two or three digits are a number; more go in pairs, the last one alone."""
        head = f"{self.cardinal(int(whole or 0))} {self.point}"
        if len(decimals) <= 3 and decimals[0] != "0":
            return f"{head} {self.cardinal(int(decimals))}"
        if decimals[0] == "0":
            return f"{head} {self.digits(decimals)}"
        pairs = [decimals[i : i + 2] for i in range(0, len(decimals), 2)]
        return f"{head} {' '.join(self.digits(p) if p[0] == '0' else self.cardinal(int(p)) for p in pairs)}"

    def time(self, hour: int, minute: int | None, second: int | None, suffix: str) -> str:
        feminine = self.counted(hour, "f")
        if minute is None:
            words = f"{feminine} {'hora' if hour == 1 else 'horas'}" if suffix.startswith("h") else feminine
        elif second and suffix not in ("am", "pm", "h"):
            counts = [f"{feminine} hora", f"{self.counted(minute or 0)} minuto", f"{self.counted(second)} segundo"]
            words = "{} {} y {}".format(
                *(c if n == 1 else f"{c}s" for c, n in zip(counts, (hour, minute or 0, second), strict=True))
            )
        elif minute == 0:
            words = feminine
        elif minute in (15, 30):
            words = f"{feminine} y {'cuarto' if minute == 15 else 'media'}"
        else:
            words = f"{feminine} y {self.cardinal(minute)}"
        if suffix == "am":
            return f"{words} de la {'noche' if hour == 12 else 'mañana'}"
        if suffix == "pm":
            return f"{words} {'del mediodía' if hour == 12 else 'de la noche' if 8 <= hour < 12 else 'de la tarde'}"
        return words

    def cardinal(self, n: int) -> str:
        if n >= 10**18 and n < 10**24:
            high, low = divmod(n, 10**18)
            head = "un trillón" if high == 1 else f"{self.counted(high)} trillones"
            return f"{head} {self.cardinal(low)}" if low else head
        return super().cardinal(n)

    def telephone(self, number: str) -> str:
        if number.startswith("+") and not number[1:].isdecimal():
            code, _, rest = number[1:].replace("-", " ").partition(" ")
            return f"más {self.cardinal(int(code))} {self.digits(''.join(c for c in rest if c.isdecimal()))}"
        return super().telephone(number)


def _short(mark: str) -> str:
    return "r" if mark in ("er", "ᵉʳ") else ""


def _parts(d: int, locale: Spanish) -> str:
    """The d-th part for 11 to 99: the cardinal in one word and "-avo": onceavo, treintaiunavo, dieciseisavo."""
    words = locale.cardinal(d).replace(" y ", "i").replace("é", "e").replace("ó", "o")
    if words.endswith("uno"):
        return words.removesuffix("o") + "avo"
    return words.removesuffix("a") + "avo"
