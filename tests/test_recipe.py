"""Recipes are planned before they run, skip what is up to date and go on where they were cut."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from understudy import artifact, recipe
from understudy.cli import app
from understudy.corpus.scaffold import scaffold
from understudy.errors import ArtifactError, DataError, RecipeError
from understudy.recipe import Done, Recipe

TWO_STAGES = """
name = "small"
artifacts = "{artifacts}"

[stage.traffic]
kind = "corpus"
sources = [{{ path = "{{data_root}}/en.txt", lang = "en" }}]
spoken = 0.0
valid = 0.2

[stage.tokenizer]
kind = "tokenizer"
corpus = "traffic"
vocab_size = 120
kanji = false
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    (tmp_path / "en.txt").write_text(
        "".join(f"wake me at {word}\n" for word in ["six", "seven", "eight", "nine", "ten", "noon", "dawn"])
    )
    path = tmp_path / "small.toml"
    path.write_text(TWO_STAGES.format(artifacts=tmp_path / "out"))
    return path


def load(toml: Path, *overrides: str) -> Recipe:
    return recipe.load(toml, [f"data_root={toml.parent}", *overrides])


def skipped(done: list[Done]) -> dict[str, bool]:
    return {item.name: item.skipped for item in done}


def states(toml: Path, *overrides: str, only: tuple[str, ...] = ()) -> dict[str, str]:
    return {item.name: item.state for item in recipe.plan(load(toml, *overrides), only=only)}


def test_a_second_run_skips_every_stage(toml: Path) -> None:
    assert skipped(recipe.run(load(toml))) == {"traffic": False, "tokenizer": False}
    assert states(toml) == {"traffic": "cached", "tokenizer": "cached"}
    assert skipped(recipe.run(load(toml))) == {"traffic": True, "tokenizer": True}


def test_a_changed_stage_runs_again_and_its_ancestors_do_not(toml: Path) -> None:
    recipe.run(load(toml))
    assert skipped(recipe.run(load(toml, "stage.tokenizer.vocab_size=110"))) == {"traffic": True, "tokenizer": False}


def test_a_changed_source_runs_its_readers_and_their_descendants(toml: Path) -> None:
    recipe.run(load(toml))
    with (toml.parent / "en.txt").open("a") as file:
        file.write("turn on the light\nturn off the light\n")
    assert states(toml) == {"traffic": "run", "tokenizer": "wait"}
    assert skipped(recipe.run(load(toml))) == {"traffic": False, "tokenizer": False}


def test_descendants_of_a_stage_that_came_out_the_same_are_kept(toml: Path) -> None:
    recipe.run(load(toml))
    assert skipped(recipe.run(load(toml, "stage.traffic.valid_rows=1999"))) == {"traffic": False, "tokenizer": True}


def test_only_runs_the_named_stage(toml: Path) -> None:
    assert states(toml, only=("traffic",)) == {"traffic": "run"}
    assert skipped(recipe.run(load(toml), only=["traffic"])) == {"traffic": False}


def test_only_without_its_input_says_which_is_missing(toml: Path) -> None:
    with pytest.raises(RecipeError, match=r"stage.tokenizer: the input 'traffic' has not been made"):
        recipe.plan(load(toml), only=["tokenizer"])


def test_files_that_are_not_there_are_told_before_anything_runs(toml: Path) -> None:
    late = toml.with_name("late.toml")
    late.write_text(toml.read_text() + '\n[stage.labels]\nkind = "labels"\nsources = [{ path = "{data_root}/none/*.jsonl" }]\n')
    with pytest.raises(DataError, match=r"stage.labels: there is no such file or folder. Got: .*none/\*\.jsonl"):
        recipe.run(load(late))
    assert not (toml.parent / "out").exists()
    said = CliRunner().invoke(app, ["run", str(late), f"data_root={toml.parent}", "--dry-run"])
    assert said.exit_code == 0


def test_planning_makes_nothing(toml: Path) -> None:
    assert states(toml) == {"traffic": "run", "tokenizer": "run"}
    assert not (toml.parent / "out").exists()


@pytest.fixture
def again(toml: Path) -> Path:
    """The same recipe with a second tokenizer, in a folder, that is like the first."""
    path = toml.with_name("again.toml")
    path.write_text(toml.read_text() + toml.read_text().partition("[stage.tokenizer]")[2].join(["[stage.'study/again']", ""]))
    return path


