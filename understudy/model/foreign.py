"""Any Hugging Face masked language model as a teacher: XLM-R, BERT, ModernBERT and their kin.

A `ForeignMaskedLM` answers to what distillation asks of a `MaskedLM`: `config`, `encoder(ids_T, layout, hidden=True)`,
`head.features(h_MD)`, `decoder_weight_VD`, `decoder_bias_V`. Inside, tokens are padded and transformers does the work. The
student must have the teacher's vocabulary: that of the artifact which `adopt` makes of such a model.

Shape legend: B sequences, L longest sequence, T packed tokens, M chosen tokens, D width, V vocabulary.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import tokenizers
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from understudy.errors import ArtifactError
from understudy.model.encoder import Encoder, EncoderConfig, MaskedLM
from understudy.model.folder import check_tokenizer, copy_tokenizer, is_foreign, load_encoder, read_config, write_config
from understudy.model.layout import Layout

__all__ = [
    "Body", "ForeignEncoder", "ForeignHead", "ForeignMaskedLM", "Teacher", "blank_body", "file_in", "load_foreign",
    "load_teacher", "read_body", "read_shape", "write_body",
]  # fmt: skip


class ForeignEncoder(nn.Module):
    """The body of a Hugging Face model, on packed tokens."""

    def __init__(self, body: Any, config: EncoderConfig, *, pad: int) -> None:
        super().__init__()
        self.body, self.config, self.pad = body, config, pad

    def write_config(self, folder: Path) -> None:
        """`config.json` as transformers reads it."""
        (folder / "config.json").write_text(self.body.config.to_json_string(), encoding="utf-8")

    @property
    def blocks(self) -> nn.ModuleList:
        """The stack of equal blocks inside."""
        stacks = (m for m in self.body.modules() if isinstance(m, nn.ModuleList) and len(m) == self.config.layers)
        return next(stacks)

    def forward(self, ids_T: Tensor, layout: Layout, *, hidden: bool = False) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Vectors (T, D) of the tokens `ids_T`; with `hidden`, also every block's output (T, D).

        The last block's output is what transformers reports for it: where the model has a final LayerNorm, after it.
        """
        ids_BL = layout.pad(ids_T)
        mask_BL = torch.ones_like(ids_BL, dtype=torch.bool) if layout.mask_BL is None else layout.mask_BL
        ids_BL = ids_BL.masked_fill(~mask_BL, self.pad)
        found = self.body(input_ids=ids_BL, attention_mask=mask_BL.long(), output_hidden_states=hidden)
        h_TD = layout.unpad(found.last_hidden_state)
        return (h_TD, [layout.unpad(h_BLD) for h_BLD in found.hidden_states[1:]]) if hidden else h_TD


class ForeignHead(nn.Module):
    """What stands between the body and the output projection."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def features(self, h_MD: Tensor) -> Tensor:
        """What the output projection reads (M, D)."""
        features_MD: Tensor = self.part(h_MD)
        return features_MD


class ForeignMaskedLM(nn.Module):
    """A Hugging Face masked language model taken apart into encoder, head and output projection; `tokenizer_file` is its
    `tokenizer.json`."""

    def __init__(self, model: Any, *, tokenizer_file: Path, where: object = None) -> None:
        super().__init__()
        size = tokenizers.Tokenizer.from_file(str(tokenizer_file)).get_vocab_size(with_added_tokens=True)
        self.config = _shape(model, size, where)
        self.encoder = ForeignEncoder(model.base_model, self.config, pad=model.config.pad_token_id or 0)  # masked in any case
        self.projection: nn.Linear = model.get_output_embeddings()
        if self.projection.out_features < size:
            got = f"{size} pieces, {self.projection.out_features} outputs"
            raise ArtifactError("tokenizer does not match the encoder", where=where, got=got)
        self.head = ForeignHead(_part_before(model, self.projection, where))

    @property
    def decoder_weight_VD(self) -> Tensor:
        """The rows that the tokenizer has pieces for: some models are padded with rows that mean nothing."""
        return self.projection.weight[: self.config.vocab_size]

    @property
    def decoder_bias_V(self) -> Tensor:
        bias = self.projection.bias
        return self.projection.weight.new_zeros(self.config.vocab_size) if bias is None else bias[: self.config.vocab_size]

    def forward(self, ids_T: Tensor, layout: Layout, *, at_M: Tensor | None = None) -> Tensor:
        """Logits (M, V) at the tokens `at_M`, or (T, V) at all of them."""
        h_TD = self.encoder(ids_T, layout)
        h_MD = h_TD if at_M is None else h_TD.index_select(0, at_M)
        return nn.functional.linear(self.head.features(h_MD), self.decoder_weight_VD, self.decoder_bias_V)


Teacher = MaskedLM | ForeignMaskedLM
"""What a student can listen to."""

Body = Encoder | ForeignEncoder
"""What heads can stand on."""


def load_teacher(folder: Path | str) -> Teacher:
    """The encoder in `folder`, of our make or of another's, as `folder.load_encoder` or `load_foreign` gives it."""
    return load_foreign(folder) if is_foreign(folder) else load_encoder(folder)


