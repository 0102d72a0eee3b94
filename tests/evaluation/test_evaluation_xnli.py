"""Fine-tuned in one language, tested in others: the figures by hand, and the stage on a small relation of words."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers_foreign import write_foreign

from understudy import artifact, stages
from understudy.artifact import Artifact, Draft
from understudy.config import parse
from understudy.errors import ArtifactError, DataError, RecipeError, TrainingError
from understudy.evaluation.entailment import Answered, Entailment, scores
from understudy.evaluation.xnli import XnliConfig, run
from understudy.model import adopt
from understudy.model.adopt import AdoptConfig
from understudy.model.encoder import EncoderConfig, MaskedLM
from understudy.model.folder import save_encoder
from understudy.tokenizer import Tokenizer

PREMISES = ("wake me at {}", "wake me up at {}", "play the {}", "what is the {}")
HYPOTHESES = ("the {}", "in {}", "the new {}")
KINDS = (("six", "nine", "friday"), ("album", "weather", "berlin"))


def answered(right: str) -> Answered:
    """Pairs of label 0, answered rightly (r) or by label 1."""
    given = np.array([0 if one == "r" else 1 for one in right])
    return Answered(np.zeros_like(given), given)


def test_the_zero_shot_mean_leaves_out_the_language_that_was_trained_on() -> None:
    told = {
        "en": answered("r" * 19 + "w"),
        "de": answered("rrrrrrrw"),
        "hi": Answered(np.array([0, 0, 1, 2]), np.array([0, 1, 0, 2])),
    }
    found = scores(told, trained="en")
    assert {lang: table["accuracy"] for lang, table in found["languages"].items()} == {"en": 95.0, "de": 87.5, "hi": 50.0}
    assert found["mean"] == 77.5
    assert found["zero_shot"] == 68.75
    assert (found["languages"]["de"]["right"], found["languages"]["de"]["pairs"]) == (7, 8)
    assert found["languages"]["hi"]["confusion"] == [[1, 1, 0], [1, 0, 0], [0, 0, 1]]
    alone = scores({"en": told["en"]}, trained="en")
    assert (alone["zero_shot"], alone["zero_shot_interval"]) == (None, None)


def test_an_accuracys_interval_is_that_of_its_bootstrap() -> None:
    # Of 400 pairs three quarters are right: a standard error of 100 sqrt(0.75 x 0.25 / 400) = 2.165 points.
    low, high = scores({"en": answered("rrrw" * 100)}, trained="en")["languages"]["en"]["interval"]
    assert (low, high) == (pytest.approx(75 - 1.96 * 2.165, abs=0.6), pytest.approx(75 + 1.96 * 2.165, abs=0.6))


def test_translations_are_resampled_together() -> None:
    alike = {lang: answered("rrrw" * 100) for lang in ("de", "hi")}
    found = scores(alike, trained="en")
    assert found["mean_interval"] == found["languages"]["de"]["interval"] == found["languages"]["hi"]["interval"]
    opposed = scores({"de": answered("rw" * 100), "hi": answered("wr" * 100)}, trained="en")
    assert opposed["zero_shot_interval"] == [50.0, 50.0]  # where one is right the other is wrong
    apart = scores({"de": answered("rw" * 100), "hi": answered("wr" * 100 + "w")}, trained="en")["mean_interval"]
    assert apart[1] - apart[0] > 5  # of different numbers they are no translations


def relations() -> list[tuple[str, str]]:
    """Train or test, and a line: the same word is entailed, another of its kind contradicted, one of the other kind neutral."""
    found = []
    for (i, premise), (j, hypothesis), kind, at in itertools.product(
        enumerate(PREMISES), enumerate(HYPOTHESES), (0, 1), range(3)
    ):
        word = KINDS[kind][at]
        others = {"entailment": word, "contradiction": KINDS[kind][at - 1], "neutral": KINDS[1 - kind][at]}
        for label, other in others.items():
            found.append(("test" if i == j else "train", f"{premise.format(word)}\t{hypothesis.format(other)}\t{label}\n"))
    return found


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, part in (("train", "train"), ("dev-en", "test"), ("dev-de", "test")):
        lines = [line for which, line in relations() if which == part]
        (tmp_path / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
    return tmp_path


@pytest.fixture
def encoder(tmp_path: Path, tokenizer_dir: Path) -> Artifact:
    torch.set_num_threads(1)
    shape = EncoderConfig(
        layers=2, hidden=32, ffn=64, heads=2, max_length=24, dropout=0.0, attention_dropout=0.0,
        vocab_size=Tokenizer.load(tokenizer_dir).size,
    )  # fmt: skip
    with artifact.writing(tmp_path / "encoder", kind="encoder", config={}) as draft:
        save_encoder(MaskedLM(shape, generator=torch.Generator().manual_seed(0)), draft.path, tokenizer_dir)
    return artifact.open(tmp_path / "encoder")


def config(files: Path, **settings: Any) -> XnliConfig:
    table: dict[str, Any] = {
        "kind": "xnli",
        "encoder": "encoder",
        "train": f"{files}/train.tsv",
        "test": f"{files}/dev-{{lang}}.tsv",
    }
    table |= {
        "languages": ["en", "de"],
        "lr": 3e-3,
        "dropout": 0.0,
        "batch": 16,
        "width": 32,
        "precision": "fp32",
        "compile": False,
    }
    found = stages.parse_stage({**table, **settings}, where="stage.xnli")
    assert isinstance(found, XnliConfig)
    return found


def made(config: XnliConfig, encoder: Artifact, path: Path) -> Artifact:
    with artifact.writing(path, kind="report", config={}, parents={"encoder": encoder}) as draft:
        stages.run(config, {"encoder": encoder}, draft, seed=0)
    return artifact.open(path, kind="report")


def test_a_relation_of_words_is_learned_and_told_of_pairs_never_seen(files: Path, encoder: Artifact) -> None:
    report = made(config(files, epochs=30, held_out=0.1), encoder, files / "report")
    content = json.loads((report.path / "report.json").read_text())
    assert content["languages"]["en"]["accuracy"] > 55  # one in three by chance
    assert content["languages"]["de"]["pairs"] == 54
    assert report.metrics["accuracy"]["de"] == content["zero_shot"]
    assert content["trained_on"]["held_out"] > 0
    log = (report.path / "log.jsonl").read_text().splitlines()
    best = max(line["valid"]["accuracy"] for line in map(json.loads, log) if "valid" in line)
    assert content["valid"]["accuracy"] == round(100 * best, 2)


def test_a_run_that_was_cut_off_ends_as_one_that_was_not(files: Path, encoder: Artifact) -> None:
    short = config(files, epochs=2, held_out=0.2, save_every=3)
    scratch = files / "scratch"
    found = []
    for name in ("whole", "resumed"):
        (files / name).mkdir()
        run(short, {"encoder": encoder}, Draft(files / name, scratch, files / "runs"), seed=0)
        found.append((files / name / "report.json").read_bytes())
        shutil.rmtree(max(scratch.glob("step-*")))  # the last checkpoint: as if killed before it
    assert found[0] == found[1]


def test_the_model_is_kept_and_answers_as_the_report_says(files: Path, encoder: Artifact) -> None:
    report = made(config(files, epochs=0.5, held_out=0, pooling="first"), encoder, files / "report")
    entailment = Entailment.load(report.path)
    lines = [line.split("\t") for line in (files / "dev-de.tsv").read_text().splitlines()]
    likely = entailment.batch([(premise, hypothesis) for premise, hypothesis, _ in lines])
    right = sum(max(found, key=found.__getitem__) == label for found, (_, _, label) in zip(likely, lines, strict=True))
    assert right == json.loads((report.path / "report.json").read_text())["languages"]["de"]["right"]
    assert len({round(found["neutral"], 5) for found in likely}) > 1
    assert entailment(*lines[3][:2]) == pytest.approx(likely[3], abs=1e-6)
    assert sum(likely[3].values()) == pytest.approx(1)


def test_a_report_without_a_model_says_so(tmp_path: Path) -> None:
    with artifact.writing(tmp_path / "report", kind="report", config={}) as draft:
        (draft.path / "report.json").write_text("{}")
    with pytest.raises(ArtifactError, match="this is no classifier of pairs"):
        Entailment.load(tmp_path / "report")


def test_an_adopted_encoder_is_tested_too(files: Path) -> None:
    write_foreign(files / "theirs", "xlm-roberta")
    with artifact.writing(files / "adopted", kind="encoder", config={}) as draft:
        adopt.run(AdoptConfig(model=str(files / "theirs")), {}, draft, seed=0)
    adopted = artifact.open(files / "adopted")
    report = made(config(files, epochs=1, held_out=0), adopted, files / "report")
    assert report.metrics["accuracy"].keys() == {"en", "de"}
    assert sum(Entailment.load(report.path)("wake me", "play it").values()) == pytest.approx(1)
    with pytest.raises(RecipeError, match="an adopted encoder cannot be fine-tuned like this"):
        made(config(files, parallel={"checkpointing": "block"}), adopted, files / "again")


def test_the_report_names_the_encoder_and_its_checkpoint(files: Path, encoder: Artifact) -> None:
    (encoder.path / "checkpoints").mkdir()
    shutil.copytree(encoder.path, files / "kept", ignore=shutil.ignore_patterns("checkpoints"))
    (files / "kept").rename(encoder.path / "checkpoints" / "40")
    report = made(config(files, epochs=0.1, held_out=0, checkpoint=40), encoder, files / "report")
    content = json.loads((report.path / "report.json").read_text())
    assert (content["encoder"], content["checkpoint"]) == ("encoder", 40)


def test_pairs_of_one_premise_are_held_out_together(files: Path, encoder: Artifact) -> None:
    rows = [f"wake me {premise}\tthe {word}\tneutral\n" for premise in range(12) for kind in KINDS for word in kind]
    (files / "train.tsv").write_text("".join(rows))
    metrics = made(config(files, epochs=0.1, held_out=0.4), encoder, files / "report").metrics
    assert metrics["held_out"] + metrics["pairs"] == len(rows)
    assert metrics["held_out"] % 6 == 0 < metrics["held_out"] < len(rows)


def test_the_verb_prints_accuracies_and_both_means(files: Path, encoder: Artifact) -> None:
    settings = [f"encoder={encoder.path}", f"train={files}/train.tsv", f"test={files}/dev-{{lang}}.tsv", 'languages=["en","de"]']
    command = [
        sys.executable,
        "-m",
        "understudy",
        "evaluate",
        "xnli",
        str(files / "report"),
        *settings,
        "epochs=0.1",
        "held_out=0",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "fine-tuned on 162 in en" in done.stdout
    assert "mean without en" in done.stdout
    assert str(files / "report" / "report.json") in done.stdout


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"languages": ["en", "xx"]}, "'xx' is not a language code"),
        ({"languages": ["en", "en"]}, "named twice"),
        ({"languages": ["en", "sw"], "spoken": True}, "no spoken form is known for 'sw'"),
        ({"spoken": "tests"}, "spoken"),
        ({"langauges": ["en"]}, "languages"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_early(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        config(tmp_path, **settings)


def test_a_bad_test_file_is_refused_before_training(files: Path, encoder: Artifact) -> None:
    (files / "dev-de.tsv").write_text("wake me\tthe six\tmaybe\n")
    with pytest.raises(DataError, match=r"dev-de\.tsv:1: this label is unknown"):
        made(config(files), encoder, files / "report")


def test_nothing_left_to_learn_from_is_an_error(files: Path, encoder: Artifact) -> None:
    (files / "train.tsv").write_text("wake me\tthe six\tneutral\n")
    with pytest.raises(TrainingError, match="every premise is held out"):
        made(config(files, held_out=0.999999), encoder, files / "report")


def test_files_that_are_read_are_told(files: Path) -> None:
    names = [path.name for path in config(files).reads()]
    assert names == ["train.tsv", "dev-en.tsv", "dev-de.tsv"]
    assert parse(XnliConfig, config(files).model_dump(exclude={"log_to"}), where="again") == config(files)
