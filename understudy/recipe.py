"""Recipes: a TOML of stages becomes a plan, and the plan is run.

A stage's fingerprint is made of its settings, its seed, the files it reads and the content of its inputs. A stage whose
artifact carries the same fingerprint is skipped; one whose work another stage of these artifacts has done takes a copy; one that
was cut off resumes from its scratch directory; a changed one runs again, and after it those descendants whose inputs really came
out different.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import Field

from understudy import artifact, seeds, shapes, stages
from understudy.artifact import Artifact, Manifest, Parent
from understudy.config import MAX_SEED, Config, Ref, StageConfig, parse, refs
from understudy.corpus.files import is_missing
from understudy.errors import DataError, RecipeError, nearest
from understudy.toml import filled, included, override
from understudy.training.ranks import agree, barrier, joined, ranks

__all__ = ["Done", "Planned", "Recipe", "State", "judged", "load", "missing", "plan", "run", "run_stage"]

log = logging.getLogger(__name__)
State = Literal["cached", "copy", "resume", "run", "wait"]


class Recipe(Config):
    """A whole pipeline: top-level settings and its stages by name, in the order of the file; each seed of a stage is a stage."""

    name: str
    seed: int
    artifacts: Path
    stage: dict[str, StageConfig]
    study: dict[str, Any] = Field(default_factory=dict)

    def directory(self, name: str) -> Path:
        """Where the artifact of stage `name` stands."""
        return self.artifacts / name

    def locate(self, ref: str) -> Path:
        """Where an input stands: the artifact of a stage, or the one of this path."""
        return self.directory(ref) if ref in self.stage else Path(ref)

    def check(self, ref: Ref, *, where: str) -> None:
        """Raises RecipeError where `ref` is neither a stage nor an artifact, or is of a kind that cannot be used there."""
        if ref in self.stage:
            made = stages.STAGES[self.stage[ref].kind].makes
        elif (manifest := artifact.peek(Path(ref))) is not None:
            made = manifest.kind
        else:
            hint = nearest(ref, self.stage)
            raise RecipeError(
                f"'{ref}' is neither a stage nor an artifact", where=where, wanted=" or ".join(ref.kinds), hint=hint
            )
        if made not in ref.kinds:
            raise RecipeError(f"'{ref}' is of the wrong kind", where=where, got=made, wanted=" or ".join(ref.kinds))


class _TopLevel(Config):
    name: str
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    artifacts: Path | None = None
    data_root: Path | None = None
    stage: dict[str, dict[str, Any]]
    study: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Planned:
    """One stage of a plan.

    `state`: cached (nothing to do), copy (another stage has done this work), resume (was cut off; goes on from its last
    checkpoint), run, or wait (an input will be made again, so it may turn out to be cached).
    `found`: where what it makes stands already, of a cached one and of a copy.
    """

    name: str
    config: StageConfig
    inputs: Mapping[str, Path]
    state: State
    found: Path | None = None


@dataclass(frozen=True)
class Done:
    """One stage after a run: its artifact, whether it was skipped, and the seconds it took."""

    name: str
    artifact: Artifact
    skipped: bool
    seconds: float


def load(path: Path, overrides: Sequence[str] = (), *, more: Mapping[str, Mapping[str, Any]] | None = None) -> Recipe:
    """The recipe in a TOML file with dotted overrides applied. Raises RecipeError naming the key that is wrong.

    more: stages that a study adds to those of the file, by name.
    """
    found = included(path)
    table = override(found, overrides)
    _check_meant(found["stage"], table["stage"], where=path.name)
    top = parse(_TopLevel, table, where=path.name)
    if more:
        top = top.model_copy(update={"stage": {**top.stage, **{name: dict(settings) for name, settings in more.items()}}})
    if not top.stage:
        raise RecipeError("a recipe has at least one [stage.NAME]", where=path)
    for name in top.stage:
        if any(str(folder) in top.stage for folder in PurePosixPath(name).parents):
            raise RecipeError(
                "an artifact cannot stand in another one", where=f"{path.name}.stage", got=name, wanted="another name"
            )
        if not all(part.replace("-", "").replace("_", "").isalnum() for part in name.split("/")):
            raise RecipeError(
                "a stage name is letters, digits, '-' and '_', with '/' between folders",
                where=f"{path.name}.stage",
                got=f"'{name}'",
            )
    configs = {
        name: stages.parse_stage(filled(table, top.data_root, f"stage.{name}"), where=f"stage.{name}")
        for name, table in top.stage.items()
    }
    recipe = Recipe.model_construct(
        name=top.name,
        seed=top.seed,
        artifacts=top.artifacts or Path("artifacts") / top.name,
        stage=seeds.expand(configs, top.seed),
        study=top.study,
    )
    for name, config in recipe.stage.items():
        for ref in refs(config):
            recipe.check(ref, where=f"stage.{name}")
    _order(recipe)
    shapes.check(recipe.stage)
    return recipe


def _check_meant(written: Mapping[str, Any], overridden: Any, *, where: str) -> None:
    """Refuses an override of a stage that the recipe does not have: a setting on its own is no stage."""
    for name, settings in overridden.items() if isinstance(overridden, dict) else ():
        if name not in written and isinstance(settings, dict) and "kind" not in settings:
            wanted = f"one of {', '.join(written)}, or a 'kind' for a new one"
            raise RecipeError(f"there is no stage '{name}'", where=where, wanted=wanted, hint=nearest(name, written))


def _order(recipe: Recipe) -> list[str]:
    """Stage names so that each comes after its inputs; otherwise in the order of the file. Raises RecipeError on a cycle."""
    ordered: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise RecipeError("stages need one another in a circle", got=" -> ".join((*path[path.index(name) :], name)))
        if name not in ordered:
            for ref in refs(recipe.stage[name]):
                if ref in recipe.stage:
                    visit(str(ref), (*path, name))
            ordered.append(name)

    for name in recipe.stage:
        visit(name, ())
    return ordered


def plan(recipe: Recipe, *, only: Sequence[str] = ()) -> list[Planned]:
    """What a run would do, in order, judged without running anything.

    Args:
        only: names of the stages to run, each with all its seeds; their inputs must exist already.
    """
    for name in only:
        if name not in recipe.stage:
            raise RecipeError(
                f"there is no stage '{name}'",
                where="--only",
                hint=nearest(name, recipe.stage),
                wanted=f"one of {', '.join(dict.fromkeys(map(seeds.stem, recipe.stage)))}",
            )
    planned: dict[str, Planned] = {}
    for name in _order(recipe):
        if only and name not in only and seeds.stem(name) not in only:
            continue
        config = recipe.stage[name]
        inputs = {str(ref): recipe.locate(ref) for ref in refs(config)}
        # Whether inputs come out different is not known before they are made; without an artifact there is nothing to keep.
        state: State = "wait" if artifact.peek(recipe.directory(name)) is not None else "run"
        item = Planned(name, config, inputs, state)
        there = {i: planned[i].found if i in planned else path for i, path in inputs.items()}
        if all(there.values()):
            manifests = {i: artifact.peek(path) for i, path in there.items() if path is not None}
            missing = [i for i, manifest in manifests.items() if manifest is None]
            if missing:
                raise RecipeError(
                    f"the input '{missing[0]}' has not been made", where=f"stage.{name}", hint="Run it first, or leave --only out"
                )
            item = _judged(recipe, item, {i: m for i, m in manifests.items() if m is not None})
        planned[name] = item
    return list(planned.values())


def missing(planned: Iterable[Planned]) -> list[DataError]:
    """What a run of this plan would read and is not there: told first, it is not the end of days of work."""
    return [
        DataError("there is no such file or folder", where=f"stage.{item.name}", got=path)
        for item in planned
        if item.state in ("run", "resume")
        for path in filter(is_missing, item.config.named())
    ]


def _judged(recipe: Recipe, item: Planned, manifests: Mapping[str, Manifest]) -> Planned:
    directory = recipe.directory(item.name)
    parents = {i: Parent(path=str(item.inputs[i]), kind=m.kind, hash=m.hash) for i, m in manifests.items()}
    kind, seed = stages.STAGES[item.config.kind].makes, item.config.seeded(recipe.seed)
    mark = artifact.fingerprint(kind, resolved(item.config), parents, seed)
    made = artifact.peek(directory)
    if made is not None and made.fingerprint == mark:
        return replace(item, state="cached", found=directory)
    if (elsewhere := artifact.find(recipe.artifacts, mark)) is not None:
        return replace(item, state="copy", found=elsewhere)
    return replace(item, state="resume" if artifact.interrupted(directory, mark) else "run", found=None)


def resolved(config: StageConfig) -> dict[str, Any]:
    """The settings as recorded in the artifact, with size and time of change of every outside file the stage reads."""
    seen = {str(p): [p.stat().st_size, p.stat().st_mtime_ns] for p in config.reads() if p.exists()}
    return config.model_dump(mode="json") | ({"sources_seen": seen} if seen else {})


def run(recipe: Recipe, *, only: Sequence[str] = (), on_start: Callable[[Planned], None] = lambda planned: None) -> list[Done]:
    """Run what is not up to date, in order. Returns every stage of the plan with its artifact.

    Under `torchrun` all ranks take part in the stages that train; the leader alone does the others, and has something to return.

    Raises RecipeError, DataError for files that are not there, or whatever error the first failing stage raises; stages made before
    it stay.
    """
    with joined() as here:
        planned = plan(recipe, only=only)
        for error in missing(planned):
            raise error
        done = [_run_planned(recipe, item, on_start) for item in planned]
    return done if here.leads else []


def _run_planned(recipe: Recipe, item: Planned, on_start: Callable[[Planned], None]) -> Done:
    started = time.monotonic()
    directory = recipe.directory(item.name)
    item = judged(recipe, item)
    if agree(item.state == "cached"):
        return Done(item.name, artifact.open(directory), True, 0.0)
    on_start(item)
    made = run_stage(item.config, item.inputs, directory, seed=recipe.seed)
    log.info("%s: made in %.1f s", item.name, time.monotonic() - started)
    return Done(item.name, made, False, time.monotonic() - started)


def judged(recipe: Recipe, item: Planned) -> Planned:
    """`item` with the state it has now that its inputs are made; where that is "copy", it is copied, and then cached."""
    manifests = {i: m for i, path in item.inputs.items() if (m := artifact.peek(path)) is not None}
    item, directory = _judged(recipe, item, manifests), recipe.directory(item.name)
    if item.state != "copy" or item.found is None or not ranks().leads:
        return item
    artifact.copy(item.found, directory)
    log.info("%s: copied from %s, which is the same work", item.name, item.found)
    return replace(item, state="cached", found=directory)


def run_stage(config: StageConfig, inputs: Mapping[str, Path], directory: Path, *, seed: int) -> Artifact:
    """Run one stage on explicit paths: open and verify the inputs, do the work, write the artifact at `directory`.

    seed: where the stage has none of its own. Raises RecipeError for settings that ask for several seeds.

    Under `torchrun`, every rank must call it.
    """
    seeds.check_one(config)
    seed = config.seeded(seed)
    with joined() as here:
        opened = {ref: artifact.open(inputs[ref], kind=_kinds(config, ref)) for ref in inputs}
        kind = stages.STAGES[config.kind].makes
        if here.leads:
            with artifact.writing(directory, kind=kind, config=resolved(config), parents=opened, seed=seed) as draft:
                barrier()  # the scratch directory is there
                stages.run(config, opened, draft, seed=seed)
        else:
            barrier()
            if stages.STAGES[config.kind].parallel:
                stages.run(config, opened, artifact.following(directory), seed=seed)
        barrier()  # the artifact is there
        return artifact.open(directory, kind=kind)


def _kinds(config: StageConfig, name: str) -> list[Any]:
    return [kind for ref in refs(config) if ref == name for kind in ref.kinds]
