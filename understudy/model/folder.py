"""Encoders as Hugging Face folders, read and written without transformers.

A folder holds `config.json` (model_type roberta-prelayernorm), `model.safetensors` under Hugging Face's names, and the
tokenizer's files, so that `AutoModelForMaskedLM.from_pretrained(folder)` loads it with no code of ours.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from understudy.errors import ArtifactError
from understudy.model.encoder import POSITION_OFFSET, EncoderConfig, MaskedLM
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.specials import OURS, Specials

__all__ = ["CONFIG", "TOKENIZER_FILES", "WEIGHTS", "check_tokenizer", "copy_tokenizer",
    "fill_named", "is_foreign", "load_encoder", "load_named", "read_config", "read_weights", "save_encoder", "save_named", "write_config"]  # fmt: skip

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
TOKENIZER_FILES: Final = ("tokenizer.json", "tokenizer_config.json")
MODEL_TYPE: Final = "roberta-prelayernorm"
BODY: Final = "roberta_prelayernorm."

# Ours -> Hugging Face's; "{}" is the block, "qkv" one matrix here and three there.
OUTER: Final = {
    "encoder.words": BODY + "embeddings.word_embeddings",
    "encoder.positions": BODY + "embeddings.position_embeddings",
    "encoder.token_type": BODY + "embeddings.token_type_embeddings",
    "encoder.embedding_norm": BODY + "embeddings.LayerNorm",
    "encoder.final_norm": BODY + "LayerNorm",
    "head.dense": "lm_head.dense",
    "head.norm": "lm_head.layer_norm",
}
INNER: Final = {
    "attention_norm": "attention.LayerNorm",
    "attention.out": "attention.output.dense",
    "ffn_norm": "intermediate.LayerNorm",
    "ffn_in": "intermediate.dense",
    "ffn_out": "output.dense",
}
QKV: Final = ("attention.self.query", "attention.self.key", "attention.self.value")


def save_encoder(
    model: MaskedLM, folder: Path | str, tokenizer_dir: Path | str, *, state: Mapping[str, Tensor] | None = None
) -> None:
    """Write `model` and the tokenizer of `tokenizer_dir` into `folder` (which exists or is made).

    `state` holds its weights where the model has only a part of them.

    Raises ArtifactError where the tokenizer is missing or has another vocabulary than the model.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    specials = copy_tokenizer(tokenizer_dir, folder, vocab_size=model.encoder.config.vocab_size)
    write_config(model.encoder.config, folder, architecture="RobertaPreLayerNormForMaskedLM", specials=specials)
    save_named(model.state_dict() if state is None else state, folder)


def load_encoder(folder: Path | str) -> MaskedLM:
    """The model in `folder`, on the CPU, in evaluation mode, in the precision of its file.

    Raises ArtifactError naming the file or tensor that is missing, foreign or of another shape, and where the tokenizer in
    the folder has another vocabulary than the model.
    """
    folder = Path(folder)
    config = read_config(folder)
    check_tokenizer(folder, config.vocab_size)
    with torch.device("meta"):
        model = MaskedLM(config)
    load_named(model, read_weights(folder), where=folder / WEIGHTS)
    return model.eval()


def copy_tokenizer(tokenizer_dir: Path | str, folder: Path, *, vocab_size: int) -> Specials:
    """Copy the tokenizer's files into `folder`; its control symbols. Raises ArtifactError where a file is missing or of another
    vocabulary."""
    specials = check_tokenizer(tokenizer_dir, vocab_size)
    for name in TOKENIZER_FILES:
        try:
            shutil.copyfile(Path(tokenizer_dir) / name, folder / name)
        except FileNotFoundError as error:
            raise ArtifactError("a file of the tokenizer is missing", where=error.filename) from None
        except shutil.SameFileError:
            continue
    return specials


def check_tokenizer(folder: Path | str, vocab_size: int) -> Specials:
    """The control symbols of the tokenizer in `folder`. Raises ArtifactError where there is none that can be read, or its
    vocabulary is not `vocab_size` pieces."""
    path = Path(folder) / "tokenizer.json"
    tokenizer = Tokenizer.load(path)
    if (found := tokenizer.size) != vocab_size:
        raise ArtifactError(
            "tokenizer does not match the encoder",
            where=path,
            got=f"{found} pieces",
            wanted=f"{vocab_size} pieces",
            hint="Use the tokenizer the encoder was trained with",
        )
    return tokenizer.specials


