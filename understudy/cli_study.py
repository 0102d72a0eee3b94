"""The verbs of `understudy study`: each derives a recipe from a recipe, shows its plan or runs it, and prints the tables."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from understudy.cli_shared import JobsOption, announce, display, plan_table

if TYPE_CHECKING:
    from understudy.recipe import Recipe
    from understudy.study.parts import Parts
    from understudy.study.run import Study

__all__ = ["app"]

app = typer.Typer(help="The papers' tables over the models of a recipe.", no_args_is_help=True)


class PaperTable(StrEnum):
    """Tables of A that a recipe can be asked for."""

    FOUR = "4"
    FIVE = "5"
    SIZE = "size"


# Help is rich markup: a bracket that is to be read stands behind a backslash.
RecipeArgument = Annotated[Path, typer.Argument(help=r"A recipe with a table \[study], such as recipes/tiny.toml.")]
OverridesArgument = Annotated[list[str] | None, typer.Argument(help="KEY=VALUE, as for run.")]
SeedsOption = Annotated[int, typer.Option("--seeds", min=1, help="Seeds of every fine-tuning.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print the plan and do nothing.")]


@app.command()
def paper(
    recipe: RecipeArgument,
    overrides: OverridesArgument = None,
    table: Annotated[
        PaperTable, typer.Option("--table", help="4: intents and slots; 5: exact match; size: the size control.")
    ] = ...,  # type: ignore[assignment]
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="Of table 5: scratch, foreign, stage1, stage2, assistant or student.")
    ] = None,
    seeds: SeedsOption = 1,
    jobs: JobsOption = 1,
    dry_run: DryRunOption = False,
) -> None:
    """Fine-tune the recipe's encoders alike and compare them, as tables 4 and 5 of A and its size control do."""
    from understudy.errors import RecipeError
    from understudy.study.paper import size_control, table_4, table_5

    if baseline is not None and table is not PaperTable.FIVE:
        raise RecipeError("only table 5 has a choice of baselines", where="--baseline", got=baseline)

    def make(found: Recipe, parts: Parts) -> Study:
        if table is PaperTable.FIVE:
            return table_5(found, parts, seeds=seeds, baseline=baseline)
        return (table_4 if table is PaperTable.FOUR else size_control)(found, parts, seeds=seeds)

    _study(recipe, overrides, make, jobs=jobs, dry_run=dry_run)


@app.command("transfer-sets")
def transfer_sets(
    recipe: RecipeArgument,
    overrides: OverridesArgument = None,
    proportions: Annotated[
        list[str] | None, typer.Option("--proportions", help="GENERIC:TASK, of tokens; 100:0 70:30 30:70 0:100 by default.")
    ] = None,
    seeds: SeedsOption = 1,
    jobs: JobsOption = 1,
    dry_run: DryRunOption = False,
) -> None:
    """Distil students from general text and utterances in varying proportions, and see where the task's own text helps (B)."""
    from understudy.study import transfer

    # An option takes one word; those that follow it would pass for overrides.
    further = [word for word in overrides or [] if proportions and "=" not in word]
    chosen = [*(proportions or transfer.PROPORTIONS), *further]
    others = [word for word in overrides or [] if word not in further]
    _study(
        recipe,
        others,
        lambda r, parts: transfer.transfer_sets(r, parts, proportions=chosen, seeds=seeds),
        jobs=jobs,
        dry_run=dry_run,
    )


@app.command()
def validation(
    recipe: RecipeArgument,
    overrides: OverridesArgument = None,
    of: Annotated[str, typer.Option("--of", help="Whose checkpoints: stage1, stage2, assistant or student.")] = "stage1",
    xnli: Annotated[str | None, typer.Option("--xnli", help="A stage of kind xnli to be done like, for the score.")] = None,
    seeds: SeedsOption = 1,
    jobs: JobsOption = 1,
    dry_run: DryRunOption = False,
) -> None:
    """Set perplexity and noun filling of an encoder's checkpoints beside what comes of fine-tuning them (A figure 2)."""
    from understudy.study import validation as study

    _study(
        recipe, overrides, lambda r, parts: study.validation(r, parts, of=of, xnli=xnli, seeds=seeds), jobs=jobs, dry_run=dry_run
    )


@app.command()
def claims(
    recipe: RecipeArgument,
    overrides: OverridesArgument = None,
    budgets: Annotated[
        list[str] | None,
        typer.Option(
            "--budgets", help="Percent of the labels that are learned from; 1 5 20 100 by default, none for --zero-shot alone."
        ),
    ] = None,
    zero_shot: Annotated[
        str | None, typer.Option("--zero-shot", help="A locale, such as en-US: learn from it alone too, and score the others.")
    ] = None,
    only: Annotated[str | None, typer.Option("--claims", help="Some of them, by name, with commas: hidden,noise.")] = None,
    seeds: SeedsOption = 3,
    jobs: JobsOption = 1,
    dry_run: DryRunOption = False,
) -> None:
    """See which of the papers' claims hold here: both arms of each, fine-tuned alike at several label budgets, and what parts them."""
    from understudy.study import claims as study

    # An option takes one word; those that follow it would pass for overrides.
    further = [word for word in overrides or [] if budgets and "=" not in word]
    chosen = [*(budgets or study.BUDGETS), *further]
    percents = [] if chosen == ["none"] else chosen
    others = [word for word in overrides or [] if word not in further]
    names = [name.strip() for name in only.split(",")] if only else []
    _study(
        recipe,
        others,
        lambda r, parts: study.claims(r, parts, percents=percents, zero_shot=zero_shot, only=names, seeds=seeds),
        jobs=jobs,
        dry_run=dry_run,
    )


def _study(path: Path, overrides: list[str] | None, make: Callable[[Recipe, Parts], Study], *, jobs: int, dry_run: bool) -> None:
    from understudy.study import run

    derived = run.derive(path, overrides or [], make)
    if dry_run:
        display(plan_table(derived.plan()))
        return
    page = run.run(derived, jobs=jobs, on_start=announce)
    if page is not None:
        typer.echo(page)
        typer.echo(f"tables: {run.folder(derived.recipe, derived.study.name) / 'table.md'}")
