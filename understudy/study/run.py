"""A study from a recipe on disk to its tables: added to the recipe, planned, run and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from understudy import recipe as recipes
from understudy.config import refs
from understudy.jobs.run import run_jobs
from understudy.recipe import Planned, Recipe
from understudy.study.parts import FOLDER, Parts, read_parts
from understudy.study.tables import Table, markdown, write

__all__ = ["Derived", "Findings", "Study", "derive", "folder", "run"]


@dataclass(frozen=True)
class Findings:
    """What a study found: tables, what must be said of them, anything more for `table.json`, and figures (SVG) by file name."""

    tables: Sequence[Table]
    notes: Sequence[str] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """Stages to add to a recipe, by name, and what is read from the artifacts once they are there.

    wanted: stages whose artifacts are read; all that they need is made.
    """

    name: str
    title: str
    stages: Mapping[str, Mapping[str, Any]]
    wanted: Sequence[str]
    read: Callable[[Recipe], Findings]


@dataclass(frozen=True)
class Derived:
    """A study and the recipe that it made of the user's; `names` are the stages that it needs."""

    study: Study
    recipe: Recipe
    names: Sequence[str]

    def plan(self) -> list[Planned]:
        """What a run would do; see `recipe.plan`."""
        return recipes.plan(self.recipe, only=self.names)


def derive(path: Path, overrides: Sequence[str], make: Callable[[Recipe, Parts], Study]) -> Derived:
    """The recipe at `path` with the stages of a study. Raises RecipeError where the recipe lacks a part of it."""
    base = recipes.load(path, overrides)
    study = make(base, read_parts(base))
    recipe = recipes.load(path, overrides, more=study.stages)
    return Derived(study, recipe, needed(recipe, study.wanted))


def needed(recipe: Recipe, wanted: Sequence[str]) -> list[str]:
    """`wanted` and every stage that they are made from, in the order of the recipe."""
    found: set[str] = set()

    def visit(name: str) -> None:
        if name in recipe.stage and name not in found:
            found.add(name)
            for ref in refs(recipe.stage[name]):
                visit(str(ref))

    for name in wanted:
        visit(name)
    return [name for name in recipe.stage if name in found]


def folder(recipe: Recipe, study: str) -> Path:
    """Where the tables of a study stand."""
    return recipe.artifacts / FOLDER / study


def run(derived: Derived, *, jobs: int = 1, on_start: Callable[[Planned], None] = lambda planned: None) -> str | None:
    """Make what is not up to date, write `table.md` and `table.json`, and return the page; None on ranks that do not lead.

    jobs: stages at a time; see `run_jobs`.

    A run that is cut off goes on where it was, like that of any recipe.
    """
    done = run_jobs(derived.recipe, jobs, only=derived.names, on_start=on_start)
    if not done:
        return None
    study = derived.study
    found = study.read(derived.recipe)
    page = markdown(study.title, found.tables, found.notes)
    content: dict[str, Any] = {"study": study.name, "title": study.title, "notes": list(found.notes)}
    content |= {"tables": [table.to_json() for table in found.tables], **found.more}
    write(folder(derived.recipe, study.name), page, content, found.figures)
    return page
