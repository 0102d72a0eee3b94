"""What a recipe says of itself in `[study]`, and the stages that studies make of the stages it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import Field

from understudy import stages
from understudy.config import Config, EncoderRef, LabelsRef, NluRef, ShardsRef, StageConfig, parse, refs
from understudy.errors import RecipeError, nearest
from understudy.model.presets import Shape
from understudy.recipe import Recipe
from understudy.seeds import stem
from understudy.training.finetune import FinetuneConfig

__all__ = ["FOLDER", "MODES", "Arms", "Mode", "Parts", "Stages", "only_corpus", "read_parts", "settings", "stage_of", "unlike"]

FOLDER = "study"
Mode = Literal["full", "frozen"]
MODES: tuple[Mode, Mode] = ("full", "frozen")
_OF_THE_MODEL = ("encoder", "model", "tokenizer", "checkpoint")
# What parts two ways to fine-tune but for these: the model, and how the machine is used.
_NO_MATTER = frozenset(
    {
        *_OF_THE_MODEL,
        "dropout",
        "mode",
        "calibrate",
        "accept",
        "precision",
        "float8",
        "compile",
        "parallel",
        "save_every",
        "log_to",
    }
)
C = TypeVar("C", bound=StageConfig)


class Arms(Config):
    """Encoders that take the place of arms of the claims study: stages, or artifacts by their paths, which are then not made anew.

    student, stage2, assistant: in place of the parts of these names.
    continued: of the stage 1 teacher that went on with general text alone. direct: of the student that learned from the stage 2
        teacher itself. generic: of the student that learned on general text. unmatched: of the student that learned without its
        teacher's hidden layers.
    """

    student: EncoderRef | None = None
    stage2: EncoderRef | None = None
    assistant: EncoderRef | None = None
    continued: EncoderRef | None = None
    direct: EncoderRef | None = None
    generic: EncoderRef | None = None
    unmatched: EncoderRef | None = None


class Parts(Config):
    """The table `[study]` of a recipe: which of its stages plays which part. A study says which parts it needs.

    stage1, stage2: the teachers. assistant, student: the encoders that are distilled.
    finetune: the finetune stage that all models of a study are fine-tuned like.
    scratch: the finetune stage of the student's twin, which has neither teacher nor pretraining.
    foreign: an encoder from elsewhere, for a baseline.
    generic, task: shards of one corpus each, general text and utterances.
    labels, partition: what models are scored on; the labels they are fine-tuned on by default.
    full, frozen: settings in place of the finetune stage's own, for each of the two modes. A frozen encoder's heads learn by
        Adam at 1e-3 by default (A 3.2).
    small: the shape of the smaller student of the size control; by default the student at half its width.
    steps: updates of each student of the transfer-set study; by default all those of the student's own turns.
    budgets: settings of the claims study in place of the finetune stage's own, by the percent of labels or "zero-shot".
    arms: encoders of the claims study that are there already.
    """

    stage1: EncoderRef | None = None
    stage2: EncoderRef | None = None
    assistant: EncoderRef | None = None
    student: EncoderRef | None = None
    finetune: NluRef | None = None
    scratch: NluRef | None = None
    foreign: EncoderRef | None = None
    generic: ShardsRef | None = None
    task: ShardsRef | None = None
    labels: LabelsRef | None = None
    partition: str = "dev"
    full: dict[str, Any] = Field(default_factory=dict)
    frozen: dict[str, Any] = Field(default_factory=lambda: {"optimizer": "adam", "lr": 1e-3, "head_lr": 1e-3})
    small: Shape | None = None
    steps: int | None = Field(default=None, gt=0)
    budgets: dict[str, dict[str, Any]] = Field(default_factory=dict)
    arms: Arms = Arms()

    def need(self, *names: str) -> list[str]:
        """The stages that play these parts. Raises RecipeError for one that the recipe does not name."""
        missing = [name for name in names if getattr(self, name) is None]
        if missing:
            raise RecipeError(
                f"this study needs to know which stage is '{missing[0]}'",
                where=f"study.{missing[0]}",
                got=", ".join(f"{n} = {getattr(self, n)}" for n in names if n not in missing) or "nothing",
                hint=f'Add {missing[0]} = "NAME" to the table [study] of the recipe',
            )
        return [str(getattr(self, name)) for name in names]


def read_parts(recipe: Recipe) -> Parts:
    """The table `[study]`. Raises RecipeError for a key that does not exist, or a part that is no stage or of the wrong kind."""
    if FOLDER in recipe.stage:
        raise RecipeError("studies stand in a folder of this name", where=f"stage.{FOLDER}", hint="Give the stage another name")
    parts = parse(Parts, recipe.study, where=FOLDER)
    paths = set(refs(parts.arms))
    for ref in refs(parts):
        if ref not in recipe.stage and ref not in paths:
            raise RecipeError(f"there is no stage '{ref}'", where=FOLDER, hint=nearest(ref, recipe.stage))
        recipe.check(ref, where=FOLDER)
    return parts


def stage_of(recipe: Recipe, name: str, kind: type[C]) -> C:
    """The settings of stage `name`. Raises RecipeError where it is of another kind than the study can make others like."""
    config = recipe.stage[name]
    if not isinstance(config, kind):
        wanted = kind.model_fields["kind"].default
        raise RecipeError("this part is made by another kind of stage", where=f"stage.{name}", got=config.kind, wanted=wanted)
    return config


def settings(config: StageConfig) -> dict[str, Any]:
    """What a stage says, a seed of its own too, as a table to make another one of: none of the defaults."""
    return config.model_dump(mode="json", exclude_unset=True) | ({} if config.seed is None else {"seed": config.seed})


def unlike(others: Mapping[str, Any], twin: Mapping[str, Any]) -> list[str]:
    """What the twin's finetune stage has otherwise than that of the others, a sentence for under a table; none where they are alike."""
    theirs, its = (stages.parse_stage(table, where="study").model_dump(mode="json") for table in (others, twin))
    apart = [f"{key} {its[key]} ({theirs[key]})" for key in its if key not in _NO_MATTER and its[key] != theirs[key]]
    return (
        [f"The twin is fine-tuned as its own stage says, the others otherwise (in brackets): {', '.join(apart)}."]
        if apart
        else []
    )


