"""Confidences that mean what they say: a temperature for each head, and a threshold under which nothing is believed.

Both are chosen on utterances that were held out of training. The temperature (Guo et al. 2017) is what logits are divided by so
that the held-out labels are likeliest; it is folded into the last layer of its head, so that whatever reads the model's numbers,
in torch, as an ONNX graph or in int8, reads calibrated ones. What was said stays the same: the best intent and the best permitted
sequence of tags do not change with the scale. The threshold is on the likeliest intent's probability (Hendrycks and Gimpel 2017).

Shapes: N targets (utterances or words), C classes of a head.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from understudy.training.batches import LabelledBatch
from understudy.training.machine import Machine
from understudy.training.understanding import Understanding

__all__ = ["Calibration", "calibration", "fold", "temperature", "threshold"]

# The bounds of a temperature: where every held-out label is the likeliest one already, no finite one is the best.
COLDEST, HOTTEST = 0.25, 10.0
HALVINGS = 40


@dataclass(frozen=True)
class Calibration:
    """temperatures: by the name of the head; empty where none were asked for. threshold: 0 where none was."""

    temperatures: Mapping[str, float] = field(default_factory=dict)
    threshold: float = 0.0

    def to_metrics(self) -> dict[str, Any]:
        """What of it there is, JSON-ready."""
        rounded = {head: round(value, 4) for head, value in self.temperatures.items()}
        return {name: value for name, value in (("temperatures", rounded), ("threshold", self.threshold)) if value}


@torch.no_grad()
def calibration(
    objective: Understanding, held: Sequence[LabelledBatch], machine: Machine, *, calibrate: bool, accept: float | None
) -> Calibration:
    """What the held-out batches say of the model as it stands. All ranks must ask; all get the same.

    Args:
        calibrate: fit temperatures; without them the threshold is one of raw confidences.
        accept: share of the held-out utterances that the threshold lets pass; None for no threshold.
    """
    if not held or not (calibrate or accept):
        return Calibration()
    said = _said(objective, held, machine)
    fitted = {name: temperature(*pair) for name, pair in said.items()} if calibrate else {}
    if accept is None:
        return Calibration(fitted)
    intents_NC = said["intent"][0] / fitted.get("intent", 1.0)
    return Calibration(fitted, threshold(intents_NC.softmax(-1).amax(-1), accept))


def temperature(logits_NC: Tensor, targets_N: Tensor) -> float:
    """The T between COLDEST and HOTTEST for which softmax(logits / T) makes the targets likeliest (Guo et al. 2017, 4.2).

    The log likelihood is concave in 1/T, so its slope is halved upon, in double precision: equal numbers give equal bits. 1 where
    there is nothing to choose between. Targets of -1 are left out.
    """
    known_N = targets_N >= 0
    z_NC, y_N1 = logits_NC[known_N].double(), targets_N[known_N, None]
    if not len(z_NC) or z_NC.shape[1] < 2:
        return 1.0
    wanted = float(z_NC.gather(1, y_N1).sum())
    low, high = math.log(COLDEST), math.log(HOTTEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        expected = float(((z_NC / math.exp(middle)).softmax(-1) * z_NC).sum())
        # The slope by 1/T is `wanted - expected`: a model that expects more than it gets is too sure of itself.
        low, high = (middle, high) if expected > wanted else (low, middle)
    return math.exp((low + high) / 2)


def threshold(confidences_N: Tensor, accept: float) -> float:
    """The confidence that at least the share `accept` of these reaches, rounded down to the four digits that replies show."""
    ordered_N = confidences_N.double().sort(descending=True).values
    last = max(1, math.ceil(accept * len(ordered_N) - 1e-9))
    return math.floor(1e4 * float(ordered_N[last - 1])) / 1e4


def fold(state: Mapping[str, Tensor], temperatures: Mapping[str, float]) -> dict[str, Tensor]:
    """The state of an NLU in which the last layer of each named head gives logits divided by its temperature.

    A state without weights, as ranks have that do not lead, stays so.
    """
    folded = dict(state)
    for head, value in temperatures.items():
        prefix = f"heads.{head}."
        layers = [int(name.split(".")[2]) for name in state if name.startswith(prefix)]
        for part in ("weight", "bias") if layers else ():
            name = f"{prefix}{max(layers)}.{part}"
            folded[name] = state[name] / value
    return folded


def _said(objective: Understanding, held: Sequence[LabelledBatch], machine: Machine) -> dict[str, tuple[Tensor, Tensor]]:
    """Logits (N, C) and targets (N) of each head over all batches, on the CPU."""
    training = objective.training
    objective.eval()
    found: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for batch in held:
        with machine.autocast():
            scores = objective.scores(batch)
        for name, (logits_NC, targets_N) in objective.pairs(scores, batch).items():
            found.setdefault(name, []).append((logits_NC.float().cpu(), targets_N.cpu()))
    objective.train(training)
    return {name: (torch.cat([z for z, _ in each]), torch.cat([y for _, y in each])) for name, each in found.items()}
