"""Our scorer against an independent one, on real data with made-up mistakes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from understudy.corpus.utterances import LabelSource, read_labelled
from understudy.evaluation.nlu import evaluate, train_texts, write_hypotheses
from understudy.interpretation import Interpretation, Slot


def _mistaken(gold: Interpretation, rng: random.Random, others: Sequence[Interpretation]) -> Interpretation:
    """`gold` with mistakes of every kind: other intents, slots lost, renamed, cut, widened, moved and invented."""
    intent = rng.choice(others).intent if rng.random() < 0.2 else gold.intent
    slots = [s for s in gold.slots if rng.random() > 0.1]
    names = [s.name for o in others for s in o.slots]
    for index, slot in enumerate(slots):
        fate = rng.random()
        if fate < 0.1:
            slots[index] = replace(slot, name=rng.choice(names))
        elif fate < 0.2 and slot.end - slot.start > 1:
            slots[index] = replace(slot, end=slot.end - 1)
        elif fate < 0.25:
            slots[index] = replace(slot, end=min(len(gold.text), slot.end + 1))
    if rng.random() < 0.1:
        start = rng.randrange(len(gold.text))
        slots.append(Slot(rng.choice(names), "", start, min(len(gold.text), start + 3)))
    slots = [replace(s, value=gold.text[s.start : s.end]) for s in slots]
    return replace(gold, intent=intent, slots=tuple(slots), confidence=0.5)


@pytest.mark.parametrize("locale", ["en-US", "ja-JP", "ar-SA", "ta-IN"])
def test_figures_are_those_of_an_independent_scorer(data_root: Path, tmp_path: Path, locale: str) -> None:
    scorer = data_root.parent / "tools" / "score_massive.py"
    if not scorer.is_file():
        pytest.skip(f"no independent scorer at {scorer}")
    source = data_root / "massive" / f"{locale}.jsonl"
    parts: dict[str, list[Interpretation]] = {"train": [], "dev": []}
    for partition, interpretation in read_labelled(LabelSource(path=str(source), format="massive")):
        parts[partition].append(interpretation)
    gold, rng = parts["dev"], random.Random(locale)
    answers = {g.text: _mistaken(g, rng, gold[:200]) for g in gold}
    report = evaluate(lambda texts: [answers[t] for t in texts], gold, seen=train_texts(parts["train"]))

    write_hypotheses(tmp_path / "hypotheses.jsonl", report)
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    for part in parts:
        chosen = [line for line in lines if json.loads(line)["partition"] == part]
        (tmp_path / f"{part}.jsonl").write_text("".join(chosen), encoding="utf-8")
    files = [str(tmp_path / name) for name in ("dev.jsonl", "hypotheses.jsonl", "train.jsonl")]
    done = subprocess.run([sys.executable, str(scorer), *files], capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout)

    assert report.unseen is not None
    for ours, name in ((report.scores, "all"), (report.unseen, "without_train_duplicates")):
        figures = ours.locales[locale].to_dict()
        assert {key: figures[key] for key in theirs[name]} == theirs[name]
    assert 50 < theirs["all"]["exact_match"] < 90
    assert theirs["without_train_duplicates"]["n"] < theirs["all"]["n"]
