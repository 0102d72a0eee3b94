"""Losses as they were when they were written down: a refactor that changes one in the fourth digit has changed the training.

Where that is meant, `GOLDEN=write pytest tests/training/test_training_golden.py` writes them anew, and the commit says why.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers_training import World, tiny

from understudy.corpus.utterances import read_labels
from understudy.model.heads import NLU
from understudy.runtime.decode import Labels
from understudy.tokenizer import Tokenizer
from understudy.training.batches import LabelledSequences, MaskedSequences, Pieces, batches
from understudy.training.finetune_config import FinetuneConfig
from understudy.training.labelled import following, number
from understudy.training.loop import steps
from understudy.training.masking import Masking
from understudy.training.objectives import Distillation, MaskedLanguageModelling, Objective
from understudy.training.optim import OptimConfig, build
from understudy.training.precision import autocast
from understudy.training.schedule import ScheduleConfig
from understudy.training.understanding import Understanding

FILE = Path(__file__).parents[1] / "golden" / "losses.json"
UPDATES = 12
Made = tuple[Objective, Iterator[Any], OptimConfig]


def pretraining(world: World) -> Made:
    """Masked language modelling with dropout, by AdamW."""
    return MaskedLanguageModelling(tiny(world.vocab_size, dropout=0.1)), masked(world), OptimConfig(lr=0.01)


def distillation(world: World) -> Made:
    """From a wider teacher, hidden layers and all, by LAMB."""
    teacher = tiny(world.vocab_size, seed=1, layers=4, hidden=48, heads=4)
    objective = Distillation(tiny(world.vocab_size), teacher, hidden=1.0, temperature=2.0)
    return objective, masked(world), OptimConfig(name="lamb", lr=0.01)


def fine_tuning(world: World, *, taught: bool = False) -> Made:
    """Intents, slots and domains, weighed as they are by default."""
    labels, tokenizer = Labels.load(world.labels.path / "labels.json"), Tokenizer.load(world.tokenizer.path)
    gold = read_labels(world.labels.path / "train.jsonl")
    examples = LabelledSequences(number(gold, tokenizer, labels, max_length=32, spoken=False, lower=False))
    sizes = (len(labels.intents), len(labels.tags))

    def model(seed: int) -> NLU:
        generator = torch.Generator().manual_seed(seed)
        return NLU(tiny(world.vocab_size, seed=seed).encoder, *sizes, domains=len(labels.domain_names), generator=generator)

    stream = following(examples, None, 16, 16, seed=0, device=torch.device("cpu"))(0)
    weights = {name: FinetuneConfig.model_fields[name].default for name in ("slots", "domain")}
    return Understanding(model(0), **weights, teacher=model(1) if taught else None), iter(stream), OptimConfig(lr=0.01)


def task_distillation(world: World) -> Made:
    """The same, and what a teacher says of it."""
    return fine_tuning(world, taught=True)


def masked(world: World) -> Iterator[Any]:
    source = MaskedSequences(Pieces(world.tokens(), max_length=32), Masking(0.3, world.vocab_size), seed=0)
    return iter(batches(source, budget=200, seed=0, parts=2))


@pytest.mark.parametrize("make", [pretraining, distillation, fine_tuning, task_distillation], ids=lambda make: make.__name__)
def test_losses_are_what_they_were(world: World, make: Callable[[World], Made]) -> None:
    objective, stream, optim = make(world)
    schedule = ScheduleConfig().of(peak=optim.lr, steps=UPDATES, width=32)
    fp32 = autocast("fp32", torch.device("cpu"))
    done = islice(steps(objective.train(), stream, build(objective, optim), schedule, autocast=fp32), UPDATES)
    found = [{name: round(value, 5) for name, value in {"loss": step.loss, **step.parts}.items()} for step in done]
    golden = json.loads(FILE.read_text()) if FILE.exists() else {}
    if os.environ.get("GOLDEN") == "write":
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(json.dumps(golden | {make.__name__: found}, indent=1) + "\n")
    else:
        # Another processor adds in another order, and twelve updates carry that on.
        assert found == [pytest.approx(update, rel=1e-3) for update in golden[make.__name__]]
