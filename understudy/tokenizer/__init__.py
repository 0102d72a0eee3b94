"""Text to pieces and back: a SentencePiece vocabulary behind one small class.

`Tokenizer` needs the `tokenizers` library only; training (`understudy.tokenizer.train`) is imported where it is run.
"""

from understudy.tokenizer.runtime import Encoding, Tokenizer

__all__ = ["Encoding", "Tokenizer"]