def test_work_that_another_stage_has_done_is_copied(toml: Path, again: Path) -> None:
    recipe.run(load(toml))
    assert states(again) == {"traffic": "cached", "tokenizer": "cached", "study/again": "copy"}
    first, second = (item.artifact for item in recipe.run(load(again)) if item.name != "traffic")
    assert second.path == toml.parent / "out" / "study" / "again"
    assert (second.hash, second.manifest.seconds) == (first.hash, first.manifest.seconds)
    assert states(again)["study/again"] == "cached"


def test_a_copy_names_its_parents_from_where_it_stands(toml: Path, again: Path) -> None:
    recipe.run(load(toml))
    made = {item.name: item.artifact for item in recipe.run(load(again))}
    assert made["study/again"].manifest.parents["traffic"].path == "../traffic"


def test_what_needs_a_copy_is_judged_by_it_before_it_is_made(toml: Path, again: Path) -> None:
    recipe.run(load(toml))
    more = ["stage.shards.kind=shards", "stage.shards.tokenizer=study/again", 'stage.shards.mix=[{corpus = "traffic"}]']
    assert states(again, *more)["shards"] == "run"
    recipe.run(load(again, *more))
    shutil.rmtree(toml.parent / "out" / "study")
    assert (states(again, *more)["study/again"], states(again, *more)["shards"]) == ("copy", "cached")


def test_damaged_work_is_not_copied(toml: Path, again: Path) -> None:
    recipe.run(load(toml))
    loaded = load(again, "stage.tokenizer.vocab_size=110")  # so that it is not looked at for itself
    (toml.parent / "out" / "tokenizer" / "tokenizer.json").write_text("{}")
    with pytest.raises(ArtifactError, match="truncated"):
        recipe.run(loaded, only=["study/again"])
    assert not (toml.parent / "out" / "study" / "again").exists()


def test_interrupted_work_is_planned_as_resumed(toml: Path) -> None:
    loaded = load(toml)
    config = loaded.stage["traffic"]
    with (
        pytest.raises(KeyboardInterrupt),
        artifact.writing(toml.parent / "out" / "traffic", kind="corpus", config=recipe.resolved(config)) as draft,
    ):
        (draft.scratch / "checkpoint").write_text("")
        raise KeyboardInterrupt
    assert states(toml) == {"traffic": "resume", "tokenizer": "run"}


def test_an_altered_artifact_stops_the_run(toml: Path) -> None:
    recipe.run(load(toml))
    file = toml.parent / "out" / "tokenizer" / "tokenizer.json"
    file.write_text(file.read_text().replace("wake", "fake"))
    with pytest.raises(ArtifactError, match="altered"):
        recipe.run(load(toml))


