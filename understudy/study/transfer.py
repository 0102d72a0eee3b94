"""The transfer-set study: one teacher, students distilled from general text and utterances in varying proportions (B)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from understudy.corpus.shards import ShardsConfig
from understudy.errors import RecipeError
from understudy.recipe import Recipe
from understudy.study.paper import report_of
from understudy.study.parts import FOLDER, Parts, Stages, only_corpus, settings, stage_of
from understudy.study.run import Findings, Study
from understudy.study.tables import Correlation, Table, absolute, change, correlated, correlation, locales
from understudy.training.distill import OWN, DistillConfig

__all__ = ["PROPORTIONS", "correlations", "gains", "proportion", "transfer_sets"]

NAME = "transfer-sets"
PROPORTIONS = ("100:0", "70:30", "30:70", "0:100")
GENERIC, TASK, ADAPTED, SCRATCH = "100:0", "0:100", "adapted 0:100", "scratch"
FIGURES = {
    "domain_accuracy": "domain accuracy",
    "intent_accuracy": "intent accuracy",
    "slot_f1": "slot F1",
    "exact_match": "exact match",
    "semer": "SemER",
}
MEASURES = {"divergence": "Jensen-Shannon divergence", "perplexity": "teacher's pseudo-perplexity"}
GAINED = ("domain_accuracy", "intent_accuracy", "slot_f1", "exact_match")


def transfer_sets(recipe: Recipe, parts: Parts, *, proportions: Sequence[str] = PROPORTIONS, seeds: int = 1) -> Study:
    """Students of one shape, distilled with equally many updates from the stage 1 teacher, each on another transfer set; one
    from the stage 2 teacher on utterances alone; and the twin without any of it.

    proportions: of tokens, general text to utterances, such as "70:30".
    """
    student, teacher, adapted, generic, task = parts.need("student", "stage1", "stage2", "generic", "task")
    made = Stages(recipe, parts, seeds=seeds)
    sets = {arm: _shards(made, arm, generic, task) for arm in dict.fromkeys([*map(_named, proportions), TASK])}
    models = {SCRATCH: made.twin()}
    for arm in dict.fromkeys(map(_named, proportions)):
        models[arm] = _arm(made, arm, student, teacher, sets[arm])
    models[ADAPTED] = _arm(made, ADAPTED, student, adapted, sets[TASK])
    report = made.evaluated(f"{FOLDER}/{NAME}/report", models, baseline=SCRATCH)
    corpus = only_corpus(stage_of(recipe, generic, ShardsConfig).mix, where=generic)["corpus"]
    domains = made.by_domain(f"{FOLDER}/{NAME}/domains", models, generic=corpus, teacher=teacher)
    return Study(
        NAME,
        "Transfer sets",
        made.added,
        [report, domains],
        lambda found: _read(found, report, domains, steps(made, student), seeds, made.twin_apart()),
    )


def proportion(text: str) -> tuple[float, float]:
    """Parts of general text and utterances of "70:30". Raises RecipeError for anything else."""
    try:
        generic, task = (float(part) for part in text.split(":"))
    except ValueError:
        generic = task = -1.0
    if not (0 <= generic < float("inf") and 0 <= task < float("inf") and generic + task > 0):
        raise RecipeError("a proportion is GENERIC:TASK", where="--proportions", got=text, wanted="for example 70:30")
    return generic, task


def _named(text: str) -> str:
    """One name for equal proportions: "7:3" is "70:30"."""
    generic, task = proportion(text)
    whole = generic + task
    return f"{100 * generic / whole:.4g}:{100 * task / whole:.4g}"


def _shards(made: Stages, arm: str, generic: str, task: str) -> str:
    """The transfer set of an arm: the two corpora as their own shards have them, in proportion of tokens."""
    base = stage_of(made.recipe, task, ShardsConfig)
    other = stage_of(made.recipe, generic, ShardsConfig)
    if (base.tokenizer, base.max_length) != (other.tokenizer, other.max_length):
        raise RecipeError(
            "shards to be mixed are of one tokenizer and length",
            where=f"stage.{generic}",
            got=f"{other.tokenizer}, {other.max_length} tokens",
            wanted=f"{base.tokenizer}, {base.max_length} tokens, as {task}",
        )
    corpora = [only_corpus(config.mix, where=name) for config, name in ((other, generic), (base, task))]
    mix = [{**corpus, "parts": part} for corpus, part in zip(corpora, proportion(arm), strict=True) if part]
    if len(mix) == 1:  # as its own shards are, so that they are made once
        return made.add(f"{FOLDER}/{NAME}/{_plain(arm)}-tokens", settings(base) | {"mix": [{**mix[0], "parts": 1.0}]})
    return made.add(f"{FOLDER}/{NAME}/{_plain(arm)}-tokens", settings(base) | {"mix": mix, "by": "tokens"})


def _arm(made: Stages, arm: str, student: str, teacher: str, shards: str) -> str:
    """A student distilled on a transfer set, and fine-tuned."""
    config = stage_of(made.recipe, student, DistillConfig)
    if config.model is None:
        raise RecipeError("students of a study begin anew", where=f"stage.{student}.init", got=config.init, wanted="'model'")
    table = {key: value for key, value in settings(config).items() if key != "layer_map"}
    own = {key: value for key, value in table["teachers"][-1].items() if key in OWN and key != "data"}
    name = f"{FOLDER}/{NAME}/{_plain(arm)}"
    encoder = made.add(name, table | {"data": shards, "teachers": [own | {"use": teacher, "steps": steps(made, student)}]})
    return made.finetuned(encoder, name=f"{name}-nlu")


def steps(made: Stages, student: str) -> int:
    """Updates of every student: what the recipe says, else as many as its own student's turns together."""
    config = stage_of(made.recipe, student, DistillConfig)
    return made.parts.steps or sum(turn.steps for turn in config.teachers)


