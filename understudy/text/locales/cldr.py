"""Names out of CLDR (through Babel): months, units of measure, currencies. Each locale's data is read on first use."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

import babel

__all__ = ["CODES", "CODE_WORDS", "UNITS", "currency_name", "month_names", "plural", "unit_pattern"]

# ISO 4217 codes in use. Kept here rather than taken from Babel so that building a formatter reads no currency data.
CODES = frozenset(
    {
        "aed", "afn", "all", "amd", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bgn", "bhd", "bif", "bmd", "bnd",
        "bob", "bop", "brl", "bsd", "btn", "bwp", "byn", "bzd", "cad", "cdf", "chf", "clp", "cny", "cop", "crc", "cup", "cve",
        "czk", "djf", "dkk", "dop", "dzd", "egp", "ern", "etb", "eur", "fjd", "fkp", "gbp", "gel", "ghs", "gip", "gmd", "gnf",
        "gtq", "gyd", "hkd", "hnl", "htg", "huf", "idr", "ils", "inr", "iqd", "irr", "isk", "jmd", "jod", "jpy", "kes", "kgs",
        "khr", "kmf", "kpw", "krw", "kwd", "kyd", "kzt", "lak", "lbp", "lkr", "lrd", "lsl", "lyd", "mad", "mdl", "mga", "mkd",
        "mmk", "mnt", "mop", "mru", "mur", "mvr", "mwk", "mxn", "myr", "mzn", "nad", "ngn", "nio", "nok", "npr", "nzd", "omr",
        "pab", "pen", "pgk", "php", "pkr", "pln", "pyg", "qar", "ron", "rsd", "rub", "rwf", "sar", "sbd", "scr", "sdg", "sek",
        "sgd", "shp", "sle", "sos", "srd", "ssp", "stn", "svc", "syp", "szl", "thb", "tjs", "tmt", "tnd", "top", "try", "ttd",
        "twd", "tzs", "uah", "ugx", "usd", "uyu", "uzs", "ves", "vnd", "vuv", "wst", "xaf", "xcd", "xof", "xpf", "yer", "zar",
        "zmw", "zwl",
    }
)  # fmt: skip

# Those that are words of some language are codes in capitals only.
CODE_WORDS = frozenset(
    ["ars", "bam", "bob", "cad", "cop", "cup", "ern", "gel", "huf", "lak", "mad", "mop", "mur", "pen", "ron", "sek", "sos", "try"]
)

# Written symbol -> CLDR unit. Keys with capitals are only read when written so; others in either case.
UNITS = {
    "km": "length-kilometer", "m": "length-meter", "cm": "length-centimeter", "mm": "length-millimeter",
    "dm": "length-decimeter", "µm": "length-micrometer", "μm": "length-micrometer", "nm": "length-nanometer",
    "mi": "length-mile", "ft": "length-foot", "yd": "length-yard", "in": "length-inch",
    "km²": "area-square-kilometer", "km2": "area-square-kilometer", "m²": "area-square-meter", "m2": "area-square-meter",
    "cm²": "area-square-centimeter", "cm2": "area-square-centimeter", "mi²": "area-square-mile", "ft²": "area-square-foot",
    "ha": "area-hectare", "ac": "area-acre",
    "km³": "volume-cubic-kilometer", "m³": "volume-cubic-meter", "m3": "volume-cubic-meter",
    "cm³": "volume-cubic-centimeter", "cm3": "volume-cubic-centimeter", "ft³": "volume-cubic-foot",
    "l": "volume-liter", "dl": "volume-deciliter", "cl": "volume-centiliter", "ml": "volume-milliliter",
    "gal": "volume-gallon", "qt": "volume-quart", "pt": "volume-pint",
    "kg": "mass-kilogram", "g": "mass-gram", "mg": "mass-milligram", "µg": "mass-microgram", "t": "mass-tonne",
    "lb": "mass-pound", "lbs": "mass-pound", "oz": "mass-ounce", "st": "mass-stone",
    "km/h": "speed-kilometer-per-hour", "km/hr": "speed-kilometer-per-hour", "kmh": "speed-kilometer-per-hour",
    "kph": "speed-kilometer-per-hour", "m/s": "speed-meter-per-second", "mph": "speed-mile-per-hour",
    "mi/h": "speed-mile-per-hour", "mi/hr": "speed-mile-per-hour",
    "°c": "temperature-celsius", "° c": "temperature-celsius", "℃": "temperature-celsius",
    "°f": "temperature-fahrenheit", "° f": "temperature-fahrenheit", "℉": "temperature-fahrenheit",
    "° k": "temperature-kelvin", "°k": "temperature-kelvin", "K": "temperature-kelvin", "°": "angle-degree",
    "h": "duration-hour", "hr": "duration-hour", "hrs": "duration-hour", "min": "duration-minute",
    "s": "duration-second", "sec": "duration-second", "ms": "duration-millisecond", "yr": "duration-year",
    "d": "duration-day",
    "V": "electric-volt", "A": "electric-ampere", "mA": "electric-milliampere", "Ω": "electric-ohm",
    "W": "power-watt", "kw": "power-kilowatt", "MW": "power-megawatt", "GW": "power-gigawatt", "mW": "power-milliwatt",
    "kwh": "energy-kilowatt-hour", "kcal": "energy-kilocalorie", "J": "energy-joule", "kj": "energy-kilojoule",
    "hp": "power-horsepower", "hz": "frequency-hertz", "khz": "frequency-kilohertz", "mhz": "frequency-megahertz",
    "ghz": "frequency-gigahertz", "kb": "digital-kilobit", "mb": "digital-megabyte", "gb": "digital-gigabyte",
    "tb": "digital-terabyte", "mbps": "digital-megabit-per-second", "cg": "mass-centigram", "dg": "mass-decigram", "q": "mass-quintal", "px": "graphics-pixel", "mpx": "graphics-megapixel", "hpa": "pressure-hectopascal",
    "pa": "pressure-pascal", "mpa": "pressure-megapascal", "mbar": "pressure-millibar", "hl": "volume-hectoliter", "N": "force-newton",
    "µs": "duration-microsecond", "μs": "duration-microsecond", "ns": "duration-nanosecond", "pb": "digital-petabyte",
    "kB": "digital-kilobyte", "KB": "digital-kilobyte", "Mb": "digital-megabit", "Gb": "digital-gigabit",
    "m/s²": "acceleration-meter-per-square-second", "m/s2": "acceleration-meter-per-square-second",
    "mv": "10p-3 electric-volt", "kv": "10p3 electric-volt", "kΩ": "10p3 electric-ohm", "MΩ": "10p6 electric-ohm",
    "µA": "10p-6 electric-ampere", "kN": "10p3 force-newton", "kpa": "pressure-kilopascal", "psi": "pressure-pound-force-per-square-inch", "ppm": "concentr-permillion",
}  # fmt: skip


@lru_cache(maxsize=16)
def _locale(lang: str) -> babel.Locale:
    return babel.Locale.parse(lang)


@lru_cache(maxsize=16)
def month_names(lang: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """(every written form, lower-case without final full stop -> month 1 to 12; the twelve full names, lower-case)."""
    locale = _locale(lang)
    written: dict[str, int] = {}
    for context, width in (
        ("stand-alone", "wide"),
        ("format", "wide"),
        ("format", "abbreviated"),
        ("stand-alone", "abbreviated"),
    ):
        for number, name in locale.months[context][width].items():
            written.setdefault(name.lower().rstrip("."), number)
    return written, tuple(locale.months["format"]["wide"][i].lower() for i in range(1, 13))


def plural(lang: str, value: Decimal) -> str:
    """CLDR's plural category of `value`: one, two, few, many, other, zero."""
    # Babel's rules overflow on very large numbers, which all languages treat alike.
    return str(_locale(lang).plural_form(value if value < 10**12 else Decimal(10**12)))


