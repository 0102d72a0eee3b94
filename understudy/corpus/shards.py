"""The shards stage: corpora through a tokenizer to memory-mapped token sequences, mixed in proportion (A 2.1)."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from understudy.artifact import Artifact, Draft
from understudy.config import Config, CorpusRef, TokenizerRef
from understudy.corpus.engine import EngineConfig, each
from understudy.corpus.order import Permutation
from understudy.corpus.packing import EncodeTask, Tally, encode
from understudy.corpus.tokenset import Split, TokenSet, TokenWriter, dtype_for, write_index
from understudy.errors import DataError
from understudy.progress import progress
from understudy.tokenizer.rows import groups
from understudy.tokenizer.rows import languages as languages_of
from understudy.tokenizer.runtime import Tokenizer

__all__ = ["MixPart", "ShardsConfig", "TokenSet", "mix_takes", "of_sequences", "run", "statistics"]

log = logging.getLogger(__name__)

SPLITS: tuple[Split, ...] = ("train", "valid")
Dtype = np.dtype[np.uint16] | np.dtype[np.uint32]
_CHUNK = 16_384  # sequences copied or counted at a time


class MixPart(Config):
    """A corpus and its part of the mixture.

    corpus: where the rows come from. parts: its proportion, relative to the other parts' (1 : 2 in A 2.1), of what the stage mixes by.
    pack_words: 0 makes each row a sequence; 700 packs rows of a language to sequences of about 700 words.
    min_tokens: rows of fewer pieces are dropped.
    """

    corpus: CorpusRef
    parts: float = Field(default=1, gt=0)
    pack_words: int = Field(default=0, ge=0)
    min_tokens: int = Field(default=0, ge=0)


class ShardsConfig(EngineConfig):
    """Settings of a shards stage.

    tokenizer: what cuts the text. mix: corpora and their proportions. by: what they are proportions of.
    max_length: tokens of a sequence; longer ones are cut into pieces.
    size: about how many tokens to keep for training; all by default.
    """

    kind: Literal["shards"] = "shards"
    tokenizer: TokenizerRef
    mix: tuple[MixPart, ...] = Field(min_length=1)
    max_length: int = Field(default=512, ge=8, le=65_536)
    size: int | None = Field(default=None, ge=1)
    by: Literal["sequences", "tokens"] = "sequences"


def run(config: ShardsConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Write `{train,valid}.{bin,offsets.npy,lang.npy}` and `shards.json`; metrics per split, language and part.

    No part is repeated: the part that is scarcest for its proportion is used whole and the others are thinned out to it,
    train and valid alike. Rows come as often as their counts say in train, once in valid. Raises DataError for a part that
    yields no training sequence.
    """
    tokenizer = Tokenizer.load(inputs[config.tokenizer].path)
    corpora = [inputs[part.corpus].path for part in config.mix]
    files = [folder / f"{split}.parquet" for folder in corpora for split in SPLITS]
    languages = sorted(set().union(*(languages_of(file) for file in files)))
    if len(languages) > 256:
        raise DataError(
            "there are too many languages", where=", ".join(map(str, corpora)), got=len(languages), wanted="at most 256"
        )
    folder = (draft.scratch / "parts").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    tasks = [
        _tasks(config, part, inputs[part.corpus].path, inputs[config.tokenizer].path, folder / str(number), languages)
        for number, part in enumerate(config.mix)
    ]
    reports = _encode(config, tasks)
    write_index(
        draft.path,
        languages=languages,
        vocab_size=tokenizer.size,
        tokenizer=tokenizer.hash,
        specials=tokenizer.specials,
    )
    for split in SPLITS:
        folders = [[task.folder for task in part if task.split == split] for part in tasks]
        _mix(
            folders, draft.path, split, dtype_for(tokenizer.size),
            parts=[p.parts for p in config.mix], by=config.by, size=config.size, seed=seed, reports=reports,
        )  # fmt: skip
        draft.metrics[split] = statistics(TokenSet.open(draft.path, split), tokenizer)
    shutil.rmtree(folder, ignore_errors=True)
    draft.metrics["parts"] = reports
    draft.tokenizer = tokenizer.hash


def mix_takes(available: Sequence[int], parts: Sequence[float]) -> list[int]:
    """How many sequences of each part make the proportions `parts` with none repeated.

    `available` 100 and 1,000 mixed 1 : 2 gives 100 and 200; parts that have nothing are left out of the reckoning.
    """
    limit = min((n / part for n, part in zip(available, parts, strict=True) if n), default=0.0)
    return [min(n, math.floor(limit * part + 1e-9)) for n, part in zip(available, parts, strict=True)]


def of_sequences(parts: Sequence[float], sequences: Sequence[int], tokens: Sequence[int]) -> list[float]:
    """Proportions of tokens as proportions of sequences: the longer a part's sequences, the fewer of them.

    70 : 30 of sequences of 40 and of 6 tokens is 1.75 : 5 of sequences.
    """
    return [part * n / of if of else part for part, n, of in zip(parts, sequences, tokens, strict=True)]


