"""A stage with several seeds is several stages: NAME with the recipe's seed s, NAME@1 with s + 1, NAME@2 with s + 2 (A 3.2).

Whoever refers to NAME gets the first. An evaluate or domains stage that names it gets all of them, and reports their mean and spread.
`@` cannot stand in a name that a recipe gives, so nothing of a user's own is mistaken for a seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from understudy.config import ModelRef, StageConfig
from understudy.errors import RecipeError
from understudy.evaluation.domains import DomainsConfig
from understudy.evaluation.evaluate import EvaluateConfig
from understudy.training.finetune import FinetuneConfig

__all__ = ["braced", "check_one", "expand", "grouped", "stages_of", "stem"]

SEPARATOR = "@"


def expand(configs: Mapping[str, StageConfig], seed: int) -> dict[str, StageConfig]:
    """`configs` by name with each finetune stage of n `seeds` as n stages, one after another, and read so by evaluate and domains
    stages.

    `seed` is the recipe's. What has been expanded is left as it is.
    """
    several = {n: c.seeds for n, c in configs.items() if isinstance(c, FinetuneConfig) and c.seeds > 1}
    expanded: dict[str, StageConfig] = {}
    for name, config in configs.items():
        if isinstance(config, EvaluateConfig | DomainsConfig):
            models = {title: _all(refs, several) for title, refs in config.models.items()}
            expanded[name] = config.model_copy(update={"models": models})
            continue
        # The first stays as one without `seeds` would be: what was made with one seed is up to date with three.
        expanded[name] = config.model_copy(update={"seeds": 1}) if name in several else config
        for number, further in enumerate(stages_of(name, several.get(name, 1))[1:], 1):
            own = {"seed": config.seeded(seed) + number, "seeds": 1}
            expanded[further] = config.model_copy(update=own)
    return expanded


def _all(refs: Sequence[ModelRef], several: Mapping[str, int]) -> tuple[ModelRef, ...]:
    return tuple(dict.fromkeys(ModelRef(name) for ref in refs for name in stages_of(ref, several.get(ref, 1))))


def check_one(config: StageConfig) -> None:
    """Raises RecipeError where the settings of one artifact ask for several seeds."""
    if isinstance(config, FinetuneConfig) and config.seeds > 1:
        raise RecipeError(
            "each seed makes an artifact of its own", where="seeds", got=config.seeds, wanted="1",
            hint="Put the stage in a recipe, which makes one for each, or give --seed here",
        )  # fmt: skip


def stages_of(name: str, n: int) -> list[str]:
    """The stages that `seeds = n` makes of stage `name`."""
    return [name, *(f"{name}{SEPARATOR}{number}" for number in range(1, n))]


def stem(name: str) -> str:
    """The stage's name as the recipe gives it: "student-nlu" of "student-nlu@2"."""
    return name.partition(SEPARATOR)[0]


def grouped(names: Iterable[str]) -> dict[str, list[str]]:
    """The seeds of each stage under a title, in the order of the first ones: {"student-nlu x 3": […, …, …], "runtime": […]}."""
    known = list(names)
    groups: dict[str, list[str]] = {}
    for name in known:
        groups.setdefault(stem(name) if stem(name) in known else name, []).append(name)
    return {f"{first} x {len(group)}" if len(group) > 1 else first: group for first, group in groups.items()}


def braced(paths: Sequence[str]) -> str:
    """Paths of the seeds of one stage as a shell writes them: out/student-nlu{,@1,@2}."""
    first, *others = paths
    return first + ("{" + ",".join(["", *(path.removeprefix(first) for path in others)]) + "}" if others else "")
