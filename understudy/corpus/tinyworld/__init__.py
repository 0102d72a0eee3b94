"""The built-in world: unlimited data in twelve languages, made from grammars; the same bytes for the same seed."""

from understudy.corpus.tinyworld.sentences import sentences
from understudy.corpus.tinyworld.traffic import INTENTS, LOCALES, utterances

__all__ = ["INTENTS", "LOCALES", "sentences", "utterances"]
