"""A tokenizer folder of 50 pieces, as the tokenizer stage lays it out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
PIECES = ["▁wake", "▁me", "▁at", "▁six", "▁play", "▁jazz", "▁the", "▁lights", "▁off", "▁seven", "▁thirty"]
VOCABULARY = 50


@pytest.fixture
def tokenizer_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    letters = ["▁", *"abcdefghijklmnopqrstuvwxyz"]
    pieces = [*SPECIALS, *PIECES, *letters]
    pieces += [f"▁{n}" for n in range(VOCABULARY - len(pieces))]
    tokenizer = Tokenizer(models.Unigram([(p, 0.0 if p in SPECIALS else -2.0 - len(p) % 3) for p in pieces], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.add_special_tokens(SPECIALS)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = ("bos_token", "pad_token", "eos_token", "unk_token", "mask_token")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **dict(zip(names, SPECIALS, strict=True))}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder
