"""Numbers that are said digit by digit for what stands before them: "PIN 4321", "llama al 612345678", "code 40417"."""

from __future__ import annotations

from understudy.text.locales.base import Locale, Rule

__all__ = ["rules"]

# Words behind which three digits and more are a code, and words behind which seven and more are a telephone number.
_CODES = {
    "de": ("pin|code|pin code|passwort|kennwort|tan|plz|postleitzahl|kontonummer|kundennummer|bestellnummer|geheimzahl", "ist|lautet"),
    "en": ("pin|code|passcode|password|otp|zip|account number|card number|order number|confirmation number|tracking number|pin number", "is"),
    "es": ("pin|código|código postal|clave|contraseña|número de cuenta|número de tarjeta|número de pedido", "es"),
    "fr": ("pin|code|code pin|mot de passe|numéro de compte|numéro de carte|numéro de commande", "est"),
    "it": ("pin|codice|password|cap|numero di conto|numero di carta|numero di ordine", "è"),
    "pt": ("pin|código|senha|cep|número da conta|número do cartão|número do pedido", "é"),
}  # fmt: skip
_CALLED = {
    "de": ("ruf|rufe|wähle|anrufen|nummer|telefonnummer|handynummer|an|tel|telefon", "die"),
    "en": ("call|dial|phone|text|sms|message|ring|fax|number|contact", "is"),
    "es": ("llama|llamar|marca|teléfono|tel|número|móvil|celular|whatsapp|mensaje|sms", "al|a|es|el"),
    "fr": ("appelle|appeler|appelez|compose|numéro|téléphone|portable|tel|sms", "le|au|est"),
    "it": ("chiama|chiamare|componi|numero|telefono|cellulare|tel|sms|messaggio", "il|lo|al|è"),
    "pt": ("liga|ligue|ligar|disca|disque|número|telefone|celular|telemóvel|tel|sms|mensagem", "para|o|para o|ao|é"),
}  # fmt: skip
_NUMBER = {"de": "nummer", "en": "number", "es": "número", "fr": "numéro", "it": "numero", "pt": "número"}  # "#" before one.


def rules(locale: Locale) -> list[Rule]:
    """The rules of a language whose words are known here; none for others."""
    if locale.lang not in _CODES:
        return []
    end = r"(?![\w%]|[.,:/-]\d| ?[€$£])"
    code, called = _behind(*_CODES[locale.lang]), _behind(*_CALLED[locale.lang])
    number = rf"(?<= )(?=\d{{3}})(?:(?:{code})\d+|(?:{called})\d{{7,13}}){end}"
    return [
        Rule("codenumber", number, lambda m, text, locale: locale.digits(m.group())),
        Rule("numbered", r"#(?=\d)(?<![\w#]#)", lambda m, text, locale: _NUMBER[locale.lang]),
    ]


def _behind(words: str, links: str) -> str:
    """Look-behinds, each of one width: the word alone, with a colon, with a link or two words of it."""
    ends = [" ", ": ", *(f" {link} " for link in links.split("|"))]
    return "|".join(rf"(?<=\b{word}{end})" for word in words.split("|") for end in ends)
