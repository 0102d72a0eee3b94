"""The corpus stage: unlabelled text from many sources to one table of rows and how often each is to be seen (A 2.1, 2.2).

    read -> clean -> exclude -> count (square roots) -> near duplicates -> hold out -> sample languages -> drop short rows
    -> speak 70 % -> write

The sources are cut into units, which are read on all cores and laid down on disk (`spool`). What has to be known of all rows
together (equal and nearly equal texts, shares of the languages) is reckoned from hashes and counts, a range at a time
(`duplicates`); then the units are finished, again on all cores (`choose`), and joined in their order.
"""

from __future__ import annotations

import itertools
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from understudy.artifact import Artifact, Draft
from understudy.corpus.card import Card
from understudy.corpus.choose import SCHEMA, ChooseTask, choose, counts_of, rows_of
from understudy.corpus.duplicates import COUNTS_FILE, count_equal, drop_near
from understudy.corpus.engine import EngineConfig, each
from understudy.corpus.files import Languages, language_of
from understudy.corpus.lines import BadLines
from understudy.corpus.sampling import sampled_counts, sqrt_count
from understudy.corpus.sources import Source
from understudy.corpus.spool import EXCLUDED, ReadTask, excluded_keys, read_unit
from understudy.corpus.tables import Table, batches
from understudy.corpus.units import Unit, no_text, units, warn_of
from understudy.errors import DataError
from understudy.progress import progress
from understudy.text.words import word_count

__all__ = ["SCHEMA", "CorpusConfig", "run"]


UNIT = 1 << 22
"""Bytes of a unit about: few, so that no core is idle for long at the end; more where there would be very many units."""
_MOST_UNITS = 4_096


class CorpusConfig(EngineConfig):
    """Settings of the corpus stage.

    Attributes:
        sources: where the text comes from.
        exclude: sources of evaluation text: rows that differ from one of theirs in nothing but case, white space,
            punctuation and symbols are left out, whatever their language.
        alpha: exponent of language sampling: 1 leaves the languages as they are, 0 makes all alike.
        counts: "none" takes rows as they come; "once" keeps one of equal texts; "sqrt" keeps an utterance that was seen c
            times sqrt(c) times. Equal texts are counted within a language; a count column is honoured.
        near_duplicates: of texts of one language that share this part of their runs of five characters (Jaccard, estimated)
            the first is kept, equal ones among them; 0.8 is usual. Left out, none are looked for.
        spoken: share of rows in spoken form; 0 leaves all as they are written.
        size: rows after sampling over all languages, before short ones are dropped; as many as before by default.
        valid: share of texts held out in valid.parquet, where each stands once.
        valid_rows: at most about this many held-out rows per language.
        min_words: rows of fewer words are dropped after sampling, as in A 2.1 (white space parts words; kana and kanji are a
            word each).
        languages: keep these languages only.
        engine: "local" works on all cores of this machine, "ray" on those of a Ray cluster (`pip install '.[ray]'`);
            the rows are the same. Sources and artifacts must then stand on storage that every node sees.
        address: of the cluster, such as "ray://head:10001"; by default what RAY_ADDRESS says, else a local one is started.
    """

    kind: Literal["corpus"] = "corpus"
    sources: tuple[Source, ...] = Field(min_length=1)
    exclude: tuple[Source, ...] = ()
    alpha: float | None = Field(default=0.5, ge=0, le=1)
    counts: Literal["none", "once", "sqrt"] = "none"
    near_duplicates: float | None = Field(default=None, ge=0.5, le=1)
    spoken: float = Field(default=0.7, ge=0, le=1)
    size: int | None = Field(default=None, gt=0, le=10**15)
    valid: float = Field(default=0.01, ge=0, lt=1)
    valid_rows: int = Field(default=2000, ge=0)
    min_words: int = Field(default=0, ge=0)
    languages: Languages | None = None

    def reads(self) -> list[Path]:
        return [file for source in (*self.sources, *self.exclude) for file in source.files()]

    def named(self) -> list[str]:
        return [source.path for source in (*self.sources, *self.exclude) if source.path]


