"""Sentences with nouns to be guessed: from treebanks, in spoken form, drawn by the seed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from understudy import artifact
from understudy.artifact import Artifact
from understudy.corpus.conllu import NOUN, Span
from understudy.corpus.nouns import NounsConfig, read_nouns, run, to_spoken
from understudy.corpus.sources import Source
from understudy.corpus.treebanks import read_conllu, treebank
from understudy.corpus.units import rows
from understudy.errors import DataError, RecipeError
from understudy.text.spoken import Formatter

Token = tuple[str, str, str] | tuple[str, str, str, str]


def sentence(*tokens: Token) -> str:
    """Lines of a sentence of (number, form, UPOS) and, with anything behind it, no space after."""
    lines = [f"{n}\t{form}\t_\t{upos}\t_\t_\t_\t_\t_\t{'SpaceAfter=No' if close else '_'}" for n, form, upos, *close in tokens]
    return "\n".join(["# sent_id = 1", *lines]) + "\n\n"


def plain(text: str, *nouns: str) -> str:
    return sentence(*((str(i), word, NOUN if word in nouns else "X") for i, word in enumerate(text.split(), 1)))


def words_of(text: str, spans: Sequence[Span]) -> list[str]:
    return [text[start:end] for start, end in spans]


def make(folder: Path, seed: int = 0, **settings: Any) -> Artifact:
    config = NounsConfig.model_validate(settings)
    with artifact.writing(folder, kind="nouns", config=config.model_dump(mode="json"), seed=seed) as draft:
        run(config, {}, draft, seed=seed)
    return artifact.open(folder)


def test_text_is_put_together_from_tokens(tmp_path: Path) -> None:
    (tmp_path / "pt.conllu").write_text(
        sentence(
            ("1", "agentes", NOUN),
            ("2-3", "das", "_"),
            ("2", "de", "ADP"),
            ("3", "as", "DET"),
            ("3.1", "foram", "VERB"),
            ("4", "transformações", NOUN, "close"),
            ("5", ".", "PUNCT"),
        )
    )
    [(text, nouns)] = read_conllu(str(tmp_path / "pt.conllu"))
    assert text == "agentes das transformações."
    assert nouns == [(0, 7), (12, 26)]


def test_a_noun_that_shares_its_letters_with_other_words_is_none(tmp_path: Path) -> None:
    (tmp_path / "ta.conllu").write_text(
        sentence(("1-2", "துறைகளையும்", "_", "close"), ("1", "துறைகளைய்", NOUN), ("2", "உம்", "PART"), ("3", "விட", NOUN))
    )
    [(text, nouns)] = read_conllu(str(tmp_path / "ta.conllu"))
    assert words_of(text, nouns) == ["விட"]


def test_scripts_without_spaces_stay_without(tmp_path: Path) -> None:
    (tmp_path / "ja.conllu").write_text(
        sentence(("1", "天気", NOUN, "close"), ("2", "は", "ADP", "close"), ("3", "雨", NOUN, "close"))
    )
    assert list(read_conllu(str(tmp_path / "ja.conllu"))) == [("天気は雨", [(0, 2), (3, 4)])]


@pytest.mark.parametrize("number", ["1-2-3", "1-", "-1", "1.2-3", "x"])
def test_a_number_that_is_none_is_named(tmp_path: Path, number: str) -> None:
    (tmp_path / "de.conllu").write_text(sentence((number, "x", NOUN)))
    with pytest.raises(DataError, match=r"de\.conllu:2: this line is not CoNLL-U"):
        list(read_conllu(str(tmp_path / "de.conllu")))


def test_a_line_that_is_not_conllu_is_named(tmp_path: Path) -> None:
    (tmp_path / "de.conllu").write_text("# text = x\n1\tx\tNOUN\n\n")
    with pytest.raises(DataError, match=r"de\.conllu:2: this line is not CoNLL-U: 3 columns, wanted 10"):
        list(read_conllu(str(tmp_path / "de.conllu")))


def test_treebanks_begin_with_their_language(tmp_path: Path) -> None:
    (tmp_path / "de_gsd-dev.conllu").write_text(plain("das Haus steht", "Haus"))
    (tmp_path / "xx-dev.conllu").write_text(plain("das Haus steht", "Haus"))
    found = list(treebank(Source(path=str(tmp_path / "de_gsd-dev.conllu"))))
    assert [(s.text, s.lang, list(s.nouns or ())) for s in found] == [("das Haus steht", "de", [(4, 8)])]
    with pytest.raises(DataError, match=r"xx-dev\.conllu: the language of this file is not known"):
        list(treebank(Source(path=str(tmp_path / "xx-dev.conllu"))))
    assert [s.lang for s in treebank(Source(path=str(tmp_path / "xx-dev.conllu"), lang="de"))] == ["de"]


def test_treebanks_name_their_language_to_a_corpus_too(tmp_path: Path) -> None:
    (tmp_path / "it_isdt-dev.conllu").write_text("# text = ciao mondo\n\n")
    assert [(r.text, r.lang) for r in rows(Source(path=str(tmp_path)))] == [("ciao mondo", "it")]


def test_a_treebank_without_texts_gives_a_corpus_its_sentences(tmp_path: Path) -> None:
    (tmp_path / "hi_hdtb-dev.conllu").write_text(plain("यह घर", "घर") + sentence(("1", "घर", NOUN, "close"), ("2", "।", "PUNCT")))
    assert [(r.text, r.lang) for r in rows(Source(path=str(tmp_path)))] == [("यह घर", "hi"), ("घर।", "hi")]


@pytest.mark.parametrize(
    ("lang", "written", "nouns", "said", "moved"),
    [
        ("de", "Das Treffen ist um 7:30 im Haus.", ["Treffen", "Haus"], "das treffen ist um", ["treffen", "haus"]),
        ("fr", "L’heure est 7:30.", ["heure"], "l'heure est", ["heure"]),
        ("en", "Buy 5 kg flour today!", ["kg", "flour"], "buy five kilograms flour today", ["flour"]),
        ("ja", "明日の天気は雨。", ["天気", "雨"], "明日の天気は雨", ["天気", "雨"]),
        ("en", "The E-Mail, the rock 'n' roll.", ["E-Mail", "rock 'n' roll"], "the e-mail the rock", ["e-mail", "rock n roll"]),
    ],
)
def test_nouns_move_into_spoken_form(lang: str, written: str, nouns: list[str], said: str, moved: list[str]) -> None:
    spans = [(written.index(noun), written.index(noun) + len(noun)) for noun in nouns]
    text, found = to_spoken(written, spans, Formatter(lang))
    assert text.startswith(said)
    assert words_of(text, found) == moved


def test_the_stage_draws_sentences_and_one_noun_of_each(tmp_path: Path) -> None:
    numbers = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    (tmp_path / "en_x-dev.conllu").write_text("".join(plain(f"cat sees dog {n}", "cat", "dog") for n in numbers))
    (tmp_path / "de_x-dev.conllu").write_text(plain("ein Haus", "Haus") * 2 + plain("Haus", "Haus") + plain("zu 12 Uhr", "12"))
    settings: dict[str, Any] = {"sources": [{"path": str(tmp_path)}]}
    four, nine = (make(tmp_path / str(n), **settings, limit=n) for n in (4, 9))
    assert four.metrics["sentences"] == {"de": 1, "en": 4}  # twice the same, one word alone, no letter
    assert four.metrics["nouns"] == {"de": 1, "en": 4}
    few, more = (read_nouns(a.path) for a in (four, nine))
    assert set(few) < set(more)
    assert {n.text[n.start : n.end] for n in more if n.lang == "en"} == {"cat", "dog"}
    assert make(tmp_path / "again", **settings, limit=4).hash == four.hash
    assert make(tmp_path / "other", **settings, limit=4, seed=1).hash != four.hash
    every = make(tmp_path / "all", **settings, per_sentence=0, languages=["en"])
    assert every.metrics["nouns"] == {"en": 20}


@pytest.mark.parametrize("end", ["\u2028", "\x85", "\x0c"])
def test_a_sentence_may_hold_ends_of_lines_that_are_none_in_a_file(tmp_path: Path, end: str) -> None:
    (tmp_path / "de_x-dev.conllu").write_text(sentence(("1", f"Ein{end}", "DET"), ("2", "Haus", NOUN)), encoding="utf-8")
    [noun] = read_nouns(make(tmp_path / "made", sources=[{"path": str(tmp_path)}]).path)
    assert noun.text == f"Ein{end} Haus"


def test_the_stage_speaks(tmp_path: Path) -> None:
    (tmp_path / "de_x-dev.conllu").write_text(plain("Ein Haus , 3 Dächer !", "Haus"))
    made = make(tmp_path / "made", sources=[{"path": str(tmp_path)}], spoken=True)
    [noun] = read_nouns(made.path)
    assert (noun.lang, noun.text, noun.text[noun.start : noun.end]) == ("de", "ein haus drei dächer", "haus")


def test_what_gives_no_noun_is_refused(tmp_path: Path) -> None:
    (tmp_path / "de_x-dev.conllu").write_text(plain("nur so", "nichts"))
    with pytest.raises(DataError, match=r"hold no noun that can be guessed\. Got: 1 sentences in de"):
        make(tmp_path / "made", sources=[{"path": str(tmp_path)}])
    with pytest.raises(DataError, match=r"nouns are marked in CoNLL-U files only.*stanza"):
        make(tmp_path / "made", sources=[{"builtin": "text", "size": 3}])


def test_without_stanza_plain_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stanza", None)
    with pytest.raises(RecipeError, match=r"Stanza, which is not installed.*pip install '\.\[stanza\]'"):
        make(tmp_path / "made", sources=[{"builtin": "text", "size": 3}], tagger="stanza", languages=["de"])


def test_stanza_is_asked_for_words_that_are_nouns_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its models cannot be had everywhere: what stands in for it here gives tokens as it does."""

    def pipeline(lang: str, **_: Any) -> Any:
        def tag(text: str) -> Any:
            tokens = [token("au", 0, "ADP", "DET"), token("bord", 3, "NOUN"), token("eau", 8, "NOUN", "PART")]
            return SimpleNamespace(sentences=[SimpleNamespace(tokens=tokens)])

        return tag

    def token(text: str, start: int, *tags: str) -> Any:
        return SimpleNamespace(start_char=start, end_char=start + len(text), words=[SimpleNamespace(upos=t) for t in tags])

    monkeypatch.setitem(sys.modules, "stanza", SimpleNamespace(Pipeline=pipeline))
    (tmp_path / "fr.txt").write_text("au bord eau\n")
    made = make(tmp_path / "made", sources=[{"path": str(tmp_path / "fr.txt")}], tagger="stanza", per_sentence=0)
    assert [(n.lang, n.text, n.start, n.end) for n in read_nouns(made.path)] == [("fr", "au bord eau", 3, 7)]


@pytest.mark.parametrize(
    ("name", "sentences", "nouns"), [("ar_pud-half1", 500, 2828), ("de_gsd-dev", 799, 2200), ("ja_gsd-dev", 507, 3765)]
)
def test_real_treebanks_come_out_as_they_say_of_themselves(data_root: Path, name: str, sentences: int, nouns: int) -> None:
    path = data_root / "ud" / f"{name}.conllu"
    found = list(read_conllu(str(path)))
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [text for text, _ in found] == [
        line.removeprefix("# text = ").strip() for line in lines if line.startswith("# text = ")
    ]
    assert (len(found), sum(len(spans) for _, spans in found)) == (sentences, nouns)
    assert all(text[start:end].strip() == text[start:end] != "" for text, spans in found for start, end in spans)
