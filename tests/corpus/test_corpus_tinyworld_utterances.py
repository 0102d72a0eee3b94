"""The built-in world's assistant traffic: its notation on small grammars, and what every language's grammar must hold."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import unicodedata
from collections import Counter, defaultdict
from functools import cache
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.corpus.tinyworld import INTENTS, LOCALES, utterances
from understudy.corpus.tinyworld.notation import load, parse
from understudy.errors import DataError
from understudy.interpretation import Interpretation, slots_to_tags, tags_to_slots
from understudy.text.words import words

DRAWS = 20_000
LATIN = ("LATIN",)
DEVANAGARI = ("DEVANAGARI",)
SCRIPTS = {
    "ar": ("ARABIC",), "de": LATIN, "en": LATIN, "es": LATIN, "fr": LATIN, "hi": DEVANAGARI, "it": LATIN,
    "ja": ("HIRAGANA", "KATAKANA", "CJK UNIFIED", "IDEOGRAPHIC"), "mr": DEVANAGARI, "pt": LATIN, "ta": ("TAMIL",), "te": ("TELUGU",),
}  # fmt: skip
every_language = pytest.mark.parametrize("lang", LOCALES)


@cache
def drawn(lang: str) -> list[Interpretation]:
    return list(islice(utterances(lang, seed=0), DRAWS))


# The languages


@every_language
def test_every_intent_occurs(lang):
    assert {u.intent for u in drawn(lang)} == set(INTENTS)


@every_language
def test_every_slot_occurs_and_is_the_same_in_every_language(lang):
    found = {slot.name for u in drawn(lang) for slot in u.slots}
    assert found == {name for names in load("en").slots.values() for name in names}
    assert len(found) >= 28


@every_language
def test_an_intent_takes_nearly_the_same_slots_in_every_language(lang):
    for intent, slots in load(lang).slots.items():
        assert len(slots ^ load("en").slots[intent]) <= 3, intent


@every_language
def test_intents_stand_in_order_of_frequency_and_have_several_phrasings(lang):
    phrases = load(lang).phrases
    assert list(phrases) == list(INTENTS)
    assert min(len(lines) for lines in phrases.values()) >= 5


def test_the_world_is_wide_enough():
    assert len(INTENTS) >= 24
    assert len(set(INTENTS.values())) >= 8
    assert len(LOCALES) == 12


@every_language
def test_slots_are_exact_ordered_and_cover_whole_words(lang):
    for u in drawn(lang):
        cut = words(u.text)
        spans = [(w.start, w.end) for w in cut]
        assert all(u.text[s.start : s.end] == s.value for s in u.slots)
        assert [(s.name, s.start, s.end) for s in tags_to_slots(u.text, spans, slots_to_tags(spans, u.slots))] == [
            (s.name, s.start, s.end) for s in u.slots
        ]


@every_language
def test_labels_carry_domain_locale_and_confidence(lang):
    assert all(u.domain == INTENTS[u.intent] and u.locale == LOCALES[lang] and u.confidence == 1 for u in drawn(lang))


@every_language
def test_text_is_in_spoken_form(lang):
    for text in {u.text for u in drawn(lang)}:
        assert text == text.lower() == unicodedata.normalize("NFC", text)
        assert text.casefold() == text.replace("ß", "ss")
        assert text == text.strip()
        assert "  " not in text


@every_language
def test_text_is_written_in_the_scripts_of_its_language(lang):
    for char in set("".join(u.text for u in drawn(lang))) - set(" '"):
        assert unicodedata.category(char)[0] in "LM", f"{char!r} U+{ord(char):04X}"
        assert unicodedata.name(char).startswith(SCRIPTS[lang]), f"{char!r} U+{ord(char):04X}"


def test_japanese_has_no_spaces():
    assert not any(" " in u.text for u in drawn("ja"))


@every_language
def test_traffic_has_a_heavy_head_and_a_long_tail(lang):
    counts = Counter(u.text for u in drawn(lang))
    ranked = [count for _, count in counts.most_common()]
    assert ranked[0] >= 200
    assert sum(ranked[: len(ranked) // 100]) >= 0.15 * DRAWS
    assert ranked.count(1) >= 3_000
    assert len(counts) > 5_000


@every_language
def test_the_same_text_nearly_always_has_the_same_labels(lang):
    labels = defaultdict(set)
    for u in drawn(lang):
        labels[u.text].add((u.intent, u.slots))
    assert sum(len(labels[u.text]) > 1 for u in drawn(lang)) < 0.001 * DRAWS


@every_language
def test_words_alone_do_not_give_the_intent_away(lang):
    """Some value stands in two slots, and some word in many intents: there is something to learn."""
    slots_of_value, intents_of_word = defaultdict(set), defaultdict(set)
    for u in drawn(lang):
        for slot in u.slots:
            slots_of_value[slot.value].add(slot.name)
        for word in words(u.text):
            intents_of_word[word.text].add(u.intent)
    assert sum(len(names) > 1 for names in slots_of_value.values()) >= 20
    assert sum(len(intents) >= 5 for intents in intents_of_word.values()) >= 20


@every_language
def test_no_value_is_written_and_never_used(lang):
    rules, used = load(lang).rules, set()
    stack = [seq for lines in load(lang).phrases.values() for line in lines for _, seq in line.sequences]
    while stack:
        for part in stack.pop():
            if not isinstance(part, str) and part.rule.name not in used:
                used.add(part.rule.name)
                stack += part.rule.sequences
    # A value's first form names it; it may be that only its other forms are spoken.
    unused = {
        name for name in rules if name not in used and not any(other.startswith(f"{name.partition('.')[0]}.") for other in used)
    }
    assert not unused


# Determinism


def test_the_same_seed_gives_the_same_stream_and_another_seed_another():
    def take(seed):
        return list(islice(utterances("de", seed=seed), 50))

    assert take(1) == take(1) != take(2)


def test_the_stream_does_not_depend_on_the_process():
    code = (
        "import hashlib, itertools; from understudy.corpus.tinyworld import utterances;"
        "print(hashlib.sha256(repr([list(itertools.islice(utterances(l, seed=7), 200)) for l in ('ar', 'ja', 'en')]).encode()).hexdigest())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_a_language_the_world_does_not_speak_is_refused():
    with pytest.raises(DataError, match=r"does not speak this language.*xx"):
        utterances("xx", seed=0)


# The notation

FRAMES = "[frame]\ncommand = '...'\nquestion = '...'\n"


def texts(grammar: str, n: int = 2_000) -> Counter[str]:
    rng, compiled = random.Random("test"), parse(grammar, where="test.toml")
    return Counter(compiled.draw(rng).text for _ in range(n))


def test_options_and_alternatives():
    assert set(texts(FRAMES + "[intent]\na = 'turn [it] (up|down)'\n[value]\n")) == {
        "turn up", "turn down", "turn it up", "turn it down",
    }  # fmt: skip


def test_entries_are_zipf_distributed():
    counts = texts(FRAMES + "[intent]\na = 'one, two, three'\n[value]\n", 11_000)
    assert [round(counts[word] / 1000, 1) for word in ("one", "two", "three")] == pytest.approx([6, 3, 2], abs=0.2)


def test_weights_override_rank():
    counts = texts(FRAMES + "[intent]\na = '1 one, 9 two'\n[value]\n", 10_000)
    assert counts["two"] == pytest.approx(9_000, abs=150)


def test_frames_stand_around_commands_and_questions():
    grammar = "[frame]\ncommand = 'please ...'\nquestion = '... then'\n[intent]\na = 'go, ? why'\n[value]\n"
    assert set(texts(grammar)) == {"please go", "why then"}


def test_tables_have_forms_with_defaults():
    grammar = (
        FRAMES
        + "[intent]\na = '1 {city}, 1 {city.in}, 1 {city.to}'\n[value]\ncity = '''\n@ base / in / to = a ~\nroma / nella ~\n'''"
    )
    assert set(texts(grammar)) == {"roma", "nella roma", "a roma"}


def test_slots_inside_building_blocks_are_found():
    grammar = parse(FRAMES + "[intent]\na = 'go <where>'\n[value]\nwhere = 'to {city}'\ncity = 'rome'", where="t")
    assert grammar.draw(random.Random(0)) == ("go to rome", "a", [("city", 6, 10)])
    assert grammar.slots == {"a": {"city"}}


def test_spaces_are_only_for_reading_where_the_script_has_none():
    grammar = parse(
        "spaces = false\n" + FRAMES + "[intent]\na = '{room} の {device} を'\n[value]\nroom = '台所'\ndevice = '電気'", where="t"
    )
    assert grammar.draw(random.Random(0)) == ("台所の電気を", "a", [("room", 0, 2), ("device", 3, 5)])


def test_nothing_is_named_twice_in_one_utterance():
    grammar = FRAMES + "[intent]\na = '{x} to {y=x}'\n[value]\nx = 'euros, dollars'"
    assert set(texts(grammar)) == {"euros to dollars", "dollars to euros"}


def test_nothing_is_named_twice_in_two_forms():
    grammar = FRAMES + "[intent]\na = '{x} {y=x.to}'\n[value]\nx = '''\n@ base / to = into ~s\neuro, dollar\n'''"
    assert set(texts(grammar)) == {"euro into dollars", "dollar into euros"}


def test_a_drawn_stream_is_pinned():
    """Guards the order of draws and the arithmetic of weights: corpora of old seeds stay what they are."""
    grammar = parse(
        FRAMES + "[intent]\na = 'set [an] alarm for {time}'\nb = '? when is [my] alarm'\n[value]\nh = 'six, seven, ten'\n"
        "time = '<h> [thirty], 2 half past <h>'",
        where="t",
    )
    rng = random.Random("pinned")
    assert [grammar.draw(rng).text for _ in range(6)] == [
        "set alarm for half past six",
        "set alarm for seven thirty",
        "set alarm for six",
        "set alarm for ten",
        "set alarm for seven thirty",
        "set alarm for half past six",
    ]


@pytest.mark.parametrize(
    ("intent", "value", "message"),
    [
        ("go {city}", "", "a reference names no value"),
        ("go <city>", "", "a reference names no value"),
        ("go (up", "", "brackets do not pair"),
        ("go up)", "", "brackets do not pair"),
        ("go up|down", "", "brackets do not pair"),
        ("Go", "", "lower case"),
        ("at 7", "", "lower case|no digits"),
        ("why?", "", "no punctuation"),
        ("[go]", "", "can be empty"),
        ("l'{city}", "city = 'ami'", "whole words"),
        ("go <a>", "a = 'x <b>'\nb = 'y <a>'", "refers to itself"),
        ("go {a}", "a = 'x {b}'\nb = 'y'", "would hold another slot"),
        ("go {a.in}", "a = '''\n@ base / in\nroma\n'''", "does not have the 2 forms"),
    ],
)
def test_what_cannot_be_right_is_refused(intent, value, message):
    with pytest.raises(DataError, match=message) as caught:
        parse(f'{FRAMES}[intent]\na = """{intent}"""\n[value]\n{value}', where="test.toml")
    assert str(caught.value).startswith("test.toml: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[frame", "not TOML"),
        ("[frame]\n[intent]\n", "tables"),
        ("[frame]\ncommand = 'please'\n[intent]\n[value]\n", r"no \.\.\."),
        ("[frame]\ncommand = '...'\n[intent]\n[value]\n", "there are no frames"),
        ("[frame]\ncommand = '...'\n[intent]\na = 7\n[value]\n", "text in quotes"),
        ("[frame]\ncommand = '<x> ...'\n[intent]\n[value]\nx = 'y'", "words only"),
    ],
)
def test_a_file_that_is_no_grammar_is_refused(text, message):
    with pytest.raises(DataError, match=message):
        parse(text, where="test.toml")


@given(st.lists(st.sampled_from(["a", "b c", "[d]", "(e|f)", "[g|h]", "{s}", "<r>"]), min_size=1, max_size=6), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_any_phrase_gives_tidy_text_with_exact_spans(parts, seed):
    grammar = parse(f"{FRAMES}[intent]\na = 'go {'  '.join(parts)}'\n[value]\ns = 'x, y z'\nr = 'v, w'", where="t")
    text, _, slots = grammar.draw(random.Random(seed))
    assert text == " ".join(text.split())
    assert [text[start:end] in ("x", "y z") for _, start, end in slots] == [True] * parts.count("{s}")
