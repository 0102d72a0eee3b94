"""The data card of a corpus: what there is of each language after each step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["STEPS", "Card"]

STEPS = ("read", "cleaned", "kept", "counted", "unique", "sampled", "train", "valid")
"""Steps in their order. "kept" is without excluded texts, "unique" without near duplicates. "train" and "valid" are what was written: without short rows, in spoken form where chosen."""


class Card:
    """Sums per language and step: rows, words, characters; distinct rows and spoken rows where known. Rows count as often as seen."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
        self._notes: dict[str, dict[str, Any]] = defaultdict(dict)

    def add(self, lang: str, step: str, **amounts: int) -> None:
        """Add amounts to the sums of a language after a step."""
        sums = self._sums[lang][step]
        for name, amount in amounts.items():
            sums[name] += amount

    def add_rows(self, step: str, rows: npt.NDArray[Any], times: npt.NDArray[Any], *, distinct: bool = False) -> None:
        """Add rows given as an array with fields lang, words and characters, each `times` over."""
        langs, inverse = np.unique(rows["lang"], return_inverse=True)
        for at, lang in enumerate(langs.tolist()):
            here = inverse == at
            n = times[here].astype(np.int64)
            amounts = {name: int((rows[name][here] * n).sum()) for name in ("words", "characters")}
            extra = {"distinct": int(np.count_nonzero(n))} if distinct else {}
            self.add(lang.decode(), step, rows=int(n.sum()), **extra, **amounts)

    def sums(self) -> dict[str, dict[str, dict[str, int]]]:
        """All sums by language, step and amount, for `merge`."""
        return {lang: {step: dict(sums) for step, sums in steps.items()} for lang, steps in self._sums.items()}

    def merge(self, sums: Mapping[str, Mapping[str, Mapping[str, int]]]) -> None:
        """Add the sums of another card."""
        for lang, steps in sums.items():
            for step, amounts in steps.items():
                self.add(lang, step, **amounts)

    def note(self, lang: str, name: str, value: Any) -> None:
        """Something to say of a language beside the sums."""
        self._notes[lang][name] = value

    def column(self, step: str, name: str) -> dict[str, int]:
        """One sum after one step per language."""
        return {lang: steps.get(step, {}).get(name, 0) for lang, steps in sorted(self._sums.items())}

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: {"languages": {lang: {step: {rows, words, characters, …, spoken_share}}}, "all": {step: …}}."""
        languages = {}
        whole: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for lang, steps in sorted(self._sums.items()):
            languages[lang] = {step: _entry(steps[step]) for step in STEPS if steps.get(step)} | self._notes[lang]
            for step in STEPS:
                for name, amount in steps[step].items():
                    whole[step][name] += amount
        return {"languages": languages, "all": {step: _entry(whole[step]) for step in STEPS if whole.get(step)}}


def _entry(sums: dict[str, int]) -> dict[str, Any]:
    entry: dict[str, Any] = {name: n for name, n in sums.items() if name != "spoken"}
    if "spoken" in sums:
        entry["spoken_share"] = round(sums["spoken"] / sums["rows"], 4) if sums["rows"] else 0.0
    return entry
