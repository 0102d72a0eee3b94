"""Unlabelled sources: formats, languages, counts, limits, and what goes wrong in them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from understudy.config import parse
from understudy.corpus import tinyworld
from understudy.corpus.sources import Source, detect
from understudy.corpus.units import Row, rows
from understudy.errors import DataError, RecipeError


def source(**options: object) -> Source:
    return parse(Source, options, where="source")


def jsonl(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return path


def test_text_lines_take_their_language_from_the_name(tmp_path: Path) -> None:
    (tmp_path / "de.txt").write_text("eins\n\nzwei\n")
    assert list(rows(source(path=str(tmp_path / "de.txt")))) == [Row("eins", "de", 1), Row("zwei", "de", 1)]


def test_a_given_language_wins_over_the_name(tmp_path: Path) -> None:
    (tmp_path / "de.txt").write_text("uno\n")
    assert list(rows(source(path=str(tmp_path), lang="es-MX"))) == [Row("uno", "es", 1)]


def test_text_of_unknown_language_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("x\n")
    with pytest.raises(DataError, match=r"train\.txt: the language of this file is not known.*lang = CODE"):
        list(rows(source(path=str(tmp_path / "train.txt"))))


def test_json_lines_with_columns_of_their_own(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "x.jsonl", {"utt": "hallo", "loc": "de-DE", "n": 3}, {"utt": "hi", "loc": "en-US", "n": "2"})
    assert list(rows(source(path=str(path), text="utt", lang_column="loc", count="n"))) == [
        Row("hallo", "de", 3),
        Row("hi", "en", 2),
    ]


def test_json_lines_find_a_language_column_by_themselves(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "x.jsonl", {"text": "hallo", "lang": "de"}, {"text": "hi", "locale": "en-US"})
    assert [r.lang for r in rows(source(path=str(path)))] == ["de", "en"]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{oops", "this line is not JSON"),
        (r'{"text": "a\ud800", "lang": "de", "n": 1}', "this line is not JSON"),
        ("[1]", "not a JSON object but list"),
        ('{"txt": "a"}', "no key 'text' but txt"),
        ('{"text": 5}', "no text: 5"),
        ('{"text": "a", "lang": "klingon"}', "no known language: lang is 'klingon'"),
        ('{"text": "a", "lang": "de", "n": 0}', "no count: n is 0"),
        ('{"text": "a", "lang": "de", "n": 1e999}', "no count: n is inf"),
        (
            '{"text": "a", "lang": "de", "n": 99999999999999999999}',
            "no count: n is 99999999999999999999, wanted 1 to 1,000,000,000",
        ),
    ],
)
def test_bad_json_lines_are_named(tmp_path: Path, line: str, what: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(f'{{"text": "ok", "lang": "de", "n": 1}}\n{line}\n')
    with pytest.raises(DataError, match=r"x\.jsonl:2: .*" + what):
        list(rows(source(path=str(path), count="n")))
    assert len(list(rows(source(path=str(path), count="n", bad_lines=0.5)))) == 1


def test_parquet_by_column_and_by_name(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a", "b"], "lang": ["de", "fr"]}), tmp_path / "all.parquet")
    pq.write_table(pa.table({"text": ["c", "d"], "n": [2, 5]}), tmp_path / "it.parquet")
    assert list(rows(source(path=str(tmp_path / "all.parquet")))) == [Row("a", "de", 1), Row("b", "fr", 1)]
    assert list(rows(source(path=str(tmp_path / "it.parquet"), count="n"))) == [Row("c", "it", 2), Row("d", "it", 5)]


def test_a_missing_parquet_column_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"texts": ["a"]}), tmp_path / "de.parquet")
    with pytest.raises(DataError, match=r"there is no column 'text'. Wanted: one of texts. Did you mean 'texts'"):
        list(rows(source(path=str(tmp_path / "de.parquet"))))
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "all.parquet")
    with pytest.raises(DataError, match=r"language of this file is not known. Got: columns text"):
        list(rows(source(path=str(tmp_path / "all.parquet"))))


def test_nulls_in_parquet_are_bad_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a", None]}), tmp_path / "de.parquet")
    with pytest.raises(DataError, match=r"de\.parquet:2: this line has no text: None"):
        list(rows(source(path=str(tmp_path / "de.parquet"))))


def test_what_is_not_parquet_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "de.parquet").write_text("hello")
    with pytest.raises(DataError, match=r"de\.parquet: the file could not be read as parquet"):
        list(rows(source(path=str(tmp_path / "de.parquet"))))


def test_csv_with_quotes_and_tsv_without(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,lang\n"hello, ""world""",en\nhallo,de\n')
    (tmp_path / "b.tsv").write_text('text\tlang\n"so\ten\n')
    assert [r.text for r in rows(source(path=str(tmp_path / "a.csv")))] == ['hello, "world"', "hallo"]
    assert [r.text for r in rows(source(path=str(tmp_path / "b.tsv")))] == ['"so']


def test_csv_errors_name_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "de.csv").write_text("text,x\na,1\nb\n")
    with pytest.raises(DataError, match=r"de\.csv:3: this line has 1 columns, the first line 2"):
        list(rows(source(path=str(tmp_path / "de.csv"))))
    with pytest.raises(DataError, match=r"de\.csv:1: there is no column 'txt'.*Did you mean 'text'"):
        list(rows(source(path=str(tmp_path / "de.csv"), text="txt")))
    (tmp_path / "de.csv").write_text('"a"b,text\nx,y\n')
    with pytest.raises(DataError, match=r"de\.csv:1: the first line is not CSV.*Wanted: column names"):
        list(rows(source(path=str(tmp_path / "de.csv"))))