def statistics(tokens: TokenSet, tokenizer: Tokenizer) -> dict[str, Any]:
    """Sequences, tokens, mean length, tokens that a token is compared with in attention, in the mean (`attended`), and unk portion (% of
    the pieces, control symbols apart), overall and per language."""
    n = len(tokens.languages)
    counts = np.zeros((4, n), dtype=np.int64)  # tokens, pairs of them, pieces, unknown pieces
    for start in range(0, len(tokens), _CHUNK):
        ids, langs, lengths = _slice(tokens, start)
        lang_T, length_T = np.repeat(langs, lengths), np.repeat(lengths, lengths)
        pieces = (ids != tokenizer.bos) & (ids != tokenizer.eos)
        counts[0] += np.bincount(lang_T, minlength=n)
        counts[1] += np.bincount(lang_T, length_T, minlength=n).astype(np.int64)
        counts[2] += np.bincount(lang_T[pieces], minlength=n)
        counts[3] += np.bincount(lang_T[ids == tokenizer.unk], minlength=n)
    sequences = np.bincount(tokens.langs, minlength=n)
    per_language = {lang: _figures(int(sequences[i]), *(int(c) for c in counts[:, i])) for i, lang in enumerate(tokens.languages)}
    return {**_figures(len(tokens), *(int(c) for c in counts.sum(axis=1))), "languages": per_language}


def _figures(sequences: int, tokens: int, pairs: int, pieces: int, unknown: int) -> dict[str, Any]:
    return {
        "sequences": sequences,
        "tokens": tokens,
        "mean_length": round(tokens / sequences, 2) if sequences else 0.0,
        "attended": round(pairs / tokens, 2) if tokens else 0.0,
        "unk_portion": round(100 * unknown / pieces, 4) if pieces else 0.0,
    }


def _tasks(
    config: ShardsConfig, part: MixPart, corpus: Path, tokenizer: Path, folder: Path, languages: Sequence[str]
) -> list[EncodeTask]:
    """The row groups of a part, each to be turned into sequences in a folder of its own."""
    return [
        EncodeTask(
            path=(corpus / f"{split}.parquet").absolute(),
            group=group,
            tokenizer=tokenizer.absolute(),
            folder=folder / f"{split}-{group:06}",
            split=split,
            languages=tuple(languages),
            max_length=config.max_length,
            min_tokens=part.min_tokens,
            pack_words=part.pack_words,
            once=split == "valid",
        )
        for split in SPLITS
        for group in range(len(groups(corpus / f"{split}.parquet")))
    ]


def _encode(config: ShardsConfig, tasks: Sequence[Sequence[EncodeTask]]) -> list[dict[str, Any]]:
    """Do all tasks; what became of the rows of each part."""
    flat = [task for part in tasks for task in part]
    paths = {task.path for task in flat}
    size = sum(sum(groups(path)) for path in paths)
    tallies = {(number, split): Tally() for number in range(len(tasks)) for split in SPLITS}
    owners = [(number, task.split) for number, part in enumerate(tasks) for task in part]
    with progress("shards", len(flat)) as advance:
        for owner, tally in zip(owners, each(encode, flat, engine=config, size=size), strict=True):
            tallies[owner].add(tally)
            advance(1)
    for number, part in enumerate(config.mix):
        tally = tallies[number, "train"]
        if not tally.sequences:
            raise DataError(
                "a part of the mixture has nothing to train on",
                where=part.corpus,
                got=f"{tally.rows} rows, {tally.short_rows} of them with fewer than {part.min_tokens} pieces",
                hint="Lower min_tokens, or give the corpus more text",
            )
        for split in SPLITS:
            log.info("%s %s: %s", part.corpus, split, tallies[number, split])
    return [
        {"corpus": str(part.corpus), **{split: tallies[number, split].to_dict() for split in SPLITS}}
        for number, part in enumerate(config.mix)
    ]


def _mix(
    folders: Sequence[Sequence[Path]],
    target: Path,
    split: Split,
    dtype: Dtype,
    *,
    parts: Sequence[float],
    by: Literal["sequences", "tokens"],
    size: int | None,
    seed: int,
    reports: list[dict[str, Any]],
) -> None:
    """Write the sequences of each part that are taken, in their order. A part is a list of folders of token sets, one after another,
    each open for as long as it is read: there may be more of them than a process may have files open."""
    sizes = [[_size(TokenSet.open(folder, split)) for folder in part] for part in folders]
    lengths, tokens_in = ([sum(size[i] for size in part) for part in sizes] for i in (0, 1))
    takes = mix_takes(lengths, parts if by == "sequences" else of_sequences(parts, lengths, tokens_in))
    expected = sum(take * n / length for take, n, length in zip(takes, tokens_in, lengths, strict=True) if take)
    if split == "train" and size is not None and size < expected:
        takes = [max(1, math.floor(take * size / expected)) for take in takes]
    writer = TokenWriter(target, split, dtype)
    try:
        for number, (part, length, take, report) in enumerate(zip(folders, lengths, takes, reports, strict=True)):
            report[split]["taken"] = take
            chosen, first = Permutation(length, key=f"mix/{seed}/{number}/{split}"), 0
            for tokens in (TokenSet.open(folder, split) for folder in part):
                for start in range(0, len(tokens), _CHUNK):
                    ids, langs, of_each = _slice(tokens, start)
                    # A permutation has exactly `take` values below `take`: an even choice that keeps the order of the rows.
                    keep = chosen[first + start : first + start + len(langs)] < take
                    writer.add(ids[np.repeat(keep, of_each)], of_each[keep].tolist(), langs[keep].tolist())
                first += len(tokens)
    finally:
        writer.close()


def _size(tokens: TokenSet) -> tuple[int, int]:
    """Sequences and tokens."""
    return len(tokens), len(tokens.tokens)


def _slice(tokens: TokenSet, start: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Ids, languages and lengths of the `_CHUNK` sequences from `start` on."""
    end = min(start + _CHUNK, len(tokens))
    ids = np.asarray(tokens.tokens[tokens.offsets[start] : tokens.offsets[end]])
    return ids, tokens.langs[start:end], tokens.lengths[start:end]
