"""What stands in `tokenizer.json`: how text becomes words, words become pieces, pieces become text again.

The file alone does all of it, for any reader of the `tokenizers` format. Text is cut exactly as `understudy.text.words` cuts
it: white space parts words, each character of an unspaced script is a word. Words of other scripts begin with "▁"; characters
of unspaced scripts are single pieces without it. Every step looks at one word only, so encoding a text and encoding its words
one by one give the same ids. That is why NFKC, which alone would join a kana and the voicing mark after it, is preceded by
steps that keep them apart.

Two guards hold user text and control symbols apart: the control symbols (and byte pieces) score so low that the model never
spells text with them, and `Tokenizer` reads "<s>" in a text as four characters.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from understudy.text.words import UNSPACED

__all__ = ["BOS", "BYTES", "CHANGED", "EOS", "MASK", "NEVER", "PAD", "SPACE", "SPECIALS", "UNK", "bare", "build", "pretokens"]

BOS, PAD, EOS, UNK, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
SPECIALS = (BOS, PAD, EOS, UNK, MASK)  # ids 0 to 4, as RoBERTa
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
SPACE = "▁"
NEVER = -1000.0  # a log-probability so low that any spelling by characters is preferred

# Characters without a shape of their own: controls, soft hyphen, zero-width space and joiner-less marks, direction marks,
# variation selectors. The (non-)joiners U+200C and U+200D stay: Indic and Arabic spelling needs them.
_IGNORED = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u180b-\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\ufe00-\ufe0f\ufeff\U000e0001-\U000e01ef"
)
CHANGED = f"{_IGNORED}\u3099\u309a\uff9e\uff9f{SPACE}\ud800-\udfff"  # Nothing but these and NFKC changes or parts a word.
_SPACES = r"\s\x1c-\x1f"  # Python counts the four separators as white space, Unicode does not


def _normalizer() -> normalizers.Normalizer:
    # A word of ignored characters only is kept, so that it still has a piece.
    ordinary = f"[^{_SPACES}{UNSPACED}{_IGNORED}]"
    return normalizers.Sequence(
        [
            normalizers.Replace(Regex(f"(?<={ordinary})[{_IGNORED}]+|(?<![{_IGNORED}])[{_IGNORED}]++(?={ordinary})"), ""),
            # Voicing marks, combining or half-width, become the spacing ones, which NFKC puts behind a space of their own.
            normalizers.Replace(Regex("[\u3099\uff9e]"), "\u309b"),
            normalizers.Replace(Regex("[\u309a\uff9f]"), "\u309c"),
            normalizers.NFKC(),
        ]
    )


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(f"[{UNSPACED}]|[^{_SPACES}{UNSPACED}]+"), "removed", invert=True),
            pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always", split=False),
            pre_tokenizers.Split(Regex(f"{SPACE}(?=[{UNSPACED}])"), "removed"),
        ]
    )


def bare() -> Tokenizer:
    """Normaliser and pre-tokeniser over an empty vocabulary: all that training needs."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = _normalizer()
    tokenizer.pre_tokenizer = _pre_tokenizer()
    return tokenizer


def pretokens(tokenizer: Tokenizer, text: str) -> list[str]:
    """What the model sees of a text, e.g. "ﬁne 私" -> ["▁fine", "私"]; compatibility characters may make several of a word."""
    return [part for part, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))]


def build(pieces: Sequence[tuple[str, float]], *, byte_fallback: bool = False) -> Tokenizer:
    """A complete tokenizer from (piece, log-probability) pairs; ids are 0-4 control symbols, bytes if any, then `pieces` in order."""
    vocabulary = [(name, NEVER) for name in SPECIALS]
    vocabulary += [(name, NEVER) for name in BYTES] if byte_fallback else []
    vocabulary += list(pieces)
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=SPECIALS.index(UNK), byte_fallback=byte_fallback))
    tokenizer.normalizer = _normalizer()
    tokenizer.pre_tokenizer = _pre_tokenizer()
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}",
        pair=f"{BOS} $A {EOS} {EOS} $B {EOS}",
        special_tokens=[(BOS, SPECIALS.index(BOS)), (EOS, SPECIALS.index(EOS))],
    )
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIALS])
    return tokenizer
