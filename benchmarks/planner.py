"""What the planner says of memory, beside what torch's memory trackers count in the code that runs.

    python benchmarks/planner.py [--models teacher-2.3b:8 teacher-9.3b:64] [--layers 4] [--tokens 4096] [--vocab 150000]

MODEL:RANKS. Nothing is computed: tensors are fake and so are the other ranks (torch's "fake" process group), and the tracker
counts what one rank would hold over a forward and backward pass on a CPU; what the optimizer keeps is the same to the byte in both
and left out. With --layers that many blocks stand for all (memory grows by equal steps with each), else the whole model is built.
Fine-tuning, with a frozen encoder too, and listening to a teacher are looked at on one rank.
Attention differs from a GPU's: in bf16 a CPU keeps a number for each pair of tokens, which the planner knows.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import fields
from typing import Literal

import torch
import torch.distributed as dist
from common import claim, finish
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker
from torch.distributed._tools.mem_tracker import MemTracker
from torch.testing._internal.distributed.fake_pg import FakeStore

import understudy.model.layout
from understudy.model.encoder import Encoder, EncoderConfig, Layout, MaskedLM
from understudy.model.heads import NLU
from understudy.model.presets import shape
from understudy.planner import CPU, UTTERANCE
from understudy.training import parallel
from understudy.training.batches import Batch, LabelledBatch, MaskedBatch
from understudy.training.footprint import Run, memory
from understudy.training.listen import hear
from understudy.training.loop import weighted
from understudy.training.objectives import MaskedLanguageModelling, Objective
from understudy.training.parallel import ParallelConfig, checkpoint_blocks
from understudy.training.precision import DTYPES, Number, autocast
from understudy.training.teachings import Heard
from understudy.training.understanding import Understanding

understudy.model.layout.compiles_shapes = lambda x: False  # It is a GPU that is reckoned, where batches are not filled up.

MASK_RATE = 0.15
Shard = Literal["none", "optimizer", "full"]
Checkpointing = Literal["none", "selective", "block"]
OTHERS = {"finetune": {}, "frozen": {"learned": "heads"}, "listen": {"learned": "nothing"}}
HEARD = Heard(
    teacher="", data="", tokenizer="", vocab_size=1, seed=0, mask_rate=MASK_RATE, whole_words=False, max_length=512, temperature=1.0,
    k=64, samples=16, epochs=1,
)  # fmt: skip


def tracked(model: EncoderConfig, run: Run) -> float:
    """The peak that the trackers count, in bytes, on one of `run.world` ranks."""
    device, number = torch.device("cpu"), "bf16" if run.low else "fp32"
    if run.world > 1:
        dist.init_process_group("fake", rank=0, world_size=run.world, store=FakeStore())
        real = parallel._mesh

        def mesh(*given: object) -> object:
            with unset_fake_temporarily():  # a mesh is made of real numbers
                return real(*given)

        parallel._mesh = mesh
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    layout = Layout.packed([run.length] * (run.tokens // run.length))
    with fake:
        objective = learner(model, run).train()
        for stack in objective.blocks():
            checkpoint_blocks(stack, run.parallel.checkpointing)
        parallel.shard(objective, run.parallel, device, computed_in=DTYPES[number])
        tensors = (getattr(layout, f.name) for f in fields(layout))
        batch = shown(run, Layout(*(t if t is None else fake.from_tensor(t) for t in tensors)))
        tracker = FSDPMemTracker(objective) if run.world > 1 else MemTracker()
        if run.world == 1:
            tracker.track_external(objective)
        with tracker:
            if run.learned == "all":
                with autocast(number, device)():
                    parts = objective(batch)
                weighted(parts, objective.counts(batch)).backward()
            else:
                forward(objective, batch, run, number)
    if run.world > 1:
        parallel._mesh = real
        dist.destroy_process_group()
    return float(tracker.get_tracker_snapshot("peak")[device]["Total"])


def learner(model: EncoderConfig, run: Run) -> Objective:
    """What learns, or for a run that learns nothing holds what is listened to."""
    if run.masked:
        return MaskedLanguageModelling(MaskedLM(model))
    return Understanding(NLU(Encoder(model), intents=60, tags=111), slots=1.0, domain=1.0)


def forward(objective: Objective, batch: Batch, run: Run, number: Number) -> None:
    """A pass that leaves nothing behind. The tracker wants weights that could learn, of which autocast keeps copies: not here."""
    with torch.no_grad(), autocast(number, torch.device("cpu"))():
        torch.set_autocast_cache_enabled(False)
        if run.learned == "nothing":
            hear(objective.eval().model, batch, torch.zeros(run.masked), HEARD)
        else:
            objective.eval()(batch)
    torch.set_autocast_cache_enabled(True)


def shown(run: Run, layout: Layout) -> Batch:
    """What it is shown."""
    sequences = len(layout.cells_BL)
    about = {"ids_T": _ids(run.tokens), "layout": layout, "languages_B": _ids(sequences), "pairs": run.tokens * run.length}
    if run.masked:
        return MaskedBatch(**about, masked_M=_ids(run.masked), targets_M=_ids(run.masked))
    words = 2 * run.tokens // 3
    labels = {"intents_B": _ids(sequences), "domains_B": _ids(sequences), "firsts_W": _ids(words), "tags_W": _ids(words)}
    return LabelledBatch(**about, **labels)


def _ids(count: int) -> torch.Tensor:
    return torch.zeros(count, dtype=torch.int64)


def held(model: EncoderConfig, run: Run, layers: int | None) -> tuple[float, float]:
    """Peaks of the planner and of the tracker, of all layers, without what the optimizer keeps."""

    def both(model: EncoderConfig) -> tuple[float, float]:
        planned = memory(model, run, CPU)
        return planned.peak - planned.optimizer, tracked(model, run)

    if layers is None:
        return both(model)
    few, more = (both(model.model_copy(update={"layers": n})) for n in (layers, 2 * layers))
    grown = [a + (b - a) / layers * (model.layers - layers) for a, b in zip(few, more, strict=True)]
    return grown[0], grown[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["teacher-2.3b:8", "teacher-9.3b:64"], help="MODEL:RANKS")
    parser.add_argument("--layers", type=int, help="build so many, and twice as many, blocks and reckon on")
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--vocab", type=int, default=150_000)
    a = parser.parse_args()
    claims = []
    print(
        f"{'model':>14} {'ranks':>5} {'shard':>9} {'checkpointing':>13} {'':>5} {'planned GB':>10} {'tracked GB':>10}", flush=True
    )
    for name, ranks in (model.split(":") for model in a.models):
        model, length = shape(name, a.vocab), 512
        shards: list[Shard] = ["full", "optimizer"]
        kept: list[Checkpointing] = ["none", "selective", "block"]
        for shard, checkpointing, low in itertools.product(shards, kept, (True, False)):
            config = ParallelConfig(shard=shard, checkpointing=checkpointing)
            run = Run(a.tokens, length, round(MASK_RATE * a.tokens), int(ranks), config, low=low)
            planned, counted = (peak / 1e9 for peak in held(model, run, a.layers))
            number = "bf16" if low else "fp32"
            print(
                f"{name:>14} {ranks:>5} {shard:>9} {checkpointing:>13} {number:>5} {planned:>10.2f} {counted:>10.2f}", flush=True
            )
            claims.append(claim(f"{name} {ranks} {shard} {checkpointing} {number}", 1 - abs(planned / counted - 1), "share", 0.9))
    for name in dict.fromkeys(model.split(":")[0] for model in a.models):
        for (work, changed), low in itertools.product(OTHERS.items(), (True, False)):
            masked = round(MASK_RATE * a.tokens) if work == "listen" else 0
            run = Run(a.tokens, UTTERANCE, masked, 1, ParallelConfig(), low=low, **changed)
            planned, counted = (peak / 1e9 for peak in held(shape(name, a.vocab), run, a.layers))
            number = "bf16" if low else "fp32"
            print(f"{name:>14} {1:>5} {work:>9} {'none':>13} {number:>5} {planned:>10.2f} {counted:>10.2f}", flush=True)
            claims.append(claim(f"{name} {work} {number}", 1 - abs(planned / counted - 1), "share", 0.9))
    finish("planner", claims)


if __name__ == "__main__":
    main()
