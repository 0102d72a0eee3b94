"""Users into arms, by keyed hash: nothing is remembered, and a user always falls into the same arm."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from itertools import accumulate

from understudy.experiment.config import ExperimentConfig
from understudy.serving.trial import Route

__all__ = ["Splitter", "keyed"]


def keyed(salt: str, purpose: str, text: str) -> bytes:
    """16 bytes of BLAKE2b of `text` under a secret (RFC 7693); hashes of different purposes are unrelated."""
    key, person = _key(salt, purpose)
    # A user or a text may hold half a surrogate pair, which is no reason to fail.
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=key, person=person).digest()


@lru_cache
def _key(salt: str, purpose: str) -> tuple[bytes, bytes]:
    """Salts and purposes of any length, as long as BLAKE2b takes them."""
    return hashlib.sha512(salt.encode()).digest(), hashlib.sha256(purpose.encode()).digest()[: hashlib.blake2b.PERSON_SIZE]


class Splitter:
    """Who is answered by which model.

    An arm owns a stretch of [0, 1) as long as its share, in the order of the settings, and a user is a point in it. Of two arms
    the second can therefore be widened by its weight alone: users move into it, none out of it.
    """

    def __init__(self, config: ExperimentConfig) -> None:
        self.config = config
        self._bounds = list(zip(config.arms, accumulate(config.shares().values()), strict=True))

    def point(self, user: str) -> float:
        """Where `user` is in [0, 1): uniform over users, and independent between experiments."""
        hashed = keyed(self.config.salt, f"arm of {self.config.name}", user)
        return (int.from_bytes(hashed[:8], "big") >> 11) / (1 << 53)

    def arm(self, user: str) -> str:
        """The arm that `user` is assigned to, whether or not it has begun to differ."""
        at = self.point(user)
        return next((arm for arm, bound in self._bounds if at < bound), self._bounds[-1][0])

    def route(self, user: str | None, time: float) -> Route:
        """Which model answers `user`, or nobody known, at `time` (seconds of the epoch), and which run beside it."""
        config = self.config
        if user is None or config.is_before(time):
            return Route(config.baseline)
        if config.shadow:
            return Route(config.baseline, config.candidates)
        return Route(self.arm(user))
