"""The teacher cache: what is written, what is refused, and that a student learns from it as from the teacher."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers_training import SHAPE, World, run_stage, tiny, write_shards

from understudy import artifact, recipe
from understudy.artifact import Artifact
from understudy.config import parse
from understudy.errors import ArtifactError, RecipeError
from understudy.model.encoder import MaskedLM
from understudy.model.folder import load_encoder, save_encoder
from understudy.training import distill, listen
from understudy.training.batches import MaskedSequences, Pieces
from understudy.training.distill import DistillConfig
from understudy.training.journal import Journal
from understudy.training.listen import ListenConfig, Windows
from understudy.training.masking import Masking
from understudy.training.outcome import Step
from understudy.training.teachings import Heard, Parts, TaughtSequences, Teachings

FAST: dict[str, Any] = {"data": "shards", "tokenizer": "tok", "batch_tokens": 128, "precision": "fp32", "compile": False}


@pytest.fixture(scope="module")
def teacher(world: World, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    model = tiny(world.vocab_size, seed=1)
    with torch.no_grad():
        model.encoder.words.weight.mul_(8)  # a teacher with opinions
    with artifact.writing(tmp_path_factory.mktemp("t") / "teacher", kind="encoder", config={}) as draft:
        save_encoder(model, draft.path, world.tokenizer.path)
        draft.tokenizer = world.tokenizer.manifest.tokenizer
    return artifact.open(draft.path.parent / "teacher")


def listening(**settings: Any) -> ListenConfig:
    return parse(ListenConfig, {"teacher": "teacher", **FAST, **settings}, where="stage.heard")


def heard(world: World, teacher: Artifact, path: Path, *, seed: int = 0, **settings: Any) -> Artifact:
    return run_stage(listen.run, listening(**settings), path, {**world.inputs, "teacher": teacher}, kind="teachings", seed=seed)


def distilling(use: str, **settings: Any) -> DistillConfig:
    table: dict[str, Any] = {"model": {**SHAPE, "dropout": 0.0, "hidden": 16}, "teachers": [{"use": use, "steps": 12}]}
    table |= {"optimizer": {"lr": 5e-3}, "eval_every": 6, "save_every": 4}
    return parse(DistillConfig, {**FAST, **table, **settings}, where="stage.student")


def lines(made: Artifact) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (made.path / "log.jsonl").read_text().splitlines()]


def masked(world: World, *, seed: int, max_length: int = 32) -> MaskedSequences:
    return MaskedSequences(Pieces(world.tokens(), max_length=max_length), Masking(0.15, world.vocab_size), seed=seed)


def test_rows_are_the_teachers_likeliest_words_at_the_masks(world: World, teacher: Artifact, tmp_path: Path) -> None:
    made = heard(world, teacher, tmp_path / "heard", seed=3, k=5, samples=3, epochs=2, temperature=2.0, batch_tokens=40)
    index = Heard.read(made.path)
    assert (index.teacher, index.data, index.seed, index.k, index.samples) == (teacher.hash, world.shards.hash, 3, 5, 3)
    rows = Teachings.open(made.path, "train", index, epochs=2)
    source, model = masked(world, seed=3), load_encoder(teacher.path).eval()
    indices = np.array([17, 2, 40, 2])
    for epoch in (0, 1):
        batch, found = source.batch(indices, epoch=epoch), rows.at(indices, epoch=epoch)
        with torch.no_grad():
            p_MV = torch.softmax(model(batch.ids_T, batch.layout, at_M=batch.masked_M) / 2.0, 1)
        top = p_MV.topk(5, 1)
        assert torch.equal(found.ids_MK[:, :5], top.indices)
        assert not (found.ids_MK[:, 5:, None] == top.indices[:, None]).any()
        torch.testing.assert_close(found.mass_MK[:, :5], top.values, rtol=5e-4, atol=0)
        torch.testing.assert_close(found.mass_MK[:, 5:].sum(1), 1 - top.values.sum(1), rtol=1e-3, atol=1e-6)
    assert torch.equal(rows.at(indices, epoch=2).ids_MK, rows.at(indices, epoch=0).ids_MK)


def test_metrics_say_what_was_left_out_and_what_a_token_takes(world: World, teacher: Artifact, tmp_path: Path) -> None:
    m = heard(world, teacher, tmp_path / "heard", k=5, samples=3).metrics
    assert m["bytes_per_masked_token"] == (5 + 3) * 2 + 6 * 2
    assert m["train"]["masked"] == sum(len(b.masked_M) for b in whole(masked(world, seed=0)))
    assert 0 < m["train"]["tail"] < 1 - 5 / world.vocab_size


def whole(source: MaskedSequences) -> Iterator[Any]:
    yield source.batch(np.arange(len(source.lengths)), epoch=0)


def test_every_word_known_gives_the_losses_of_the_teacher_itself(world: World, teacher: Artifact, tmp_path: Path) -> None:
    cache = heard(world, teacher, tmp_path / "heard", k=world.vocab_size, epochs=8)
    inputs = {**world.inputs, "teacher": teacher, "heard": cache}
    live, kept = (
        run_stage(distill.run, distilling(use, accumulate=2), tmp_path / f"from-{use}", inputs) for use in ("teacher", "heard")
    )
    assert cache.metrics["train"]["tail"] == 0
    names = ("mlm", "soft", "loss")
    theirs, ours = ([[line.get("valid", line)[n] for n in names] for line in lines(made)] for made in (live, kept))
    assert len(ours) == 14  # twelve updates, two evaluations
    torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs), rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize(("number", "leaves"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_a_resumed_student_is_one_never_disturbed(
    world: World, teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, leaves: type[BaseException]
) -> None:
    cache = heard(world, teacher, tmp_path / "heard", k=4)
    inputs, config = {**world.inputs, "heard": cache}, distilling("heard")
    undisturbed = run_stage(distill.run, config, tmp_path / "one", inputs)
    write = Journal.step

    def stopped(self: Journal, step: Step) -> None:
        write(self, step)
        if step.number == 7:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "step", stopped)
        with pytest.raises(leaves):
            run_stage(distill.run, config, tmp_path / "two", inputs)
    assert len([*(tmp_path / ".two.scratch" / "turn-0").glob("step-*7")]) == 1
    resumed = run_stage(distill.run, config, tmp_path / "two", inputs)
    assert resumed.metrics["steps"] == 12
    assert resumed.hash == undisturbed.hash


@pytest.fixture
def _small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "WINDOW_BATCHES", 1)


@pytest.mark.usefixtures("_small_windows")
@pytest.mark.parametrize("torn", [False, True], ids=["between windows", "within a window"])
def test_a_listening_that_was_cut_off_goes_on_and_ends_the_same(
    world: World, teacher: Artifact, tmp_path: Path, torn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = heard(world, teacher, tmp_path / "one", k=4, epochs=2)
    write, written = Parts.write, []

    def dying(self: Parts, start: int, *rows: Any) -> None:
        if len(written) == 5:
            if torn:
                self.path(start).with_suffix(".tmp").write_bytes(b"half a window")
            raise KeyboardInterrupt
        written.append(write(self, start, *rows))

    with monkeypatch.context() as patch:
        patch.setattr(Parts, "write", dying)
        with pytest.raises(KeyboardInterrupt):
            heard(world, teacher, tmp_path / "two", k=4, epochs=2)
    monkeypatch.setattr(Parts, "write", lambda self, *rows: written.append(write(self, *rows)))
    resumed = heard(world, teacher, tmp_path / "two", k=4, epochs=2)
    lengths = {split: Pieces(world.tokens(split), max_length=32).lengths for split in ("train", "valid")}
    windows = [Windows.of(lengths[split], epochs=n, budget=128) for split, n in (("train", 2), ("valid", 1))]
    assert len(written) == sum(len(w.ends) for w in windows) > 10  # none was heard twice
    assert resumed.hash == undisturbed.hash


def test_windows_do_not_reach_over_the_end_of_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "WINDOW_BATCHES", 1)
    windows = Windows.of(np.full(5, 10), epochs=2, budget=20)
    assert windows.starts.tolist() == [0, 2, 4, 5, 7, 9]
    assert windows.ends.tolist() == [2, 4, 5, 7, 9, 10]


def test_a_split_without_sequences_has_no_rows(world: World, cache: Artifact, tmp_path: Path) -> None:
    windows = Windows.of(np.zeros(0, np.int64), epochs=2, budget=20)
    Parts(tmp_path, "valid", vocab_size=world.vocab_size).join(windows.starts.tolist(), tmp_path)
    found = Teachings.open(tmp_path, "valid", Heard.read(cache.path), epochs=1)
    assert (len(found), found.pieces, found.tail()) == (0, 0, 0.0)


def test_equal_seeds_give_equal_teachings_and_others_do_not(world: World, teacher: Artifact, tmp_path: Path) -> None:
    made = [heard(world, teacher, tmp_path / str(i), k=4, seed=seed) for i, seed in enumerate((1, 1, 2))]
    assert made[0].hash == made[1].hash != made[2].hash


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"hidden": 0.5}, "hidden"),
        ({"temperature": 2.0}, "temperature"),
        ({"mask_rate": 0.3}, "mask_rate"),
        ({"whole_words": True}, "whole_words"),
        ({"max_length": 16}, "max_length"),
        ({"model": {**SHAPE, "max_length": 16}}, "max_length"),
    ],
)
def test_what_was_not_kept_cannot_be_learned(
    settings: dict[str, Any], key: str, world: World, teacher: Artifact, cache: Artifact, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=f"{key}: what was kept of this teacher does not give that"):
        run_stage(distill.run, distilling("heard", **settings), tmp_path / "student", {**world.inputs, "heard": cache})


@pytest.fixture(scope="module")
def cache(world: World, teacher: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    torch.set_num_threads(1)
    return heard(world, teacher, tmp_path_factory.mktemp("c") / "heard", k=4)


def test_teachings_of_other_data_are_refused(world: World, cache: Artifact, tmp_path: Path) -> None:
    path = write_shards(tmp_path / "shards", world.tokenizer.path).path
    with artifact.writing(tmp_path / "other", kind="shards", config={}) as draft:
        for file in path.iterdir():
            if file.name != "artifact.json":
                (draft.path / file.name).write_bytes(file.read_bytes())
        (draft.path / "more").write_text("other content")
        draft.tokenizer = world.tokenizer.manifest.tokenizer
    inputs = {**world.inputs, "shards": artifact.open(tmp_path / "other"), "heard": cache}
    with pytest.raises(ArtifactError, match="listened to on other data"):
        run_stage(distill.run, distilling("heard"), tmp_path / "student", inputs)


def test_a_truncated_file_is_refused(cache: Artifact, tmp_path: Path) -> None:
    for file in cache.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "train.surprisals.bin").write_bytes(b"12")
    with pytest.raises(ArtifactError, match=r"do not fit their index\. Got: 2 bytes"):
        Teachings.open(tmp_path, "train", Heard.read(tmp_path), epochs=1)
    (tmp_path / "train.offsets.npy").unlink()
    with pytest.raises(ArtifactError, match=r"cannot be read.*train\.offsets\.npy"):
        Teachings.open(tmp_path, "train", Heard.read(tmp_path), epochs=1)


def test_sequences_that_the_teacher_was_not_shown_are_refused(world: World, cache: Artifact) -> None:
    rows = Teachings.open(cache.path, "train", Heard.read(cache.path), epochs=1)
    with pytest.raises(ArtifactError, match=r"shown something else.*sequences"):
        TaughtSequences(masked(world, seed=0, max_length=4), rows)
    more = MaskedSequences(Pieces(world.tokens(), max_length=32), Masking(0.9, world.vocab_size), seed=0)
    with pytest.raises(ArtifactError, match=r"shown something else.*masked tokens"):
        TaughtSequences(more, rows).batch(np.arange(5), epoch=0)


def test_a_recipe_may_name_either_as_a_teacher(world: World, teacher: Artifact, tmp_path: Path) -> None:
    table = f"""
    name = "kept"
    artifacts = {str(tmp_path / "made")!r}
    [stage.heard]
    kind = "listen"
    teacher = {str(teacher.path)!r}
    data = {str(world.shards.path)!r}
    tokenizer = {str(world.tokenizer.path)!r}
    precision = "fp32"
    k = 4
    [stage.student]
    kind = "distill"
    data = {str(world.shards.path)!r}
    tokenizer = {str(world.tokenizer.path)!r}
    precision = "fp32"
    model = {{ layers = 1, hidden = 16, ffn = 16, heads = 2, max_length = 32 }}
    teachers = [{{ use = "heard", steps = 2 }}, {{ use = {str(teacher.path)!r}, steps = 2 }}]
    """
    (tmp_path / "recipe.toml").write_text(table)
    made = recipe.run(recipe.load(tmp_path / "recipe.toml"))
    assert [done.artifact.kind for done in made] == ["teachings", "encoder"]
    assert [turn["steps"] for turn in made[1].artifact.metrics["turns"]] == [2, 2]
    assert isinstance(load_encoder(made[1].artifact.path), MaskedLM)
