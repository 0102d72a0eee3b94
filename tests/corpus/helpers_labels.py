"""One utterance, and labelled files read as a labels stage reads them."""

from __future__ import annotations

from pathlib import Path

from understudy.corpus.utterances import LabelSource, read_labelled
from understudy.interpretation import Interpretation, Slot

WAKE = Interpretation(
    "wake me at nine am on friday",
    "alarm_set",
    (Slot("time", "nine am", 11, 18), Slot("date", "friday", 22, 28)),
    "alarm",
    locale="en-US",
)


def read(path: Path, **options: str) -> list[tuple[str, Interpretation]]:
    return list(read_labelled(LabelSource.model_validate({"path": str(path), "locale": "en-US", **options})))
