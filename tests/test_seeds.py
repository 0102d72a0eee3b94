"""A stage with several seeds is several stages, and reads as one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.table import Table

from understudy import recipe, seeds
from understudy.cli_shared import done_table, plan_table
from understudy.config import ModelRef, parse
from understudy.errors import RecipeError
from understudy.evaluation.evaluate import EvaluateConfig
from understudy.recipe import Recipe
from understudy.stages import parse_stage

SMALL = """
name = "small"
seed = 7
artifacts = "{artifacts}"

[stage.labels]
kind = "labels"
sources = [{{ builtin = "assistant", size = {{ train = 6, dev = 3 }} }}]
languages = ["de", "en"]

[stage.traffic]
kind = "corpus"
sources = [{{ builtin = "traffic", size = 60, languages = ["de", "en"] }}]

[stage.tokenizer]
kind = "tokenizer"
corpus = "traffic"
vocab_size = 300
kanji = false

[stage.runtime]
kind = "export"
model = "nlu"

[stage.nlu]
kind = "finetune"
seeds = 3
model = {{ layers = 1, hidden = 16, ffn = 32, heads = 2, max_length = 32 }}
tokenizer = "tokenizer"
data = "labels"
steps = 2
compile = false

[stage.twin]
kind = "finetune"
model = {{ layers = 1, hidden = 16, ffn = 32, heads = 2, max_length = 32 }}
tokenizer = "tokenizer"
data = "labels"
steps = 1
compile = false

[stage.report]
kind = "evaluate"
models = {{ student = "nlu", twin = "twin" }}
baseline = "twin"
labels = "labels"
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL.format(artifacts=tmp_path / "out"))
    return path


def load(toml: Path, *overrides: str) -> Recipe:
    return recipe.load(toml, list(overrides))


def shown(table: Table) -> list[list[str]]:
    """The cells of a table, row by row."""
    return [list(row) for row in zip(*(column.cells for column in table.columns), strict=True)]  # type: ignore[arg-type]


def test_each_seed_is_a_stage_with_the_next_seed(toml: Path) -> None:
    loaded = load(toml)
    assert list(loaded.stage) == ["labels", "traffic", "tokenizer", "runtime", "nlu", "nlu@1", "nlu@2", "twin", "report"]
    assert [loaded.stage[name].seeded(loaded.seed) for name in ("nlu", "nlu@1", "nlu@2", "twin")] == [7, 8, 9, 7]


def test_a_stage_of_its_own_seed_counts_from_there(toml: Path) -> None:
    loaded = load(toml, "stage.nlu.seed=20", "stage.nlu.seeds=2", "stage.twin.seed=3")
    assert [loaded.stage[name].seeded(loaded.seed) for name in ("nlu", "nlu@1", "twin")] == [20, 21, 3]


def test_the_report_reads_all_seeds_and_the_export_the_first(toml: Path) -> None:
    inputs = {item.name: list(item.inputs) for item in recipe.plan(load(toml))}
    assert inputs["report"] == ["nlu", "nlu@1", "nlu@2", "twin", "labels"]
    assert inputs["runtime"] == ["nlu"]


def test_a_domains_stage_reads_all_seeds_too(toml: Path) -> None:
    toml.write_text(toml.read_text() + '[stage.domains]\nkind = "domains"\nmodels = { student = ["nlu"] }\nlabels = "labels"\n')
    loaded = load(toml)
    inputs = {item.name: list(item.inputs) for item in recipe.plan(loaded)}
    assert inputs["domains"] == ["nlu", "nlu@1", "nlu@2", "labels"]
    assert seeds.expand(loaded.stage, loaded.seed) == loaded.stage


def test_one_seed_can_be_named(toml: Path) -> None:
    inputs = {item.name: list(item.inputs) for item in recipe.plan(load(toml, "stage.runtime.model=nlu@2"))}
    assert inputs["runtime"] == ["nlu@2"]


def test_what_is_expanded_stays_as_it_is(toml: Path) -> None:
    loaded = load(toml)
    assert seeds.expand(loaded.stage, loaded.seed) == loaded.stage


def test_neither_seed_nor_seeds_is_among_the_settings_recorded(toml: Path) -> None:
    three, one = load(toml), load(toml, "stage.nlu.seeds=1")
    recorded = recipe.resolved(three.stage["nlu@2"])
    assert recorded == recipe.resolved(one.stage["nlu"])
    assert recorded.keys().isdisjoint({"seed", "seeds"})