@lru_cache(maxsize=4096)
def unit_pattern(lang: str, unit: str, category: str) -> str | None:
    """CLDR's long pattern of `unit`, such as "{0} kilometers"; None where CLDR has none."""
    if " " in unit:  # A decimal prefix and the unit it stands before: "milli" and "volts".
        prefix, base = unit.split(" ")
        whole = unit_pattern(lang, base, category)
        before: Any = _locale(lang)._data["compound_unit_patterns"].get(prefix, {}).get("long", {}).get("prefix")
        if whole is None or before is None or not whole.startswith("{0} "):
            return None
        return "{0} " + str(before).format(whole.removeprefix("{0} ").lower())
    # Babel's public format_unit formats the number as well, in digits; the patterns themselves stand in its data only.
    # It leaves out long patterns that equal the short ones.
    data: Any = _locale(lang)._data["unit_patterns"].get(unit, {})
    for width in ("long", "short"):
        patterns = data.get(width, {})
        if pattern := patterns.get(category) or patterns.get("other"):
            return str(pattern).replace("\xa0", " ")
    return None


@lru_cache(maxsize=4096)
def currency_name(lang: str, code: str, category: str) -> str | None:
    """The name of ISO currency `code` for a plural category, lower-case; None for codes CLDR does not know."""
    locale = _locale(lang)
    plurals: Any = locale._data["currency_names_plural"].get(code.upper(), {})
    name = plurals.get(category) or plurals.get("other") or locale.currencies.get(code.upper())
    return None if name is None else str(name).lower()
