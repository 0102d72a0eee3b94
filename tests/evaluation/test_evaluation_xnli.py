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

from understudy import artifact, stages
from understudy.artifact import Artifact, Draft
from understudy.config import parse
from understudy.errors import DataError, RecipeError, TrainingError
from understudy.evaluation.xnli import XnliConfig, run, scores, wilson
from understudy.model.encoder import EncoderConfig, MaskedLM
from understudy.model.folder import save_encoder
from understudy.tokenizer import Tokenizer

PREMISES = ("wake me at {}", "wake me up at {}", "play the {}", "what is the {}")
HYPOTHESES = ("the {}", "in {}", "the new {}")
KINDS = (("six", "nine", "friday"), ("album", "weather", "berlin"))


@pytest.mark.parametrize(
    ("right", "n", "wanted"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_intervals_are_those_of_newcombe_1998_table_1(right: int, n: int, wanted: tuple[float, float]) -> None:
    assert wilson(right, n) == pytest.approx(wanted, abs=5e-5)


def test_the_zero_shot_mean_leaves_out_the_language_that_was_trained_on() -> None:
    counted = {
        "en": np.array([[9, 0, 0], [0, 9, 0], [1, 0, 1]]),  # 19 of 20
        "de": np.array([[5, 1, 0], [0, 2, 0], [0, 0, 0]]),  # 7 of 8
        "hi": np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]]),  # 2 of 4
    }
    found = scores(counted, trained="en")
    assert {lang: table["accuracy"] for lang, table in found["languages"].items()} == {"en": 95.0, "de": 87.5, "hi": 50.0}
    assert found["mean"] == 77.5
    assert found["zero_shot"] == 68.75
    assert (found["languages"]["de"]["right"], found["languages"]["de"]["pairs"]) == (7, 8)
    assert scores({"en": counted["en"]}, trained="en")["zero_shot"] is None


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