def test_a_model_of_one_seed_is_recorded_as_it_is_written(toml: Path) -> None:
    recorded = load(toml, "stage.nlu.seeds=1").stage["report"].model_dump(mode="json")["models"]
    assert recorded == {"student": "nlu", "twin": "twin"}
    assert load(toml).stage["report"].model_dump(mode="json")["models"]["student"] == ["nlu", "nlu@1", "nlu@2"]


def test_models_may_be_listed() -> None:
    config = parse(EvaluateConfig, {"models": {"a": ["x", "y"], "b": "z"}, "labels": "l"}, where="stage.report")
    assert config.models == {"a": ("x", "y"), "b": ("z",)}
    assert isinstance(config.models["a"][1], ModelRef)


def test_several_seeds_of_one_artifact_are_refused(toml: Path) -> None:
    config = parse_stage({"kind": "finetune", "encoder": "x", "data": "y", "seeds": 2}, where="finetune")
    with pytest.raises(RecipeError, match=r"each seed makes an artifact of its own.*Got: 2.*Wanted: 1"):
        recipe.run_stage(config, {}, toml.parent / "nlu", seed=0)


def test_a_stage_of_another_kind_has_no_seeds(toml: Path) -> None:
    with pytest.raises(RecipeError, match=r"unknown key 'seeds'.*Did you mean 'seed'"):
        load(toml, "stage.traffic.seeds=3")


def test_a_table_has_one_row_for_all_seeds(toml: Path) -> None:
    rows = {row[0]: row for row in shown(plan_table(recipe.plan(load(toml))))}
    assert [name for name in rows if "nlu" in name] == ["nlu x 3"]
    assert (rows["nlu x 3"][-1], rows["report"][2]) == ("run", "nlu x 3, twin, labels")


def test_names_are_grouped_but_paths_are_not() -> None:
    assert seeds.grouped(["a", "a@1", "b", "c@1", "x/a@1"]) == {
        "a x 2": ["a", "a@1"],
        "b": ["b"],
        "c@1": ["c@1"],
        "x/a@1": ["x/a@1"],
    }
    assert seeds.braced(["out/a", "out/a@1", "out/a@2"]) == "out/a{,@1,@2}"
    assert seeds.braced(["out/a"]) == "out/a"


def test_an_unknown_stage_is_told_the_names_of_stages_not_of_seeds(toml: Path) -> None:
    with pytest.raises(RecipeError, match=r"no stage 'nlx'.*one of labels, traffic, tokenizer, runtime, nlu, twin, report\."):
        recipe.plan(load(toml), only=["nlx"])


def test_a_recipe_runs_its_seeds_and_reports_them_together(toml: Path) -> None:
    wanted = ["labels", "traffic", "tokenizer", "nlu", "twin", "report"]
    loaded = load(toml, "stage.nlu.seeds=2", "stage.report.latency_calls=1")
    done = {item.name: item for item in recipe.run(loaded, only=wanted)}
    assert (done["nlu"].artifact.manifest.seed, done["nlu@1"].artifact.manifest.seed) == (7, 8)
    assert done["nlu"].artifact.hash != done["nlu@1"].artifact.hash
    report = json.loads((done["report"].artifact.path / "report.json").read_text(encoding="utf-8"))
    assert (report["models"]["student"]["seeds"], report["models"]["twin"]["seeds"]) == (2, 1)
    table = shown(done_table(list(done.values())))
    assert [row[2] for row in table if row[0] == "nlu x 2"] == [f"{toml.parent / 'out' / 'nlu'}{{,@1}}"]


def test_a_seed_more_leaves_those_there_are_alone(toml: Path) -> None:
    inputs = ["labels", "traffic", "tokenizer"]
    recipe.run(load(toml, "stage.nlu.seeds=1"), only=[*inputs, "nlu"])
    planned = recipe.plan(load(toml), only=["nlu"])
    assert {item.name: item.state for item in planned} == {"nlu": "cached", "nlu@1": "run", "nlu@2": "run"}
    assert shown(plan_table(planned))[0][-1] == "1 cached, 2 run"
    assert [item.name for item in recipe.plan(load(toml), only=["nlu@1"])] == ["nlu@1"]
