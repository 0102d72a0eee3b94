"""A first recipe for a folder of data: every format that the quickstart names runs as it is written."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from understudy import artifact
from understudy.cli import app
from understudy.config import StageConfig, parse, refs
from understudy.corpus import build, labels
from understudy.corpus import survey as surveys
from understudy.corpus.build import CorpusConfig
from understudy.corpus.labels import LabelsConfig
from understudy.corpus.scaffold import scaffold
from understudy.errors import DataError, RecipeError
from understudy.toml import filled

TRAIN = ["play jazz", "stop the music", "wake me at six", "turn off the lamp", "what is the time", "book a table"]
DEV = ["play some blues", "wake me at nine"]


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def massive(text: str, **more: str) -> str:
    words = text.split()
    annotated = " ".join([*words[:-1], f"[x : {words[-1]}]"])
    return json.dumps({"utt": text, "annot_utt": annotated, "intent": "i_j", **more}) + "\n"


def spans(text: str, key: str = "slots", name: str = "name", **more: str) -> str:
    slot = {name: "x", "start": 0, "end": len(text.split()[0])}
    return json.dumps({"text": text, "intent": "i_j", key: [slot], **more}) + "\n"


def bio(text: str) -> str:
    first, *others = text.split()
    return "\n".join(["# intent: i_j", f"{first}\tB-x", *(f"{word}\tO" for word in others), "", ""])


def seq(folder: Path, texts: list[str]) -> None:
    put(folder / "seq.in", "".join(f"{text}\n" for text in texts))
    put(folder / "seq.out", "".join(" ".join(["B-x"] + ["O"] * text.count(" ")) + "\n" for text in texts))
    put(folder / "label", "i_j\n" * len(texts))


def rasa(texts: list[str]) -> str:
    return 'version: "3.1"\nnlu:\n- intent: i\n  examples: |\n' + "".join(f"    - [{text[:4]}](x){text[4:]}\n" for text in texts)


def folder_of(at: Path, case: str) -> None:
    """A small project in one of the formats of the quickstart."""
    parts = {"train": TRAIN, "dev": DEV}
    match case:
        case "massive":
            rows = [massive(text, partition=part) for part, texts in parts.items() for text in texts]
            put(at / "en-US.jsonl", "".join(rows))
        case "massive by file":
            for part, texts in parts.items():
                put(at / f"{part}.jsonl", "".join(massive(text, locale="en-US") for text in texts))
        case "spans":
            for part, texts in parts.items():
                put(at / f"{part}.jsonl", "".join(spans(text, locale="en-US") for text in texts))
        case "entities":
            for part, texts in parts.items():
                put(at / "en" / f"{part}.jsonl", "".join(spans(text, "entities", "entity") for text in texts))
        case "bio":
            for part, texts in parts.items():
                put(at / part / "en-US.conll", "".join(bio(text) for text in texts))
        case "bio in txt":
            for part, texts in parts.items():
                put(at / "en" / f"{part}.txt", "".join(f"# text: {text}\n{bio(text)}" for text in texts))
        case "seq":
            seq(at / "en" / "train", TRAIN)
            seq(at / "en" / "valid", DEV[:1])
            seq(at / "en" / "test", DEV[1:])
        case "table":
            for part, texts in parts.items():
                rows = [f"{text}\ti_j\tB-x{' O' * text.count(' ')}\n" for text in texts]
                put(at / f"{part}_EN.tsv", "utterance\tintent\tslot_labels\n" + "".join(rows))
        case "rasa":
            put(at / "config.yml", "recipe: default.v1\nlanguage: en\npipeline: []\n")
            put(at / "data" / "nlu.yml", rasa(TRAIN))
            put(at / "data" / "dev.yml", rasa(DEV))
            put(at / "data" / "stories.yml", "stories: []\n")


LABELLED = ["massive", "massive by file", "spans", "entities", "bio", "bio in txt", "seq", "table", "rasa"]


def written(folder: Path, out: Path, **options: Any) -> dict[str, Any]:
    """The recipe that `init` writes."""
    scaffold(folder, out, **options)
    return tomllib.loads(out.read_text(encoding="utf-8"))


def made(recipe: dict[str, Any], name: str, out: Path) -> Path:
    """The artifact of a stage of the recipe, made as `understudy run` makes it."""
    table = filled(recipe["stage"][name], Path(recipe["data_root"]), name)
    kind: type[StageConfig] = CorpusConfig if table["kind"] == "corpus" else LabelsConfig
    config: Any = parse(kind, table, where=name)
    run: Any = build.run if table["kind"] == "corpus" else labels.run
    inputs = {ref: artifact.open(out / ref if (out / ref).is_dir() else made(recipe, ref, out)) for ref in refs(config)}
    with artifact.writing(out / name, kind=table["kind"], config={}, seed=0) as draft:
        run(config, inputs, draft, seed=0)
    return out / name


def texts_of(corpus: Path) -> set[str]:
    return {t for split in ("train", "valid") for t in pq.read_table(corpus / f"{split}.parquet")["text"].to_pylist()}


@pytest.mark.parametrize("case", LABELLED)
def test_the_recipe_runs_and_keeps_what_is_measured_from_the_encoders(tmp_path: Path, case: str) -> None:
    folder_of(tmp_path / "mine", case)
    put(tmp_path / "mine" / "text" / "en.txt", "\n".join(["a general sentence", *(f"number {n}" for n in "abc"), *DEV]))
    recipe = written(tmp_path / "mine", tmp_path / "r.toml")
    recipe["stage"]["traffic"]["spoken"] = recipe["stage"]["public"]["spoken"] = 0.0
    assert texts_of(made(recipe, "traffic", tmp_path)) == set(TRAIN)
    assert texts_of(made(recipe, "public", tmp_path)) == {"a general sentence", "number a", "number b", "number c"}
    found = {f.stem: len(f.read_text().splitlines()) for f in made(recipe, "labels", tmp_path).glob("*.jsonl")}
    assert found == ({"train": 6, "dev": 1, "test": 1} if case == "seq" else {"train": 6, "dev": 2})
    inventory = json.loads((tmp_path / "labels" / "labels.json").read_text())
    assert inventory["slots"] == ["x"]
    assert recipe["stage"]["report"]["partition"] == recipe["study"]["partition"] == "dev"


@pytest.mark.parametrize("format", ["txt", "jsonl", "csv", "parquet"])
def test_text_alone_runs(tmp_path: Path, format: str) -> None:
    at = tmp_path / "mine" / f"de.{format}"
    put(at, "eins zwei\ndrei vier\n")
    if format == "jsonl":
        put(at, '{"text": "eins zwei"}\n{"text": "drei vier"}\n')
    elif format == "csv":
        put(at, "text,lang\neins zwei,de\ndrei vier,de\n")
    elif format == "parquet":
        pq.write_table(pa.table({"text": ["eins zwei", "drei vier"]}), at)
    recipe = written(tmp_path / "mine", tmp_path / "r.toml")
    assert "labels" not in recipe["stage"]
    assert "study" not in recipe
    for name in ("public", "traffic"):
        assert recipe["stage"][name]["sources"] == [{"path": f"{{data_root}}/de.{format}", "format": format}]
        recipe["stage"][name]["spoken"] = 0.0
        assert texts_of(made(recipe, name, tmp_path)) == {"eins zwei", "drei vier"}


def test_held_out_utterances_are_kept_from_the_encoders(tmp_path: Path) -> None:
    put(tmp_path / "mine" / "en.jsonl", "".join(spans(f"{text} number {n}") for text in TRAIN for n in range(10)))
    recipe = written(tmp_path / "mine", tmp_path / "r.toml")
    assert recipe["stage"]["labels"]["held_out"] == 0.1
    assert recipe["stage"]["report"]["partition"] == "held"
    made(recipe, "labels", tmp_path)
    held = {json.loads(line)["text"] for line in (tmp_path / "labels" / "held.jsonl").read_text().splitlines()}
    recipe["stage"]["traffic"]["spoken"] = 0.0
    learned = texts_of(made(recipe, "traffic", tmp_path))
    assert (len(held) > 0, len(learned) + len(held), learned & held) == (True, 10 * len(TRAIN), set())


def test_a_pattern_stands_for_the_files_of_its_group_and_no_other(tmp_path: Path) -> None:
    for name in ("part-1", "part-2", "README", "requirements"):
        put(tmp_path / "mine" / "de" / f"{name}.txt", "eins zwei\n")
    for name in ("fr", "it"):
        put(tmp_path / "mine" / "more" / f"{name}.txt", "un deux\n")
    sources = written(tmp_path / "mine", tmp_path / "r.toml")["stage"]["public"]["sources"]
    assert [s["path"] for s in sources] == [f"{{data_root}}/{p}" for p in ("de/part-1.txt", "de/part-2.txt", "more/*.txt")]


def test_labels_and_text_of_one_suffix_are_parted(tmp_path: Path) -> None:
    for lang in ("de-DE", "en-US"):
        put(tmp_path / "mine" / f"{lang}.jsonl", massive("play jazz", partition="train", locale=lang))
    put(tmp_path / "mine" / "logs.jsonl", '{"text": "eins zwei", "lang": "de"}\n' * 3)
    stages = written(tmp_path / "mine", tmp_path / "r.toml")["stage"]
    paths = {name: [s["path"] for s in stages[name]["sources"]] for name in ("public", "labels")}
    assert paths == {
        "public": ["{data_root}/logs.jsonl"],
        "labels": ["{data_root}/de-DE.jsonl", "{data_root}/en-US.jsonl"],
    }


def test_a_labelled_file_too_large_to_be_read_whole_is_not_said_to_lack_dev(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [massive(text, partition=part) for part, texts in (("train", TRAIN), ("dev", DEV)) for text in texts]
    put(tmp_path / "mine" / "en-US.jsonl", "".join(rows))
    monkeypatch.setattr(surveys, "_MOST", 20)
    recipe = written(tmp_path / "mine", tmp_path / "r.toml")
    text = (tmp_path / "r.toml").read_text()
    assert "not read to the end" in text
    assert "no dev or test data was seen, though not all was read" in text
    *theirs, ours = recipe["stage"]["traffic"]["exclude"]
    assert [e["partition"] for e in theirs] == ["dev", "test", "held"]
    assert ours == {"labels": "labels", "partition": "held"}
    recipe["stage"]["labels"]["held_out"] = 0.0
    recipe["stage"]["traffic"]["exclude"] = theirs
    recipe["stage"]["traffic"]["spoken"] = 0.0
    assert texts_of(made(recipe, "traffic", tmp_path)) == set(TRAIN)


def test_a_language_that_nobody_says_is_left_to_fill_in(tmp_path: Path) -> None:
    put(tmp_path / "mine" / "nlu.yml", rasa(TRAIN))
    put(tmp_path / "mine" / "notes.txt", "which language\n")
    found = CliRunner().invoke(app, ["init", str(tmp_path / "mine"), "--out", str(tmp_path / "r.toml")])
    assert found.exit_code == 0
    assert "The language of nlu.yml is not known. Write it into" in found.output
    assert "notes.txt: left out. Its language is not known" in found.output
    recipe = tomllib.loads((tmp_path / "r.toml").read_text())
    assert recipe["stage"]["labels"]["sources"][0]["locale"] == "…"
    with pytest.raises(RecipeError, match="'…' is not a locale; wanted e.g. 'de-DE'"):
        made(recipe, "labels", tmp_path)


def test_the_language_can_be_said(tmp_path: Path) -> None:
    put(tmp_path / "mine" / "nlu.yml", rasa(TRAIN))
    put(tmp_path / "mine" / "notes.txt", "une note\nencore une\n")
    recipe = written(tmp_path / "mine", tmp_path / "r.toml", lang="fr")
    assert recipe["stage"]["labels"]["sources"] == [{"path": "{data_root}/nlu.yml", "format": "rasa", "locale": "fr"}]
    assert recipe["stage"]["public"]["sources"] == [{"path": "{data_root}/notes.txt", "format": "txt", "lang": "fr"}]
    for name in ("labels", "public", "traffic"):
        made(recipe, name, tmp_path)
    with pytest.raises(RecipeError, match="--lang: this is not a language or locale. Got: french"):
        scaffold(tmp_path / "mine", tmp_path / "r2.toml", lang="french")


@pytest.mark.parametrize("lang", [None, "sv"])
def test_languages_without_a_spoken_form_stay_written(tmp_path: Path, lang: str | None) -> None:
    put(tmp_path / "mine" / ("nlu.yml" if lang else "sv-SE.yml"), rasa(TRAIN))
    recipe = written(tmp_path / "mine", tmp_path / "r.toml", lang=lang)
    assert [recipe["stage"][name]["spoken"] for name in ("public", "traffic", "labels")] == [0.0, 0.0, False]
    assert "none is known for sv" in (tmp_path / "r.toml").read_text()
    assert set() < texts_of(made(recipe, "traffic", tmp_path)) <= set(TRAIN)


def test_labels_without_train_wait_for_some(tmp_path: Path) -> None:
    put(tmp_path / "mine" / "dev.jsonl", "".join(spans(text, locale="en-US") for text in DEV))
    put(tmp_path / "mine" / "en.txt", "a general sentence\nanother one\n")
    stages = written(tmp_path / "mine", tmp_path / "r.toml")["stage"]
    assert [s["path"] for s in stages["traffic"]["sources"]] == ["{data_root}/en.txt"]
    assert "no train data was found" in (tmp_path / "r.toml").read_text()


def test_the_recipe_has_a_study(tmp_path: Path) -> None:
    folder_of(tmp_path / "mine", "massive")
    recipe = written(tmp_path / "mine", tmp_path / "r.toml")
    named = [value for key, value in recipe["study"].items() if key != "partition"]
    assert set(named) <= recipe["stage"].keys()
    assert recipe["study"].keys() >= {"stage1", "stage2", "student", "finetune", "scratch", "generic", "task"}


def test_init_prints_what_it_found_and_nothing_else(tmp_path: Path) -> None:
    put(tmp_path / "mine" / "de.txt", "eins\n")
    found = CliRunner().invoke(app, ["init", str(tmp_path / "mine"), "--out", str(tmp_path / "r.toml")])
    assert found.output.splitlines()[0] == "  de.txt: text (txt) in de"
    assert "nothing found" not in found.output


def test_without_data_there_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data was recognised"):
        scaffold(tmp_path, tmp_path / "r.toml")
    with pytest.raises(DataError, match="there is no such folder"):
        scaffold(tmp_path / "nothing", tmp_path / "r.toml")
    assert not (tmp_path / "r.toml").exists()


def test_an_existing_recipe_is_left_alone(tmp_path: Path) -> None:
    put(tmp_path / "mine" / "de.txt", "eins\n")
    put(tmp_path / "r.toml", "mine")
    with pytest.raises(RecipeError, match="exists already"):
        scaffold(tmp_path / "mine", tmp_path / "r.toml")
    assert (tmp_path / "r.toml").read_text() == "mine"


@pytest.mark.parametrize(("languages", "words"), [(["en"], 8000), (["ar", "de", "en", "fr", "hi", "ta"], 12_000)])
def test_the_vocabulary_grows_with_the_languages(languages: list[str], words: int, tmp_path: Path) -> None:
    for lang in languages:
        put(tmp_path / "data" / f"{lang}.txt", "wake me at six\n")
    scaffold(tmp_path / "data", tmp_path / "mine.toml")
    assert tomllib.loads((tmp_path / "mine.toml").read_text(encoding="utf-8"))["stage"]["tokenizer"]["vocab_size"] == words
