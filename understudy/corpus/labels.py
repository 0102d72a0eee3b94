"""The labels stage: labelled utterances to one table per partition."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from understudy.artifact import Artifact, Draft
from understudy.config import StageConfig
from understudy.corpus.files import language_of
from understudy.corpus.formats import write_row
from understudy.corpus.kin import kin
from understudy.corpus.sampling import fraction, normal
from understudy.corpus.spoken_slots import to_spoken
from understudy.corpus.utterances import LabelSource, check_codes, is_wanted, read_labelled
from understudy.errors import DataError
from understudy.interpretation import Interpretation
from understudy.text.spoken import Formatter

__all__ = ["LabelsConfig", "run"]

log = logging.getLogger(__name__)
FEW = 20  # utterances


class LabelsConfig(StageConfig):
    """Settings of the labels stage.

    Attributes:
        sources: where the utterances come from.
        spoken: turn them into spoken form; the slots move along.
        languages: languages or locales to keep.
        held_out: share of the train utterances that goes to a partition of its own, `held`; duplicates go together, and so do,
            where the data gives utterances an `id`, translations.
    """

    kind: Literal["labels"] = "labels"
    sources: tuple[LabelSource, ...] = Field(min_length=1)
    spoken: bool = False
    languages: tuple[str, ...] | None = None
    held_out: float = Field(default=0.0, ge=0, lt=1)

    @field_validator("languages")
    @classmethod
    def _known(cls, languages: tuple[str, ...] | None) -> tuple[str, ...] | None:
        check_codes(languages)
        return languages

    def reads(self) -> list[Path]:
        return [file for source in self.sources for file in source.files()]

    def named(self) -> list[str]:
        return [source.path for source in self.sources if source.path]


def run(config: LabelsConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Writes one {partition}.jsonl per partition and labels.json (intents, domains, slots of train).

    Raises DataError for malformed data; a label that train lacks is counted in the metrics and warned of.
    """
    formatters: dict[str, Formatter] = {}
    partitions: dict[str, list[Interpretation]] = {}
    silent = 0
    for index, source in enumerate(config.sources):
        for partition, row in read_labelled(source, seed=seed + index):
            if not is_wanted(row.locale, config.languages):
                continue
            if config.spoken:
                lang = language_of(row.locale) or row.locale
                if lang not in formatters:
                    formatters[lang] = Formatter(lang)
                row = to_spoken(row, formatters[lang])
                if not row.text:  # "?!": nobody says that, and no file of labels holds an utterance without a text
                    silent += 1
                    continue
            partitions.setdefault(partition, []).append(row)
    if silent:
        log.warning("%d utterances left out: they have no word in spoken form", silent)
    if not partitions:
        raise DataError("these sources hold no labelled utterances", got=f"none in {', '.join(config.languages or ())}")
    if config.held_out and "train" in partitions:
        partitions |= _parted(partitions.pop("train"), config.held_out, seed)
        if "train" not in partitions:
            raise DataError(
                "nothing is left to learn from",
                got=f"all {len(partitions['held'])} utterances held out, being copies or translations of one another",
                wanted="utterances of more texts, or a smaller `held_out`",
            )
        if (held := len(partitions.get("held", []))) < FEW:
            log.warning("%d utterances are held out: what is scored on so few says little", held)
    for partition, rows in partitions.items():
        content = "".join(f"{write_row(row)}\n" for row in rows)
        (draft.path / f"{partition}.jsonl").write_text(content, encoding="utf-8")
    inventory = _inventory(partitions.get("train", []))
    (draft.path / "labels.json").write_text(json.dumps(inventory, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _measure(partitions, inventory, draft)


def _parted(rows: list[Interpretation], share: float, seed: int) -> dict[str, list[Interpretation]]:
    """Train and held-out utterances, by what their kin or, without an id, their text draws."""
    parted: dict[str, list[Interpretation]] = {"train": [], "held": []}
    for row, name in zip(rows, kin(rows), strict=True):
        parted["held" if fraction("held", seed, name or normal(row.text)) < share else "train"].append(row)
    return {partition: found for partition, found in parted.items() if found}


def _inventory(train: Iterable[Interpretation]) -> dict[str, Any]:
    """Intents, the domain of each, and slot names, sorted. An intent with several domains has its most frequent one."""
    domains: dict[str, Counter[str]] = {}
    slots: set[str] = set()
    for row in train:
        domains.setdefault(row.intent, Counter())[row.domain] += 1
        slots.update(slot.name for slot in row.slots)
    best = {intent: min(found, key=lambda d: (-found[d], d)) for intent, found in sorted(domains.items())}
    return {"intents": sorted(domains), "domains": best, "slots": sorted(slots)}


def _measure(partitions: Mapping[str, list[Interpretation]], inventory: Mapping[str, Any], draft: Draft) -> None:
    intents, slots = set(inventory["intents"]), set(inventory["slots"])
    unseen: dict[str, dict[str, int]] = {}
    for partition, rows in partitions.items():
        if partition == "train" or "train" not in partitions:
            continue
        missing = Counter(row.intent for row in rows if row.intent not in intents)
        missing.update(slot.name for row in rows for slot in row.slots if slot.name not in slots)
        if missing:
            unseen[partition] = dict(sorted(missing.items()))
            log.warning(
                "%s has labels that train lacks, they will be scored as errors: %s",
                partition,
                ", ".join(f"{name} ({n})" for name, n in missing.most_common(10)),
            )
    draft.metrics.update(
        rows={partition: len(rows) for partition, rows in sorted(partitions.items())},
        locales={p: dict(sorted(Counter(r.locale for r in rows).items())) for p, rows in sorted(partitions.items())},
        intents=len(intents),
        slots=len(slots),
        unseen_labels=unseen,
    )
