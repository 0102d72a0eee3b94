"""What several verbs of the command line share: options, the model that parses, and what is printed of a run."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from understudy.artifact import Artifact
    from understudy.interpretation import Parser
    from understudy.recipe import Planned

__all__ = ["FormatOption", "JsonOption", "ModelOption", "PartitionOption", "SeedOption", "announce", "parser_at", "print_report"]

ModelOption = Annotated[Path, typer.Option("--model", help="Directory of a runtime, or of a fine-tuned model.")]
FormatOption = Annotated[str, typer.Option("--format", help="massive, bio, seq, rasa, spans or auto.")]
PartitionOption = Annotated[str, typer.Option("--partition", help="The partition to score.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]


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


def print_report(report: Artifact) -> None:
    """Print a report's tables and where its page stands."""
    from understudy.evaluation.summary import summary

    console = Console()
    console.print(summary(json.loads((report.path / "report.json").read_text(encoding="utf-8"))))
    page = report.path / "report.html"
    console.print(f"\nreport: {page if page.exists() else page.with_suffix('.json')}", soft_wrap=True, highlight=False)
