"""Fine-tuned models as folders, and as callables on text.

A folder holds the encoder's `config.json`, `model.safetensors` (encoder under Hugging Face's names, heads under `heads.`),
`labels.json`, `nlu.json` and the tokenizer's files.

    nlu = Predictor.load("artifacts/student-nlu")
    nlu("wake me at six")

Shape legend: B sequences, T packed tokens, I intents, S slot tags, C domains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from pydantic import Field, ValidationError
from torch import Tensor

from understudy import artifact
from understudy.config import Config
from understudy.errors import ArtifactError
from understudy.interpretation import Interpretation
from understudy.model.encoder import Layout
from understudy.model.folder import WEIGHTS, load_named, read_weights, save_named
from understudy.model.foreign import read_body, write_body
from understudy.model.heads import NLU, Pooling
from understudy.runtime.decode import Labels, decode
from understudy.runtime.encode import Encoded, encode, encode_each, in_batches
from understudy.tokenizer import Tokenizer

__all__ = ["SETTINGS", "NLUSettings", "Predictor", "load_nlu", "read_settings", "save_nlu"]

LABELS: Final = "labels.json"
SETTINGS: Final = "nlu.json"


class NLUSettings(Config):
    """The contents of `nlu.json`: the heads' shape, and how text is made ready for the model.

    max_length: tokens of an utterance, <s> and </s> included; the rest is cut off. spoken: typed text is converted to its
    spoken form first, where the caller names the language (A 2.2). lower: words are lower-cased for the model. domains: there is
    a head for the domain, over `Labels.domain_names`. threshold: confidence of the intent under which an utterance is called
    out of domain.
    """

    max_length: int = Field(ge=3)
    spoken: bool
    lower: bool = False
    width: int = Field(default=256, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    pooling: Pooling = "mean"
    domains: bool = False
    threshold: float = Field(default=0.0, ge=0, le=1)


def save_nlu(
    model: NLU,
    labels: Labels,
    folder: Path | str,
    tokenizer_dir: Path | str,
    *,
    spoken: bool,
    max_length: int,
    lower: bool = False,
    threshold: float = 0.0,
    state: Mapping[str, Tensor] | None = None,
) -> None:
    """Write `model`, what its outputs mean, and the tokenizer of `tokenizer_dir` into `folder` (which exists or is made).

    `state` holds its weights where the model has only a part of them.

    Raises ArtifactError where the tokenizer is missing or does not match the encoder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    intents, tags = model.outputs
    if (intents, tags) != (len(labels.intents), len(labels.tags)):
        raise ValueError(f"{intents} intents and {tags} tags, but labels for {len(labels.intents)} and {len(labels.tags)}")
    if model.domains not in (0, len(labels.domain_names)):
        raise ValueError(f"{model.domains} domains, but labels for {len(labels.domain_names)}")
    write_body(model.encoder, folder, tokenizer_dir)
    settings = NLUSettings(
        max_length=min(max_length, model.encoder.config.max_length),
        spoken=spoken,
        lower=lower,
        width=model.width,
        dropout=model.dropout,
        pooling=model.pooling,
        domains=model.domains > 0,
        threshold=threshold,
    )
    (folder / SETTINGS).write_text(settings.model_dump_json(indent=2) + "\n", encoding="utf-8")
    labels.save(folder / LABELS)
    save_named(model.state_dict() if state is None else state, folder)


def load_nlu(folder: Path | str) -> tuple[NLU, Labels]:
    """Model, on the CPU and in evaluation mode, and labels from a folder that `save_nlu` wrote.

    Raises ArtifactError naming the file or tensor that is missing, foreign or of another shape.
    """
    folder = Path(folder)
    settings, labels = read_settings(folder), Labels.load(folder / LABELS)
    body = read_body(folder)
    with torch.device("meta"):
        heads = {"width": settings.width, "dropout": settings.dropout, "pooling": settings.pooling}
        domains = len(labels.domain_names) if settings.domains else 0
        model = NLU(body, len(labels.intents), len(labels.tags), domains=domains, **heads)  # type: ignore[arg-type]
    load_named(model, read_weights(folder), where=folder / WEIGHTS)
    return model.eval(), labels


