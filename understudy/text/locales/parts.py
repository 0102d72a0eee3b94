"""What locales are made of: names of money and written numbers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

__all__ = ["Amount", "Money"]


class Money(NamedTuple):
    """Names of a currency: one and many of the major and of the minor unit, and the grammatical gender of each."""

    one: str
    many: str
    minor_one: str = ""
    minor_many: str = ""
    gender: str = "m"
    minor_gender: str = "m"


@dataclass(frozen=True, slots=True)
class Amount:
    """A written number: digits before and after the decimal sign, or a fraction (after an optional whole), and a scale."""

    whole: str
    decimals: str | None = None
    fraction: tuple[int, int] | None = None
    scale: str | None = None
    negative: bool = False

    @property
    def integer(self) -> int | None:
        """Its value where it is a plain whole number."""
        return int(self.whole) if self.decimals is None and self.fraction is None and self.scale is None else None

    @property
    def value(self) -> Decimal:
        """Its value for choosing plural forms; a scale makes it large, a fraction alone is at most one."""
        if self.scale is not None:
            return Decimal(10**6)
        if self.fraction is not None:
            return Decimal(2 if self.whole or self.fraction[0] > self.fraction[1] else 1)
        return Decimal(f"{self.whole or 0}.{self.decimals}" if self.decimals else self.whole or 0)
