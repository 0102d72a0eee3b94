"""Models and tokenizers of other makes in small: built here, saved as their makers save them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tokenizers
import torch
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedModel,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)

TEXTS = (
    "Wake me up at seven, please!",
    "wake the lights and play some jazz",
    "play it again today",
    "spiel bitte etwas Musik in München",
    "réveille-moi à sept heures",
    "कल मौसम कैसा रहेगा",
)
KINDS = ("xlm-roberta", "bert", "modernbert")


def build_tokenizer(kind: str) -> tokenizers.Tokenizer:
    """Control symbols stand where the real ones have them: at both ends, or scattered, or all of them last."""
    around = ("[CLS]", "[SEP]")
    if kind == "xlm-roberta":
        made, around = tokenizers.Tokenizer(models.Unigram()), ("<s>", "</s>")
        made.normalizer = normalizers.NFKC()
        made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
        first = ["<s>", "<pad>", "</s>", "<unk>"]
        made.train_from_iterator(TEXTS, trainers.UnigramTrainer(vocab_size=120, special_tokens=first, unk_token="<unk>"))
        made.add_special_tokens(["<mask>"])
    elif kind == "bert":
        made = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.normalizer = normalizers.BertNormalizer(lowercase=True)
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        first = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        made.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=120, special_tokens=first))
    elif kind == "modernbert":
        made = tokenizers.Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        made.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet))
        made.add_special_tokens(["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"])
    else:  # Gemma's, as in mmBERT: the space is a character, and text may hold "<s>" as a piece
        made, around = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True)), ("<bos>", "<eos>")
        made.normalizer = normalizers.Replace(" ", "▁")
        made.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
        first = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
        made.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=160, special_tokens=first))
        made.add_tokens(["<s>"])
    ends = [(name, made.token_to_id(name)) for name in around]
    made.post_processor = processors.TemplateProcessing(single=f"{around[0]} $A {around[1]}", special_tokens=ends)
    return made


def build_model(kind: str, tokenizer: tokenizers.Tokenizer, **more: Any) -> PreTrainedModel:
    """A random masked language model of that vocabulary, 3 blocks of 32."""
    ids = tokenizer.encode("").ids
    pad = next(i for name in ("<pad>", "[PAD]") if (i := tokenizer.token_to_id(name)) is not None)
    common = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 40}
    common |= {"vocab_size": tokenizer.get_vocab_size(), "pad_token_id": pad, "bos_token_id": ids[0], "eos_token_id": ids[1]}
    torch.manual_seed(0)
    if kind == "bert":
        return BertForMaskedLM(BertConfig(**common, max_position_embeddings=24, **more))
    if kind == "modernbert":
        local = {"cls_token_id": ids[0], "sep_token_id": ids[1], "local_attention": 4, "global_attn_every_n_layers": 2}
        return ModernBertForMaskedLM(ModernBertConfig(**common, **local, max_position_embeddings=24, **more))
    return XLMRobertaForMaskedLM(XLMRobertaConfig(**common, max_position_embeddings=24 + pad + 1, **more))


def write_foreign(folder: Path, kind: str) -> Path:
    """Folder of a model and its tokenizer, as `save_pretrained` leaves it."""
    tokenizer = build_tokenizer(kind)
    build_model(kind, tokenizer).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return folder