def test_columns_that_share_a_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "de.csv").write_text("text,,text,\na,,b,\n")
    with pytest.raises(DataError, match=r"de\.csv:1: two columns have the name 'text'. Got: text, , text, "):
        list(rows(source(path=str(tmp_path / "de.csv"))))
    (tmp_path / "de.csv").write_text("text,,\na,,\n")  # columns without a name, as spreadsheets leave them, are no matter
    assert [r.text for r in rows(source(path=str(tmp_path / "de.csv")))] == ["a"]


def test_conllu_gives_its_sentences(tmp_path: Path) -> None:
    (tmp_path / "de.conllu").write_text("# text = Ein Satz.\n1\tEin\t_\n\n# text = Noch einer.\n")
    assert [r.text for r in rows(source(path=str(tmp_path / "de.conllu")))] == ["Ein Satz.", "Noch einer."]


def test_massive_gives_the_utterances_of_a_partition(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "x.jsonl",
        {"utt": "hallo", "annot_utt": "hallo", "locale": "de-DE", "partition": "train"},
        {"utt": "geheim", "annot_utt": "geheim", "locale": "de-DE", "partition": "test"},
    )
    assert detect(str(path)) == "massive"
    assert list(rows(source(path=str(path), partition="train"))) == [Row("hallo", "de", 1)]


def test_massive_rows_without_a_partition_are_of_that_in_the_path(tmp_path: Path) -> None:
    for name in ("train", "dev"):
        jsonl(tmp_path / f"{name}.jsonl", {"utt": name, "annot_utt": name, "locale": "de-DE"})
    every = str(tmp_path / "*.jsonl")
    assert [r.text for r in rows(source(path=every, format="massive", partition="dev"))] == ["dev"]
    assert [r.text for r in rows(source(path=every, format="massive"))] == ["dev", "train"]


def test_massive_partitions_go_by_our_names_too(tmp_path: Path) -> None:
    path = str(jsonl(tmp_path / "de.jsonl", {"utt": "a", "annot_utt": "a", "partition": "validation"}))
    for name in ("dev", "validation"):
        assert [r.text for r in rows(source(path=path, partition=name))] == ["a"]
    jsonl(tmp_path / "de.jsonl", {"utt": "a", "annot_utt": "a", "partition": ["dev"]})
    with pytest.raises(DataError, match=r"de\.jsonl:1: this line's partition is not text but \['dev'\]"):
        list(rows(source(path=path, partition="dev")))


def test_labelled_sources_allow_no_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "de.jsonl"
    path.write_text('{"utt": "a", "annot_utt": "a", "partition": "train"}\n' * 3000 + "oops\n")
    with pytest.raises(DataError, match=r"de\.jsonl:3001: .*not one bad line in labelled data"):
        list(rows(source(path=str(path), partition="train")))


def test_other_labelled_formats_give_their_utterances(tmp_path: Path) -> None:
    (tmp_path / "de.bio").write_text("# intent: x\nweck\tO\nmich\tO\n")
    assert list(rows(source(path=str(tmp_path / "de.bio"), format="bio"))) == [Row("weck mich", "de", 1)]


def test_language_filter_and_limit(tmp_path: Path) -> None:
    for lang in ("de", "fr"):
        (tmp_path / f"{lang}.txt").write_text("1\n2\n3\n")
    assert [r.text for r in rows(source(path=str(tmp_path), languages=["fr"], limit=2))] == ["1", "2"]
    with pytest.raises(DataError, match="holds no text. Got: no row in it"):
        list(rows(source(path=str(tmp_path), languages=["it"])))


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "de.txt").write_text("\n\n")
    with pytest.raises(DataError, match=r"this source holds no text"):
        list(rows(source(path=str(tmp_path / "de.txt"))))


def test_an_unknown_format_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "de.docx").write_text("x")
    with pytest.raises(DataError, match="the format cannot be told from this name"):
        list(rows(source(path=str(tmp_path / "de.docx"))))


def test_the_built_in_world() -> None:
    found = list(rows(source(builtin="text", size=2, languages=["de", "ja"]), seed=5))
    assert [r.lang for r in found] == ["de", "de", "ja", "ja"]
    assert found == list(rows(source(builtin="text", size=2, languages=["ja", "de"]), seed=5))
    assert found != list(rows(source(builtin="text", size=2, languages=["ja", "de"]), seed=6))
    assert {r.lang for r in rows(source(builtin="traffic", size=1))} == set(tinyworld.LOCALES)


def test_settings_that_contradict_each_other() -> None:
    for wrong, what in [
        ({}, "one of `path`, `builtin` and `labels`"),
        ({"path": "x", "builtin": "text"}, "one of `path`, `builtin` and `labels`"),
        ({"builtin": "text"}, "`size`"),
        ({"path": "x", "lang": "german"}, "'german' is not a language code"),
        ({"builtin": "text", "size": 1, "languages": ["nl"]}, "the built-in world has no 'nl'"),
        ({"path": "x", "txt": "y"}, "unknown key 'txt'.*Did you mean 'text'"),
    ]:
        with pytest.raises(RecipeError, match=what):
            source(**wrong)


def test_rows_are_streamed(tmp_path: Path) -> None:
    path = tmp_path / "de.txt"
    path.write_text("gut\n" * 50_000 + "\0\n" * 50_000)
    assert len(list(itertools.islice(rows(source(path=str(path))), 10))) == 10
