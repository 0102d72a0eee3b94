"""Half of a noun in Spanish, French, Italian and Portuguese: "1/2 hora" (media hora), "2 1/2 ore" (due ore e mezza)."""

from __future__ import annotations

from re import Match

from understudy.text.locales.base import Locale, Rule

__all__ = ["rules"]

# What is halved often, by gender, in the singular.
_NOUNS = {
    "es": {
        "f": "hora semana taza cucharada cucharadita docena libra onza milla botella copa tonelada página pizza manzana cebolla naranja pulgada hectárea",
        "m": "minuto segundo día mes año siglo litro kilo kilogramo gramo metro kilómetro centímetro vaso punto grado tomate limón",
    },
    "fr": {
        "f": "heure minute journée semaine année tasse cuillère livre tonne page bouteille pizza pomme douzaine baguette once",
        "m": "jour mois an siècle litre kilo kilogramme gramme mètre kilomètre centimètre verre degré point citron oignon",
    },
    "it": {
        "f": "ora tazza tazzina bottiglia pagina dozzina tonnellata libbra pizza mela cipolla porzione settimana",
        "m": "minuto secondo giorno mese anno secolo litro chilo chilogrammo grammo metro chilometro centimetro bicchiere cucchiaio cucchiaino grado punto limone",
    },
    "pt": {
        "f": "hora semana xícara chávena colher dúzia libra milha garrafa tonelada página pizza maçã cebola laranja polegada",
        "m": "minuto segundo dia mês ano século litro quilo quilograma grama metro quilômetro quilómetro centímetro copo ponto grau limão",
    },
}  # fmt: skip
_PLURALS = {
    "mes": "meses", "mês": "meses", "mois": "mois", "limón": "limones", "limão": "limões", "grau": "graus", "colher": "colheres", "cucchiaio": "cucchiai",
}  # fmt: skip
_HALF = {"es": ("medio", "media"), "fr": ("demi", "demie"), "it": ("mezzo", "mezza"), "pt": ("meio", "meia")}
_AND = {"es": "y", "fr": "et", "it": "e", "pt": "e"}


def _plural(noun: str, lang: str) -> str:
    if noun in _PLURALS:
        return _PLURALS[noun]
    return f"{noun}s" if lang != "it" else f"{noun[:-1]}{'e' if noun.endswith('a') else 'i'}"


def rules(locale: Locale) -> list[Rule]:
    """The rule of the four languages; none for others."""
    if locale.lang not in _NOUNS:
        return []
    forms = {gender: _forms(nouns, locale.lang) for gender, nouns in _NOUNS[locale.lang].items()}
    either = "|".join(f"(?P<{gender}>{'|'.join(sorted(words, key=len, reverse=True))})" for gender, words in forms.items())
    singular = forms["f"] | forms["m"]

    def read(m: Match[str], text: str, locale: Locale) -> str:
        return _read(int(m["n"] or 0), singular[m["f"] or m["m"]], "f" if m["f"] else "m", locale)

    return [Rule("halfof", rf"(?<![\w.,/])(?<!\d )(?:(?P<n>[1-9]\d?) ?)?(?<!\d)(?:1/2|½) (?:{either})(?!\w)", read)]


def _forms(nouns: str, lang: str) -> dict[str, str]:
    """Either form of each noun -> its singular."""
    return {form: noun for noun in nouns.split() for form in (noun, _plural(noun, lang))}


def _read(n: int, noun: str, gender: str, locale: Locale) -> str:
    half, lang = _HALF[locale.lang][gender == "f"], locale.lang
    if n == 0 and lang == "fr":
        return f"{locale.counted(1, gender)} demi-{noun}"
    if n == 0:
        return "mezz'ora" if noun == "ora" and lang == "it" else f"{half} {noun}"
    one = "un'ora" if noun == "ora" and lang == "it" else f"{locale.counted(1, gender)} {noun}"
    whole = one if n == 1 else f"{locale.counted(n, gender)} {_plural(noun, lang)}"
    return f"{whole} {_AND[lang]} {half}"
