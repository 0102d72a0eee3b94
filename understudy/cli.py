"""The command line: verbs that parse their arguments and call the library.

Errors meant for users are printed as one paragraph, with exit code 2. Only this and its sisters `cli_*.py` import inside
functions, so that `understudy parse` does not wait for torch.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from understudy.cli_experiment import EventsOption, ExperimentOption, trial_of
from understudy.cli_experiment import app as experiment_app
from understudy.cli_study import app as study_app
from understudy.errors import DataError, UnderstudyError
from understudy.progress import LogHandler

if TYPE_CHECKING:
    from understudy.artifact import Artifact
    from understudy.interpretation import Parser
    from understudy.recipe import Planned

__all__ = ["app", "main"]

app = typer.Typer(
    help="Text in, a small and fast language-understanding model out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
evaluate_app = typer.Typer(help="Measure a model.", no_args_is_help=True)
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(study_app, name="study")
app.add_typer(experiment_app, name="experiment")

ModelOption = Annotated[Path, typer.Option("--model", help="A runtime or nlu artifact.")]
OutArgument = Annotated[Path, typer.Argument(help="Where the artifact is to stand.")]
SettingsArgument = Annotated[list[str] | None, typer.Argument(help="KEY=VALUE; inputs are paths of artifacts.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]
LangOption = Annotated[str | None, typer.Option("--lang", help="Language of the text, such as de.")]


def main() -> None:
    """Entry point of the `understudy` command."""
    try:
        app()
    except UnderstudyError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text.assemble(("error: ", "bold red"), str(error)))
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "understudy":
            raise
        said = f"error: this command needs the package '{error.name}'. Install what it needs: pip install \"understudy[train]\"."
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(said)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


@app.callback()
def _logging(quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and errors.")] = False) -> None:
    logging.basicConfig(level="WARNING" if quiet else "INFO", handlers=[LogHandler()])
    for noisy in ("httpx", "daft", "tracing", "torch", "onnxscript", "onnx_ir", "fontTools", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


@app.command()
def run(
    recipe: Annotated[Path, typer.Argument(help="A recipe, such as recipes/tiny.toml.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="KEY=VALUE, such as stage.teacher.steps=100 or artifacts=DIR.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Run only this stage; may be given again.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and do nothing.")] = False,
) -> None:
    """Run a recipe: skip what is up to date, resume what was cut off, make the rest."""
    from understudy import recipe as recipes

    loaded = recipes.load(recipe, overrides or [])
    if dry_run:
        Console().print(recipes.plan_table(recipes.plan(loaded, only=only or [])))
        return
    done = recipes.run(loaded, only=only or [], on_start=_announce)
    if done:
        Console().print(recipes.done_table(done))
    for item in done:
        if item.artifact.kind == "report":
            _print_report(item.artifact)


def _announce(planned: Planned) -> None:
    logging.getLogger("understudy").info("%s: %s", planned.name, "resuming" if planned.state == "resume" else "making")


def _print_report(report: Artifact) -> None:
    from understudy.evaluation.summary import summary

    console = Console()
    console.print(summary(json.loads((report.path / "report.json").read_text(encoding="utf-8"))))
    page = report.path / "report.html"
    console.print(f"\nreport: {page if page.exists() else page.with_suffix('.json')}", soft_wrap=True, highlight=False)


@app.command()
def plan(
    recipe: Annotated[Path, typer.Argument(help="A recipe, such as recipes/paper/teacher-2.3b.toml.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="KEY=VALUE, as for run.")] = None,
    gpus: Annotated[int, typer.Option("--gpus", min=1, help="How many, over all machines.")] = 1,
    gpu: Annotated[str, typer.Option("--gpu", help="h200, h100, a100-80g, a100-40g, l40s, a10g, l4, v100-32g or t4.")] = "h200",
    mfu: Annotated[float, typer.Option("--mfu", min=0.01, max=1, help="Share of its arithmetic that is reached.")] = 0.4,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell memory, arithmetic and time of a recipe's encoders on GPUs, before anything runs."""
    from understudy import planner
    from understudy import recipe as recipes

    rows = planner.plan(recipes.load(recipe, overrides or []), gpus=gpus, gpu=gpu, mfu=mfu)
    if as_json:
        typer.echo(json.dumps([row.to_dict() for row in rows], indent=2))
    else:
        Console().print(*planner.tables(rows, planner.GPUS[gpu]), sep="\n\n")


@app.command()
def show(path: Annotated[Path, typer.Argument(help="An artifact.")]) -> None:
    """Verify an artifact and print what it says of itself."""
    from understudy import artifact

    opened = artifact.open(path)
    typer.echo(opened.manifest.model_dump_json(by_alias=True, indent=2, exclude={"files"}))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="A folder with your utterances, labelled and not.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the recipe.")] = Path("recipe.toml"),
) -> None:
    """Look at a folder of data and write a commented recipe for it."""
    from understudy.corpus.scaffold import scaffold

    found = [line for line in scaffold(folder, out).splitlines() if line.startswith("#   ") and ": " in line]
    typer.echo("\n".join([*found, f"wrote {out}; next: understudy run {out} --dry-run"]))


