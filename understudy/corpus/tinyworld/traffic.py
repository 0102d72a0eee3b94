"""Assistant traffic of the built-in world: an endless stream of labelled utterances in spoken form.

Intents, phrasings and values are all Zipf-distributed, so that a few utterances come again and again and a long tail comes
once. Intents and slots have the same names in every language; what is said comes from `grammars/<lang>.toml`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from understudy.corpus.tinyworld.grammar import Grammar
from understudy.corpus.tinyworld.notation import load
from understudy.interpretation import Interpretation, Slot

__all__ = ["INTENTS", "LOCALES", "utterances"]

LOCALES = {
    "ar": "ar-SA", "de": "de-DE", "en": "en-US", "es": "es-ES", "fr": "fr-FR", "hi": "hi-IN",
    "it": "it-IT", "ja": "ja-JP", "mr": "mr-IN", "pt": "pt-PT", "ta": "ta-IN", "te": "te-IN",
}  # fmt: skip

# Intent to domain. The order of the intents in a grammar file is that of their frequency.
INTENTS = {
    "music_play": "music",
    "weather_query": "weather",
    "music_stop": "music",
    "timer_set": "timer",
    "device_on": "home",
    "alarm_set": "alarm",
    "device_off": "home",
    "volume_set": "music",
    "time_query": "general",
    "list_add": "lists",
    "reminder_set": "reminder",
    "news_play": "news",
    "call_make": "communication",
    "message_send": "communication",
    "navigation_route": "navigation",
    "question_answer": "general",
    "radio_play": "media",
    "calendar_add": "calendar",
    "calendar_query": "calendar",
    "temperature_set": "home",
    "recipe_find": "cooking",
    "alarm_cancel": "alarm",
    "podcast_play": "media",
    "light_adjust": "home",
    "currency_convert": "general",
}


def utterances(lang: str, *, seed: int) -> Iterator[Interpretation]:
    """Endless labelled utterances of one language, lower case and spelled out; the same ones for the same seed, anywhere.

    Slots cover whole words and stand in the order of the text. Raises DataError for a language the world does not speak.
    """
    return _stream(load(lang), LOCALES[lang], random.Random(f"tinyworld/{lang}/{seed}"))


def _stream(grammar: Grammar, locale: str, rng: random.Random) -> Iterator[Interpretation]:
    while True:
        text, intent, spans = grammar.draw(rng)
        slots = tuple(Slot(name, text[start:end], start, end) for name, start, end in spans)
        yield Interpretation(text=text, intent=intent, slots=slots, domain=INTENTS[intent], locale=locale)