def test_lineage_leads_from_the_tokenizer_to_its_corpus(toml: Path) -> None:
    made = {item.name: item.artifact for item in recipe.run(load(toml))}
    parent = made["tokenizer"].manifest.parents["traffic"]
    assert (parent.path, parent.kind, parent.hash) == ("traffic", "corpus", made["traffic"].hash)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["stage.traffic.alhpa=0.3"], r"stage.traffic.alhpa: unknown key 'alhpa'.*Did you mean 'alpha'"),
        (["stage.traffic.kind=corpsu"], r"no stage kind 'corpsu'.*Did you mean 'corpus'"),
        (["stage.tokenizer.corpus=trafic"], r"'trafic' is neither a stage nor an artifact.*Did you mean 'traffic'"),
        (["stage.tokenizer.corpus=tokenizer"], r"wrong kind.*Got: tokenizer. Wanted: corpus"),
        (["stage.nlu={ kind = 'finetune', encoder = 'traffic', data = 'traffic' }"], r"wrong kind.*Got: corpus. Wanted: encoder"),
        (
            ["stage.d={ kind = 'finetune', model = 'student-17m', tokenizer = 'tokenizer', data = 'traffic' }"],
            r"wrong kind.*Got: corpus. Wanted: labels",
        ),
        (
            ["stage.l={ kind = 'labels', sources = [{ path = 'x.csv' }] }", "stage.tokenizer.corpus=l"],
            r"stage.tokenizer: 'l' is of the wrong kind. Got: labels. Wanted: corpus",
        ),
        (["naem=x"], r"unknown key 'naem'.*Did you mean 'name'"),
        (["stage.traffic.alpha=2"], r"stage.traffic.alpha: .*Got: 2. Wanted: at most 1"),
        (["stage.new.alpha=1"], r"there is no stage 'new'. Wanted: one of traffic, tokenizer"),
    ],
)
def test_mistakes_are_named_before_anything_runs(toml: Path, overrides: list[str], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load(toml, *overrides)


def test_a_recipe_for_own_data_asks_where_it_is(toml: Path) -> None:
    with pytest.raises(RecipeError, match="data_root=DIR"):
        recipe.load(toml)


def test_stages_in_a_circle_are_refused(toml: Path) -> None:
    shards = """
[stage.a]
kind = "pretrain"
init = "b"
data = "x"
tokenizer = "tokenizer"
steps = 1
[stage.b]
kind = "pretrain"
init = "a"
data = "x"
tokenizer = "tokenizer"
steps = 1
[stage.x]
kind = "shards"
tokenizer = "tokenizer"
mix = [{ corpus = "traffic" }]
"""
    toml.write_text(toml.read_text() + shards)
    with pytest.raises(RecipeError, match="circle.*a -> b -> a"):
        load(toml)


def test_an_included_recipe_brings_its_stages_once(tmp_path: Path) -> None:
    stage = '[stage.{0}]\nkind = "corpus"\nsources = [{{ builtin = "text", size = 9 }}]\n'
    (tmp_path / "a.toml").write_text('name = "a"\n' + stage.format("first"))
    (tmp_path / "b.toml").write_text('name = "b"\ninclude = ["a.toml"]\n' + stage.format("second"))
    (tmp_path / "c.toml").write_text('name = "c"\ninclude = ["a.toml", "b.toml"]\n' + stage.format("third"))
    loaded = load(tmp_path / "c.toml", "stage.first.spoken=0.5")
    assert (loaded.name, list(loaded.stage)) == ("c", ["first", "second", "third"])
    assert loaded.stage["first"].model_dump()["spoken"] == 0.5


def test_recipes_that_contradict_or_include_one_another_are_refused(tmp_path: Path) -> None:
    stage = '[stage.x]\nkind = "corpus"\nsources = [{{ builtin = "text", size = {0} }}]\n'
    (tmp_path / "a.toml").write_text('name = "a"\n' + stage.format(1))
    (tmp_path / "b.toml").write_text('name = "b"\n' + stage.format(2))
    for include, match in (('["a.toml", "b.toml"]', "different things of one stage"), ('["c.toml"]', "circle")):
        (tmp_path / "c.toml").write_text(f'name = "c"\ninclude = {include}\n')
        with pytest.raises(RecipeError, match=match):
            load(tmp_path / "c.toml")
    (tmp_path / "d.toml").write_text('name = "d"\ninclude = ["a.toml"]\n' + stage.format(1))
    with pytest.raises(RecipeError, match="in an included recipe already"):
        load(tmp_path / "d.toml")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("stage = 3", r"r.toml.stage: this is not a table"),
        ("[stage]\nx = 3", r"r.toml.stage.x: .*Wanted: a table"),
        ('include = "other.toml"', r"r.toml.include: .*Wanted: \["),
        ("seed = -1\n[stage.x]", r"r.toml.seed: .*Wanted: at least 0"),
        ('[stage.x]\nkind = ["labels"]', r"there is no stage kind '\['labels'\]'"),
        ('[stage.x]\nkind = "label"', r"Did you mean 'labels'\?$"),
        ("[stage.x]\n[stage.'x/y']", r"an artifact cannot stand in another one. Got: x/y"),
        ("[stage.'x/../y']", r"a stage name is .* Got: 'x/../y'"),
    ],
)
def test_a_recipe_of_the_wrong_shape_is_told_so(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "r.toml").write_text(f'name = "r"\n{content}\n')
    with pytest.raises(RecipeError, match=said):
        recipe.load(tmp_path / "r.toml")


def test_an_override_of_a_stage_that_is_not_there_names_the_nearest(toml: Path) -> None:
    with pytest.raises(RecipeError, match=r"there is no stage 'trafic'\. .*Did you mean 'traffic'\?"):
        load(toml, "stage.trafic.spoken=1.0")


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[1] / "recipes").rglob("*.toml")), ids=lambda p: p.stem)
def test_every_recipe_of_ours_can_be_planned(path: Path, tmp_path: Path) -> None:
    planned = recipe.plan(recipe.load(path, [f"artifacts={tmp_path}", f"data_root={tmp_path}"]))
    assert {item.state for item in planned} == {"run"}


@pytest.mark.parametrize("labelled", [True, False])
def test_what_init_writes_can_be_planned(tmp_path: Path, labelled: bool) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "de.txt").write_text("eins zwei\n")
    if labelled:
        (tmp_path / "mine" / "en.bio").write_text("# intent: on\nlamp\tB-x\non\tO\n")
    scaffold(tmp_path / "mine", tmp_path / "r.toml")
    assert {item.state for item in recipe.plan(recipe.load(tmp_path / "r.toml"))} == {"run"}
