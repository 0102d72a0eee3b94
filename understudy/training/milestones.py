"""Encoders kept on the way: the best student for a task may be one of earlier (A 2.6: after 80M and after 200M examples)."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from understudy import atomic
from understudy.artifact import Artifact, Draft
from understudy.errors import ArtifactError
from understudy.model.encoder import MaskedLM
from understudy.model.folder import save_encoder
from understudy.training.outcome import Outcome
from understudy.training.parallel import whole_state
from understudy.training.ranks import ranks

__all__ = ["FOLDER", "Milestones", "at_checkpoint"]

log = logging.getLogger(__name__)
FOLDER = "checkpoints"


@dataclass(frozen=True)
class Milestones:
    """When a run keeps its encoder, and where: after each of `examples` sequences seen over all ranks, in `scratch` until the end.

    Scratch outlives a kill, so what was kept before one is there after it; what the checkpoint that a run goes on from does not
    know of yet is kept again, with the same bits.
    """

    model: MaskedLM
    tokenizer: Path
    scratch: Path
    examples: Sequence[int]

    def passed(self, outcome: Outcome) -> list[int]:
        """Those of `examples` that have been seen since an encoder was last kept."""
        kept = {entry["checkpoint"] for entry in outcome.kept}
        return [number for number in sorted(set(self.examples)) if number <= outcome.examples and number not in kept]

    def keep(self, outcome: Outcome) -> None:
        """Write the encoder as it is now for each that has been passed, whole or not at all. All ranks must call it."""
        for number in self.passed(outcome):
            state = whole_state(self.model)
            if ranks().leads:
                (self.scratch / FOLDER).mkdir(parents=True, exist_ok=True)
                with atomic.replacing(self.scratch / FOLDER / str(number)) as draft:
                    save_encoder(self.model, draft, self.tokenizer, state=state)
            last = outcome.validations[-1] if outcome.validations else {}
            entry = {"checkpoint": number, "examples": outcome.examples, "updates": outcome.steps}
            outcome.kept.append({**entry, "valid": last if last.get("step") == outcome.steps else {}})

    def deliver(self, outcome: Outcome, draft: Draft) -> None:
        """Put what was kept into the artifact, and say what was not. The leader does it."""
        if not ranks().leads:
            return
        for entry in outcome.kept:
            name = f"{FOLDER}/{entry['checkpoint']}"
            shutil.copytree(self.scratch / name, draft.path / name)
        if missed := [n for n in self.examples if n > outcome.examples]:
            log.warning(
                "the run ended after %d examples; no encoder was kept for %s", outcome.examples, ", ".join(map(str, missed))
            )


def at_checkpoint(encoder: Artifact, checkpoint: int | None) -> Artifact:
    """An encoder as it was after so many examples, by the number in `keep_examples`; as it is in the end where None.

    Raises ArtifactError where that one was not kept.
    """
    if checkpoint is None:
        return encoder
    path = encoder.path / FOLDER / str(checkpoint)
    if not path.is_dir():
        kept = sorted(int(p.name) for p in path.parent.glob("*") if p.name.isdigit())
        raise ArtifactError(
            "this encoder keeps no such checkpoint",
            where=encoder.path,
            got=checkpoint,
            wanted=f"one of {', '.join(map(str, kept))}" if kept else "an encoder that keeps some",
            hint="Name it under keep_examples in the stage that makes the encoder",
        )
    return replace(encoder, path=path)