def write_config(config: EncoderConfig, folder: Path, *, architecture: str, specials: Specials = OURS) -> None:
    """`config.json` as transformers reads it."""
    table = {
        "architectures": [architecture],
        "model_type": MODEL_TYPE,
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.ffn,
        "hidden_act": "gelu",
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.attention_dropout,
        "max_position_embeddings": config.max_length + POSITION_OFFSET,
        "type_vocab_size": 1,
        "initializer_range": 0.02,
        "layer_norm_eps": config.layer_norm_eps,
        "bos_token_id": specials.bos,
        "pad_token_id": POSITION_OFFSET - 1,  # whatever pads: transformers counts positions from the row after this one
        "eos_token_id": specials.eos,
        "tie_word_embeddings": True,
    }
    (folder / CONFIG).write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def is_foreign(folder: Path | str) -> bool:
    """Whether `config.json` names another kind of model than ours. Where it cannot be read: no, and `read_config` says why."""
    try:
        return bool(json.loads((Path(folder) / CONFIG).read_bytes())["model_type"] != MODEL_TYPE)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_config(folder: Path | str) -> EncoderConfig:
    """The encoder's shape from `config.json`. Raises ArtifactError where it is missing, damaged or of another kind of model."""
    path = Path(folder) / CONFIG
    try:
        table = json.loads(path.read_bytes())
        kind = table.get("model_type")
    except OSError as error:
        raise ArtifactError("the encoder's config cannot be read", where=path, got=error.strerror) from None
    except (ValueError, AttributeError) as error:
        raise ArtifactError("the encoder's config is damaged", where=path, got=error, wanted="a JSON table") from None
    fixed: dict[str, Any] = {"model_type": MODEL_TYPE, "type_vocab_size": 1, "hidden_act": "gelu", "tie_word_embeddings": True}
    for key, wanted in fixed.items():
        if (got := kind if key == "model_type" else table.get(key, wanted)) != wanted:
            hint = (
                "Models of other makes teach and are fine-tuned as they are; to go on training, distil an encoder from it"
                if key == "model_type"
                else None
            )
            raise ArtifactError(f"not an encoder of ours: '{key}' differs", where=path, got=got, wanted=wanted, hint=hint)
    try:
        return EncoderConfig(
            layers=table["num_hidden_layers"],
            hidden=table["hidden_size"],
            ffn=table["intermediate_size"],
            heads=table["num_attention_heads"],
            vocab_size=table["vocab_size"],
            max_length=table["max_position_embeddings"] - POSITION_OFFSET,
            dropout=table["hidden_dropout_prob"],
            attention_dropout=table["attention_probs_dropout_prob"],
            layer_norm_eps=table["layer_norm_eps"],
        )
    except KeyError as error:
        raise ArtifactError(f"the encoder's config has no key {error}", where=path) from None
    except (ValidationError, TypeError) as error:
        got = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise ArtifactError("the encoder's config is damaged", where=path, got=got) from None


def save_named(state: Mapping[str, Tensor], folder: Path) -> None:
    """`model.safetensors`: every weight of a model (a MaskedLM, or modules named as it) under its Hugging Face name."""
    named: dict[str, Tensor] = {}
    for name, weight in state.items():
        theirs = hub_names(name)
        parts = weight.detach().cpu().chunk(len(theirs)) if len(theirs) > 1 else (weight.detach().cpu(),)
        named |= {hub: part.contiguous().clone() for hub, part in zip(theirs, parts, strict=True)}
    save_file(named, folder / WEIGHTS, metadata={"format": "pt"})


def read_weights(folder: Path | str) -> dict[str, Tensor]:
    """Every tensor in `model.safetensors`. Raises ArtifactError where it is missing or damaged."""
    path = Path(folder) / WEIGHTS
    try:
        tensors: dict[str, Tensor] = load_file(path)
        return tensors
    except OSError as error:
        raise ArtifactError("the weights cannot be read", where=path, got=error.strerror or error) from None
    except SafetensorError as error:
        raise ArtifactError("the weights are damaged", where=path, got=error, wanted="a whole safetensors file") from None


def load_named(model: nn.Module, tensors: Mapping[str, Tensor], *, where: Path) -> None:
    """Put `tensors`, under Hugging Face's names, into `model`, whose weights they replace (it may stand on the meta device).

    Tensors that no weight asks for are passed over: a MaskedLM's file also loads a bare Encoder. Raises ArtifactError naming
    the tensor that is missing or has another shape.
    """
    state = {name: _ours(name, weight.shape, tensors, where) for name, weight in model.state_dict().items()}
    model.load_state_dict(state, assign=True)


def fill_named(
    model: nn.Module, tensors: Mapping[str, Tensor], *, where: Path, put: Callable[[Tensor, Tensor], object] = Tensor.copy_
) -> None:
    """As `load_named`, but `put` copies the values of each weight into the one that is there, one weight at a time."""
    for name, weight in model.state_dict().items():
        put(weight, _ours(name, weight.shape, tensors, where))


def _ours(name: str, shape: torch.Size, tensors: Mapping[str, Tensor], where: Path) -> Tensor:
    theirs = hub_names(name)
    wanted = [shape[0] // len(theirs), *shape[1:]]
    for hub in theirs:
        if hub not in tensors:
            raise ArtifactError(f"the tensor '{hub}' is missing", where=where, got=f"{len(tensors)} tensors")
        if list(tensors[hub].shape) != wanted:
            got = f"shape {list(tensors[hub].shape)}"
            raise ArtifactError(f"the tensor '{hub}' does not fit the config", where=where, got=got, wanted=f"shape {wanted}")
    return torch.cat([tensors[hub] for hub in theirs])


def hub_names(name: str) -> list[str]:
    """Hugging Face's name or, for the fused query-key-value, three names, of one weight of ours."""
    if name == "head.bias_V":
        return ["lm_head.bias"]
    if not name.startswith(("encoder.", "head.")) or name.startswith("encoder.body."):  # the latter of another make
        return [name]
    part, _, kind = name.rpartition(".")
    if part in OUTER:
        return [f"{OUTER[part]}.{kind}"]
    _, _, number, inner = part.split(".", 3)
    return [f"{BODY}encoder.layer.{number}.{theirs}.{kind}" for theirs in (QKV if inner == "attention.qkv" else [INNER[inner]])]
