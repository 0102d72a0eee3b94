"""Optimizers: AdamW, LAMB (A table 8) and Muon.

Weights of fewer than two dimensions (biases, LayerNorms) are not decayed. Each group of parameters has a `scale` by which
the schedule's learning rate is multiplied: layer-wise rates and heads of their own are groups, not code in the loop.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim.adamw import adamw

from understudy.config import Config
from understudy.training.precision import resolve

__all__ = ["Lamb", "Muon", "OptimConfig", "build", "set_lr"]

Beta = Annotated[float, Field(ge=0, lt=1)]

BATCH = 1 << 22  # numbers that Muon orthogonalises at a time: small matrices alone leave a processor idle


class OptimConfig(Config):
    """name: "adam" (AdamW), "lamb", or "muon" (Muon for the matrices inside blocks, AdamW for all else).

    lr: the peak, in a Noam schedule its factor. clip: gradients are scaled down to this global norm; 0 turns it off.
    muon_lr: peak of Muon's share, whose updates all have the same size; the schedule's shape is that of `lr`.
    betas, eps: of Adam and LAMB, and of Muon's AdamW part. weight_decay: of matrices only.
    """

    name: Literal["adam", "lamb", "muon"] = "adam"
    lr: float = Field(default=1e-3, gt=0)
    betas: tuple[Beta, Beta] = (0.9, 0.98)
    eps: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, ge=0)
    muon_lr: float = Field(default=0.01, gt=0)


def build(model: nn.Module, config: OptimConfig, *, scales: Mapping[str, float] | None = None) -> torch.optim.Optimizer:
    """The optimizer of all of `model`'s parameters that require gradients.

    Args:
        scales: prefix of parameter names -> factor of the learning rate; the longest prefix that fits counts, 1 by default.
    """
    groups: dict[tuple[float, bool, bool, int], dict[str, Any]] = {}
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        matrix = weight.ndim >= 2
        orthogonal = config.name == "muon" and weight.ndim == 2 and ".blocks." in f".{name}"
        scale = _scale(name, scales or {}) * (config.muon_lr / config.lr if orthogonal else 1.0)
        parts = 3 if orthogonal and name.endswith("qkv.weight") else 1
        group = groups.setdefault((scale, matrix, orthogonal, parts), {"params": [], "names": [], "scale": scale})
        group["params"].append(weight)
        group["names"].append(name)
        group["weight_decay"] = config.weight_decay if matrix else 0.0
        if config.name == "muon":
            group |= {"orthogonal": orthogonal, "parts": parts}
    options: dict[str, Any] = {"lr": config.lr, "betas": config.betas, "eps": config.eps}
    if config.name == "lamb":
        return Lamb(groups.values(), **options)
    if config.name == "muon":
        return Muon(groups.values(), **options)
    return torch.optim.AdamW(groups.values(), fused=True, **options)


def _scale(name: str, scales: Mapping[str, float]) -> float:
    fitting = [prefix for prefix in scales if name.startswith(prefix)]
    return scales[max(fitting, key=len)] if fitting else 1.0


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every group its share of the schedule's learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("scale", 1.0)


class Lamb(torch.optim.Optimizer):
    """LAMB (You et al. 2020): Adam's direction plus decay, rescaled per weight to the norm of the weight.

    The trust ratio is |w| / |update|, and 1 where either is 0 or the weight is not decayed (biases, LayerNorms).
    """

    def __init__(
        self, params: Iterable[Any], *, lr: float, betas: tuple[float, float], eps: float, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            weights = [w for w in group["params"] if w.grad is not None]
            if not weights:
                continue
            # From zero, at a rate of one and without decay, Adam's fused kernel leaves its direction, negated, in one pass.
            updates = [torch.zeros_like(w) for w in weights]
            _adam(updates, weights, [_adam_state(self.state[w], w) for w in weights], {**group, "lr": 1.0, "weight_decay": 0.0})
            if group["weight_decay"]:
                torch._foreach_add_(updates, weights, alpha=-group["weight_decay"])
                sizes, lengths = torch._foreach_norm(weights), torch._foreach_norm(updates)
                ratios = [torch.where((w > 0) & (u > 0), w / u, 1.0) for w, u in zip(sizes, lengths, strict=True)]
                torch._foreach_mul_(updates, ratios)
            torch._foreach_add_(weights, updates, alpha=group["lr"])


class Muon(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024): momentum, orthogonalised, for groups marked `orthogonal`; AdamW for the others.

    Matrices of a group of several `parts`, as query, key and value in one, are orthogonalised part by part. Updates are scaled by
    sqrt(max(1, rows / columns)), so that one learning rate serves all shapes.
    """

    def __init__(
        self,
        params: Iterable[Any],
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(params, {**options, "orthogonal": False, "parts": 1})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            weights = [w for w in group["params"] if w.grad is not None]
            if group["orthogonal"]:
                self._orthogonal(group, weights)
            elif weights:
                _adam(weights, weights, [_adam_state(self.state[w], w) for w in weights], group)

    def _orthogonal(self, group: Mapping[str, Any], weights: list[Tensor]) -> None:
        for alike in _batches(weights):
            ahead = [part for weight in alike for part in self._ahead(weight, group["momentum"]).chunk(group["parts"])]
            scale = math.sqrt(max(1.0, ahead[0].shape[0] / ahead[0].shape[1]))
            updates = iter(orthogonalise(torch.stack(ahead)).unbind())
            for weight in alike:
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(torch.cat(list(islice(updates, group["parts"]))), alpha=-group["lr"] * scale)

    def _ahead(self, weight: Tensor, momentum: float) -> Tensor:
        """The gradient with Nesterov's momentum, shaped like the weight."""
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        assert weight.grad is not None
        state["momentum"].lerp_(weight.grad, 1 - momentum)
        return weight.grad.lerp(state["momentum"], momentum)


def _batches(weights: list[Tensor]) -> Iterator[list[Tensor]]:
    """Weights of one shape together, as many as BATCH numbers hold and one at least."""
    by_shape: dict[torch.Size, list[Tensor]] = {}
    for weight in weights:
        by_shape.setdefault(weight.shape, []).append(weight)
    for alike in by_shape.values():
        size = max(1, BATCH // alike[0].numel())
        yield from (alike[i : i + size] for i in range(0, len(alike), size))


def orthogonalise(matrices: Tensor, *, iterations: int = 5) -> Tensor:
    """The nearest (semi-)orthogonal matrix of each of [n, rows, columns], roughly: singular values end between about 0.7 and 1.2.

    Newton-Schulz iteration with Jordan's quintic (3.4445, -4.7750, 2.0315), in bf16 where the processor multiplies it.
    """
    x = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    x = x.bfloat16() if resolve("auto", matrices.device) == "bf16" else x.float()
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    result: Tensor = (x.mT if tall else x).to(matrices.dtype)
    return result


def _adam_state(state: dict[str, Any], weight: Tensor) -> dict[str, Any]:
    if not state:
        state["step"] = torch.zeros((), dtype=torch.float32, device=weight.device if weight.is_cuda else None)
        state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
    return state


def _adam(moved: list[Tensor], weights: list[Tensor], states: list[dict[str, Any]], group: Mapping[str, Any]) -> None:
    """Move tensors as AdamW would by the gradients of `weights`, in one pass over both and the states."""
    adamw(
        moved,
        [w.grad for w in weights if w.grad is not None],
        [s["exp_avg"] for s in states],
        [s["exp_avg_sq"] for s in states],
        [],
        [s["step"] for s in states],
        fused=True,
        amsgrad=False,
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        lr=group["lr"],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=False,
    )
