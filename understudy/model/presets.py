"""The shapes of the papers by their own names (A tables 7 and 8).

Names count the main matrices (`EncoderConfig.body_parameters`): 9.26B, 2.28B, 167.8M, 16.8M, 4.55M, 84.9M. The row of
teacher-700m is kept as printed and does not check out: it makes 566M, and its 16 heads of 64 would make a width of 1,024,
not 1,536; here its heads are 1536 / 16 = 96 wide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator

from understudy.config import parse
from understudy.errors import RecipeError, nearest
from understudy.model.encoder import EncoderConfig
from understudy.tokenizer.backend import SPECIALS

__all__ = ["PRESETS", "Shape", "shape"]

PRESETS: Final[Mapping[str, Mapping[str, int | float]]] = {
    name: {"layers": layers, "hidden": hidden, "ffn": ffn, "heads": heads, "max_length": length, "dropout": 0.1, "attention_dropout": 0.1}
    for name, layers, hidden, ffn, heads, length in (
        ("teacher-9.3b", 46, 4096, 16384, 32, 1024),  # 512 tokens first, then 1,024: the table of positions holds both
        ("teacher-2.3b", 29, 2560, 10240, 32, 512),
        ("teacher-700m", 20, 1536, 6144, 16, 1024),
        ("assistant-170m", 16, 1024, 3072, 16, 512),
        ("base-85m", 12, 768, 3072, 12, 512),
        ("student-17m", 4, 768, 1200, 12, 512),
        ("student-5m", 4, 312, 1200, 12, 512),
    )
}  # fmt: skip


def shape(model: str | Mapping[str, Any], vocab_size: int, *, where: str = "model") -> EncoderConfig:
    """The encoder that `model` names: a preset, or a table with layers, hidden, ffn, heads and what else `EncoderConfig` has.

    A table may start from a preset: `{ preset = "student-17m", dropout = 0.0 }`.

    Raises RecipeError for an unknown preset (naming the nearest), an unknown or missing key, or a value out of range.
    """
    table = {"preset": model} if isinstance(model, str) else dict(model)
    if "vocab_size" in table:
        raise RecipeError("the vocabulary's size comes from the tokenizer", where=f"{where}.vocab_size", got=table["vocab_size"])
    name = table.pop("preset", None)
    if name is None:
        return parse(EncoderConfig, {**table, "vocab_size": vocab_size}, where=where)
    if name not in PRESETS:
        known = ", ".join(PRESETS)
        raise RecipeError(
            "there is no such model", where=where, got=name, wanted=f"one of {known}", hint=nearest(str(name), PRESETS)
        )
    return parse(EncoderConfig, {**PRESETS[name], **table, "vocab_size": vocab_size}, where=where)


def _known(model: str | dict[str, Any]) -> str | dict[str, Any]:
    shape(model, len(SPECIALS))
    return model


Shape = Annotated[str | dict[str, Any], AfterValidator(_known)]
"""A setting that `shape` understands; checked when the recipe is read, before there is a vocabulary."""
