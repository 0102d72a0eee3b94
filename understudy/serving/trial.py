"""What a server asks of an experiment, and what it tells it; who runs experiments implements it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from understudy.interpretation import Interpretation

__all__ = ["Route", "Trial"]


class Route(NamedTuple):
    """The name of the model whose answer the user gets, and of those that are only run and written down (shadow mode)."""

    model: str
    shadows: tuple[str, ...] = ()


class Trial(Protocol):
    """An experiment, as a server sees it. No method but the last waits for a disk; all may be called from several threads."""

    @property
    def dropped(self) -> int:
        """Events that are lost, because more waited for the disk than may, or some still did at the end."""

    def route(self, user: str | None) -> Route:
        """Which models this user's request goes to; nobody's (None) goes to the baseline alone."""

    def record(self, request: str, user: str, text: str, locale: str, found: Mapping[str, Interpretation]) -> None:
        """Write down what the models of the route made of a request; `request` is an id that is never used again."""

    def feedback(self, request: str, dissatisfied: bool) -> None:
        """Write down what came of a request that was recorded; of several words on one request the last counts."""

    def close(self) -> None:
        """Write what is still waiting; what cannot be written is `dropped`."""
