"""The verbs that run one stage on explicit paths, without a recipe."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from understudy.cli_shared import SeedOption, display, print_report

__all__ = ["add_stage_verbs", "job"]

tokenizer_app = typer.Typer(help="Train a vocabulary, or search for its size.", no_args_is_help=True)

OutArgument = Annotated[Path, typer.Argument(help="Directory to write the artifact to.")]
SettingsArgument = Annotated[list[str] | None, typer.Argument(help="KEY=VALUE, as in a recipe; inputs are paths of artifacts.")]


def add_stage_verbs(app: typer.Typer, evaluate_app: typer.Typer) -> None:
    """Add a command for each stage kind to `app`, those that measure to `evaluate_app`."""
    _stage_verb(app, "corpus", "corpus", "Read, count, sample and convert text.")
    _stage_verb(app, "labels", "labels", "Read labelled utterances.")
    _stage_verb(app, "nouns", "nouns", "Collect sentences with a noun for encoders to guess.")
    app.add_typer(tokenizer_app, name="tokenizer")
    _stage_verb(app, "shards", "shards", "Tokenise and mix corpora.")
    _stage_verb(app, "adopt", "adopt", "Make a masked language model from Hugging Face a teacher.")
    _stage_verb(app, "pretrain", "pretrain", "Pretrain an encoder by masked language modelling.")
    _stage_verb(app, "listen", "listen", "Keep a teacher's predictions on disk, for students to learn from.")
    _stage_verb(app, "distill", "distill", "Distil an encoder from teachers.")
    _stage_verb(app, "finetune", "finetune", "Fine-tune an encoder for intents and slots.")
    _stage_verb(app, "export", "export", "Export a fine-tuned model to a runtime.")
    _stage_verb(evaluate_app, "report", "evaluate", "Compare models and write a report.")
    _stage_verb(evaluate_app, "domains", "domains", "Score models by domain, and how like general text each domain is.")
    _stage_verb(evaluate_app, "masked-lm", "masked-lm", "Perplexity and noun filling of encoders, before any fine-tuning.")
    _stage_verb(evaluate_app, "xnli", "xnli", "Fine-tune on pairs of sentences in one language and test in others.")


def job() -> None:
    """Run one stage, told on stdin by the process that planned it: what `--jobs` starts."""
    from understudy.jobs.process import work

    work()


def _stage_verb(group: typer.Typer, verb: str, kind: str, what: str) -> None:
    """Add a command that runs one stage kind on explicit paths."""

    @group.command(name=verb, help=f"{what} Settings are those of the stage kind '{kind}' in a recipe.")
    def command(out: OutArgument, settings: SettingsArgument = None, seed: SeedOption = 0) -> None:
        _make(kind, settings or [], out, seed)


_stage_verb(tokenizer_app, "train", "tokenizer", "Train a vocabulary.")


@tokenizer_app.command()
def search(
    out: OutArgument,
    baseline: Annotated[Path, typer.Option("--baseline", help="A tokenizer.json, a SentencePiece .model, or a folder with one.")],
    settings: SettingsArgument = None,
    seed: SeedOption = 0,
) -> None:
    """Grow a vocabulary, up to vocab_size, until it fits held-out text as well as a baseline tokenizer does.

    Settings are those of the stage kind 'tokenizer' in a recipe, such as corpus=DIR vocab_size=150000 search.tolerance=0.02.
    """
    _make("tokenizer", [f"search.baseline={json.dumps(str(baseline))}", *(settings or [])], out, seed)


def _make(kind: str, settings: Sequence[str], out: Path, seed: int) -> None:
    """Run one stage on explicit paths and say what came out."""
    from understudy import artifact, stages
    from understudy import recipe as recipes
    from understudy.config import refs
    from understudy.errors import ArtifactError
    from understudy.evaluation.summary import search_table
    from understudy.toml import override

    config = stages.parse_stage(override({"kind": kind}, settings), where=kind)
    there = artifact.peek(out)
    if there is not None and there.kind != (wanted := stages.STAGES[kind].makes):
        hint = "Choose another directory or move it away"
        raise ArtifactError("an artifact of another kind stands here", where=out, got=there.kind, wanted=wanted, hint=hint)
    made = recipes.run_stage(config, {str(r): Path(r) for r in refs(config)}, out, seed=seed)
    if made.kind == "report":
        print_report(made)
        return
    if (table := made.path / "search.json").exists():
        display(search_table(json.loads(table.read_text(encoding="utf-8"))))
    typer.echo(f"{made.path}  {made.kind} {made.hash[:12]}")
