"""What an exported model must pass before anything is written: the model's numbers, and its understanding.

Shapes: B sequences, L positions, I intents, S slot tags, V ids of the graph.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from understudy.errors import ExportError
from understudy.evaluation.metrics import COUNTS, counts
from understudy.interpretation import Interpretation
from understudy.model.encoder import Layout
from understudy.model.heads import NLU
from understudy.runtime.encode import Encoded, encode, pad
from understudy.runtime.session import Runtime, Session, run_session

__all__ = ["ALL", "CHANCE", "Loss", "by_chance", "drop_gate", "losses", "max_difference", "parity_gate"]

log = logging.getLogger(__name__)

PARITY_UTTERANCES = 256
PARITY_BATCH = 16
CHANCE = 0.05  # a loss that chance makes as often as this, or less often, is taken for a loss
ALL = "all"  # every locale together


def parity_gate(
    model: NLU, reference: Runtime, texts: Sequence[str], tolerance: float, *, kept: NDArray[np.int64] | None = None
) -> dict[str, Any]:
    """Largest difference between the float graph and torch, on utterances from all over `texts`, and on all of them as one, which
    no model is long enough for. `kept`: as in `max_difference`. Raises ExportError where it is not below `tolerance`."""
    chosen = list(texts[:: max(1, len(texts) // PARITY_UTTERANCES)][:PARITY_UTTERANCES])
    s = reference.settings
    encoded = [encode(t, reference.tokenizer, max_length=s.max_length, lower=s.lower) for t in [*chosen, " ".join(chosen)]]
    difference = max_difference(model, reference.session, encoded, pad_id=reference.tokenizer.pad, kept=kept)
    if not difference < tolerance:  # not `>=`: NaN fails too
        raise ExportError(
            "the exported graph does not give the model's numbers",
            got=f"logits that differ by {difference:.2g}",
            wanted=f"less than {tolerance:g} on {len(encoded)} utterances",
            hint="This is a fault of the export or of the weights (not finite, or huge), not of the settings; nothing was written",
        )
    log.info("the graph and torch differ by %.1e on %d utterances", difference, len(encoded))
    # Rounded, so that a metric does not change with the order in which a processor adds.
    return {"max_abs_diff": float(f"{difference:.0e}"), "utterances": len(encoded)}


@torch.inference_mode()
def max_difference(
    model: NLU,
    session: Session,
    encoded: Sequence[Encoded],
    *,
    pad_id: int,
    kept: NDArray[np.int64] | None = None,
) -> float:
    """The largest absolute difference of any logit, padding left out, between `model` in torch and its graph.

    Utterances run in the order given, `PARITY_BATCH` at a time, so that short ones are padded. NaN where either gives NaN.
    `kept`: the model's id of each id of a graph with fewer words, [V].
    """
    largest = 0.0
    for start in range(0, len(encoded), PARITY_BATCH):
        ids_BL, mask_BL = pad([e.ids for e in encoded[start : start + PARITY_BATCH]], pad_id=pad_id)
        theirs_BL = ids_BL if kept is None else kept[ids_BL]
        wanted = model(torch.from_numpy(theirs_BL).flatten(), Layout.padded(torch.from_numpy(mask_BL)))
        found = run_session(session, ids_BL, mask_BL)
        tokens_T = mask_BL.astype(bool).flatten()
        pairs = [
            (found.intents_BI, wanted.intents_BI.numpy()),
            (found.slots_BLS.reshape(len(tokens_T), -1)[tokens_T], wanted.slots_TS.numpy()[tokens_T]),
        ]
        assert (found.domains_BC is None) == (wanted.domains_BC is None)
        if found.domains_BC is not None and wanted.domains_BC is not None:
            pairs.append((found.domains_BC, wanted.domains_BC.numpy()))
        assert all(ours.shape == theirs.shape for ours, theirs in pairs)  # else the differences below would broadcast
        largest = float(np.max([largest, *(np.abs(ours - theirs).max() for ours, theirs in pairs)]))  # keeps NaN
    return largest


@dataclass(frozen=True)
class Loss:
    """What an exported model understands of `n` utterances, beside the model it came from; counts of exact matches.

    lost: utterances that only the original gets wholly right. gained: those that only the exported one does.
    """

    n: int
    before: int
    lost: int
    gained: int

    def __add__(self, other: Loss) -> Loss:
        return Loss(self.n + other.n, self.before + other.before, self.lost + other.lost, self.gained + other.gained)

    @property
    def points(self) -> float:
        """Points of exact match lost; below 0 where some were won."""
        return 100 * (self.lost - self.gained) / self.n if self.n else 0.0

    def to_dict(self) -> dict[str, float]:
        after = self.before - self.lost + self.gained
        exact = {"float": round(100 * self.before / self.n, 2), "exported": round(100 * after / self.n, 2)}
        return {**exact, "n": self.n, "lost": self.lost, "gained": self.gained}


def losses(gold: Sequence[Interpretation], before: Sequence[Interpretation], after: Sequence[Interpretation]) -> dict[str, Loss]:
    """The Loss of each locale, sorted, and of `ALL` together where there are several."""
    exact = COUNTS.index("exact")
    found: dict[str, Loss] = {}
    for g, b, a in zip(gold, counts(gold, before)[:, exact].tolist(), counts(gold, after)[:, exact].tolist(), strict=True):
        found[g.locale] = found.get(g.locale, Loss(0, 0, 0, 0)) + Loss(1, b, int(b and not a), int(a and not b))
    together = {ALL: sum(found.values(), Loss(0, 0, 0, 0))} if len(found) > 1 else {}
    return dict(sorted(found.items())) | together


def by_chance(loss: Loss, max_drop: float) -> float:
    """How likely chance alone makes the exported model look this much worse than `max_drop` points allow, 0 to 1.

    A paired test: utterances that both get right, or both wrong, say nothing. The allowed losses are forgiven; of the other changes
    each is as likely a loss as a gain if nothing more is lost, so the losses are binomial (the sign test, one-sided; McNemar 1947).
    Without allowance, 3 lost and none gained have 1/8. Few utterances can therefore not fail it, nor can they show that all is well.
    """
    lost = loss.lost - int(max_drop * loss.n / 100 + 1e-9)
    changed = lost + loss.gained
    if lost <= loss.gained:
        return 1.0
    return float(Fraction(sum(comb(changed, k) for k in range(lost, changed + 1)), 2**changed))


def drop_gate(found: Mapping[str, Loss], *, max_drop: float) -> None:
    """Raises ExportError where more than `max_drop` points of exact match are lost, in a locale or in all together, and chance
    makes that in at most `CHANCE` of cases."""
    for locale, loss in found.items():
        if loss.points > max_drop and (chance := by_chance(loss, max_drop)) <= CHANCE:
            raise ExportError(
                "the exported model understands too much less than the model it came from",
                where=locale or None,
                got=f"{loss.points:.2f} points of exact match lost on {loss.n} utterances ({loss.lost} lost, {loss.gained} gained; "
                f"by chance in {chance:.2g} of cases)",
                wanted=f"at most {max_drop:g}",
                hint="Export with sweep=true, weight_bits=8 or precision='fp32', or allow more with max_drop; nothing was written",
            )
