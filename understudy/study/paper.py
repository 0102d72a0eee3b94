"""Tables 4 and 5 of A, and its size control, over the models of a recipe (A 3.2, 3.3, 3.4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from understudy.errors import RecipeError
from understudy.model.presets import shape
from understudy.recipe import Recipe
from understudy.study.parts import FOLDER, MODES, Parts, Stages, settings, stage_of
from understudy.study.run import Findings, Study
from understudy.study.tables import Table, absolute, change, locales, plain
from understudy.tokenizer.backend import SPECIALS
from understudy.training.distill import DistillConfig

__all__ = ["half", "report_of", "size_control", "table_4", "table_5"]

MODELS = ("stage1", "stage2", "assistant", "student")
SAYS = {"full": "Full fine-tuning", "frozen": "Frozen encoder"}


def table_4(recipe: Recipe, parts: Parts, *, seeds: int = 1) -> Study:
    """Teachers, assistant and student fine-tuned, encoder and all or heads alone, against the stage 1 teacher (A table 4)."""
    made, encoders = Stages(recipe, parts, seeds=seeds), parts.need(*MODELS)
    wanted = {}
    for mode in MODES:
        models = {part: made.finetuned(encoder, mode=mode) for part, encoder in zip(MODELS, encoders, strict=True)}
        wanted[mode] = made.evaluated(f"{FOLDER}/table-4/{mode}", models, baseline="stage1")

    def read(made_recipe: Recipe) -> Findings:
        tables = []
        for mode, name in wanted.items():
            report = report_of(made_recipe, name)
            tables += [_changes(report, SAYS[mode]), _absolutes(report, SAYS[mode])]
        return Findings(tables, [_said(parts, seeds)])

    return Study("table-4", "Intents and slots against the stage 1 teacher", made.added, list(wanted.values()), read)


def _changes(report: Mapping[str, Any], says: str) -> Table:
    models = [name for name in report["models"] if name != report["baseline"]]
    columns = [f"{model} {what}" for model in models for what in ("intent", "slots")]
    rows = [
        (locale, *(change(report, model, locale, figure) for model in models for figure in ("intent_accuracy", "slot_f1")))
        for locale in locales(report)
    ]
    title = f"{says}: change of error against {report['baseline']}, %, negative is better"
    return Table(title, ("locale", *columns), tuple(rows), signed=tuple(columns))


def _absolutes(report: Mapping[str, Any], says: str) -> Table:
    columns = [f"{model} {what}" for model in report["models"] for what in ("intent", "slots")]
    rows = [
        (locale, *(absolute(m, locale, figure) for m in report["models"].values() for figure in ("intent_accuracy", "slot_f1")))
        for locale in locales(report)
    ]
    return Table(f"{says}: intent accuracy and slot F1, %", ("locale", *columns), tuple(rows))


def table_5(recipe: Recipe, parts: Parts, *, seeds: int = 1, baseline: str | None = None) -> Study:
    """Exact match of assistant, student and their rivals against a baseline (A table 5).

    baseline: "scratch", "foreign" or any part that is an encoder; by default "foreign" where the recipe has one, else "scratch".
    """
    baseline = baseline or ("foreign" if parts.foreign else "scratch")
    if baseline not in (known := ("scratch", "foreign", *MODELS)):
        raise RecipeError("there is no such baseline", where="--baseline", got=baseline, wanted=f"one of {', '.join(known)}")
    made = Stages(recipe, parts, seeds=seeds)
    chosen = dict.fromkeys([baseline, *(["scratch"] if parts.scratch else []), "assistant", "student"])
    models = {part: made.twin() if part == "scratch" else made.finetuned(*parts.need(part)) for part in chosen}
    name = made.evaluated(f"{FOLDER}/table-5/against-{baseline}", models, baseline=baseline)
    apart = made.twin_apart() if "scratch" in models else []

    def read(made_recipe: Recipe) -> Findings:
        report = report_of(made_recipe, name)
        others = [model for model in models if model != baseline]
        rows = [
            (
                locale,
                *(absolute(report["models"][model], locale, "exact_match") for model in models),
                *(change(report, model, locale, "exact_match") for model in others),
            )
            for locale in locales(report)
        ]
        changes = tuple(f"{model} vs {baseline}" for model in others)
        title = f"Exact match, %, and change of its error against {baseline}, %, negative is better"
        return Findings([Table(title, ("locale", *models, *changes), tuple(rows), signed=changes)], [_said(parts, seeds), *apart])

    return Study("table-5", f"Exact match against {baseline}", made.added, [name], read)


def size_control(recipe: Recipe, parts: Parts, *, seeds: int = 1) -> Study:
    """The student and a smaller one, distilled in the same way, by their SemER (A 3.4)."""
    (student,) = parts.need("student")
    made, config = Stages(recipe, parts, seeds=seeds), stage_of(recipe, student, DistillConfig)
    if config.model is None:
        raise RecipeError("the student goes on from another encoder: its size is not its own", where=f"stage.{student}.init")
    sizes = {"small": parts.small or half(config.model), "student": config.model}
    table = settings(config) | {"model": sizes["small"]}
    if len({shape(model, len(SPECIALS)).layers for model in sizes.values()}) > 1:
        table.pop("layer_map", None)  # it names a teacher's layer for each of the student's: spread evenly instead
    models = {
        "small": made.finetuned(made.add(f"{FOLDER}/{student}-small", table), name=f"{FOLDER}/{student}-small-full"),
        "student": made.finetuned(student),
    }
    name = made.evaluated(f"{FOLDER}/size/report", models, baseline="small")

    def read(made_recipe: Recipe) -> Findings:
        report = report_of(made_recipe, name)
        rows = []
        for locale in locales(report):
            cells = [absolute(report["models"][model], locale, "semer") for model in models]
            values = [plain(report["models"][model], locale, "semer") for model in models]
            points = values[1] - values[0] if values[0] is not None and values[1] is not None else None
            rows.append((locale, *cells, points, change(report, "student", locale, "semer")))
        columns = ("locale", *(f"{name} ({_size(model)})" for name, model in sizes.items()), "points", "change %")
        table = Table("SemER, lower is better", columns, tuple(rows), signed=("points", "change %"))
        return Findings([table], [_said(parts, seeds)])

    return Study("size", "Two students of two sizes, all else equal", made.added, [name], read)


def half(model: str | dict[str, Any]) -> dict[str, Any]:
    """The shape at half the width: half as wide inside, too, with as many layers, and half the heads where they do not divide it."""
    table = shape(model, len(SPECIALS)).model_dump(exclude={"vocab_size"})
    width, heads = table["hidden"] // 2, table["heads"]
    return table | {"hidden": width, "ffn": table["ffn"] // 2, "heads": heads if width % heads == 0 else heads // 2}


def _size(model: str | dict[str, Any]) -> str:
    """Parameters without embeddings, as models are named by in A."""
    n = shape(model, len(SPECIALS)).body_parameters
    return f"{n / 1e6:.1f}M" if n >= 1e6 else f"{n / 1e3:.0f}k"


def report_of(recipe: Recipe, name: str) -> dict[str, Any]:
    """What an evaluate stage found."""
    found: dict[str, Any] = json.loads((recipe.directory(name) / "report.json").read_text(encoding="utf-8"))
    return found


def _said(parts: Parts, seeds: int) -> str:
    spread = "one seed" if seeds == 1 else f"mean over {seeds} seeds, ± their standard deviation"
    return f"Scored on the partition `{parts.partition}`; {spread}; `mean` is the mean over locales."
