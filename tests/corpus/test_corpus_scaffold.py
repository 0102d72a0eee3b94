"""A first recipe for a folder of data."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from understudy.config import parse
from understudy.corpus.build import CorpusConfig
from understudy.corpus.labels import LabelsConfig
from understudy.corpus.scaffold import scaffold, survey
from understudy.errors import DataError, RecipeError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    at = tmp_path / "mine"
    (at / "text").mkdir(parents=True)
    (at / "README.txt").write_text("not data\n")
    for lang in ("de", "fr"):
        (at / "text" / f"{lang}.txt").write_text("eins zwei\n")
        row = f'{{"utt": "a b", "annot_utt": "a [x : b]", "intent": "i_j", "locale": "{lang}", "partition": "train"}}\n'
        (at / f"{lang}.jsonl").write_text(row)
    (at / "en.bio").write_text("# intent: on\nlamp\tB-x\non\tO\n")
    (at / "nlu.en.yml").write_text("nlu:\n- intent: on\n  examples: |\n    - lamp [on](x)\n")
    (at / "odd.txt").write_text("which language?\n")
    (at / "photo.png").write_bytes(b"\x89PNG")
    return at


def test_a_survey_names_use_format_and_languages(folder: Path) -> None:
    found = {f.path: (f.use, f.format, f.languages) for f in survey(folder) if not f.problem}
    assert found == {
        "de.jsonl": ("labels", "massive", ("de",)),
        "fr.jsonl": ("labels", "massive", ("fr",)),
        "en.bio": ("labels", "bio", ("en",)),
        "nlu.en.yml": ("labels", "rasa", ("en",)),
        "text/de.txt": ("text", "txt", ("de",)),
        "text/fr.txt": ("text", "txt", ("fr",)),
    }
    [odd] = [f for f in survey(folder) if f.problem]
    assert odd.path == "odd.txt"
    assert "language" in odd.problem


def test_the_recipe_is_toml_whose_stages_parse(folder: Path, tmp_path: Path) -> None:
    text = scaffold(folder, tmp_path / "recipe.toml")
    assert (tmp_path / "recipe.toml").read_text() == text
    recipe = tomllib.loads(text)
    assert recipe["name"] == "mine"
    assert recipe["data_root"] == folder.as_posix()
    stages = recipe["stage"]
    assert [s.path for s in parse(CorpusConfig, stages["public"], where="public").sources] == ["{data_root}/text/*.txt"]
    assert [s.path for s in parse(LabelsConfig, stages["labels"], where="labels").sources] == [
        f"{{data_root}}/{name}" for name in ("*.jsonl", "en.bio", "nlu.en.yml")
    ]
    assert [s.partition for s in parse(CorpusConfig, stages["traffic"], where="traffic").sources] == ["train"] * 3
    assert stages["labels"]["held_out"] == 0.1
    assert "odd.txt: left out" in text


def test_without_labels_their_stages_are_comments(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "de.txt").write_text("eins\n")
    recipe = tomllib.loads(scaffold(tmp_path / "data", tmp_path / "r.toml"))
    assert "labels" not in recipe["stage"]
    assert recipe["stage"]["traffic"]["sources"] == [{"path": "{data_root}/de.txt", "format": "txt"}]


def test_without_data_there_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data was recognised"):
        scaffold(tmp_path, tmp_path / "r.toml")
    with pytest.raises(DataError, match="there is no such folder"):
        scaffold(tmp_path / "nothing", tmp_path / "r.toml")
    assert not (tmp_path / "r.toml").exists()


def test_an_existing_recipe_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("mine")
    with pytest.raises(RecipeError, match="exists already"):
        scaffold(folder, tmp_path / "r.toml")
    assert (tmp_path / "r.toml").read_text() == "mine"
