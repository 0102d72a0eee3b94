"""The verbs of `understudy experiment`: plan one, simulate one, and tell what came of one."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from understudy.cli_shared import FormatOption, JsonOption, PartitionOption, SeedOption, parser_at

if TYPE_CHECKING:
    from understudy.experiment.offline import Offline
    from understudy.interpretation import Interpretation
    from understudy.serving.trial import Trial

__all__ = ["EventsOption", "ExperimentOption", "app", "trial_of"]

app = typer.Typer(help="Experiments on users that decide a launch.", no_args_is_help=True)

ExperimentOption = Annotated[
    Path | None, typer.Option("--experiment", help="Settings of an experiment that splits users between the models.")
]
EventsOption = Annotated[Path | None, typer.Option("--events", help="The experiment's log.")]


@app.command()
def plan(
    baseline: Annotated[float, typer.Option("--baseline", help="The baseline's dissatisfaction rate, such as 0.12.")],
    effect: Annotated[float, typer.Option("--effect", help="Relative change to be found, such as -0.04 or 0.04.")],
    power: Annotated[float, typer.Option("--power", help="Probability of finding it.")] = 0.8,
    alpha: Annotated[float, typer.Option("--alpha", help="Probability of finding one that is not there.")] = 0.05,
    share: Annotated[float, typer.Option("--share", help="Share of users that get the candidate.")] = 0.5,
    requests: Annotated[
        float, typer.Option("--requests-per-user", help="Requests of one user in the whole experiment, in the mean.")
    ] = 10.0,
    spread: Annotated[float, typer.Option("--spread", help="Their standard deviation over users, in means.")] = 1.0,
    correlation: Annotated[float, typer.Option("--correlation", help="Of the outcomes of two requests of one user.")] = 0.1,
    users_per_day: Annotated[
        float | None, typer.Option("--users-per-day", help="Users that come into the experiment anew each day.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell how many users and days an experiment needs."""
    from understudy.experiment import power as powers

    found = powers.plan(
        baseline, effect, power=power, alpha=alpha, share=share, requests=requests, spread=spread, correlation=correlation,
        users_per_day=users_per_day,
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(found._asdict(), indent=2))
        return
    days = "" if found.days is None else f", {found.days:,} days"
    typer.echo(f"{found.users:,} users ({found.candidate_users:,} with the candidate), {found.requests:,} requests{days}")
    typer.echo(f"design effect {found.design_effect:.2f}: so many times more requests than if users' requests were independent")


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Where the event log is to stand.")],
    baseline: Annotated[Path, typer.Option("--baseline", help="A runtime or nlu artifact.")],
    candidate: Annotated[Path, typer.Option("--candidate", help="A runtime or nlu artifact.")],
    labels: Annotated[Path, typer.Option("--labels", help="A labels artifact, or a labelled file or folder.")],
    partition: PartitionOption = "dev",
    format: FormatOption = "auto",
    users: Annotated[int, typer.Option("--users", help="How many.")] = 1000,
    days: Annotated[int, typer.Option("--days", help="From the start on.")] = 14,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of what else is to be known of the users; may be given again.")
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Write the event log of users that never were, who speak labelled utterances to two models."""
    from understudy.config import parse
    from understudy.experiment import simulate as simulation
    from understudy.experiment.offline import read_gold
    from understudy.toml import override

    config = parse(simulation.SimulateConfig, override({"users": users, "days": days}, settings or []), where="simulate")
    simulation.free(out)  # before the models work for minutes
    gold = read_gold(labels, format=format, partition=partition)
    true = simulation.simulate(gold, *_answers(gold, baseline, candidate), out, config, seed=seed)
    typer.echo("\n".join([f"{key}: {value}" for key, value in true.items()] + [f"log: {out}"]))


@app.command()
def analyse(
    log: Annotated[Path, typer.Argument(help="An event log.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for page, JSON and plots; LOG.analysis by default.")
    ] = None,
    arm: Annotated[
        str | None, typer.Option("--arm", help="Which arm to compare with the baseline, where there are several.")
    ] = None,
    head: Annotated[int, typer.Option("--head", min=0, help="Most frequent utterances of a locale that are not its tail.")] = 500,
    labels: Annotated[Path | None, typer.Option("--labels", help="Labelled data for both models' SemER, beside.")] = None,
    baseline: Annotated[Path | None, typer.Option("--baseline", help="The baseline, for SemER.")] = None,
    candidate: Annotated[Path | None, typer.Option("--candidate", help="The candidate, for SemER.")] = None,
    partition: PartitionOption = "dev",
    format: FormatOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Tell what an experiment says: dissatisfaction of a candidate's users against a baseline's, with its doubt."""
    from understudy.errors import RecipeError
    from understudy.experiment import analysis, events, page

    if len({labels is None, baseline is None, candidate is None}) > 1:
        raise RecipeError(
            "SemER needs labels and both models", wanted="--labels DIR --baseline DIR --candidate DIR, or none of them"
        )
    found = analysis.analyse(events.read(log), candidate=arm, head=head)
    offline = None
    if labels is not None and baseline is not None and candidate is not None:
        offline = _offline(labels, baseline, candidate, format=format, partition=partition)
    folder = out or log.with_name(f"{log.name}.analysis")
    text = page.write(folder, found, offline)
    if as_json:
        typer.echo(json.dumps(page.content(found, offline), ensure_ascii=False, indent=2))
        return
    typer.echo(text)
    typer.echo(f"page: {folder / 'analysis.md'}")


def _offline(labels: Path, baseline: Path, candidate: Path, *, format: str, partition: str) -> Offline:
    from understudy.experiment.offline import offline, read_gold

    gold = read_gold(labels, format=format, partition=partition)
    return offline(gold, *_answers(gold, baseline, candidate))


def _answers(
    gold: Sequence[Interpretation], baseline: Path, candidate: Path
) -> tuple[list[Interpretation], list[Interpretation]]:
    """What both models make of labelled utterances."""
    from understudy.interpretation import parse

    return parse(parser_at(baseline), gold), parse(parser_at(candidate), gold)


def trial_of(experiment: Path | None, events: Path | None, served: Collection[str]) -> Trial | None:
    """The experiment that `understudy serve` is asked for, if it is. Raises RecipeError for half of one."""
    if experiment is None and events is None:
        return None
    from understudy.errors import RecipeError
    from understudy.experiment.log import begin

    if experiment is None or events is None:
        got = "--experiment alone" if events is None else "--events alone"
        raise RecipeError("an experiment has settings and a log", got=got, wanted="--experiment FILE --events FILE, or neither")
    return begin(experiment, events, served)
