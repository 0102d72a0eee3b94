"""What several verbs of the command line share: options, the model that parses, and what is printed of a run."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, RenderableType
from rich.table import Table

from understudy.config import MAX_SEED

if TYPE_CHECKING:
    from understudy.artifact import Artifact
    from understudy.interpretation import Parser
    from understudy.recipe import Done, Planned

__all__ = [
    "FormatOption",
    "JobsOption",
    "JsonOption",
    "ModelOption",
    "PartitionOption",
    "SeedOption",
    "announce",
    "display",
    "done_table",
    "parser_at",
    "plan_table",
    "print_report",
]

ModelOption = Annotated[Path, typer.Option("--model", help="Directory of a runtime, or of a fine-tuned model.")]
FormatOption = Annotated[str, typer.Option("--format", help="massive, bio, seq, rasa, spans, table or auto.")]
PartitionOption = Annotated[str, typer.Option("--partition", help="The partition to score.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JobsOption = Annotated[
    int, typer.Option("--jobs", min=1, help="Stages at a time, each in a process of its own where there are more.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=MAX_SEED, help="Seed of everything random.")]

_UNBOUNDED = 1_000_000  # characters in a line


def parser_at(path: Path) -> Parser:
    """The model at `path`, a runtime or a fine-tuned model. Raises ArtifactError for anything else."""
    from understudy import artifact

    opened = artifact.open(path, kind=("runtime", "nlu"))
    if opened.kind == "runtime":
        from understudy.runtime.session import Runtime

        return Runtime.load(path)
    from understudy.model.nlu import Predictor

    return Predictor.load(path)


def announce(planned: Planned) -> None:
    """Say that a stage begins."""
    logging.getLogger("understudy").info("%s: %s", planned.name, "resuming" if planned.state == "resume" else "making")


def display(*shown: RenderableType) -> None:
    """Print tables and text, an empty line between them: as wide as the terminal or COLUMNS; in a file or a pipe, as wide as they are."""
    console = Console(markup=False)
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS", "").isdecimal():
        unbounded = console.options.update(width=_UNBOUNDED)
        console.width = max(console.width, *(console.measure(one, options=unbounded).maximum for one in shown))
    console.print(*shown, sep="\n\n")


def print_report(report: Artifact) -> None:
    """Print a report's tables and where its page stands."""
    from understudy.evaluation.summary import summary

    display(summary(json.loads((report.path / "report.json").read_text(encoding="utf-8"))))
    page = report.path / "report.html"
    typer.echo(f"\nreport: {page if page.exists() else page.with_suffix('.json')}")


def plan_table(planned: Sequence[Planned]) -> Table:
    """A plan for the eye: each stage with its kind, inputs, what it will do, and its state; a row for all seeds of a stage."""
    from understudy import seeds, stages

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("stage", "kind", "from", "what", "state"):
        table.add_column(column, overflow="fold")
    meaning = {"wait": "run if inputs change"}
    items = {item.name: item for item in planned}
    for title, names in seeds.grouped(items).items():
        first = items[names[0]]
        states = Counter(meaning.get(items[name].state, items[name].state) for name in names)
        said = ", ".join(state if len(states) == 1 else f"{n} {state}" for state, n in states.items())
        kind = first.config.kind
        table.add_row(title, kind, ", ".join(seeds.grouped(first.inputs)), stages.describe(first.config), said)
    return table


def done_table(done: Sequence[Done]) -> Table:
    """What a run made, for the eye: each stage with its seconds and its artifact; a row for all seeds of a stage."""
    from understudy import seeds

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("artifact", overflow="fold")
    items = {item.name: item for item in done}
    for title, names in seeds.grouped(items).items():
        made = [items[name].seconds for name in names if not items[name].skipped]
        where = seeds.braced([str(items[name].artifact.path) for name in names])
        table.add_row(title, f"{sum(made):.1f}" if made else "cached", where)
    return table