def read_settings(folder: Path | str) -> NLUSettings:
    """`nlu.json` of a folder. Raises ArtifactError where it is missing or damaged."""
    path = Path(folder) / SETTINGS
    try:
        return NLUSettings.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ArtifactError(
            "this is not a fine-tuned model", where=path, got=error.strerror, wanted="what the finetune stage wrote"
        ) from None
    except ValidationError as error:
        raise ArtifactError("the model's settings are damaged", where=path, got=" ".join(str(error).split())[:300]) from None


class Predictor:
    """Text in, Interpretation out, in torch. The exported `understudy.runtime` gives the same answers without it."""

    def __init__(self, model: NLU, labels: Labels, tokenizer: Tokenizer, settings: NLUSettings, *, bf16: bool = False) -> None:
        self.model, self.labels, self.tokenizer, self.settings, self.bf16 = model, labels, tokenizer, settings, bf16

    @classmethod
    def load(cls, folder: Path | str, *, device: torch.device | str = "cpu", bf16: bool = False) -> Predictor:
        """The model of `folder`: an nlu artifact, whose files are verified, or a bare folder that `save_nlu` wrote.

        Args:
            folder: where it stands.
            device: where it runs.
            bf16: run matrix products in bfloat16: faster where the processor has it, confidences differ in the third digit.

        Raises ArtifactError where it is not one, is damaged, or its parts do not belong together.
        """
        folder = Path(folder)
        if (folder / artifact.MANIFEST).exists() or not folder.is_dir():
            artifact.open(folder, kind="nlu")
        model, labels = load_nlu(folder)
        return cls(model.to(device), labels, Tokenizer.load(folder), read_settings(folder), bf16=bf16)

    def __call__(self, text: str, lang: str | None = None) -> Interpretation:
        """What `text` means. Slots are spans of `text` as given. Raises DataError where there is nothing to understand."""
        return self.batch([text], lang)[0]

    def batch(
        self, texts: Sequence[str], langs: Sequence[str | None] | str | None = None, *, batch_tokens: int = 4096
    ) -> list[Interpretation]:
        """What each of `texts` means, in their order; utterances of like length are run together.

        Args:
            texts: utterances, none empty.
            langs: one language for all, or one (or None) per text.
            batch_tokens: most tokens, counted padded, of one forward pass.

        Raises DataError for an empty text, naming its place, or where texts and languages differ in number.
        """
        encoded = encode_each(texts, langs, self.encode)
        return in_batches(encoded, lambda indices: self._answer([encoded[i] for i in indices]), budget=batch_tokens)

    def encode(self, text: str, lang: str | None = None) -> Encoded:
        """The tokens the model would see for `text`, and its words with their spans."""
        s = self.settings
        return encode(text, self.tokenizer, max_length=s.max_length, lang=lang, spoken=s.spoken, lower=s.lower)

    @torch.inference_mode()
    def _answer(self, encoded: Sequence[Encoded]) -> list[Interpretation]:
        device = next(self.model.parameters()).device
        lengths = [len(e.ids) for e in encoded]
        ids_T = torch.tensor([i for e in encoded for i in e.ids], device=device)
        training = self.model.training
        self.model.eval()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.bf16):
            intents_BI, slots_TS, domains_BC = self.model(ids_T, Layout.packed(lengths, device=device))
        self.model.train(training)
        intents = intents_BI.float().cpu().numpy()
        slots = torch.split(slots_TS.float().cpu(), lengths)
        domains = [None] * len(encoded) if domains_BC is None else list(domains_BC.float().cpu().numpy())
        threshold = self.settings.threshold
        return [
            decode(
                e.text,
                e.words,
                i_I,
                s_TS.numpy()[e.first],
                self.labels,
                domain_logits_C=d_C,
                threshold=threshold,
                spoken=e.spoken,
            )
            for e, i_I, s_TS, d_C in zip(encoded, intents, slots, domains, strict=True)
        ]
