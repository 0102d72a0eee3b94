"""Whether the papers' claims hold on a recipe's data: for each claim two arms that differ in one thing, at several label budgets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from understudy import artifact
from understudy.corpus.shards import ShardsConfig
from understudy.errors import RecipeError, nearest
from understudy.recipe import Recipe
from understudy.seeds import stages_of
from understudy.study.parts import FOLDER, Parts, Stages, only_corpus, settings, stage_of, unlike
from understudy.study.run import Study
from understudy.study.verdicts import Pair, Trial, read
from understudy.training.distill import DistillConfig
from understudy.training.finetune import FinetuneConfig
from understudy.training.pretrain import PretrainConfig

__all__ = ["BUDGETS", "CLAIMS", "Budget", "budgets", "claims"]

NAME = "claims"
BUDGETS = ("1", "5", "20", "100")
ZERO_SHOT = "zero-shot"
NOISE = {"asr": 0.1, "switch": 0.1}
_MISHEARD = ", misheard"  # of an arm: scored on noised utterances
# What two of the claims are about: no arm has it but theirs.
_CLAIMED = ("teacher", "unlabelled", "unlabelled_batch", "noise", "labels", "locales")


CLAIMS = (
    Pair("pretraining", "pretrained and distilled beats from scratch", "student", "scratch"),
    Pair("stage2", "stage 2 beats as much more general text", "stage2", "continued"),
    Pair("assistant", "through the assistant beats direct", "student", "direct"),
    Pair("transfer", "utterances beat general text", "student", "generic"),
    Pair("hidden", "hidden layers help", "student", "unmatched"),
    Pair("task", "task distillation helps", "taught", "student"),
    Pair("noise", "noised utterances help", "noised", "student"),
    Pair("misheard", "noised utterances help where users are misheard", "noised, misheard", "student, misheard"),
)


@dataclass(frozen=True)
class Budget:
    """What models are fine-tuned on. name: a part of stages' names. percent: of the labels, None where one locale's are learned
    from. settings: in place of the finetune stage's own. locale: the one that is learned from, and not scored."""

    name: str
    title: str
    percent: float | None
    settings: Mapping[str, Any]
    locale: str | None = None


def claims(
    recipe: Recipe,
    parts: Parts,
    *,
    percents: Sequence[str] = BUDGETS,
    zero_shot: str | None = None,
    only: Sequence[str] = (),
    seeds: int = 3,
) -> Study:
    """Both arms of every claim at every budget, each with so many seeds of fine-tuning, and the differences between them.

    percents: of labels, such as "5". zero_shot: a locale; the arms are then also fine-tuned on all labels of it alone, and scored
    on the other locales. only: names of claims, all by default.

    Raises RecipeError where a claim, a budget or the locale is unknown, or nothing is left to learn from.
    """
    chosen, learned = _chosen(only), budgets(parts, percents)
    if zero_shot is not None:
        learned.append(_zero_shot(recipe, parts, zero_shot))
    if not learned:
        raise RecipeError("no labels to learn from", where="--budgets", got="none", wanted="budgets, --zero-shot or both")
    made = Stages(recipe, parts, seeds=seeds)
    scored = list(dict.fromkeys(arm for claim in chosen for arm in (claim.arm, claim.against)))
    arms = list(dict.fromkeys(arm.removesuffix(_MISHEARD) for arm in scored))
    encoders = {arm: _encoder(made, arm) for arm in arms if arm not in _FINETUNED}
    trials = []
    for budget in learned:
        folder = f"{FOLDER}/{NAME}/{budget.name}"
        models = {arm: _finetuned(made, arm, encoders, budget, folder) for arm in arms}
        for arm in scored:
            model = arm.removesuffix(_MISHEARD)
            end, more = ("report", {}) if model == arm else ("misheard", {"noise": NOISE})
            # A report for each arm: they are made side by side, and stay up to date when other claims are asked about.
            report = made.evaluated(f"{folder}/{model}-{end}", {model: models[model]}, outcomes=True, **more)
            trials.append(Trial(arm, budget.title, budget.percent, report, tuple(models[model]), budget.locale))
    wanted = list(dict.fromkeys(trial.report for trial in trials))
    notes = _apart(made, encoders, learned) if {"scratch", "student"} <= set(arms) else []
    return Study(NAME, "The claims", made.added, wanted, lambda found: read(found, chosen, trials, parts.partition, seeds, notes))


def _apart(made: Stages, encoders: Mapping[str, str], learned: Sequence[Budget]) -> list[str]:
    return list(
        dict.fromkeys(
            said
            for budget in learned
            for said in unlike(*(_table(made, arm, encoders, budget) for arm in ("student", "scratch")))
        )
    )


def _chosen(only: Collection[str]) -> list[Pair]:
    known = [claim.name for claim in CLAIMS]
    for name in only:
        if name not in known:
            raise RecipeError(
                "there is no such claim",
                where="--claims",
                got=name,
                wanted=f"some of {', '.join(known)}",
                hint=nearest(name, known),
            )
    return [claim for claim in CLAIMS if not only or claim.name in only]


def budgets(parts: Parts, percents: Sequence[str]) -> list[Budget]:
    """Label budgets, from few labels to many. Raises RecipeError for one that is no percentage, here or in `[study]`."""
    own = {_percent(key, f"{FOLDER}.budgets"): table for key, table in parts.budgets.items() if key != ZERO_SHOT}
    return [
        Budget(f"{percent:g}".replace(".", "_"), f"{percent:g} %", percent, {**own.get(percent, {}), "labels": percent / 100})
        for percent in sorted({_percent(text, "--budgets") for text in percents})
    ]


