"""The command line: verbs that parse their arguments and call the library.

Errors meant for users are printed as one paragraph, with exit code 2. Only this and its sisters `cli_*.py` import inside
functions, so that `understudy parse` does not wait for torch.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from understudy.cli_experiment import EventsOption, ExperimentOption, trial_of
from understudy.cli_experiment import app as experiment_app
from understudy.cli_shared import (
    FormatOption,
    JobsOption,
    JsonOption,
    ModelOption,
    PartitionOption,
    announce,
    display,
    done_table,
    parser_at,
    plan_table,
    print_report,
)
from understudy.cli_stage import add_stage_verbs, job
from understudy.cli_study import app as study_app
from understudy.errors import DataError, UnderstudyError
from understudy.progress import LogHandler

__all__ = ["app", "main"]

app = typer.Typer(
    help="Distil small, fast language-understanding models; run, measure and serve them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
evaluate_app = typer.Typer(help="Measure a model.", no_args_is_help=True)
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(study_app, name="study")
app.add_typer(experiment_app, name="experiment")
app.command(hidden=True)(job)

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
        said = f"error: this command needs the package '{error.name}'. Install what it needs: pip install \".[train]\" in a clone of understudy."
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(said)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _version(asked: bool) -> None:
    if asked:
        from understudy import __version__

        typer.echo(f"understudy {__version__}")
        raise typer.Exit


@app.callback()
def _logging(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and errors.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
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
    jobs: JobsOption = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and do nothing.")] = False,
) -> None:
    """Run a recipe: skip what is up to date, resume what was cut off, make the rest."""
    from understudy import recipe as recipes
    from understudy.jobs.run import run_jobs

    loaded = recipes.load(recipe, overrides or [])
    if dry_run:
        planned = recipes.plan(loaded, only=only or [])
        display(plan_table(planned))
        for error in recipes.missing(planned):
            logging.getLogger(__name__).warning("%s", error)
        return
    done = run_jobs(loaded, jobs, only=only or [], on_start=announce)
    if done:
        display(done_table(done))
    for item in done:
        if item.artifact.kind == "report":
            print_report(item.artifact)


@app.command()
def plan(
    recipe: Annotated[Path, typer.Argument(help="A recipe, such as recipes/paper/teacher-2.3b.toml.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="KEY=VALUE, as for run.")] = None,
    gpus: Annotated[int, typer.Option("--gpus", min=1, help="Number of GPUs, over all machines.")] = 1,
    gpu: Annotated[str, typer.Option("--gpu", help="h200, h100, a100-80g, a100-40g, l40s, a10g, l4, v100-32g or t4.")] = "h200",
    mfu: Annotated[
        float, typer.Option("--mfu", min=0.01, max=1, help="Share of the GPU's peak FLOP/s that training reaches.")
    ] = 0.4,
    as_json: JsonOption = False,
) -> None:
    """Estimate memory, FLOPs and hours of a recipe's training stages on GPUs, before anything runs."""
    from understudy import planner
    from understudy import recipe as recipes

    rows = planner.plan(recipes.load(recipe, overrides or []), gpus=gpus, gpu=gpu, mfu=mfu)
    if as_json:
        typer.echo(json.dumps([row.to_dict() for row in rows], indent=2))
    else:
        display(*planner.tables(rows, planner.GPUS[gpu]))


@app.command()
def show(path: Annotated[Path, typer.Argument(help="An artifact.")]) -> None:
    """Check every file of an artifact against its hash and print the manifest."""
    from understudy import artifact

    opened = artifact.open(path)
    typer.echo(opened.manifest.model_dump_json(by_alias=True, indent=2, exclude={"files"}))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="A folder with your utterances, labelled and not.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the recipe.")] = Path("recipe.toml"),
    lang: Annotated[
        str | None, typer.Option("--lang", help="Language of the data that does not say its own, such as de.")
    ] = None,
) -> None:
    """Look at a folder of data and write a commented recipe for it."""
    from understudy.corpus.scaffold import scaffold
    from understudy.corpus.survey import TO_FILL_IN

    found = scaffold(folder, out, lang=lang)
    riddles = [f.path for f in found if f.lang == TO_FILL_IN]
    if riddles:
        said = f"The language of {', '.join(riddles)} is not known. Write it into {out} in place of every {TO_FILL_IN}, or take the file "
        typer.echo("\n".join([*(f"  {f}" for f in found), f"wrote {out}. {said}away and say understudy init --lang CODE."]))
        return
    typer.echo("\n".join([*(f"  {f}" for f in found), f"wrote {out}; next: understudy run {out} --dry-run"]))


@app.command()
def parse(
    texts: Annotated[list[str] | None, typer.Argument(help="Utterances.", metavar="TEXT")] = None,
    model: ModelOption = ...,  # type: ignore[assignment]
    lang: LangOption = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="One utterance per line on stdin, one JSON object per line out.")
    ] = False,
) -> None:
    """Print the intent and slots of utterances."""
    from understudy.interpretation import check_lang, json_lines

    check_lang(lang)
    parser = parser_at(model)
    if jsonl:
        from understudy.text.stream import stdin_lines

        for line in json_lines(parser, stdin_lines(), lang, together=1 if sys.stdin.isatty() else 64):
            typer.echo(line)
        return
    if not texts:
        raise DataError("there is nothing to parse", wanted="TEXT arguments, or --jsonl with one utterance per line on stdin")
    from understudy.evaluation.summary import marked

    for interpretation in parser.batch(texts, [lang] * len(texts)):
        display(marked(interpretation.to_dict()))


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
    format: FormatOption = "auto",
    partition: PartitionOption = "dev",
    locale: Annotated[str | None, typer.Option("--locale", help="Of utterances that do not say theirs, such as de-DE.")] = None,
    hypotheses: Annotated[
        Path | None, typer.Option("--hypotheses", help="Also write each prediction as a JSON line here.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score intents and slots on labelled data, per locale and in the mean."""
    from understudy.evaluation.nlu import evaluate_folder
    from understudy.evaluation.summary import nlu_table

    found = evaluate_folder(model, data, format=format, partition=partition, locale=locale, hypotheses=hypotheses)
    report = found.to_json()
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        display(nlu_table({"": report}))


add_stage_verbs(app, evaluate_app)
