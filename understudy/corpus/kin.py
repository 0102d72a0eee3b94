"""Which utterances must not be parted by a split: translations and duplicates of one another."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.corpus.sampling import normal
from understudy.interpretation import Interpretation

__all__ = ["kin"]


def kin(gold: Sequence[Interpretation]) -> list[str]:
    """The name of each utterance's kin, which is the least of their ids; "" of an utterance without an id.

    Utterances of one id are kin, being translations of one another; so are those of a locale with one normal text; and so are the
    kin of one's kin.
    """
    parent: dict[str, str] = {}
    first: dict[tuple[str, str], str] = {}

    def eldest(name: str) -> str:
        while parent[name] != name:
            parent[name] = name = parent[parent[name]]
        return name

    for one in gold:
        if one.id:
            parent.setdefault(one.id, one.id)
            other = first.setdefault((one.locale, normal(one.text)), one.id)
            least, greater = sorted((eldest(one.id), eldest(other)))
            parent[greater] = least
    return [eldest(one.id) if one.id else "" for one in gold]
