"""What a user can be told.

    UnderstudyError
    ├── RecipeError     a recipe or a setting: unknown key, wrong value, missing stage, cycle
    ├── DataError       the user's data: missing file, wrong encoding, malformed line, unknown label
    ├── ArtifactError   a directory of ours: missing, foreign, truncated, altered, in use, not writable
    ├── TrainingError   a run that must not go on: non-finite loss, nothing to learn from
    └── ExportError     an export that fails its gates

Every message is one paragraph that says what happened, what was found, what was wanted and what to do. The command line
prints it and ends with exit code 2. Anything else that escapes is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["ArtifactError", "DataError", "ExportError", "RecipeError", "TrainingError", "UnderstudyError", "nearest"]


class UnderstudyError(Exception):
    """Base of all errors meant for users.

    Args:
        what: what went wrong, a sentence without its full stop.
        where: file, `file:line`, key or stage it concerns; stands first in the message.
        got: what was found.
        wanted: what would have been right.
        hint: what to do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        got: object = None,
        wanted: object = None,
        hint: str | None = None,
    ) -> None:
        self.what, self.where, self.got, self.wanted, self.hint = what, where, got, wanted, hint
        super().__init__(str(self))

    def __str__(self) -> str:
        sentences = [f"{self.where}: {self.what}" if self.where is not None else self.what]
        if self.got is not None:
            sentences.append(f"Got: {'nothing' if self.got == '' else self.got}")
        if self.wanted is not None:
            sentences.append(f"Wanted: {self.wanted}")
        if self.hint is not None:
            sentences.append(self.hint)
        return " ".join(s if s.endswith(("?", "!")) else f"{s.rstrip('.')}." for s in sentences)


class RecipeError(UnderstudyError):
    """A recipe or a setting cannot be used."""


class DataError(UnderstudyError):
    """The user's data cannot be used."""


class ArtifactError(UnderstudyError):
    """A directory is not the artifact that was asked for, or cannot be written."""


class TrainingError(UnderstudyError):
    """A training run must not go on."""


class ExportError(UnderstudyError):
    """An exported model does not match the model it came from."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """A hint that names the known word closest to `name`, or None where nothing is close."""
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"Did you mean '{match[0]}'?" if match else None