def run(config: CorpusConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Writes train.parquet and valid.parquet (text, lang, count) and card.json.

    Equal inputs and seed give equal bytes, on however many cores or machines. Raises DataError for sources that cannot be used
    or that leave nothing.
    """
    config = config.model_copy(
        update={key: [one.located(inputs) for one in getattr(config, key)] for key in ("sources", "exclude")}
    )
    card = Card()
    spool = (draft.scratch / "spool").absolute()
    shutil.rmtree(spool, ignore_errors=True)
    spool.mkdir(parents=True)
    cut = [units(source, seed=seed + at, most=UNIT) for at, source in enumerate(config.sources)]
    size = sum(unit.size for group in cut for unit in group)
    if size > UNIT * _MOST_UNITS:
        most = size // _MOST_UNITS
        cut = [units(source, seed=seed + at, most=most) for at, source in enumerate(config.sources)]
    stems = _read(config, cut, spool, card, draft, size=size)
    _drop_duplicates(config, stems, card)
    last = next(step for step in ("unique", "counted", "kept", "cleaned") if any(card.column(step, "rows").values()))
    totals = card.column(last, "rows")
    held_out = _held_out(config, stems)
    kept = _kept(stems, held_out)
    nothing = "nothing is left of this corpus to train on"
    if not sum(kept.values()):
        raise DataError(nothing, got=f"{sum(totals.values())} rows, all held out or dropped")
    rates = sampled_counts(kept, alpha=config.alpha, size=config.size)
    _write(config, stems, draft.path, card, rates, held_out, seed=seed, size=size)
    shutil.rmtree(spool)
    for lang, rate in sorted(rates.items()):
        card.note(lang, "copies_per_row", round(rate, 4))
    (draft.path / "card.json").write_text(json.dumps(card.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    train = card.column("train", "rows")
    if not sum(train.values()):
        raise DataError(
            nothing,
            got=f"{sum(totals.values())} rows before sampling, none of at least {config.min_words} words after it",
            hint="Lower min_words or raise size",
        )
    draft.metrics.update(
        rows=sum(train.values()),
        words=sum(card.column("train", "words").values()),
        valid_rows=sum(card.column("valid", "rows").values()),
        languages={lang: n for lang, n in sorted(train.items()) if n},
    )


def _read(config: CorpusConfig, cut: Sequence[Sequence[Unit]], spool: Path, card: Card, draft: Draft, *, size: int) -> list[Path]:
    """Reads all units into the spool; where they lie, in the order of their rows."""
    if config.exclude:
        excluded = excluded_keys([unit for source in config.exclude for unit in units(source, most=1 << 62)])
        np.save(spool / EXCLUDED, excluded)
    tasks = [
        ReadTask(
            unit=unit,
            folder=str(spool),
            name=f"{number:06}",
            languages=config.languages,
            excluded=bool(config.exclude),
            count=config.counts != "none",
            near=config.near_duplicates,
        )
        for number, unit in enumerate(unit for group in cut for unit in group)
    ]
    files: dict[str, BadLines] = {}
    with progress("read", len(tasks)) as advance:
        results = each(read_unit, tasks, engine=config, size=size)
        for source, group in zip(config.sources, cut, strict=True):
            found = 0
            for _, result in zip(group, results, strict=False):
                found += result["found"]
                card.merge(result["card"])
                for bad in result["bad"]:
                    files.setdefault(bad["name"], BadLines(bad["share"], bad["name"])).extend(
                        bad["seen"], bad["bad"], bad["first"]
                    )
                advance(1)
            if not found:
                for file in files.values():
                    file.close()  # lines that cannot be used may be the reason
                raise no_text(source)
    for file in files.values():
        file.close()
        warn_of(file)
    draft.metrics["bad_lines"] = sum(file.bad for file in files.values())
    if not any(card.column("cleaned", "rows").values()):
        wanted = sorted({language_of(code) or code for code in config.languages or ()})
        raise DataError(
            "these sources hold no text",
            where=", ".join(str(s.path or s.builtin) for s in config.sources),
            got=f"no row in {', '.join(wanted)}" if wanted else "rows without a single letter",
        )
    return [spool / task.name for task in tasks]


def _drop_duplicates(config: CorpusConfig, stems: Sequence[Path], card: Card) -> None:
    """Counts beside the rows of each unit, 0 for those that are to go."""
    if config.counts == "none" and config.near_duplicates is None:
        return
    for stem in stems:
        np.save(f"{stem}{COUNTS_FILE}", rows_of(stem)["count"])
    if config.counts != "none":
        count_equal(stems, sqrt_count if config.counts == "sqrt" else lambda _: 1)
        _add(card, "counted", stems)
    if config.near_duplicates is not None:
        drop_near(stems, config.near_duplicates)
        _add(card, "unique", stems)


def _add(card: Card, step: str, stems: Sequence[Path]) -> None:
    for stem in stems:
        rows = rows_of(stem)
        card.add_rows(step, rows, counts_of(stem, rows), distinct=True)


def _held_out(config: CorpusConfig, stems: Sequence[Path]) -> dict[str, float]:
    """Per language the key below which a row is held out: the share asked for, less where that would be too many rows.

    At least one text is held out, the one with the least key, where there are two or more and any were asked for.
    """
    distinct: dict[str, int] = {}
    least: dict[str, float] = {}
    most: dict[str, float] = {}
    for stem in stems:
        rows = rows_of(stem)
        rows = rows[counts_of(stem, rows) > 0]
        langs, inverse = np.unique(rows["lang"], return_inverse=True)
        for at, lang in enumerate(code.decode() for code in langs.tolist()):
            keys = rows["key"][inverse == at]
            distinct[lang] = distinct.get(lang, 0) + len(keys)
            least[lang] = min(least.get(lang, 1.0), float(keys.min()))
            most[lang] = max(most.get(lang, 0.0), float(keys.max()))
    bounds = {lang: min(config.valid, config.valid_rows / n) for lang, n in sorted(distinct.items())}
    if least and config.valid and config.valid_rows and not any(least[lang] < bound for lang, bound in bounds.items()):
        lang = min(least, key=lambda x: (least[x], x))
        if len(distinct) > 1 or least[lang] < most[lang]:
            bounds[lang] = math.nextafter(least[lang], 1.0)
    return bounds


def _kept(stems: Sequence[Path], held_out: Mapping[str, float]) -> dict[str, int]:
    """Rows per language, as often as their counts say, without those held out."""
    kept = dict.fromkeys(held_out, 0)
    for stem in stems:
        rows = rows_of(stem)
        counts = counts_of(stem, rows)
        for lang, bound in held_out.items():
            kept[lang] += int(counts[(rows["lang"] == lang.encode()) & (rows["key"] >= bound)].sum())
    return kept


def _write(
    config: CorpusConfig,
    stems: Sequence[Path],
    out: Path,
    card: Card,
    rates: Mapping[str, float],
    held_out: Mapping[str, float],
    *,
    seed: int,
    size: int,
) -> None:
    """Finishes all units and joins them."""
    firsts = itertools.accumulate((len(rows_of(stem)) for stem in stems), initial=0)
    tasks = [
        ChooseTask(
            stem=str(stem),
            first=first,
            by_text=config.counts != "none",
            held_out=dict(held_out),
            rates=dict(rates),
            spoken=config.spoken,
            min_words=config.min_words,
            seed=seed,
        )
        for stem, first in zip(stems, firsts, strict=False)
    ]
    seen: set[tuple[str, float]] = set()
    with (
        progress("choose", len(tasks)) as advance,
        Table(out / "train.parquet", SCHEMA) as train,
        Table(out / "valid.parquet", SCHEMA) as valid,
    ):
        for stem, result in zip(stems, each(choose, tasks, engine=config, size=size), strict=True):
            card.merge(result["card"])
            for batch in batches(stem.with_suffix(".train.parquet")):
                train.add_batch(batch)
            for batch in batches(stem.with_suffix(".valid.parquet")):
                _join_valid(batch, valid, seen, card)
            for file in stem.parent.glob(f"{stem.name}.*"):
                file.unlink()
            advance(1)


def _join_valid(batch: pa.RecordBatch, valid: Table, seen: set[tuple[str, float]], card: Card) -> None:
    """Each held-out text once, though it may stand in several units."""
    new: list[tuple[str, str, int]] = []
    for text, lang, key, is_spoken_form in zip(*(column.to_pylist() for column in batch.columns), strict=True):
        if (lang, key) not in seen:
            seen.add((lang, key))
            new.append((text, lang, 1))
            card.add(lang, "valid", rows=1, distinct=1, words=word_count(text), characters=len(text), spoken=int(is_spoken_form))
    if new:
        valid.add(list(zip(*new, strict=True)))
