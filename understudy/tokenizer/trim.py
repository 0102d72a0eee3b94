"""A smaller vocabulary out of a larger one: the pieces that some text uses, under new ids.

What is spelled with kept pieces only is spelled as before. A unigram model takes the best path through a word, and of equally good
ones the first that it meets. All pieces of that path are kept, so it is still there and as good; every other path is one of those
that were there before, met in the same order; so the best one is the same, ties included. That no new path appears is why all
single characters (and bytes) stay: without its character a place in a word would be spelled `<unk>`. With them every word still
has a spelling, and one that lost pieces is spelled with smaller ones.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.errors import ExportError
from understudy.tokenizer.backend import BYTES

__all__ = ["kept_ids", "trim"]


def kept_ids(serialized: bytes, used: Collection[int], *, where: Path | None = None) -> NDArray[np.int64]:
    """Ids to keep of a `tokenizer.json`, ascending: those `used`, control symbols, single characters and bytes.

    Raises ExportError where it is no unigram vocabulary: others build pieces from pieces, so none can be left out alone.
    """
    content = json.loads(serialized)
    if content["model"].get("type") != "Unigram":
        raise ExportError(
            "this vocabulary cannot be trimmed",
            where=where,
            got=f"a tokenizer of type {content['model'].get('type')}",
            wanted="a unigram vocabulary",
            hint="Export without trim",
        )
    vocabulary = [piece for piece, _ in content["model"]["vocab"]]
    spelled = {i for i, piece in enumerate(vocabulary) if len(piece) == 1 or piece in BYTES}
    control = {token["id"] for token in content["added_tokens"]} | {content["model"]["unk_id"]}
    return np.array(sorted({*used, *spelled, *control}), np.int64)


def trim(serialized: bytes, kept: NDArray[np.int64]) -> bytes:
    """The `tokenizer.json` with the ids of `kept_ids` alone; its id i is the old `kept[i]`."""
    content = json.loads(serialized)
    new = {int(old): i for i, old in enumerate(kept)}
    model = content["model"]
    # Control symbols may follow the vocabulary in place of standing in it: then their ids have no entry.
    model["vocab"] = [model["vocab"][old] for old in new if old < len(model["vocab"])]
    model["unk_id"] = new[model["unk_id"]]
    for token in content["added_tokens"]:
        token["id"] = new[token["id"]]
    content["post_processor"] = _renumbered(content["post_processor"], new)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _renumbered(processor: Any, new: Mapping[int, int]) -> Any:
    """What puts control symbols around a text, with their new ids, however it writes them."""
    match processor:
        case {"type": "TemplateProcessing", "special_tokens": symbols}:
            again = {name: {**symbol, "ids": [new[i] for i in symbol["ids"]]} for name, symbol in symbols.items()}
            return {**processor, "special_tokens": again}
        case {"type": "RobertaProcessing" | "BertProcessing", "sep": [sep, sep_id], "cls": [cls, cls_id]}:
            return {**processor, "sep": [sep, new[sep_id]], "cls": [cls, new[cls_id]]}
        case {"type": "Sequence", "processors": several}:
            return {**processor, "processors": [_renumbered(one, new) for one in several]}
    return processor
