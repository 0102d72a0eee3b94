"""Studies of the tiny recipe, made tinier, from text to tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from understudy.cli import app

TINY = Path(__file__).parents[2] / "recipes" / "tiny.toml"
LANGUAGES = 'languages = ["de", "en"]'
MODEL = "{ layers = 2, hidden = 16, ffn = 32, heads = 2, max_length = 64, dropout = 0.0, attention_dropout = 0.0 }"
MASKED = {"batch_tokens": 256, "eval_tokens": 500, "compile": "false"}
SMALL = [
    f'stage.public.sources=[{{ builtin = "text", size = 80, {LANGUAGES} }}]',
    f'stage.traffic.sources=[{{ builtin = "traffic", size = 200, {LANGUAGES} }}]',
    'stage.labels.languages=["de", "en"]',
    'stage.labels.sources=[{ builtin = "assistant", size = { train = 20, dev = 12 } }]',
    "stage.tokenizer.vocab_size=600",
    *(f"stage.{name}.{key}={value}" for name in ("teacher", "teacher2", "assistant", "assistant-alone", "student") for key, value in MASKED.items()),
    *(f"stage.{name}.steps=2" for name in ("teacher", "teacher2", "assistant-alone")),
    *(f"stage.{name}.model={MODEL}" for name in ("teacher", "assistant", "student", "scratch-nlu")),
    'stage.assistant.teachers=[{ use = "teacher", data = "stage1-tokens", steps = 2 }]',
    'stage.student.teachers=[{ use = "assistant-alone", steps = 2 }]',
    "stage.student.layer_map=[0, 1]",
    *(f"stage.{name}.{key}={value}" for name in ("student-nlu", "assistant-nlu", "scratch-nlu") for key, value in {"epochs": 6, "compile": "false"}.items()),
]  # fmt: skip


def study(folder: Path, *arguments: str) -> str:
    verb, *options = arguments
    result = CliRunner().invoke(app, ["study", verb, str(TINY), f"artifacts={folder}", *SMALL, *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both studies have run."""
    folder = tmp_path_factory.mktemp("artifacts")
    study(folder, "paper", "--table", "4")
    study(folder, "transfer-sets", "--proportions", "100:0", "30:70", "0:100")
    return folder


def content(artifacts: Path, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((artifacts / "study" / name / "table.json").read_text())
    return found


def test_table_4_has_a_row_for_every_locale_and_both_modes(artifacts: Path) -> None:
    tables = content(artifacts, "table-4")["tables"]
    assert [table["title"].partition(":")[0] for table in tables] == ["Full fine-tuning"] * 2 + ["Frozen encoder"] * 2
    for table in tables:
        assert [row[0] for row in table["rows"]] == ["de-DE", "en-US", "mean"]


def test_the_change_of_table_4_is_of_the_error_against_stage_1(artifacts: Path) -> None:
    changes, absolutes = content(artifacts, "table-4")["tables"][:2]
    mean, figures = (dict(zip(t["columns"], t["rows"][-1], strict=True)) for t in (changes, absolutes))
    error, baseline = 100 - figures["student intent"], 100 - figures["stage1 intent"]
    assert mean["student intent"] == pytest.approx(100 * (error - baseline) / baseline, abs=0.05)


def test_transfer_sets_are_told_by_arm_locale_and_domain(artifacts: Path) -> None:
    found = content(artifacts, "transfer-sets")
    arms = ["scratch", "100:0", "30:70", "0:100", "adapted 0:100"]
    assert [row[0] for row in found["tables"][0]["rows"]] == arms
    assert [row[0] for row in found["tables"][1]["rows"]] == ["de-DE", "en-US", "mean"]
    gold = [json.loads(line) for line in (artifacts / "labels" / "dev.jsonl").read_text().splitlines()]
    assert sum(domain["n"] for domain in found["domains"].values()) == len(gold)
    for domain in found["domains"].values():
        assert list(domain["models"]) == arms
    measured = [domain for domain in found["domains"].values() if domain["train"]]
    assert all(0 <= domain["divergence"] <= 1 and domain["perplexity"] > 1 for domain in measured)


def test_students_of_all_transfer_sets_took_as_many_updates(artifacts: Path) -> None:
    arms = [artifacts / "study" / "transfer-sets" / name for name in ("100-0", "30-70", "0-100", "adapted-0-100")]
    assert {json.loads((arm / "artifact.json").read_text())["metrics"]["steps"] for arm in arms} == {2}


def test_a_study_that_is_there_is_only_read(artifacts: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in artifacts.rglob("artifact.json")}
    page = study(artifacts, "transfer-sets", "--proportions", "100:0", "30:70", "0:100")
    assert {path: path.stat().st_mtime_ns for path in artifacts.rglob("artifact.json")} == before
    assert (artifacts / "study" / "transfer-sets" / "table.md").read_text() in page


def test_a_plan_makes_nothing(tmp_path: Path) -> None:
    plan = study(tmp_path / "none", "paper", "--table", "size", "--dry-run")
    assert "study/student-small" in plan.replace("\n", "")
    assert not (tmp_path / "none").exists()