def _plain(arm: str) -> str:
    """An arm as the name of a stage."""
    return arm.replace(":", "-").replace(" ", "-").replace(".", "_")


def _read(recipe: Recipe, report_name: str, domains_name: str, updates: int, seeds: int, apart: Sequence[str]) -> Findings:
    report = report_of(recipe, report_name)
    found = json.loads((recipe.directory(domains_name) / "domains.json").read_text(encoding="utf-8"))
    tables = [_arms(report), _by_locale(report), *(_by_domain(found, figure) for figure in FIGURES)]
    notes = [
        f"Every student takes {updates:,} updates of equally many tokens; proportions are of tokens, general text : utterances. "
        f"{'One seed' if seeds == 1 else f'{seeds} seeds'} of fine-tuning, one of distillation.",
        "A domain's scores are over the utterances of all locales; domain accuracy is then its recall. Intent, slots and both "
        "together (exact match, SemER) are ICNER.",
        *apart,
    ]
    more: dict[str, Any] = {"domains": found["domains"]}
    if {GENERIC, TASK} <= set(found["models"]):
        gained = gains(found["domains"])
        between = correlations(found["domains"], gained)
        tables += [_similarity(found["domains"], gained), _correlations(between)]
        notes.append(
            f"The gain of a domain is what {TASK} has above {GENERIC}, in points. A correlation over domains says what goes "
            f"together among {len(gained)} of them, not why; p-values are two-sided and not corrected for being several."
        )
        more |= {"gains": gained, "correlations": {m: {f: vars(c) for f, c in of.items()} for m, of in between.items()}}
    return Findings(tables, notes, more)


def _arms(report: Mapping[str, Any]) -> Table:
    columns = tuple(FIGURES.values())
    rows = [
        (name, *(absolute(model, "mean", figure) for figure in FIGURES), change(report, name, "mean", "exact_match"))
        for name, model in report["models"].items()
    ]
    against = f"exact match error vs {report['baseline']}, %"
    return Table(
        "Students by transfer set, mean over locales, %", ("transfer set", *columns, against), tuple(rows), signed=(against,)
    )


def _by_locale(report: Mapping[str, Any]) -> Table:
    models = report["models"]
    rows = [(locale, *(absolute(model, locale, "exact_match") for model in models.values())) for locale in locales(report)]
    return Table("Exact match by locale, %", ("locale", *models), tuple(rows))


def _by_domain(found: Mapping[str, Any], figure: str) -> Table:
    models = found["models"]
    rows = [
        (domain, float(of["n"]), *(absolute({"mean": of["models"][m], "sd": _sd(of, m)}, "mean", figure) for m in models))
        for domain, of in found["domains"].items()
    ]
    return Table(f"{FIGURES[figure][0].upper()}{FIGURES[figure][1:]} by domain, %", ("domain", "n", *models), tuple(rows))


def _sd(domain: Mapping[str, Any], model: str) -> dict[str, Any] | None:
    return {"mean": domain["sd"][model]} if model in domain["sd"] else None


def gains(domains: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """What a domain gains, in points of each figure, when the transfer set is of utterances alone instead of general text alone."""
    return {
        domain: {figure: _difference(of["models"][TASK][figure], of["models"][GENERIC][figure]) for figure in GAINED}
        for domain, of in domains.items()
    }


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else round(a - b, 4)


def correlations(
    domains: Mapping[str, Mapping[str, Any]], gained: Mapping[str, Mapping[str, float | None]]
) -> dict[str, dict[str, Correlation]]:
    """Over domains: of how unlike general text a domain is, by each measure, with what it gains in each figure."""
    return {
        measure: {
            figure: correlation([(of.get(measure), gained[domain][figure]) for domain, of in domains.items()])
            for figure in GAINED
        }
        for measure in MEASURES
    }


def _similarity(domains: Mapping[str, Mapping[str, Any]], gained: Mapping[str, Mapping[str, float | None]]) -> Table:
    columns = tuple(f"gain in {FIGURES[figure]}" for figure in GAINED)
    rows = [
        (domain, float(of["train"]), *(of.get(measure) for measure in MEASURES), *(gained[domain][figure] for figure in GAINED))
        for domain, of in domains.items()
    ]
    title = "How unlike general text a domain's train utterances are, and what it gains from utterances"
    return Table(title, ("domain", "n", *MEASURES.values(), *columns), tuple(rows), digits=3, signed=columns)


def _correlations(found: Mapping[str, Mapping[str, Correlation]]) -> Table:
    each = {f"{MEASURES[m]} and gain in {FIGURES[figure]}": one for m, of in found.items() for figure, one in of.items()}
    return correlated("Does dissimilarity go with the gain?", each)
