"""What an encoder says of itself before fine-tuning, and how it does afterwards, over the checkpoints of a run (A 2.7, figure 2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from understudy import artifact
from understudy.errors import ArtifactError, RecipeError
from understudy.evaluation.plots import scatter_plot, standalone
from understudy.recipe import Recipe
from understudy.study.paper import report_of
from understudy.study.parts import FOLDER, Parts, Stages, settings
from understudy.study.run import Findings, Study
from understudy.study.tables import Table, correlated, correlation

__all__ = ["found", "measured", "validation"]

NAME = "validation"
MEASURES = {"perplexity": "perplexity", "fill": "nouns filled, %"}
LOG = "log perplexity"
PARTS = ("stage1", "stage2", "assistant", "student")


def validation(recipe: Recipe, parts: Parts, *, of: str = "stage1", xnli: str | None = None, seeds: int = 1) -> Study:
    """Every kept checkpoint of an encoder: perplexity and noun filling beside the exact match of the model fine-tuned from it.

    of: the part whose checkpoints are looked at. xnli: a stage of kind xnli to be done like, instead of fine-tuning for utterances;
    its mean accuracy is then the score.
    """
    if of not in PARTS:
        raise RecipeError("there is no such part", where="--of", got=of, wanted=f"one of {', '.join(PARTS)}")
    (encoder,) = parts.need(of)
    examples = settings(recipe.stage[encoder]).get("keep_examples", [])
    if len(examples) < 2:
        raise RecipeError(
            "a study over checkpoints needs two or more that are kept",
            where=f"stage.{encoder}.keep_examples",
            got=examples or "nothing",
            wanted="for example keep_examples = [1000, 2000, 4000, 8000]",
        )
    if xnli is not None and seeds > 1:
        raise RecipeError("an xnli stage is of one seed", where="--seeds", got=seeds, wanted="1 with --xnli")
    made = Stages(recipe, parts, seeds=seeds)
    folder = f"{FOLDER}/{NAME}/{encoder}"
    if xnli is not None:
        scored = {
            str(n): made.add(f"{folder}-{n}-xnli", _like(recipe, xnli) | {"encoder": encoder, "checkpoint": n}) for n in examples
        }
        wanted, score = list(scored.values()), "XNLI accuracy, %"
    else:
        models = {str(n): made.finetuned(encoder, name=f"{folder}-{n}", checkpoint=n) for n in examples}
        wanted, score = [made.evaluated(f"{folder}-report", models)], "exact match, %"

    def read(made_recipe: Recipe) -> Findings:
        if xnli is not None:
            scores = {n: report_of(made_recipe, name)["mean"] for n, name in scored.items()}
        else:
            scores = {n: m["mean"]["exact_match"] for n, m in report_of(made_recipe, wanted[0])["models"].items()}
        return found(_checkpoints(made_recipe, encoder), scores, score)

    return Study(NAME, f"Checkpoints of {encoder}", made.added, [encoder, *wanted], read)


def _like(recipe: Recipe, name: str) -> dict[str, Any]:
    if name not in recipe.stage:
        raise RecipeError(f"there is no stage '{name}'", where="--xnli", wanted="a stage of kind xnli")
    return settings(recipe.stage[name])


def _checkpoints(recipe: Recipe, encoder: str) -> list[dict[str, Any]]:
    manifest = artifact.peek(recipe.directory(encoder))
    kept = manifest.metrics.get("checkpoints") if manifest else None
    if not kept:
        raise ArtifactError(
            "this encoder kept no checkpoints", where=recipe.directory(encoder), hint="Delete it, and run the study again"
        )
    return [measured(entry) for entry in kept]


def measured(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A kept checkpoint as its encoder's metrics tell it: the examples it is named by, and the means over languages of its perplexity
    and of the nouns it fills; None where they were not measured."""
    return {
        "examples": entry["checkpoint"],
        "perplexity": entry.get("perplexity_macro", entry.get("perplexity")),
        "fill": entry.get("fill"),
    }


def found(checkpoints: Sequence[Mapping[str, Any]], scores: Mapping[str, float | None], score: str) -> Findings:
    """Table, correlations and figure over checkpoints.

    Args:
        checkpoints: each with `examples`, and with `perplexity` and `fill` where they were measured.
        scores: by the number of examples.
        score: what the scores are.
    """
    known = [measure for measure in MEASURES if any(one.get(measure) is not None for one in checkpoints)]
    rows = [
        (f"{one['examples']:,}", *(one.get(measure) for measure in known), scores.get(str(one["examples"])))
        for one in sorted(checkpoints, key=lambda one: int(one["examples"]))
    ]
    pairs = {m: [(one.get(m), scores.get(str(one["examples"]))) for one in checkpoints] for m in known}
    between = {measure: correlation(points) for measure, points in pairs.items()}
    if "perplexity" in pairs:  # it falls by orders of magnitude, and a line through that is a line through its first checkpoints
        logs = [(None if x is None else math.log(x), y) for x, y in pairs["perplexity"]]
        between = {"perplexity": between["perplexity"], LOG: correlation(logs), **between}
    tables = [
        Table("By examples seen", ("examples", *(MEASURES[m] for m in known), score), tuple(rows)),
        correlated(
            f"Correlation with {score.removesuffix(', %')}",
            {MEASURES.get(m, m).removesuffix(", %"): one for m, one in between.items()},
        ),
    ]
    notes = ["Checkpoints of one run are not independent of one another: the p-values are too small."]
    panels = {MEASURES[m]: [(x, y) for x, y in points if x is not None and y is not None] for m, points in pairs.items()}
    figures = {"figure.svg": standalone(scatter_plot(panels, score))} if any(panels.values()) else {}
    more = {"correlations": {measure.replace(" ", "_"): vars(one) for measure, one in between.items()}}
    return Findings(tables, notes, more, figures)
