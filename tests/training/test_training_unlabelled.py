"""Task distillation: soft targets of a fine-tuned teacher, on labelled utterances and on others."""

from __future__ import annotations

import json
import math
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from helpers_training import SHAPE, World, run_stage, sentences, tiny, write_tokenizer

from understudy import artifact
from understudy.artifact import Artifact
from understudy.config import parse
from understudy.corpus.utterances import read_labels
from understudy.errors import ArtifactError, RecipeError, TrainingError
from understudy.model.heads import NLU
from understudy.runtime.decode import Labels
from understudy.tokenizer import Tokenizer
from understudy.training import finetune
from understudy.training.batches import Labelled, LabelledBatch, LabelledSequences, batches
from understudy.training.finetune import FinetuneConfig
from understudy.training.labelled import following, number
from understudy.training.loop import train
from understudy.training.losses import label_cross_entropy, soft_label_cross_entropy
from understudy.training.machine import Machine
from understudy.training.objectives import sum_counts
from understudy.training.optim import OptimConfig, build
from understudy.training.understanding import Understanding
from understudy.training.unlabelled import UnlabelledSequences

READY: dict[str, Any] = {"max_length": 32, "spoken": False, "lower": False}
PLAIN = Machine(torch.device("cpu"), "fp32", False, None)


def finetuning(**settings: Any) -> FinetuneConfig:
    table: dict[str, Any] = {"data": "labels", "lr": 5e-3, "batch": 16, "width": 32, "precision": "fp32", "compile": False}
    if "encoder" not in settings:
        table |= {"model": {**SHAPE, "hidden": 16}, "tokenizer": "tok"}
    return parse(FinetuneConfig, {**table, **settings}, where="stage.nlu")


def write_corpus(path: Path, texts: list[str], counts: list[int]) -> Artifact:
    with artifact.writing(path, kind="corpus", config={}) as draft:
        langs = ["de" if index % 2 else "en" for index in range(len(texts))]
        columns = {
            "text": pa.array(texts, pa.string()),
            "lang": pa.array(langs, pa.string()),
            "count": pa.array(counts, pa.int32()),
        }
        table = pa.table(columns)
        pq.write_table(table, draft.path / "train.parquet")
    return artifact.open(path)


