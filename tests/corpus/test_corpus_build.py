"""The corpus stage: counting, holding out, sampling, spoken form, and equal bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from understudy import artifact
from understudy.config import parse
from understudy.corpus import build, engine
from understudy.corpus.build import SCHEMA, CorpusConfig, run
from understudy.corpus.sampling import normal
from understudy.errors import DataError, RecipeError


def make(out: Path, *, seed: int = 0, **options: Any) -> Path:
    config = parse(CorpusConfig, {"kind": "corpus", **options}, where="stage.public")
    with artifact.writing(out, kind="corpus", config=config.model_dump(mode="json"), seed=seed) as draft:
        run(config, {}, draft, seed=seed)
    artifact.open(out, kind="corpus")
    return out


def table(folder: Path, name: str = "train") -> list[dict[str, Any]]:
    read = pq.read_table(folder / f"{name}.parquet")
    assert read.schema.equals(SCHEMA)
    return list(read.to_pylist())


def write(path: Path, *texts: str) -> dict[str, str]:
    path.write_text("".join(f"{t}\n" for t in texts))
    return {"path": str(path)}


def digests(folder: Path) -> dict[str, str]:
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.iterdir() if f.name != "artifact.json"}


def test_rows_come_out_cleaned_and_in_order(tmp_path: Path) -> None:
    source = write(tmp_path / "de.txt", "  Guten \t Tag ", "???", "Gute Nacht")
    out = make(tmp_path / "out", sources=[source], alpha=None, spoken=0.0, valid=0.0)
    assert table(out) == [{"text": "Guten Tag", "lang": "de", "count": 1}, {"text": "Gute Nacht", "lang": "de", "count": 1}]
    assert table(out, "valid") == []
    card = json.loads((out / "card.json").read_text())["languages"]["de"]
    assert card["read"] == {"rows": 3, "words": 5, "characters": 14 + 3 + 10}
    assert card["cleaned"] == {"rows": 2, "words": 4, "characters": 9 + 10}
    assert card["train"] == {"rows": 2, "distinct": 2, "words": 4, "characters": 19, "spoken_share": 0.0}


def test_an_emoji_alone_is_no_text_and_beside_words_no_other_text(tmp_path: Path) -> None:
    sources, exclude = [write(tmp_path / "de.txt", "❤️", "danke ❤️", "danke dir ❤️")], [write(tmp_path / "test.de.txt", "danke")]
    out = make(tmp_path / "out", sources=sources, exclude=exclude, alpha=None, spoken=0.0, valid=0.0)
    assert [row["text"] for row in table(out)] == ["danke dir ❤️"]


@pytest.mark.parametrize("valid", [0.0, 0.9])  # the share holds out "danke" and the sign
def test_what_is_nothing_when_it_is_spoken_is_left_out(tmp_path: Path, valid: float) -> None:
    source = write(tmp_path / "de.txt", "№", "danke", "gute nacht")
    out = make(tmp_path / "out", sources=[source], alpha=None, spoken=1.0, valid=valid)
    assert [row["text"] for name in ("valid", "train") for row in table(out, name)] == ["danke", "gute nacht"]


def test_a_text_may_be_seen_more_often_than_32_bits_can_say(tmp_path: Path) -> None:
    rows = ({"text": "danke", "lang": "de", "count": 10**9} for _ in range(4))
    (tmp_path / "seen.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    source = {"path": str(tmp_path / "seen.jsonl"), "count": "count"}
    out = make(tmp_path / "out", sources=[source], alpha=1.0, spoken=0.0, valid=0.0, size=16 * 10**9)
    assert [row["count"] for row in table(out)] == [4 * 10**9] * 4


def test_text_of_another_encoding_is_told_by_line_and_byte(tmp_path: Path) -> None:
    (tmp_path / "de.txt").write_bytes("früh\nübel\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"de\.txt:1: this line is not UTF-8: byte 0xfc at 2"):
        make(tmp_path / "out", sources=[{"path": str(tmp_path / "de.txt")}])


def test_an_utterance_seen_100_times_is_kept_10_times(tmp_path: Path) -> None:
    source = write(tmp_path / "de.txt", *["licht an"] * 100, "licht aus")
    out = make(tmp_path / "out", sources=[source], alpha=None, spoken=0.0, valid=0.0, counts="sqrt")
    assert {r["text"]: r["count"] for r in table(out)} == {"licht an": 10, "licht aus": 1}
    assert json.loads((out / "card.json").read_text())["languages"]["de"]["counted"] == {
        "rows": 11, "distinct": 2, "words": 22, "characters": 10 * 8 + 9,
    }  # fmt: skip


def test_a_count_column_adds_up_before_the_square_root(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["licht an", "licht an", "licht an"], "n": [50, 40, 10]}), tmp_path / "de.parquet")
    source = {"path": str(tmp_path / "de.parquet"), "count": "n"}
    assert table(make(tmp_path / "a", sources=[source], spoken=0.0, valid=0.0, counts="sqrt"))[0]["count"] == 10
    assert table(make(tmp_path / "b", sources=[source], spoken=0.0, valid=0.0, counts="once"))[0]["count"] == 1
    assert [r["count"] for r in table(make(tmp_path / "c", sources=[source], spoken=0.0, valid=0.0))] == [50, 40, 10]


def test_equal_texts_of_two_languages_are_two_rows(tmp_path: Path) -> None:
    sources = [write(tmp_path / "de.txt", "alexa", "alexa"), write(tmp_path / "it.txt", "alexa")]
    out = make(tmp_path / "out", sources=sources, alpha=None, spoken=0.0, valid=0.0, counts="sqrt")
    assert sorted((r["lang"], r["count"]) for r in table(out)) == [("de", 1), ("it", 1)]


def test_alpha_lifts_the_small_language(tmp_path: Path) -> None:
    sources = [
        write(tmp_path / "en.txt", *(f"row {i}" for i in range(900))),
        write(tmp_path / "te.txt", *(f"x {i}" for i in range(100))),
    ]
    rows = table(make(tmp_path / "out", sources=sources, spoken=0.0, valid=0.0))
    counts = {lang: sum(r["count"] for r in rows if r["lang"] == lang) for lang in ("en", "te")}
    assert counts["te"] == pytest.approx(250, rel=0.1)  # 2.5 copies of each
    assert counts["en"] == pytest.approx(750, rel=0.1)
    assert {r["count"] for r in rows if r["lang"] == "te"} == {2, 3}


def test_size_is_the_number_of_rows_after_sampling(tmp_path: Path) -> None:
    sources = [write(tmp_path / "en.txt", *(f"row {i}" for i in range(2000)))]
    rows = table(make(tmp_path / "out", sources=sources, spoken=0.0, valid=0.1, size=500))
    assert sum(r["count"] for r in rows) == pytest.approx(500, rel=0.15)


def test_repeated_rows_are_thinned_one_by_one(tmp_path: Path) -> None:
    sources = [write(tmp_path / "en.txt", *["same row"] * 2000)]
    rows = table(make(tmp_path / "out", sources=sources, spoken=0.0, valid=0.0, size=500))
    assert sum(r["count"] for r in rows) == pytest.approx(500, rel=0.15)


def test_held_out_texts_never_stand_in_train(tmp_path: Path) -> None:
    texts = [f"Satz {'abcdefghij'[i % 10] * (1 + i // 10 % 20)}" for i in range(600)]  # each three times
    variants = [t.upper() + "!" for t in texts]
    for counts in ("none", "once", "sqrt"):
        out = make(
            tmp_path / counts, sources=[write(tmp_path / "de.txt", *texts, *variants)], counts=counts, valid=0.2, spoken=0.5
        )
        train, valid = table(out), table(out, "valid")
        assert valid
        assert not {normal(r["text"]) for r in train} & {normal(r["text"]) for r in valid}
        assert len({normal(r["text"]) for r in valid}) == len(valid)
        assert {r["count"] for r in valid} == {1}


def test_held_out_rows_are_bounded_per_language(tmp_path: Path) -> None:
    sources = [write(tmp_path / "de.txt", *(f"satz nummer {i}" for i in range(3000)))]
    out = make(tmp_path / "out", sources=sources, valid=0.5, valid_rows=100, spoken=0.0)
    assert 60 < len(table(out, "valid")) < 140
    assert len(table(out)) + len(table(out, "valid")) == 3000


def test_one_text_is_held_out_of_a_tiny_corpus(tmp_path: Path) -> None:
    out = make(tmp_path / "out", sources=[write(tmp_path / "de.txt", "eins", "zwei", "drei")], spoken=0.0)
    assert len(table(out, "valid")) == 1
    assert len(table(out)) == 2


def test_a_corpus_of_one_text_trains_on_it(tmp_path: Path) -> None:
    out = make(tmp_path / "out", sources=[write(tmp_path / "de.txt", "eins", "eins")], spoken=0.0)
    assert len(table(out)) == 2


def test_short_rows_are_dropped_after_sampling(tmp_path: Path) -> None:
    sources = [write(tmp_path / "de.txt", "eins zwei drei", "eins"), write(tmp_path / "ja.txt", "電気をつけて", "電気")]
    out = make(tmp_path / "out", sources=sources, alpha=None, spoken=0.0, valid=0.0, min_words=3)
    assert [r["text"] for r in table(out)] == ["eins zwei drei", "電気をつけて"]
    assert json.loads((out / "card.json").read_text())["languages"]["de"]["sampled"]["rows"] == 2


def test_the_spoken_share_is_in_spoken_form(tmp_path: Path) -> None:
    sources = [write(tmp_path / "en.txt", *(f"Wake me at 7:30, Number {i}!" for i in range(400)))]
    out = make(tmp_path / "out", sources=sources, valid=0.0)
    spoken = [r["text"] for r in table(out) if r["text"].startswith("wake me at seven thirty")]
    assert len(spoken) / 400 == pytest.approx(0.7, abs=0.08)
    assert all(r["text"].startswith("Wake me at 7:30") for r in table(out) if r["text"] not in spoken)
    assert json.loads((out / "card.json").read_text())["languages"]["en"]["train"]["spoken_share"] == len(spoken) / 400


def test_equal_inputs_and_seed_give_equal_bytes(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "sources": [{"builtin": "text", "size": 120, "languages": ["en", "it", "de"]}],
        "counts": "sqrt",
        "valid": 0.1,
    }
    first, again, other = (make(tmp_path / n, seed=s, **options) for n, s in [("a", 1), ("b", 1), ("c", 2)])
    assert digests(first) == digests(again)
    assert digests(first)["train.parquet"] != digests(other)["train.parquet"]


def test_processes_give_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"sources": [{"builtin": "text", "size": 60, "languages": ["en", "de"]}], "counts": "once"}
    alone = make(tmp_path / "alone", **options)
    monkeypatch.setattr(engine, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(engine, "available_cpus", lambda: 2)
    assert digests(make(tmp_path / "many", **options)) == digests(alone)


@pytest.mark.parametrize("counts", ["none", "sqrt"])
def test_the_size_of_units_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counts: str) -> None:
    (tmp_path / "in").mkdir()
    for lang in ("de", "fr"):
        (tmp_path / "in" / f"{lang}.txt").write_text("".join(f"{lang} Zeile {i % 70} äöü\n" * (1 + i % 3) for i in range(200)))
    texts = [f"satz nummer {i % 90}" for i in range(300)]
    pq.write_table(pa.table({"text": texts, "lang": ["it"] * 300}), tmp_path / "in" / "all.parquet", row_group_size=40)
    options: dict[str, Any] = {
        "sources": [{"path": str(tmp_path / "in")}],
        "counts": counts,
        "valid": 0.1,
        "near_duplicates": 0.9,
    }
    whole = digests(make(tmp_path / "whole", **options))
    for size in (100, 1777):
        monkeypatch.setattr(build, "UNIT", size)
        assert digests(make(tmp_path / str(size), **options)) == whole


def test_bad_lines_are_numbered_over_the_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "de.jsonl"
    path.write_text('{"text": "gut"}\n' * 40 + "oops\n" + '{"text": "gut"}\n' * 9 + "ach\n")
    monkeypatch.setattr(build, "UNIT", 64)
    with pytest.raises(DataError, match=r"de\.jsonl:41: .*2 bad of 51 lines .*de\.jsonl:51"):
        make(tmp_path / "out", sources=[{"path": str(path)}])
    out = make(tmp_path / "out", sources=[{"path": str(path), "bad_lines": 0.05}], valid=0.0)
    assert artifact.open(out).metrics["bad_lines"] == 2
    assert len(table(out)) == 49


def test_evaluation_text_is_left_out(tmp_path: Path) -> None:
    held = write(tmp_path / "held.txt", "Wie spät ist es?", "guten  morgen") | {"lang": "de"}
    source = write(tmp_path / "de.txt", "wie spät ist es", "Guten Morgen!", "Guten Abend", "wie spät ist es jetzt")
    out = make(tmp_path / "out", sources=[source], exclude=[held], alpha=None, spoken=0.0, valid=0.0)
    assert [r["text"] for r in table(out)] == ["Guten Abend", "wie spät ist es jetzt"]
    card = json.loads((out / "card.json").read_text())["languages"]["de"]
    assert (card["cleaned"]["rows"], card["kept"]["rows"]) == (4, 2)


def test_near_duplicates_leave_the_first(tmp_path: Path) -> None:
    long = "Der schnelle braune Fuchs springt über den faulen Hund und läuft dann weit in den dunklen Wald hinein"
    source = write(
        tmp_path / "de.txt", "Etwas ganz anderes steht hier", long, f"{long}!", long.replace("weit", "fern"), "Ende gut"
    )
    options: dict[str, Any] = {"sources": [source], "alpha": None, "spoken": 0.0, "valid": 0.0}
    out = make(tmp_path / "out", near_duplicates=0.8, **options)
    assert [r["text"] for r in table(out)] == ["Etwas ganz anderes steht hier", long, "Ende gut"]
    assert json.loads((out / "card.json").read_text())["languages"]["de"]["unique"]["rows"] == 3
    assert len(table(make(tmp_path / "all", **options))) == 5


def test_the_language_filter(tmp_path: Path) -> None:
    sources = [write(tmp_path / "de.txt", "eins", "zwei"), write(tmp_path / "fr.txt", "un", "deux")]
    assert {r["lang"] for r in table(make(tmp_path / "out", sources=sources, languages=["fr-FR"], spoken=0.0))} == {"fr"}
    with pytest.raises(DataError, match="these sources hold no text"):
        make(tmp_path / "none", sources=sources, languages=["it"])


def test_nothing_left_to_train_on_is_an_error(tmp_path: Path) -> None:
    source = write(tmp_path / "de.txt", "eins", "zwei")
    with pytest.raises(DataError, match="nothing is left .* at least 5 words"):
        make(tmp_path / "out", sources=[source], min_words=5)
    assert not (tmp_path / "out").exists()


def test_a_language_without_a_formatter_needs_written_form(tmp_path: Path) -> None:
    source = write(tmp_path / "nl.txt", *(f"zin nummer {'abcdefghij'[i]}" for i in range(10)))
    assert len(table(make(tmp_path / "out", sources=[source], spoken=0.0, valid=0.0))) == 10
    with pytest.raises(DataError):
        make(tmp_path / "spoken", sources=[source], spoken=1.0)


def test_misspelt_keys_are_named_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"unknown key 'pth'.*Did you mean 'path'"):
        parse(CorpusConfig, {"sources": [{"pth": "x"}]}, where="stage.public")
    with pytest.raises(RecipeError, match=r"unknown key 'alhpa'.*Did you mean 'alpha'"):
        parse(CorpusConfig, {"sources": [{"path": "x"}], "alhpa": 1}, where="stage.public")
    with pytest.raises(RecipeError, match="'xx' is not a language code"):
        parse(CorpusConfig, {"sources": [{"path": "x"}], "languages": ["xx"]}, where="stage.public")


def test_the_config_survives_its_own_dump(tmp_path: Path) -> None:
    config = parse(CorpusConfig, {"sources": [{"path": str(tmp_path)}]}, where="x")
    assert parse(CorpusConfig, config.model_dump(mode="json"), where="x") == config


def test_the_files_a_stage_reads_are_known(tmp_path: Path) -> None:
    write(tmp_path / "de.txt", "x")
    config = parse(CorpusConfig, {"sources": [{"path": str(tmp_path)}, {"builtin": "text", "size": 1}]}, where="x")
    assert config.reads() == [tmp_path / "de.txt"]
