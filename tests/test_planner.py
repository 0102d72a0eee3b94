"""What a plan says of memory and time: by hand, and beside what torch's memory trackers count."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from understudy import artifact, recipe
from understudy.errors import RecipeError
from understudy.model.encoder import EncoderConfig
from understudy.model.presets import shape
from understudy.planner import GPUS, Planned, plan
from understudy.training.footprint import Run, memory
from understudy.training.parallel import ParallelConfig

ROOT = Path(__file__).parent.parent
PAPER = ROOT / "recipes" / "paper"
SMALL = EncoderConfig(layers=3, hidden=64, ffn=128, heads=4, vocab_size=20_000, max_length=64)


SHAPE = {"layers": 3, "hidden": 64, "ffn": 128, "heads": 4, "max_length": 64}


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


def small(tmp_path: Path, *overrides: str) -> dict[str, Planned]:
    """The plan of a recipe whose data is yet to be made, but for pairs of sentences."""
    (tmp_path / "en.tsv").write_text("a man sleeps\the is awake\tcontradiction\n" * 1000)
    shards = {"kind": "shards", "tokenizer": "tok", "mix": [{"corpus": "text"}], "max_length": 64}
    encoder = {"kind": "pretrain", "model": SHAPE, "data": "tokens", "tokenizer": "tok", "steps": 10, "batch_tokens": 4096}
    stages: dict[str, dict[str, object]] = {
        "text": {"kind": "corpus", "sources": [{"path": "nowhere.txt", "lang": "en"}]},
        "labels": {"kind": "labels", "sources": [{"path": "nowhere", "format": "massive"}]},
        "tok": {"kind": "tokenizer", "corpora": ["text"], "vocab_size": 20_000},
        "tokens": shards,
        "encoder": encoder,
        "heard": {"kind": "listen", "teacher": "encoder", "data": "tokens", "tokenizer": "tok", "batch_tokens": 4096},
        "nlu": {"kind": "finetune", "encoder": "encoder", "data": "labels", "batch": 32},
        "pairs": {
            "kind": "xnli",
            "encoder": "encoder",
            "train": f"{tmp_path}/en.tsv",
            "test": "{lang}.tsv",
            "held_out": 0.2,
            "epochs": 3,
        },
    }
    (tmp_path / "recipe.toml").write_text('name = "small"\n[stage]\n')
    assigned = [f"stage.{name}.{key}={toml(value)}" for name, table in stages.items() for key, value in table.items()]
    loaded = recipe.load(tmp_path / "recipe.toml", [f'artifacts="{tmp_path}/made"', *assigned, *overrides])
    return {row.stage: row for row in plan(loaded, gpus=1, gpu="h200")}


def toml(value: object) -> str:
    """A value of a recipe, as TOML writes it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    return f"[{', '.join(map(toml, value))}]" if isinstance(value, list) else json.dumps(value)


def test_fine_tuning_is_planned_by_utterances_of_sixteen_tokens(tmp_path: Path) -> None:
    row = small(tmp_path, "stage.nlu.steps=500")["nlu"]
    assert (row.updates, row.tokens) == (500, 32 * 16)
    assert row.flops == pytest.approx(500 * 3 * row.model.flops(tokens=512, pairs=512 * 16))
    frozen = small(tmp_path, "stage.nlu.steps=500", "stage.nlu.mode=frozen")["nlu"]
    assert frozen.flops == pytest.approx(row.flops / 3)
    assert (frozen.memory.gradients, frozen.memory.optimizer) == (0, 0)
    assert frozen.memory.activations < row.memory.activations / 3


def test_epochs_are_counted_in_labels_that_are_there(tmp_path: Path) -> None:
    assert small(tmp_path)["nlu"].updates is None
    with artifact.writing(tmp_path / "made" / "labels", kind="labels", config={}) as draft:
        draft.metrics["locales"] = {"train": {"de-DE": 1000, "en-US": 600}}
    found = small(tmp_path, "stage.nlu.epochs=2", "stage.nlu.held_out=0.1", "stage.nlu.noise={asr = 0.1}")["nlu"]
    assert found.updates == 2 * 90  # 1,600, a tenth held out, and as many noised, by 32
    one = small(tmp_path, "stage.nlu.epochs=2", 'stage.nlu.locales=["en-US"]', "stage.nlu.labels=0.5")["nlu"]
    assert one.updates == 2 * 10  # 300 by 32


def test_pairs_are_counted_in_their_file_and_a_teacher_is_heard_once(tmp_path: Path) -> None:
    rows = small(tmp_path)
    assert (rows["pairs"].updates, rows["pairs"].tokens) == (3 * 25, 32 * 48)  # 800 by 32
    heard = rows["heard"]
    assert (heard.teacher, heard.updates, heard.hours) == ("encoder", None, None)
    learned = rows["encoder"]
    assert heard.tokens_per_s == pytest.approx(3 * learned.tokens_per_s)
    assert heard.memory.gradients == heard.memory.optimizer == 0
    assert heard.memory.activations < learned.memory.activations / 3
    with artifact.writing(tmp_path / "made" / "tokens", kind="shards", config={}) as draft:
        draft.metrics["train"] = {"mean_length": 8.0, "attended": 32.0, "tokens": 1_000_000}
    assert small(tmp_path, "stage.heard.epochs=2")["heard"].updates == 489  # 2,000,000 by 4,096


def test_unlabelled_utterances_and_a_teacher_take_their_share(tmp_path: Path) -> None:
    more = ["stage.teacher.kind=finetune", "stage.teacher.encoder=encoder", "stage.teacher.data=labels"]
    alone = small(tmp_path, "stage.nlu.steps=5")["nlu"]
    taught = small(tmp_path, *more, "stage.nlu.steps=5", "stage.nlu.teacher=teacher", "stage.nlu.unlabelled=text")["nlu"]
    assert taught.teacher == "teacher"
    assert taught.tokens == 2 * alone.tokens
    assert taught.flops == pytest.approx(alone.flops * 2 * 4 / 3)


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
    assert len(claims) == 18
    assert [claim["name"] for claim in claims if not claim["met"]] == []