def _percent(text: str, where: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0.001 <= found <= 100:
        raise RecipeError("a budget is a percentage of the labels", where=where, got=text, wanted="for example 5")
    return found


def _zero_shot(recipe: Recipe, parts: Parts, locale: str) -> Budget:
    # Where the labels are there, a locale that they do not have is told before hours of distillation, not after.
    config = stage_of(recipe, parts.need("finetune")[0], FinetuneConfig)
    manifest = artifact.peek(recipe.locate(config.data))
    known = manifest.metrics.get("locales", {}).get(config.partition, {}) if manifest else {}
    if known and locale not in known:
        raise RecipeError(
            "the labels have no such locale", where="--zero-shot", got=locale, wanted=f"one of {', '.join(known)}",
            hint=nearest(locale, known),
        )  # fmt: skip
    own = {**parts.budgets.get(ZERO_SHOT, {}), "locales": [locale]}
    return Budget(f"{ZERO_SHOT}-{locale}", f"{ZERO_SHOT} from {locale}", None, own, locale)


def _encoder(made: Stages, arm: str) -> str:
    """The encoder of an arm: what `[study]` names, a part of the recipe, or a stage made of one."""
    if named := getattr(made.parts.arms, arm):
        return str(named)
    if arm in ("student", "stage2", "assistant"):
        return made.parts.need(arm)[0]
    table = _ARMS[arm](made)
    return made.add(f"{FOLDER}/{NAME}/{arm}", table)


def _continued(made: Stages) -> dict[str, Any]:
    """Stage 2 on general text alone."""
    stage1, stage2, generic = made.parts.need("stage1", "stage2", "generic")
    config = stage_of(made.recipe, stage2, PretrainConfig)
    if config.init != stage1:
        raise RecipeError("stage 2 goes on from stage 1", where=f"stage.{stage2}.init", got=config.init, wanted=stage1)
    return settings(config) | {"data": generic}


def _direct(made: Stages) -> dict[str, Any]:
    """The student with the stage 2 teacher in place of its own, and hidden layers evenly spread, for that teacher has others."""
    (teacher,) = made.parts.need("stage2")
    table = _student(made)
    table.pop("layer_map", None)
    return table | {"teachers": [_without(turn, "checkpoint") | {"use": teacher} for turn in table["teachers"]]}


def _generic(made: Stages) -> dict[str, Any]:
    (generic,) = made.parts.need("generic")
    table = _student(made)
    return table | {"data": generic, "teachers": [_without(turn, "data") for turn in table["teachers"]]}


def _unmatched(made: Stages) -> dict[str, Any]:
    table = _student(made)
    if not table.get("hidden"):
        raise RecipeError(
            "the student matches no hidden layers: there is nothing to leave out",
            where=f"stage.{made.parts.student}.hidden",
            got=table.get("hidden", 0),
            wanted="above 0",
            hint="Set it, or name the other claims with --claims",
        )
    return table | {"hidden": 0.0}


def _student(made: Stages) -> dict[str, Any]:
    (student,) = made.parts.need("student")
    return settings(stage_of(made.recipe, student, DistillConfig))


def _without(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {k: value for k, value in table.items() if k != key}


_ARMS = {"continued": _continued, "direct": _direct, "generic": _generic, "unmatched": _unmatched}
# Arms that have no encoder of their own.
_FINETUNED = ("scratch", "taught", "noised")


def _finetuned(made: Stages, arm: str, encoders: Mapping[str, str], budget: Budget, folder: str) -> list[str]:
    """The models of an arm, one for each seed."""
    name = f"{folder}/{arm}"
    table = _table(made, arm, encoders, budget)
    if arm == "taught":
        return _taught(made, table, budget, folder)
    if arm == "noised":
        table |= {"noise": NOISE}
        if table.get("steps") is None:  # an epoch passes over the copies too
            table["epochs"] = table.get("epochs", FinetuneConfig.model_fields["epochs"].default) / 2
    return stages_of(made.add(name, table, seeds=made.seeds), made.seeds)


def _table(made: Stages, arm: str, encoders: Mapping[str, str], budget: Budget) -> dict[str, Any]:
    """The finetune stage of an arm, but for what its claim is about."""
    if arm == "scratch":
        return _told(made.twinned(), budget)
    return _told(made.finetuning(encoders[arm] if arm in encoders else _encoder(made, "student")), budget)


def _told(table: Mapping[str, Any], budget: Budget) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in _CLAIMED} | dict(budget.settings)


def _taught(made: Stages, table: Mapping[str, Any], budget: Budget, folder: str) -> list[str]:
    """The student taught by the assistant, which was fine-tuned alike: each seed by the same seed, which had the same labels."""
    (task,) = made.parts.need("task")
    corpus = only_corpus(stage_of(made.recipe, task, ShardsConfig).mix, where=task)["corpus"]
    theirs = _told(made.finetuning(_encoder(made, "assistant")), budget)
    teachers = stages_of(made.add(f"{folder}/assistant", theirs, seeds=made.seeds), made.seeds)
    first = table.get("seed", made.recipe.seed)
    return [
        made.add(f"{folder}/taught-{number}", {**table, "teacher": teacher, "unlabelled": corpus, "seed": first + number})
        for number, teacher in enumerate(teachers)
    ]