@app.command()
def parse(
    texts: Annotated[list[str] | None, typer.Argument(help="Utterances.", metavar="[TEXT]...")] = None,
    model: ModelOption = ...,  # type: ignore[assignment]
    lang: LangOption = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="One utterance per line on stdin, one JSON object per line out.")
    ] = False,
) -> None:
    """Print the intent and slots of utterances."""
    parser = _parser(model)
    if jsonl:
        from understudy.interpretation import json_lines
        from understudy.text.stream import stdin_lines

        for line in json_lines(parser, stdin_lines(), lang, together=1 if sys.stdin.isatty() else 64):
            typer.echo(line)
        return
    if not texts:
        raise DataError("there is nothing to parse", wanted="TEXT arguments, or --jsonl with one utterance per line on stdin")
    from understudy.evaluation.summary import marked

    for interpretation in parser.batch(texts, [lang] * len(texts)):
        Console().print(marked(interpretation.to_dict()))


def _parser(path: Path) -> Parser:
    from understudy import artifact

    opened = artifact.open(path, kind=("runtime", "nlu"))
    if opened.kind == "runtime":
        from understudy.runtime.session import Runtime

        return Runtime.load(path)
    from understudy.model.nlu import Predictor

    return Predictor.load(path)


@app.command()
def spoken(
    lang: Annotated[str, typer.Option("--lang", help="Language of the text, such as de.")],
    both: Annotated[bool, typer.Option("--both", help="Print written and spoken form, with a tab between.")] = False,
) -> None:
    """Turn written text (stdin, line by line) into spoken form."""
    from understudy.text.spoken import convert
    from understudy.text.stream import stdin_lines, to_stdout

    to_stdout(convert(stdin_lines(), lang, both=both))


@app.command()
def serve(
    models: Annotated[list[str], typer.Option("--model", help="DIR, or NAME=DIR; may be given again.")],
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 if not given.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, 8080 if not given; 0 takes a free one.")] = None,
    experiment: ExperimentOption = None,
    events: EventsOption = None,
    settings: Annotated[list[str] | None, typer.Argument(help="KEY=VALUE, such as limits.wait_ms=50 or watch_s=10.")] = None,
) -> None:
    """Serve runtimes over HTTP."""
    from understudy.serving import process

    config = process.settings(settings or [], host=host, port=port)
    loaded = process.load_models(models)
    process.serve(loaded, config, trial=trial_of(experiment, events, loaded))


@evaluate_app.command()
def nlu(
    model: ModelOption,
    data: Annotated[Path, typer.Option("--data", help="A labelled file or folder.")],
    format: Annotated[str, typer.Option("--format", help="massive, bio, seq, rasa or auto.")] = "auto",
    partition: Annotated[str, typer.Option("--partition", help="The partition to score.")] = "dev",
    hypotheses: Annotated[
        Path | None, typer.Option("--hypotheses", help="Also write each prediction as a JSON line here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score intents and slots on labelled data, per locale and in the mean."""
    from understudy.evaluation.nlu import evaluate_folder
    from understudy.evaluation.summary import nlu_table

    report = evaluate_folder(model, data, format=format, partition=partition, hypotheses=hypotheses).to_json()
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        Console().print(nlu_table({"": report}))


def _make(kind: str, settings: Sequence[str], out: Path, seed: int) -> None:
    """Run one stage on explicit paths and say what came out."""
    from understudy import recipe as recipes
    from understudy import stages
    from understudy.config import override, refs
    from understudy.evaluation.summary import search_table

    config = stages.parse_stage(override({"kind": kind}, settings), where=kind)
    made = recipes.run_stage(config, {str(r): Path(r) for r in refs(config)}, out, seed=seed)
    if made.kind == "report":
        _print_report(made)
        return
    if (table := made.path / "search.json").exists():
        Console().print(search_table(json.loads(table.read_text(encoding="utf-8"))))
    typer.echo(f"{made.path}  {made.kind} {made.hash[:12]}")


def _stage_verb(group: typer.Typer, verb: str, kind: str, what: str) -> None:
    """Add a command that runs one stage kind on explicit paths."""

    @group.command(name=verb, help=f"{what} Settings are those of the stage kind '{kind}' in a recipe.")
    def command(out: OutArgument, settings: SettingsArgument = None, seed: SeedOption = 0) -> None:
        _make(kind, settings or [], out, seed)


tokenizer_app = typer.Typer(help="Tokenizers.", no_args_is_help=True)
app.add_typer(tokenizer_app, name="tokenizer")
_stage_verb(app, "corpus", "corpus", "Read, count, sample and convert text.")
_stage_verb(app, "labels", "labels", "Read labelled utterances.")
_stage_verb(app, "nouns", "nouns", "Take sentences with nouns for encoders to guess.")
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


_stage_verb(app, "shards", "shards", "Tokenise and mix corpora.")
_stage_verb(app, "adopt", "adopt", "Adopt a masked language model of Hugging Face's as a teacher.")
_stage_verb(app, "pretrain", "pretrain", "Pretrain an encoder by masked language modelling.")
_stage_verb(app, "listen", "listen", "Write down what a teacher says, for students to learn from.")
_stage_verb(app, "distill", "distill", "Distil an encoder from teachers.")
_stage_verb(app, "finetune", "finetune", "Fine-tune an encoder for intents and slots.")
_stage_verb(app, "export", "export", "Export a fine-tuned model to a runtime.")
_stage_verb(evaluate_app, "report", "evaluate", "Compare models and write a report.")
_stage_verb(evaluate_app, "xnli", "xnli", "Fine-tune on pairs of sentences in one language and test in others.")