class Stages:
    """The stages a study adds to a recipe, and the names of those that the recipe has already."""

    def __init__(self, recipe: Recipe, parts: Parts, *, seeds: int = 1) -> None:
        self.recipe, self.parts, self.seeds = recipe, parts, seeds
        self.added: dict[str, dict[str, Any]] = {}
        self._known = {name: _all(config) for name, config in recipe.stage.items()}

    def add(self, name: str, table: Mapping[str, Any], *, seeds: int = 1) -> str:
        """The stage with these settings: one of the recipe's with the same ones, else a new one called `name`."""
        wanted = _all(stages.parse_stage(table, where=f"stage.{name}"))
        for known, config in self._known.items():
            if config == wanted and self._seeds(known) == seeds:
                return known
        self.added[name] = {**table, **({"seeds": seeds} if seeds > 1 else {})}
        return name

    def _seeds(self, name: str) -> int:
        return sum(stem(other) == name for other in self.recipe.stage)

    def finetuning(self, encoder: str, *, mode: Mode = "full", **more: Any) -> dict[str, Any]:
        """A stage that fine-tunes `encoder` as the part `finetune` is, in one of two modes."""
        (template,) = self.parts.need("finetune")
        table = settings(stage_of(self.recipe, template, FinetuneConfig))
        table = {key: value for key, value in table.items() if key not in _OF_THE_MODEL}
        table |= self.parts.full if mode == "full" else self.parts.frozen
        return {**table, "encoder": encoder, "mode": mode, **more}

    def finetuned(self, encoder: str, *, mode: Mode = "full", name: str | None = None, **more: Any) -> str:
        """`encoder` fine-tuned so, with as many seeds as the study has.

        It is called `name`, else after the encoder and the mode, and so shared by all studies that ask for it.
        """
        table = self.finetuning(encoder, mode=mode, **more)
        return self.add(name or f"{FOLDER}/{encoder}-{mode}", table, seeds=self.seeds)

    def twinned(self) -> dict[str, Any]:
        """A stage that trains the student's twin as its own stage says, by the seed of the others, which also draws their labels."""
        template, name = self.parts.need("finetune", "scratch")
        seed = stage_of(self.recipe, template, FinetuneConfig).seed
        return settings(stage_of(self.recipe, name, FinetuneConfig).model_copy(update={"seed": seed}))

    def twin(self) -> str:
        """The student's twin as its own stage says, with as many seeds as the study has."""
        (name,) = self.parts.need("scratch")
        return self.add(f"{FOLDER}/{name}", self.twinned(), seeds=self.seeds)

    def twin_apart(self) -> list[str]:
        """What `unlike` says of the twin and of what is fine-tuned like the part `finetune`."""
        return unlike(self.finetuning(str(self.parts.student)), self.twinned())

    def labels(self) -> str:
        """What models are scored on."""
        if self.parts.labels is not None:
            return str(self.parts.labels)
        (template,) = self.parts.need("finetune")
        return str(stage_of(self.recipe, template, FinetuneConfig).data)

    def evaluated(self, name: str, models: Mapping[str, str | Sequence[str]], **more: Any) -> str:
        """A report over `models`, without examples. An evaluate stage that names a stage of several seeds takes all of them."""
        table = {
            "kind": "evaluate",
            "models": dict(models),
            "labels": self.labels(),
            "partition": self.parts.partition,
            "examples": 0,
        }
        return self.add(name, {**table, **more})

    def by_domain(self, name: str, models: Mapping[str, str], **more: Any) -> str:
        """Scores of `models` by domain. A domains stage too takes all seeds."""
        each = {title: [model] for title, model in models.items()}
        table = {"kind": "domains", "models": each, "labels": self.labels(), "partition": self.parts.partition}
        return self.add(name, {**table, **more})


def _all(config: StageConfig) -> dict[str, Any]:
    """All settings, the seed of its own too, which is not dumped."""
    return {**config.model_dump(), "seed": config.seed}


def only_corpus(mix: Sequence[Any], *, where: str) -> dict[str, Any]:
    """The one corpus of a shards stage, as its mixture has it. Raises RecipeError where it mixes several."""
    if len(mix) != 1:
        raise RecipeError(
            "a transfer set is mixed from shards of one corpus each",
            where=f"stage.{where}",
            got=", ".join(part.corpus for part in mix),
        )
    found: dict[str, Any] = mix[0].model_dump(mode="json", exclude_unset=True)
    return found