def load_foreign(source: Path | str, *, revision: str | None = None) -> ForeignMaskedLM:
    """The masked language model in the folder or hub repository `source`, on the CPU, in fp32 and evaluation mode.

    Only safetensors are read, and no code of the model's own is run. revision: of the hub repository, a commit or branch.

    Raises ArtifactError where there is none, it has no masked-language-model head or no `tokenizer.json`, or its head is not
    of a known form.
    """
    # Imported here: it takes seconds, and nothing else that is run needs it.
    transformers = import_module("transformers")
    try:
        model, report = transformers.AutoModelForMaskedLM.from_pretrained(
            source,
            revision=revision or "main",
            dtype=torch.float32,
            output_loading_info=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
        tokenizer_file = transformers.utils.cached_file(source, "tokenizer.json", revision=revision)
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(
            "this is not a masked language model that transformers can load",
            where=source,
            got=str(error).strip().splitlines()[0],
            wanted="a folder or hub name with config.json, model.safetensors and tokenizer.json",
        ) from None
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise ArtifactError(
            "the model is not whole, so it cannot teach",
            where=source,
            got=f"no weights for {', '.join(missing[:3])}{' and others' if len(missing) > 3 else ''}",
            wanted="a checkpoint with its masked-language-model head",
        )
    return ForeignMaskedLM(model.eval(), tokenizer_file=Path(tokenizer_file), where=source).eval()


def blank_body(folder: Path | str) -> ForeignEncoder:
    """An encoder of the kind and shape that the `config.json` in `folder` names, with the vocabulary of its tokenizer; its
    weights are random and to be replaced. Raises ArtifactError where the config is of an unknown kind."""
    transformers = import_module("transformers")
    try:
        model = transformers.AutoModelForMaskedLM.from_config(transformers.AutoConfig.from_pretrained(folder))
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError("the encoder's config cannot be used", where=folder, got=str(error).strip().splitlines()[0]) from None
    return ForeignMaskedLM(model, tokenizer_file=Path(folder) / "tokenizer.json", where=folder).encoder


def write_body(body: Body, folder: Path, tokenizer_dir: Path | str) -> None:
    """`config.json` and the tokenizer of a model that is an encoder with heads on it. Raises ArtifactError where the tokenizer is
    missing or does not match."""
    specials = copy_tokenizer(tokenizer_dir, folder, vocab_size=body.config.vocab_size)
    if isinstance(body, ForeignEncoder):
        body.write_config(folder)
    else:
        write_config(body.config, folder, architecture="RobertaPreLayerNormModel", specials=specials)


def read_body(folder: Path) -> Body:
    """The encoder of what `write_body` wrote, without its weights: on the meta device, but one of another make on the CPU, for it
    has buffers that no file holds. Raises ArtifactError where it cannot be read or its tokenizer does not match."""
    if is_foreign(folder):
        body: Body = blank_body(folder)
    else:
        with torch.device("meta"):
            body = Encoder(read_config(folder))
    check_tokenizer(folder, body.config.vocab_size)
    return body


def file_in(source: Path | str, name: str, *, revision: str | None = None) -> Path | None:
    """The file `name` of a folder or hub repository, fetched if need be; None where it cannot be had."""
    try:
        found = import_module("transformers.utils").cached_file(source, name, revision=revision)
    except (OSError, ValueError):
        return None
    return None if found is None else Path(found)


def read_shape(source: Path | str, *, revision: str | None = None) -> EncoderConfig:
    """The shape of a model from its `config.json` alone, rows of its vocabulary that mean nothing included.

    Raises ArtifactError where there is none, or it is of an unknown kind.
    """
    try:
        hub = import_module("transformers").AutoConfig.from_pretrained(source, revision=revision or "main")
    except (OSError, ValueError, KeyError) as error:
        got = str(error).strip().splitlines()[0]
        raise ArtifactError("there is no model's config here", where=source, got=got, wanted="a folder or a hub name") from None
    return _config(hub, getattr(hub, "vocab_size", 0), 0, source)


def _shape(model: Any, size: int, where: object) -> EncoderConfig:
    """What others ask of a teacher's shape. Positions of RoBERTa's kin begin after the padding row of their table."""
    after_padding = hasattr(getattr(model.base_model, "embeddings", None), "create_position_ids_from_input_ids")
    return _config(model.config, size, model.config.pad_token_id + 1 if after_padding else 0, where)


def _config(hub: Any, size: int, offset: int, where: object) -> EncoderConfig:
    try:
        return EncoderConfig(
            layers=hub.num_hidden_layers,
            hidden=hub.hidden_size,
            ffn=hub.intermediate_size,
            heads=hub.num_attention_heads,
            vocab_size=size,
            max_length=hub.max_position_embeddings - offset,
            dropout=0.0,
            attention_dropout=0.0,
        )
    except (AttributeError, ValidationError) as error:
        raise ArtifactError("this kind of model is not known", where=where, got=hub.model_type, hint=str(error)) from None


def _part_before(model: nn.Module, projection: nn.Module, where: object) -> nn.Module:
    """The part of `model` that makes the features `projection` reads, with the projection taken out of it."""
    for child in model.children():
        for parent in child.modules():
            for name, part in list(parent.named_children()):
                if part is projection:
                    setattr(parent, name, nn.Identity())
                    return child
    if isinstance(head := getattr(model, "head", None), nn.Module):  # ModernBERT keeps head and projection side by side
        return head
    kind = type(model).__name__
    hint = "BERT, RoBERTa, XLM-R, ModernBERT and models built like them can teach"
    raise ArtifactError("the head of this model is not of a known form", where=where, got=kind, hint=hint)
