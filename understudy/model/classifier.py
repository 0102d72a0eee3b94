"""Classifiers of pairs of sentences as folders, as an xnli stage keeps them.

Beside the encoder's `config.json` and the tokenizer's files stand `model.safetensors` (the encoder under Hugging Face's names, the
head under `label.`) and `classifier.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from pydantic import Field, ValidationError
from torch import Tensor

from understudy.config import Config
from understudy.errors import ArtifactError
from understudy.model.folder import WEIGHTS, load_named, read_weights, save_named
from understudy.model.foreign import read_body, write_body
from understudy.model.heads import Classifier, Pooling

__all__ = ["ClassifierSettings", "load_classifier", "save_classifier"]

SETTINGS: Final = "classifier.json"


class ClassifierSettings(Config):
    """The contents of `classifier.json`.

    labels: in the order of the logits. max_length: tokens of both sentences together. spoken: whether it learned from spoken form.
    width, dropout, pooling: of the head.
    """

    labels: tuple[str, ...] = Field(min_length=2)
    max_length: int = Field(gt=0)
    spoken: bool
    width: int = Field(gt=0)
    dropout: float = Field(ge=0, lt=1)
    pooling: Pooling


def save_classifier(
    model: Classifier,
    folder: Path,
    tokenizer_dir: Path,
    *,
    labels: tuple[str, ...],
    max_length: int,
    spoken: bool,
    state: Mapping[str, Tensor],
) -> None:
    """Write `model`, whose weights are `state`, and the tokenizer of `tokenizer_dir` into `folder`.

    Raises ArtifactError where the tokenizer is missing or does not match the encoder.
    """
    write_body(model.encoder, folder, tokenizer_dir)
    shape = {"width": model.width, "dropout": model.dropout, "pooling": model.pooling}
    settings = ClassifierSettings(labels=labels, max_length=max_length, spoken=spoken, **shape)  # type: ignore[arg-type]
    (folder / SETTINGS).write_text(settings.model_dump_json(indent=2) + "\n", encoding="utf-8")
    save_named(state, folder)


def load_classifier(folder: Path) -> tuple[Classifier, ClassifierSettings]:
    """Model, on the CPU and in evaluation mode, and settings from a folder that `save_classifier` wrote.

    Raises ArtifactError naming the file or tensor that is missing, damaged or of another shape.
    """
    path = folder / SETTINGS
    try:
        settings = ClassifierSettings.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ArtifactError(
            "this is no classifier of pairs", where=path, got=error.strerror, wanted="what an xnli stage wrote"
        ) from None
    except ValidationError as error:
        raise ArtifactError("the classifier's settings are damaged", where=path, got=" ".join(str(error).split())[:300]) from None
    body = read_body(folder)
    with torch.device("meta"):
        shape = {"width": settings.width, "dropout": settings.dropout, "pooling": settings.pooling}
        model = Classifier(body, len(settings.labels), **shape)  # type: ignore[arg-type]
    load_named(model, read_weights(folder), where=folder / WEIGHTS)
    return model.eval(), settings
