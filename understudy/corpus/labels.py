"""The labels stage: labelled utterances from any of the usual formats, or from the built-in world, to one table per partition."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from understudy.artifact import MANIFEST, Artifact, Draft
from understudy.config import Config, StageConfig, parse
from understudy.corpus import tinyworld
from understudy.corpus.files import expand, language_of, language_of_path, local_files, suffix_of
from understudy.corpus.formats import PARTITIONS, Labelled, read_bio, read_massive, read_own, read_seq, write_row
from understudy.corpus.lines import first_line
from understudy.corpus.rasa import read_rasa
from understudy.corpus.sampling import derive, fraction, normal
from understudy.corpus.spoken_slots import to_spoken
from understudy.errors import DataError
from understudy.interpretation import Interpretation
from understudy.text.spoken import Formatter

__all__ = ["LabelSource", "LabelsConfig", "read_labelled", "read_labels", "read_partitions", "run"]

log = logging.getLogger(__name__)

LabelFormat = Literal["auto", "massive", "bio", "seq", "rasa", "spans"]
SUFFIXES = {
    ".jsonl": "massive", ".ndjson": "massive", ".json": "massive", ".yml": "rasa", ".yaml": "rasa",
    ".bio": "bio", ".iob": "bio", ".iob2": "bio", ".conll": "bio", ".tsv": "bio", ".txt": "bio", ".conllu": "bio", ".in": "seq",
}  # fmt: skip
_TRIES = 500


class LabelSource(Config):
    """Where labelled utterances come from.

    Attributes:
        path: a file, a folder (all files of the format, at any depth) or a pattern. For "seq" a folder with seq.in, seq.out
            and label, or one above such folders.
        builtin: the built-in world instead of a path.
        size: of the built-in world: rows per language of each partition, e.g. {train = 40, dev = 200}.
        format: told from the names by default. "spans" is what this stage itself writes.
        partition: name of the partition of rows that do not say theirs; by default from the name of the file or its folder
            (train, valid or dev, test), else train.
        locale: locale or language of rows that do not say theirs; by default from the name of the file or its folder.
        languages: rows of these languages or locales only.
    """

    path: str | None = None
    builtin: Literal["assistant"] | None = None
    size: dict[str, int] | None = None
    format: LabelFormat = "auto"
    partition: str | None = None
    locale: str | None = None
    languages: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _whole(self) -> LabelSource:
        if (self.path is None) == (self.builtin is None):
            raise ValueError("a source needs either `path` or `builtin`")
        if (self.builtin is None) != (self.size is None):
            raise ValueError("`size` (rows per language of each partition) goes with `builtin`, and only with it")
        if any(n <= 0 for n in (self.size or {}).values()):
            raise ValueError("`size` counts rows: wanted whole numbers above 0")
        if self.locale is not None and language_of(self.locale) is None:
            raise ValueError(f"'{self.locale}' is not a locale; wanted e.g. 'de-DE' or 'de'")
        _check_codes(self.languages)
        return self

    def files(self) -> list[Path]:
        """The files on this machine that the source reads."""
        if self.path is None:
            return []
        found = local_files(self.path, tuple(SUFFIXES))
        return sorted(
            {g for f in found for g in ([f.parent / n for n in ("seq.in", "seq.out", "label")] if f.name == "seq.in" else [f])}
        )


class LabelsConfig(StageConfig):
    """Settings of the labels stage.

    Attributes:
        sources: where the utterances come from.
        spoken: turn them into spoken form; the slots move along.
        languages: languages or locales to keep.
        held_out: share of the train texts that goes to a partition of its own, `held`.
    """

    kind: Literal["labels"] = "labels"
    sources: tuple[LabelSource, ...] = Field(min_length=1)
    spoken: bool = False
    languages: tuple[str, ...] | None = None
    held_out: float = Field(default=0.0, ge=0, lt=1)

    @field_validator("languages")
    @classmethod
    def _known(cls, languages: tuple[str, ...] | None) -> tuple[str, ...] | None:
        _check_codes(languages)
        return languages

    def reads(self) -> list[Path]:
        return [file for source in self.sources for file in source.files()]


def _check_codes(codes: Iterable[str] | None) -> None:
    for code in codes or ():
        if language_of(code) is None:
            raise ValueError(f"'{code}' is not a language or locale; wanted e.g. 'de' or 'de-DE'")


def _is_wanted(locale: str, wanted: tuple[str, ...] | None) -> bool:
    return wanted is None or locale in wanted or language_of(locale) in wanted


def read_labelled(source: LabelSource, *, seed: int = 0) -> Iterator[Labelled]:
    """Partition and Interpretation of every utterance of a source, in the order of its files and lines.

    Raises DataError with file and line where anything is missing or malformed, and where nothing is left.
    """
    found = False
    stream = _builtin(source, seed) if source.builtin else _from_files(source)
    for partition, row in stream:
        if language_of(row.locale) is None:
            raise DataError(
                "the locale of these utterances is not known",
                where=source.path,
                got=repr(row.locale),
                hint='Say locale = "de-DE", or name the file or its folder so',
            )
        if _is_wanted(row.locale, source.languages):
            found = True
            yield partition, row
    if not found:
        raise DataError(
            "this source holds no labelled utterances", where=source.path, got=source.languages and "none of its languages"
        )


def _from_files(source: LabelSource) -> Iterator[Labelled]:
    assert source.path is not None
    paths = expand(
        source.path,
        tuple(s for s, f in SUFFIXES.items() if source.format in ("auto", f) or (source.format, f) == ("spans", "massive")),
    )
    whole = [p for p in paths if Path(p).name == "seq.in"]
    for path in whole if source.format == "seq" or (whole and source.format == "auto") else paths:
        format = _detect(path) if source.format == "auto" else source.format
        place = language_of_path(path)
        locale = source.locale or (place[1] if place else None)
        partition = source.partition or _partition_of(path)
        if locale and format in ("massive", "spans") and source.locale is None and not _is_wanted(locale, source.languages):
            continue
        if format == "seq":
            yield from read_seq(str(Path(path).parent), partition=partition, locale=locale)
        else:
            yield from _READERS[format](path, partition=partition, locale=locale)


_READERS = {"massive": read_massive, "bio": read_bio, "rasa": read_rasa, "spans": read_own}


def _partition_of(path: str) -> str:
    pure = Path(path)
    for name in [*pure.name.lower().split("."), pure.parent.name.lower(), *pure.stem.lower().replace("_", "-").split("-")]:
        if name in PARTITIONS:
            return PARTITIONS[name]
    return "train"


def _detect(path: str) -> str:
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        raise DataError(
            "the format of these labels cannot be told from this name",
            where=path,
            wanted=f"a name ending in {', '.join(SUFFIXES)}",
            hint="Or say format = massive, bio, seq, rasa or spans",
        )
    format = SUFFIXES[suffix]
    if format == "massive":
        first = first_line(path)
        return "massive" if '"annot_utt"' in first or '"slots"' not in first else "spans"
    return format


def _builtin(source: LabelSource, seed: int) -> Iterator[Labelled]:
    """Distinct utterances per partition; none stands in two of them."""
    for lang in sorted(tinyworld.LOCALES):
        if not _is_wanted(tinyworld.LOCALES[lang], source.languages):
            continue
        seen: set[str] = set()
        for partition, size in (source.size or {}).items():
            stream = tinyworld.utterances(lang, seed=derive(f"labels/{partition}/{lang}", seed))
            left = size
            for tries, row in enumerate(stream):
                if normal(row.text) not in seen:
                    seen.add(normal(row.text))
                    yield partition, row
                    left -= 1
                if not left:
                    break
                if tries > _TRIES * size:
                    raise DataError(
                        f"the built-in world has not so many different utterances in '{lang}'",
                        got=f"{size - left} for '{partition}'",
                        wanted=size,
                        hint="Ask for fewer",
                    )


def run(config: LabelsConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Writes one {partition}.jsonl per partition and labels.json (intents, domains, slots of train).

    Raises DataError for malformed data; a label that train lacks is counted in the metrics and warned of.
    """
    formatters: dict[str, Formatter] = {}
    partitions: dict[str, list[Interpretation]] = {}
    silent = 0
    for index, source in enumerate(config.sources):
        for partition, row in read_labelled(source, seed=seed + index):
            if not _is_wanted(row.locale, config.languages):
                continue
            if config.spoken:
                lang = language_of(row.locale) or row.locale
                if lang not in formatters:
                    formatters[lang] = Formatter(lang)
                row = to_spoken(row, formatters[lang])
                if not row.text:  # "?!": nobody says that, and no file of labels holds an utterance without a text
                    silent += 1
                    continue
            if partition == "train" and config.held_out and fraction("held", seed, normal(row.text)) < config.held_out:
                partition = "held"
            partitions.setdefault(partition, []).append(row)
    if silent:
        log.warning("%d utterances left out: they have no word in spoken form", silent)
    if not partitions:
        raise DataError("these sources hold no labelled utterances", got=f"none in {', '.join(config.languages or ())}")
    for partition, rows in partitions.items():
        content = "".join(f"{write_row(row)}\n" for row in rows)
        (draft.path / f"{partition}.jsonl").write_text(content, encoding="utf-8")
    inventory = _inventory(partitions.get("train", []))
    (draft.path / "labels.json").write_text(json.dumps(inventory, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _measure(partitions, inventory, draft)


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


def read_partitions(path: Path, format: str = "auto") -> dict[str, list[Interpretation]]:
    """All utterances by partition: of a labels artifact, or of a file or folder as `LabelSource` takes it.

    Raises RecipeError for an unknown format, DataError where anything cannot be read.
    """
    if (path / MANIFEST).is_file():
        files = sorted(f for f in path.glob("*.jsonl"))
        if not files:
            raise DataError("this artifact holds no labels", where=path, wanted="what a labels stage made, or labelled files")
        return {file.stem: read_labels(file) for file in files}
    found: dict[str, list[Interpretation]] = {}
    for partition, row in read_labelled(parse(LabelSource, {"path": str(path), "format": format}, where="labels")):
        found.setdefault(partition, []).append(row)
    return found


def read_labels(path: Path) -> list[Interpretation]:
    """The utterances of one {partition}.jsonl of a labels artifact. Raises DataError with file and line."""
    return [row for _, row in read_own(str(path), partition=Path(path).stem, locale=None)]
