"""How a run is laid over devices, applied to an objective from outside, in one written order:

    float8 -> activation checkpointing -> compilation of each block -> sharding -> weights

Sharding is FSDP2 (`fully_shard`, after ZeRO, Rajbhandari et al. 2020): each rank holds a part of every weight, gradient and
optimizer state, and learns from its own part of every update's batch.

| shard       | held in parts                              | sent per micro-batch and weight             |
|-------------|--------------------------------------------|---------------------------------------------|
| "none"      | nothing                                    | gradient once around                        |
| "optimizer" | gradients and optimizer states (ZeRO 2)    | the same                                    |
| "full"      | weights too (ZeRO 3)                       | half as much again; a block at a time whole |
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import MethodType
from typing import Any, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import (
    CPUOffloadPolicy,
    FSDPModule,
    MixedPrecisionPolicy,
    OffloadPolicy,
    fully_shard,
    register_fsdp_forward_method,
)
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from understudy.config import Config
from understudy.errors import RecipeError
from understudy.model.foreign import ForeignMaskedLM
from understudy.training.objectives import Objective
from understudy.training.ranks import ranks

__all__ = ["Fill", "ParallelConfig", "checkpoint_blocks", "in_parts", "place", "shard", "whole", "whole_state"]

Put = Callable[[Tensor, Tensor], object]
Fill = Callable[[Put], None]

# Results that selective checkpointing keeps: products of matrices and attention; all else is cheap to do again.
KEPT = {
    torch.ops.aten.mm.default,
    torch.ops.aten.addmm.default,
    torch.ops.aten.bmm.default,
    torch.ops.aten._scaled_dot_product_flash_attention.default,
    torch.ops.aten._scaled_dot_product_efficient_attention.default,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,
    torch.ops.torch_attn._varlen_attn.default,
}


class ParallelConfig(Config):
    """How a stage is laid over the ranks that `torchrun` started, and what it keeps in memory. Alone, only the last two matter.

    shard: what the ranks hold in parts: "none", "optimizer" (gradients and optimizer states) or "full" (weights too).
    replicas: groups of ranks that each hold everything between them; with one per machine, weights never leave a machine.
    offload: optimizer states and the update itself go to the CPU, for models that outgrow their devices.
    checkpointing: of activations: "none" keeps all, "selective" products of matrices only, "block" each block's input only.
    """

    shard: Literal["none", "optimizer", "full"] = "optimizer"
    replicas: int = Field(default=1, ge=1)
    offload: bool = False
    checkpointing: Literal["none", "selective", "block"] = "none"


def in_parts(config: ParallelConfig) -> bool:
    """Whether weights are to be held in parts, so that a model must not be made whole first."""
    return config.shard == "full" and ranks().world > 1


def checkpoint_blocks(blocks: nn.ModuleList, mode: Literal["none", "selective", "block"]) -> None:
    """Let each block do its forward pass again when its gradient is asked for. Names of parameters do not change."""
    if mode == "none":
        return
    contexts = functools.partial(create_selective_checkpoint_contexts, _keep) if mode == "selective" else None
    options: dict[str, Any] = {"use_reentrant": False, **({"context_fn": contexts} if contexts else {})}
    for block in blocks:
        # Its own, not what an earlier turn of a distillation laid over it: that would do the forward pass again for each turn.
        own = MethodType(type(block).forward, block)
        block.forward = functools.partial(_checkpointed, own, options)


def _checkpointed(forward: Callable[..., Tensor], options: dict[str, Any], *args: Any) -> Tensor:
    if not torch.is_grad_enabled():
        return forward(*args)
    return cast("Tensor", checkpoint(forward, *args, **options))


def _keep(_context: Any, op: Any, *_args: Any, **_kwargs: Any) -> CheckpointPolicy:
    return CheckpointPolicy.MUST_SAVE if op in KEPT else CheckpointPolicy.PREFER_RECOMPUTE


def shard(
    objective: Objective, config: ParallelConfig, device: torch.device, *, computed_in: torch.dtype = torch.float32
) -> None:
    """Spread an objective's weights, and those of models that it listens to, over the ranks. Alone, nothing happens.

    Weights may stand on the meta device; `place` then fills them part by part. What a rank holds is always fp32; blocks are
    gathered as `computed_in`, in which their products are computed anyway: half the traffic, and no copy of every weight that
    autocast would keep for the backward pass. Gradients are summed over ranks in fp32.

    Raises RecipeError where `replicas` does not divide the number of ranks.
    """
    world = ranks().world
    if world == 1:
        return
    mesh = _mesh(config, world, device)
    offload: OffloadPolicy = CPUOffloadPolicy() if config.offload else OffloadPolicy()
    options: dict[str, Any] = {"mesh": mesh, "reshard_after_forward": config.shard == "full", "offload_policy": offload}
    # Not the inputs: the residual stream between blocks stays in fp32.
    narrow = MixedPrecisionPolicy(param_dtype=computed_in, reduce_dtype=torch.float32, cast_forward_inputs=False)
    of_blocks: dict[str, Any] = {**options, **({} if computed_in == torch.float32 else {"mp_policy": narrow})}
    for stack in objective.blocks():
        for block in stack:
            fully_shard(block, **of_blocks)
    for beside in objective.beside():
        if isinstance(beside, ForeignMaskedLM):
            continue  # its rows of the vocabulary are read outside of the encoder: each rank holds it whole
        for block in beside.encoder.blocks:
            fully_shard(block, **of_blocks)
        # Its embeddings stay whole after a forward pass: the vocabulary's softmax, outside of it, reads them too.
        fully_shard(beside.encoder, **{**options, "reshard_after_forward": False})
    fully_shard(objective, **options)
    for name in objective.asked:
        register_fsdp_forward_method(objective, name)
    for module in objective.modules():
        if isinstance(module, FSDPModule):
            # Losses are divided by the count over all ranks, so gradients are sums; and gloo knows no other reduction.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


def _mesh(config: ParallelConfig, world: int, device: torch.device) -> DeviceMesh:
    replicas = world if config.shard == "none" else config.replicas
    if world % replicas:
        raise RecipeError(
            "the ranks cannot be cut in so many equal groups",
            where="parallel.replicas",
            got=f"{replicas} replicas, {world} ranks",
            wanted=f"a divisor of {world}",
        )
    if replicas == 1:
        return init_device_mesh(device.type, (world,), mesh_dim_names=("shard",))
    return init_device_mesh(device.type, (replicas, world // replicas), mesh_dim_names=("replicate", "shard"))


@torch.no_grad()
def place(weight: Tensor, values: Tensor) -> None:
    """Copy `values`, the whole of a weight, equal on all ranks, into it or into the part of it that this rank holds."""
    if isinstance(weight, DTensor):
        mesh = weight.device_mesh
        values = distribute_tensor(values.to(mesh.device_type), mesh, weight.placements, src_data_rank=None)
        weight.to_local().copy_(values.to_local())
    else:
        weight.copy_(values)


def whole(tensor: Tensor) -> Tensor:
    """A tensor of which this rank may hold a part, gathered from all ranks (each must ask) and brought to the CPU."""
    full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return full.detach().cpu()


def whole_state(module: nn.Module, *, everywhere: bool = False) -> dict[str, Tensor]:
    """The state of a module with every tensor whole, on the CPU; empty but on the leader, unless `everywhere`. All ranks must ask."""
    state = {}
    for name, tensor in module.state_dict().items():
        gathered = whole(tensor)
        if everywhere or ranks().leads:
            state[name] = gathered
    return state
