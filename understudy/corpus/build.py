"""The corpus stage: unlabelled text from many sources to one table of rows and how often each is to be seen (A 2.1, 2.2).

    read -> clean -> count (square roots) -> hold out -> sample languages -> drop short rows -> speak 70 % -> write

The rows stream three times: once from the sources into a spool on disk, once over their counts, once into the result. Only
counting equal texts needs them side by side; there the spool is split by hash into buckets that are counted one by one.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field, field_validator

from understudy.artifact import Artifact, Draft
from understudy.config import StageConfig
from understudy.corpus.card import Card
from understudy.corpus.files import language_of
from understudy.corpus.sampling import copies, fraction, is_spoken, normal, sampled_counts, sqrt_count, valid_key
from understudy.corpus.sources import Source, rows
from understudy.corpus.speak import speak
from understudy.corpus.tables import Tables, columns, row_count, scan
from understudy.errors import DataError
from understudy.progress import progress
from understudy.text.words import word_count

__all__ = ["SCHEMA", "CorpusConfig", "run"]

log = logging.getLogger(__name__)

SCHEMA = pa.schema([("text", pa.string()), ("lang", pa.string()), ("count", pa.int32())])
_SPOOL = pa.schema(
    [("text", pa.string()), ("lang", pa.string()), ("count", pa.int64()), ("words", pa.int32()), ("key", pa.float64())]
)
_BUCKETS = 64
_BATCH = 8_192


class CorpusConfig(StageConfig):
    """Settings of the corpus stage.

    Attributes:
        sources: where the text comes from.
        alpha: exponent of language sampling, none to leave the languages as they are.
        counts: "none" takes rows as they come; "once" keeps one of equal texts; "sqrt" keeps an utterance that was seen c
            times sqrt(c) times. Equal texts are counted within a language; a count column is honoured.
        spoken: share of rows in spoken form; 0 leaves all as they are written.
        size: rows after sampling over all languages, before short ones are dropped; as many as before by default.
        valid: share of texts held out in valid.parquet, where each stands once.
        valid_rows: at most about this many held-out rows per language.
        min_words: rows of fewer words are dropped after sampling, as in A 2.1 (white space parts words; kana and kanji are a
            word each).
        languages: keep these languages only.
    """

    kind: Literal["corpus"] = "corpus"
    sources: tuple[Source, ...] = Field(min_length=1)
    alpha: float | None = Field(default=0.5, ge=0, le=1)
    counts: Literal["none", "once", "sqrt"] = "none"
    spoken: float = Field(default=0.7, ge=0, le=1)
    size: int | None = Field(default=None, gt=0)
    valid: float = Field(default=0.01, ge=0, lt=1)
    valid_rows: int = Field(default=2000, ge=0)
    min_words: int = Field(default=0, ge=0)
    languages: tuple[str, ...] | None = None

    @field_validator("languages")
    @classmethod
    def _known(cls, languages: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for code in languages or ():
            if language_of(code) is None:
                raise ValueError(f"'{code}' is not a language code; wanted two letters such as 'de'")
        return languages

    def reads(self) -> list[Path]:
        return [file for source in self.sources for file in source.files()]


def run(config: CorpusConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Writes train.parquet and valid.parquet (text, lang, count) and card.json.

    Equal inputs and seed give equal bytes. Raises DataError for sources that cannot be used or that leave nothing.
    """
    card = Card()
    spool = draft.scratch / "spool"
    shutil.rmtree(spool, ignore_errors=True)
    spool.mkdir(parents=True)
    _read(config, spool, card, seed=seed)
    if config.counts != "none":
        _count(config, spool, card)
    totals = card.column("counted" if config.counts != "none" else "cleaned", "rows")
    held_out = _held_out(config, spool)
    kept = _kept(spool, held_out)
    if not sum(kept.values()):
        raise DataError("nothing is left of this corpus to train on", got=f"{sum(totals.values())} rows, all held out or dropped")
    rates = sampled_counts(kept, alpha=config.alpha, size=config.size)
    _write(config, spool, draft.path, card, rates, held_out, seed=seed)
    shutil.rmtree(spool)
    for lang, rate in sorted(rates.items()):
        card.note(lang, "copies_per_row", round(rate, 4))
    (draft.path / "card.json").write_text(json.dumps(card.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    train = card.column("train", "rows")
    if not sum(train.values()):
        raise DataError(
            "nothing is left of this corpus to train on",
            got=f"{sum(totals.values())} rows before sampling, none of at least {config.min_words} words after it",
            hint="Lower min_words or raise size",
        )
    draft.metrics.update(
        rows=sum(train.values()),
        words=sum(card.column("train", "words").values()),
        valid_rows=sum(card.column("valid", "rows").values()),
        languages={lang: n for lang, n in sorted(train.items()) if n},
    )


def _read(config: CorpusConfig, spool: Path, card: Card, *, seed: int) -> None:
    """Cleaned rows into the spool, in one file, or in buckets by hash of the text where equal texts are to be counted."""
    wanted = None if config.languages is None else {language_of(code) for code in config.languages}
    bucketed = config.counts != "none"
    with progress("read", None) as advance, Tables(spool, _SPOOL, group=_BATCH) as tables:
        for index, source in enumerate(config.sources):
            for text, lang, count in rows(source, seed=seed + index):
                if wanted is not None and lang not in wanted:
                    continue
                clean = " ".join(text.split())
                length = word_count(clean)
                card.add(lang, "read", rows=count, words=length * count, characters=len(text) * count)
                if not normal(clean):
                    continue
                card.add(lang, "cleaned", rows=count, words=length * count, characters=len(clean) * count)
                bucket = int(fraction("bucket", 0, clean) * _BUCKETS) if bucketed else 0
                tables.add(f"{bucket:02}", (clean, lang, count, length, valid_key(clean)))
                advance(1)
    if not any(spool.iterdir()):
        raise DataError(
            "these sources hold no text",
            where=", ".join(str(s.path or s.builtin) for s in config.sources),
            got=f"no row in {', '.join(sorted(map(str, wanted)))}" if wanted else "rows without a single letter",
        )


def _count(config: CorpusConfig, spool: Path, card: Card) -> None:
    """Each bucket with equal texts of a language as one row. The count becomes 1 ("once") or its square root."""
    for path in sorted(spool.iterdir()):
        counted: dict[tuple[str, str], list[Any]] = {}
        for text, lang, count, length, key in scan(path):
            entry = counted.setdefault((lang, text), [0, length, key])
            entry[0] += count
        with Tables(spool, _SPOOL, group=_BATCH) as tables:
            for (lang, text), (count, length, key) in counted.items():
                kept = sqrt_count(count) if config.counts == "sqrt" else 1
                card.add(lang, "counted", rows=kept, distinct=1, words=length * kept, characters=len(text) * kept)
                tables.add(f"{path.stem}-counted", (text, lang, kept, length, key))
        path.unlink()


def _held_out(config: CorpusConfig, spool: Path) -> dict[str, float]:
    """Per language the key below which a row is held out: the share asked for, less where that would be too many rows.

    At least one text is held out, the one with the least key, where there are two or more and any were asked for.
    """
    distinct: dict[str, int] = {}
    least: dict[str, float] = {}
    most: dict[str, float] = {}
    for batch in columns(spool, ["lang", "key"]):
        for lang, key in zip(*batch, strict=True):
            distinct[lang] = distinct.get(lang, 0) + 1
            least[lang] = min(least.get(lang, 1.0), key)
            most[lang] = max(most.get(lang, 0.0), key)
    bounds = {lang: min(config.valid, config.valid_rows / n) for lang, n in distinct.items()}
    if config.valid and config.valid_rows and not any(least[lang] < bound for lang, bound in bounds.items()):
        lang = min(least, key=lambda x: (least[x], x))
        if len(distinct) > 1 or least[lang] < most[lang]:
            bounds[lang] = math.nextafter(least[lang], 1.0)
    return bounds


def _kept(spool: Path, held_out: Mapping[str, float]) -> dict[str, int]:
    """Rows per language, as often as their counts say, without those held out."""
    kept = dict.fromkeys(held_out, 0)
    for batch in columns(spool, ["lang", "key", "count"]):
        for lang, key, count in zip(*batch, strict=True):
            if key >= held_out[lang]:
                kept[lang] += count
    return kept


def _write(
    config: CorpusConfig,
    spool: Path,
    out: Path,
    card: Card,
    rates: Mapping[str, float],
    held_out: Mapping[str, float],
    *,
    seed: int,
) -> None:
    chosen = _chosen(config, spool, card, rates, held_out, seed=seed)
    total = sum(map(row_count, spool.iterdir()))
    with progress("speak", None) as advance, Tables(out, SCHEMA) as tables:
        tables.open("train")
        tables.open("valid")
        batches = _batched(chosen)
        for batch in speak(batches, rows=total if config.spoken else 0):
            for partition, text, lang, count, is_spoken_form in batch:
                tables.add(partition, (text, lang, count))
                length = word_count(text) * count
                card.add(lang, partition, rows=count, distinct=1, words=length, characters=len(text) * count)
                card.add(lang, partition, spoken=count * is_spoken_form)
            advance(len(batch))


def _chosen(
    config: CorpusConfig, spool: Path, card: Card, rates: Mapping[str, float], held_out: Mapping[str, float], *, seed: int
) -> Iterator[tuple[str, str, str, int, bool]]:
    """Partition, text, language, count and whether it is to be spoken, of each row that stays."""
    seen: set[tuple[str, float]] = set()
    number = 0
    for path in sorted(spool.iterdir()):
        for text, lang, count, length, key in scan(path):
            number += 1
            # Where rows were not counted, equal texts must not all share one fate: the row number tells them apart.
            name = text if config.counts != "none" else f"{number}\n{text}"
            if key < held_out[lang]:
                if length >= config.min_words and (lang, key) not in seen:
                    seen.add((lang, key))
                    yield "valid", text, lang, 1, is_spoken(config.spoken, seed=seed, key=name)
                continue
            times = copies(count * rates[lang], seed=seed, key=name)
            if not times:
                continue
            card.add(lang, "sampled", rows=times, words=length * times, characters=len(text) * times)
            if length >= config.min_words:
                yield "train", text, lang, times, is_spoken(config.spoken, seed=seed, key=name)


def _batched(chosen: Iterator[tuple[str, str, str, int, bool]]) -> Iterator[list[tuple[str, str, str, int, bool]]]:
    while batch := list(itertools.islice(chosen, _BATCH)):
        yield batch