@pytest.fixture(scope="module")
def inputs(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    root = tmp_path_factory.mktemp("taught")
    torch.set_num_threads(1)
    teacher = run_stage(finetune.run, finetuning(model=SHAPE, epochs=12), root / "teacher", world.inputs, kind="nlu")
    texts = [f"{text} {text.split()[-1]}" for text, _, _ in sentences()]
    return {**world.inputs, "teacher": teacher, "traffic": write_corpus(root / "traffic", texts, [1, 2] * (len(texts) // 2))}


def logits(*odds: float) -> torch.Tensor:
    return torch.tensor([[math.log(x) for x in odds]])


def test_soft_targets_by_hand() -> None:
    teacher = logits(3, 1)  # 3/4, 1/4
    unsure = soft_label_cross_entropy(logits(1, 1), teacher)
    assert unsure.item() == pytest.approx(math.log(2))
    same = soft_label_cross_entropy(logits(3, 1), teacher)
    assert same.item() == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))  # the teacher's entropy
    warm = soft_label_cross_entropy(logits(1, 1), logits(9, 1), temperature=2.0)
    assert warm.item() == pytest.approx(math.log(2))
    warm = soft_label_cross_entropy(logits(9, 1), logits(9, 1), temperature=2.0)  # roots: 3 to 1 on both sides
    assert warm.item() == pytest.approx(same.item())


def test_the_soft_gradient_is_the_difference_of_distributions_over_the_temperature() -> None:
    student, teacher = logits(1, 1).requires_grad_(), logits(9, 1).requires_grad_()
    soft_label_cross_entropy(student, teacher, temperature=2.0).backward()
    torch.testing.assert_close(student.grad, torch.tensor([[0.5 - 0.75, 0.5 - 0.25]]) / 2)
    assert teacher.grad is None


def test_unknown_labels_add_nothing() -> None:
    two = torch.cat([logits(3, 1), logits(1, 9)])
    known = label_cross_entropy(two[:1], torch.tensor([0]), smoothing=0.1)
    both = label_cross_entropy(two, torch.tensor([0, -1]), smoothing=0.1)
    torch.testing.assert_close(both, known)
    none = label_cross_entropy(two, torch.tensor([-1, -1]))
    assert none.item() == 0.0


def unlabelled(world: World, texts: list[str], counts: list[int]) -> UnlabelledSequences:
    tokenizer = Tokenizer.load(world.tokenizer.path)
    return UnlabelledSequences(texts, ["en"] * len(texts), np.array(counts), tokenizer, **READY)


def both(world: World) -> tuple[LabelledBatch, LabelledBatch]:
    """Two labelled utterances of two and one words, and an unlabelled one of three."""
    known = [Labelled([0, 9, 8, 2], [1, 2], [0, 1], 1, 0), Labelled([0, 7, 2], [1], [2], 0, 0)]
    other = unlabelled(world, ["play me imagine"], [1]).batch(np.arange(1), epoch=0)
    return LabelledSequences(known).batch(np.arange(2), epoch=0), other


def taught(world: World, **settings: Any) -> Understanding:
    student, teacher = (NLU(tiny(world.vocab_size, seed=seed).encoder, 2, 3, dropout=0.0) for seed in (0, 1))
    return Understanding(student, teacher=teacher, **{"slots": 1.0, "domain": 1.0} | settings)


def test_unlabelled_utterances_count_for_the_teacher_only(world: World) -> None:
    objective, parts = taught(world), both(world)
    assert (parts[1].intents_B.tolist(), parts[1].tags_W.tolist()) == ([-1], [-1, -1, -1])
    counts = sum_counts(objective, parts)
    assert counts == {
        "intent": 2,
        "slots": 3,
        "soft_intent": 3,
        "soft_slots": 6,
        "tokens": sum(b.tokens for b in parts),
        "examples": 3,
    }
    for batch in parts:
        assert list(objective.counts(batch)) == list(objective(batch))
    found = objective(parts[1])
    assert found["intent"].sum.item() == found["slots"].sum.item() == 0.0
    assert found["soft_slots"].sum.item() > 0


def test_soft_losses_are_those_of_both_models_scores_times_the_temperature_squared(world: World) -> None:
    objective, (batch, _) = taught(world, soft=0.5, temperature=3.0, slots=2.0), both(world)
    ours, theirs = objective.scores(batch), objective._teacher[0](batch.ids_T, batch.layout)
    parts = objective(batch)
    wanted = soft_label_cross_entropy(ours[1], theirs[1][batch.firsts_W], temperature=3.0)
    torch.testing.assert_close(parts["soft_slots"].sum, wanted)
    assert (parts["soft_intent"].weight, parts["soft_slots"].weight) == (4.5, 9.0)


def test_the_teacher_is_neither_trained_nor_saved_nor_set_to_training(world: World) -> None:
    objective = taught(world).train()
    (teacher,) = objective.beside()
    assert not teacher.training
    assert not any(w.requires_grad for w in teacher.parameters())
    assert {name.split(".")[0] for name in objective.state_dict()} == {"nlu"}


def test_a_row_comes_as_often_as_it_counts(world: World) -> None:
    source = unlabelled(world, ["wake me six", "play me imagine now"], [1, 3])
    assert len(source.lengths) == 4
    seen = [b.ids_T.shape[0] for (b,) in islice(batches(source, budget=1, costs=np.ones(4, np.int64), bucketed=False, seed=0), 4)]
    assert sorted(seen) == [5, 6, 6, 6]


def test_a_labels_artifact_gives_its_utterances_without_labels(world: World) -> None:
    source = UnlabelledSequences.read(world.labels.path, Tokenizer.load(world.tokenizer.path), **READY)
    batch = source.batch(np.arange(3), epoch=0)
    assert len(source.lengths) == len(sentences())
    assert not batch.labelled
    assert set(batch.intents_B.tolist()) == {-1}


def stage(inputs: dict[str, Artifact], path: Path, **settings: Any) -> Artifact:
    return run_stage(finetune.run, finetuning(**settings), path, inputs, kind="nlu")


def test_a_student_learns_from_a_teacher_traffic_and_noise(inputs: dict[str, Artifact], tmp_path: Path) -> None:
    noise = {"asr": 0.2, "switch": 0.5, "copies": 2}
    given = {"teacher": "teacher", "unlabelled": "traffic", "unlabelled_batch": 8, "noise": noise, "held_out": 0.2}
    nlu = stage(inputs, tmp_path / "nlu", epochs=4, temperature=2.0, **given)
    learned = nlu.metrics["utterances"]
    assert nlu.metrics["noised"] == 2 * learned
    assert nlu.metrics["unlabelled"] == 3 * len(sentences()) // 2
    assert nlu.metrics["steps"] == 4 * math.ceil(3 * learned / 16)
    lines = [json.loads(line) for line in (nlu.path / "log.jsonl").read_text().splitlines()]
    first, last = (next(line for line in way if "loss" in line) for way in (lines, reversed(lines)))
    assert last["soft_intent"] < first["soft_intent"] / 2
    assert last["soft_slots"] < first["soft_slots"] / 2
    assert nlu.metrics["valid"]["exact"] > 0.5


def test_a_teacher_alone_teaches_on_labelled_utterances(inputs: dict[str, Artifact], tmp_path: Path) -> None:
    nlu = stage(inputs, tmp_path / "nlu", steps=2, teacher="teacher")
    assert (nlu.metrics["noised"], nlu.metrics["unlabelled"]) == (0, 0)
    assert '"soft_intent"' in (nlu.path / "log.jsonl").read_text()


def test_a_run_with_a_teacher_resumes_bit_exactly(inputs: dict[str, Artifact], world: World, tmp_path: Path) -> None:
    class Cut(Exception):
        pass

    def cut(n: int) -> float:
        if n == 8:
            raise Cut
        return 0.01

    labels, tokenizer = Labels.load(world.labels.path / "labels.json"), Tokenizer.load(world.tokenizer.path)
    known = LabelledSequences(number(read_labels(world.labels.path / "train.jsonl"), tokenizer, labels, **READY))
    others = UnlabelledSequences.read(inputs["traffic"].path, tokenizer, **READY)

    def run(scratch: Path, schedule: Any) -> dict[str, torch.Tensor]:
        tags = len(labels.tags)
        student = NLU(tiny(world.vocab_size, dropout=0.1).encoder, 2, tags, generator=torch.Generator().manual_seed(0))
        teacher = NLU(tiny(world.vocab_size, seed=1).encoder, 2, tags, generator=torch.Generator().manual_seed(1))
        objective = Understanding(student, slots=3.0, domain=0.2, teacher=teacher)
        stream = following(known, others, 32, 24, seed=0, device=PLAIN.device)
        optimizer = build(objective, OptimConfig(lr=0.01))
        train(objective, stream, optimizer, schedule, PLAIN, steps_total=12, label="x", scratch=scratch, save_every=3)
        return objective.state_dict()

    whole = run(tmp_path / "whole", lambda n: 0.01)
    with pytest.raises(Cut):
        run(tmp_path / "cut", cut)
    resumed = run(tmp_path / "cut", lambda n: 0.01)
    assert all(torch.equal(whole[name], weight) for name, weight in resumed.items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unlabelled": "traffic"}, "without a 'teacher'"),
        ({"teacher": "teacher", "unlabelled_batch": 8}, "'unlabelled_batch' goes with 'unlabelled'"),
        ({"teacher": "teacher", "temperature": 0}, "temperature"),
        ({"noise": {"asr": 2}}, "noise.asr"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_early(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        finetuning(**settings)


def test_a_teacher_of_another_tokenizer_is_refused(inputs: dict[str, Artifact], tmp_path: Path) -> None:
    other = write_tokenizer(tmp_path / "tok", extra="zebra")
    with pytest.raises(ArtifactError, match="this nlu was made with another tokenizer"):
        stage({**inputs, "tok": other}, tmp_path / "nlu", steps=1, teacher="teacher")


def test_a_teacher_of_other_labels_is_refused(inputs: dict[str, Artifact], tmp_path: Path) -> None:
    with artifact.writing(tmp_path / "labels", kind="labels", config={}) as draft:
        rows = (inputs["labels"].path / "train.jsonl").read_text()
        (draft.path / "train.jsonl").write_text(rows)
        known = json.loads((inputs["labels"].path / "labels.json").read_text())
        (draft.path / "labels.json").write_text(json.dumps({**known, "slots": ["artist", "song", "time"]}))
    changed = {**inputs, "labels": artifact.open(tmp_path / "labels")}
    with pytest.raises(ArtifactError, match=r"2 intents and 2 slots; only one of the two has artist"):
        stage(changed, tmp_path / "nlu", steps=1, teacher="teacher")


@pytest.mark.parametrize(
    ("settings", "message"), [({"lower": True}, "lower: .*false, as"), ({"max_length": 33}, "max_length: .*at most 32")]
)
def test_a_teacher_that_reads_text_otherwise_is_refused(
    settings: dict[str, Any], message: str, inputs: dict[str, Artifact], tmp_path: Path
) -> None:
    model = {**SHAPE, "hidden": 16, "max_length": 64}
    given = {"max_length": 32, **settings}
    with pytest.raises(RecipeError, match=message):
        stage(inputs, tmp_path / "nlu", steps=1, teacher="teacher", model=model, **given)


def test_a_corpus_without_rows_is_nothing_to_learn_from(inputs: dict[str, Artifact], tmp_path: Path) -> None:
    empty = write_corpus(tmp_path / "empty", [], [])
    with pytest.raises(TrainingError, match="no unlabelled utterances"):
        stage({**inputs, "traffic": empty}, tmp_path / "nlu", steps=1, teacher="teacher", unlabelled="traffic")
