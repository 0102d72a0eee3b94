"""The settings of an experiment: a TOML or JSON file of their own."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, Field, model_validator

from understudy.config import Config, parse
from understudy.errors import RecipeError

__all__ = ["ExperimentConfig", "load"]


class ExperimentConfig(Config):
    """An experiment on users.

    Attributes:
        name: of the experiment; the same user falls into independent arms in experiments of different names.
        salt: a secret that keys every hash: of users into arms, and of users and utterances in the log.
        arms: served models and their weights, in order; weights need not sum to 1.
        baseline: the model that the others are compared with, and that answers before the start; by default the first.
        shadow: the baseline answers everybody, and the other models run beside it, unseen.
        starts: when arms begin to differ, with its time zone. What is logged before is the period that users are compared with
            themselves in. By default there is none.
        keep_text: write utterances into the log as they are given, besides their keyed hash.
    """

    name: str = Field(min_length=1)
    salt: str = Field(min_length=8)
    arms: dict[str, float] = Field(min_length=1)
    baseline: str = ""
    shadow: bool = False
    starts: AwareDatetime | None = None
    keep_text: bool = False

    @model_validator(mode="before")
    @classmethod
    def _first(cls, given: Any) -> Any:
        """The first arm is the baseline where none is named."""
        if isinstance(given, dict) and not given.get("baseline") and isinstance(given.get("arms"), dict) and given["arms"]:
            return {**given, "baseline": next(iter(given["arms"]))}
        return given

    @model_validator(mode="after")
    def _whole(self) -> ExperimentConfig:
        if any(not 0 < weight < float("inf") for weight in self.arms.values()):
            raise ValueError("the weights of arms are numbers above 0")
        if self.baseline not in self.arms:
            raise ValueError(f"the baseline '{self.baseline}' is none of the arms {', '.join(self.arms)}")
        if self.shadow and len(self.arms) < 2:
            raise ValueError("in shadow mode an experiment needs a second arm to run beside the baseline")
        return self

    @property
    def candidates(self) -> tuple[str, ...]:
        """The arms besides the baseline."""
        return tuple(arm for arm in self.arms if arm != self.baseline)

    def shares(self) -> dict[str, float]:
        """The share of users that each arm is due; they sum to 1."""
        total = sum(self.arms.values())
        return {arm: weight / total for arm, weight in self.arms.items()}

    def is_before(self, time: float) -> bool:
        """Whether `time`, in seconds of the epoch, is before the start."""
        return self.starts is not None and time < self.starts.timestamp()


def load(path: Path) -> ExperimentConfig:
    """The experiment in a TOML or JSON file. Raises RecipeError naming the file and the key."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise RecipeError("the experiment cannot be read", where=path, got=error.strerror, wanted="a TOML or JSON file") from None
    except ValueError as error:  # not UTF-8, not TOML, not JSON
        raise RecipeError("this is no experiment", where=path, got=str(error), wanted="TOML, or JSON in a .json file") from None
    if not isinstance(table, dict):
        raise RecipeError("this is no experiment", where=path, got=type(table).__name__, wanted="a JSON object")
    return parse(ExperimentConfig, table, where=path.name)
