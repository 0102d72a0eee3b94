"""Small, fast language understanding for voice assistants, distilled from a large multilingual teacher.

    import understudy

    nlu = understudy.load("artifacts/student-runtime")
    nlu("wake me at six")

Importing the package is cheap: ONNX Runtime and the tokenizer come in with the first use of `load`, torch never.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from understudy.errors import ArtifactError, DataError, ExportError, RecipeError, TrainingError, UnderstudyError
from understudy.interpretation import Interpretation, Slot

if TYPE_CHECKING:
    from understudy.runtime.session import Runtime

    __version__: str
    load = Runtime.load

__all__ = [
    "ArtifactError",
    "DataError",
    "ExportError",
    "Interpretation",
    "RecipeError",
    "Slot",
    "TrainingError",
    "UnderstudyError",
    "__version__",
    "load",
]


def __getattr__(name: str) -> Any:
    """`load` and `__version__`, brought in when first asked for."""
    if name == "load":
        return import_module("understudy.runtime.session").Runtime.load
    if name == "__version__":
        return import_module("importlib.metadata").version("understudy")
    raise AttributeError(f"module 'understudy' has no attribute '{name}'")
