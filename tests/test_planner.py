"""What a plan says of memory and time: by hand, and beside what torch's memory trackers count."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from understudy import recipe
from understudy.errors import RecipeError
from understudy.model.encoder import EncoderConfig
from understudy.model.presets import shape
from understudy.planner import GPUS, plan
from understudy.training.footprint import Run, memory
from understudy.training.parallel import ParallelConfig

ROOT = Path(__file__).parent.parent
PAPER = ROOT / "recipes" / "paper"
SMALL = EncoderConfig(layers=3, hidden=64, ffn=128, heads=4, vocab_size=20_000, max_length=64)


def run(world: int = 1, **changed: object) -> Run:
    parallel = ParallelConfig.model_validate({key: changed.pop(key) for key in ("shard", "checkpointing") if key in changed})
    return Run(**{"tokens": 4096, "length": 64, "masked": 614, "world": world, "parallel": parallel, **changed})  # type: ignore[arg-type]


def test_weights_gradients_and_states_of_one_gpu_by_hand() -> None:
    # 3 blocks of 4 x 64^2 + 2 x 64 x 128 = 32,768 and the head's 64^2 are copied in bf16.
    found = memory(SMALL, run(), GPUS["h200"])
    P = SMALL.parameters_total
    assert found.weights == 4 * P + 2 * (3 * 32_768 + 64**2)
    assert (found.gradients, found.optimizer) == (4 * P, 8 * P)


def test_activations_of_a_token_by_hand() -> None:
    # bf16, each block: residuals 2 x 4 D, inputs of products 4 D, query, key, value 6 D, their result 2 D, feed-forward 2 x 2 F,
    # dropout's masks 2 D, attention's sums 4 H; with them 16 D for embeddings and the last norm.
    block = 8 * 64 + 4 * 64 + 6 * 64 + 2 * 64 + 4 * 128 + 2 * 64 + 4 * 4
    assert memory(SMALL, run(), GPUS["h200"]).activations == 4096 * (3 * block + 16 * 64)
    again = memory(SMALL, run(checkpointing="block"), GPUS["h200"])
    assert again.activations == 4096 * (3 * 4 * 64 + 16 * 64)


def test_sharding_divides_what_is_held() -> None:
    one, many = (memory(SMALL, run(world, shard="full"), GPUS["h200"]) for world in (8, 64))
    assert (one.optimizer, one.gradients) == (8 * many.optimizer, 8 * many.gradients)
    whole = memory(SMALL, run(64, shard="none"), GPUS["h200"])
    assert whole.optimizer == 64 * many.optimizer


def test_the_papers_teacher_takes_its_arithmetic_over_its_speed() -> None:
    loaded = recipe.load(PAPER / "teacher-2.3b.toml", ["data_root=nowhere"])
    first = plan(loaded, gpus=64, gpu="a100-40g", mfu=0.34)[0]
    config = shape("teacher-2.3b", 150_000)
    an_update = 3 * config.flops(tokens=2**20, pairs=2**20 * 512, masked=round(0.15 * 2**20))
    assert first.flops == pytest.approx(an_update * 570_000)
    assert first.tokens_per_s == pytest.approx(2**20 * 64 * 312e12 * 0.34 / an_update)
    assert first.hours == pytest.approx(first.flops / (64 * 312e12 * 0.34) / 3600)
    assert first.fits


def test_eight_small_gpus_do_not_hold_the_papers_largest_teacher() -> None:
    loaded = recipe.load(PAPER / "teacher-9.3b.toml", ["data_root=nowhere"])
    assert not any(run.fits for run in plan(loaded, gpus=8, gpu="a10g"))


def test_a_distillation_is_one_run_for_each_teacher_and_pays_for_listening() -> None:
    loaded = recipe.load(PAPER / "assistant-170m.toml", ["data_root=nowhere"])
    runs = {run.teacher: run for run in plan(loaded, gpus=8, gpu="h100") if run.stage == "assistant-170m-distilled"}
    assert list(runs) == ["teacher-700m", "teacher-2-3b", "teacher-2-3b-stage2"]
    assert runs["teacher-2-3b"].memory.weights > runs["teacher-700m"].memory.weights
    assert runs["teacher-2-3b"].tokens_per_s < runs["teacher-700m"].tokens_per_s


def test_a_teacher_that_was_written_down_takes_neither_memory_nor_arithmetic() -> None:
    source, name = PAPER / "student-17m.toml", "student-17m"
    config = recipe.load(source, ["data_root=nowhere"]).stage[name].model_dump()
    heard = {"kind": "listen", "teacher": "assistant-170m", "data": config["data"], "tokenizer": config["tokenizer"]}
    turns = [f"stage.{name}.hidden=0", f'stage.{name}.teachers=[{{use="heard", steps=10}}, {{use="assistant-170m", steps=10}}]']
    changed = ["data_root=nowhere", *turns, *(f"stage.heard.{key}={value}" for key, value in heard.items())]
    kept, live = (run for run in plan(recipe.load(source, changed), gpus=8, gpu="h100") if run.stage == name)
    assert (kept.teacher, live.teacher) == ("heard", "assistant-170m")
    assert kept.memory.weights < live.memory.weights / 2
    assert kept.flops < live.flops / 2


def test_an_unknown_gpu_and_an_odd_cut_are_refused() -> None:
    loaded = recipe.load(PAPER / "teacher-2.3b.toml", ["data_root=nowhere", "stage.teacher-2-3b.parallel.replicas=3"])
    with pytest.raises(RecipeError, match="h200"):
        plan(loaded, gpus=8, gpu="h2000")
    with pytest.raises(RecipeError, match="equal groups"):
        plan(loaded, gpus=8, gpu="h200")


def test_the_command_prints_json() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "understudy", "plan", str(PAPER / "student-17m.toml"), "data_root=x", "--gpus", "8", "--json"],
        capture_output=True,
        check=True,
    )
    last = json.loads(said.stdout)[-1]
    assert (last["stage"], last["teacher"]) == ("student-17m", "assistant-170m")
    assert last["memory"]["peak"] > 0


def test_peaks_are_those_that_torchs_trackers_count() -> None:
    """Fake tensors and a fake process group: the code itself, on one rank of eight, without any arithmetic."""
    said = subprocess.run(
        [sys.executable, "benchmarks/planner.py", "--models", "student-5m:8", "--tokens", "2048", "--vocab", "30000"],
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    claims = json.loads(said.stdout.splitlines()[-1])["claims"]
    assert len(claims) == 12
    assert [claim["name"] for claim in claims if not claim["met"]] == []
