"""Semiotic classes: which characters of a text are a date, a time, a price, ..., in any language.

A class is a `Rule`: a regex over prepared text (lower-case, ASCII digits, same length as the given text) and a reading. The
regexes are the same for all languages up to the slots a `Locale` fills (decimal sign, month names, unit symbols, ...). All rules
of a locale are one alternation, searched once from left to right; the first that matches and can be read wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from functools import cached_property

from understudy.text.amounts import SCRIPTS, Amounts, alternatives, either
from understudy.text.characters import FRACTIONS, MARKS
from understudy.text.classes import ADDRESS_SIGN, NO_LETTER, NO_LETTER_BEFORE, Classes
from understudy.text.locales import Locale, Rule, codes, counted, days, half_of, scaled, sums
from understudy.text.words import UNSPACED

__all__ = ["Reader"]

# Classes between which a dash is a range.
_RANGED = frozenset({
    "date", "daymonth", "monthday", "days", "time", "hours", "money", "price", "measure", "percent", "ordinal", "number", "quantity", "counted", "decade",
    "shortdate", "spaceddate", "dottedtime", "oneto", "slashday", "hourletter", "clock", "clockend", "colonclock", "opening", "spent", "lettered", "daytime",
    "zoned", "andahalf", "scaled", "millions", "half", "halfof",
})  # fmt: skip
# No number that has a name, and nothing else that is one thing to say, is longer: its digits are read one by one.
_LONGEST = 200
_ELIDED = 10  # Characters that an elided word has at most, and one before it.
_GROUP = re.compile(r"[(][?]P<[a-z_]+>")
_RUN = re.compile(r"\w+|.", re.DOTALL)
# Where a class can begin: at a letter that begins a word, or at a digit or sign. Two quick looks spare most positions of a text.
_AT_LETTER = rf"(?<![^\W\d_{FRACTIONS}{UNSPACED}])(?=[^\W\d_])"
_BEGAN = rf"(?<![^\W\d_{FRACTIONS}{UNSPACED}].)(?<![{MARKS}].)"  # Behind the first letter of a word.
_AT_SIGN = rf"(?=[\d{FRACTIONS}]|[^\w\s{SCRIPTS}])"


class Reader:
    """Finds and reads the semiotic classes of one language. Build once, use for any number of texts."""

    def __init__(self, locale: Locale) -> None:
        self.locale = locale
        self._amounts = Amounts(locale)
        shared = (
            *sums.rules(locale),
            *days.rules(locale),
            *half_of.rules(locale),
            *counted.rules(locale),
            *codes.rules(locale),
            *scaled.rules(locale),
        )
        rules = [*locale.extra_rules(), *shared, *Classes(locale, self._amounts).rules()]
        self.rules = {rule.name: rule for rule in rules if rule.pattern}
        self._order = list(self.rules)
        self._detail: dict[str, re.Pattern[str]] = {}  # Each rule alone, with its groups; compiled when first met.
        self._trigger, self._stopped, self._looked_up = _triggers(locale)

    @cached_property
    def _islands(self) -> re.Pattern[str]:
        """Any class, where one begins."""
        return self._any_of(self.rules.values())

    @cached_property
    def _islands_no_address(self) -> re.Pattern[str]:
        """The same for texts without any sign of an address, which would otherwise be looked for at every word."""
        return self._any_of(rule for rule in self.rules.values() if rule.name != "address")

    def _any_of(self, rules: Iterable[Rule]) -> re.Pattern[str]:
        """Each rule is a group with its name; what begins with letters has "_" behind it, as group names are unique."""
        letter, sign = [], []
        for rule in rules:
            pattern = _GROUP.sub("(?:", rule.pattern)
            if rule.start != "sign":
                letter.append(f"(?P<{rule.name}_>{pattern})")
            if rule.start != "letter":
                sign.append(f"(?P<{rule.name}>{pattern})")
        return re.compile(f"{_AT_LETTER}(?:{'|'.join(letter)})|{_AT_SIGN}(?:{'|'.join(sign)})")

    def calls(self, prepared: str) -> bool:
        """Whether anything in the text may be a class; False is certain."""
        return (
            self._trigger.search(prepared) is not None
            or ("." in prepared and any(pattern.search(prepared) for pattern in self._stopped))
            or self.calls_word(prepared)
        )

    def calls_word(self, prepared: str) -> bool:
        """Whether a word that is looked up, or that calls for a Roman numeral, is in the text."""
        return any(pattern.search(prepared) for pattern in self._looked_up)

    def readings(self, prepared: str, text: str) -> Iterator[tuple[int, int, str]]:
        """(start, end, spoken) of each class found, in order. `prepared` is `text`, lower-case and of the same length."""
        position, last = 0, (-1, -1, "")
        islands = self._islands if ADDRESS_SIGN.search(prepared) else self._islands_no_address
        while (m := islands.search(prepared, position)) is not None:
            start, name = m.start(), (m.lastgroup or "").rstrip("_")
            found = self._read(name, prepared, text, start) or self._next_best(prepared, text, start, name)
            if found is None:  # Letters that only looked like a class stay letters.
                run = _RUN.match(prepared, start)
                position = start + 1 if run is None else run.end()
                continue
            end, name, spoken = found
            ranged = last[2] in _RANGED and name in _RANGED and self._is_range(prepared, last, start, end, name)
            if ranged:
                yield last[1], start, self.locale.to
            end, spoken = self.locale.joined(prepared, start, end, name, spoken, ranged=ranged)
            begin = self._elided(prepared, position, start, spoken)
            yield begin, end, prepared[begin:start] + spoken
            position, last = end, (start, end, name)

    def _elided(self, prepared: str, position: int, start: int, spoken: str) -> int:
        """Where the word before a reading begins that is one with it, as "d'" of "d'1 %"; else where the reading begins."""
        elided = self.locale.elided
        if elided is None or prepared[start - 1 : start] != "'" or not spoken.startswith(self.locale.elided_before):
            return start
        m = elided.search(prepared, max(position, start - _ELIDED), start)
        return start if m is None else m.start()

    def _read(self, name: str, prepared: str, text: str, start: int) -> tuple[int, str, str] | None:
        pattern = self._detail.get(name)
        if pattern is None:
            pattern = self._detail[name] = re.compile(self.rules[name].pattern)
        m = pattern.match(prepared, start)
        if m is None or (m.end() - start > _LONGEST and name != "address"):
            return None
        spoken = self.rules[name].read(m, text, self.locale)
        return None if spoken is None else (m.end(), name, spoken)

    def _next_best(self, prepared: str, text: str, start: int, refused: str) -> tuple[int, str, str] | None:
        """The first class after the one that refused which matches and can be read; digits at the least are read."""
        for name in self._order[self._order.index(refused) + 1 :]:
            if (found := self._read(name, prepared, text, start)) is not None:
                return found
        m = self._amounts.least.match(prepared, start)
        return None if m is None else (m.end(), "number", self._amounts.read(m.group()))

    def _is_range(self, s: str, last: tuple[int, int, str], start: int, end: int, name: str) -> bool:
        """One dash between two readings, none around (that would be a serial number)."""
        gap = s[last[1] : start]
        if not gap or len(gap) > 3 or gap.strip() not in self.locale.range_signs:
            return False
        if s[end : end + 1] in ("-", "/") or s[max(last[0] - 1, 0) : last[0]] in ("-", "/"):
            return False
        if name != "number" or last[2] != "number":
            return True
        before, after = s[max(last[0] - 16, 0) : last[0]], s[end : end + 16]
        return self.locale.bare_range(s[last[0] : last[1]], s[start:end], before, after)


def _triggers(locale: Locale) -> tuple[re.Pattern[str], list[re.Pattern[str]], list[re.Pattern[str]]]:
    """Without any of these there is nothing to read: signs; a full stop inside or behind an abbreviation; words looked up."""
    keys = [*locale.symbols, *(key for key in locale.abbreviations if "." not in key)]
    signs = {c for key in keys for c in key if not c.isalpha() and c != " "}
    # Marks of Indic abbreviations are no signs of one.
    signs = {c for c in signs if re.match(f"[{SCRIPTS}]", c) is None} | set(locale.other_signs)
    trigger = re.compile(rf"[0-9{FRACTIONS}/@\\{re.escape(''.join(sorted(signs)))}]")
    initials = {". ".join(s.replace(".", "").replace(" ", "")) + "." for s in locale.abbreviations}
    stopped = [re.compile(r"\.\w"), *_words({*initials, *locale.abbreviations, *locale.before_name})]
    plain, others = alternatives(locale.roman_after)
    looked_up = _words({*plain, *locale.words}, NO_LETTER)
    looked_up += [re.compile(f"{NO_LETTER_BEFORE}(?:{other}){NO_LETTER}") for other in (*others, locale.called) if other]
    return trigger, stopped, looked_up


def _words(strings: Set[str], behind: str = "") -> list[re.Pattern[str]]:
    """A pattern for any of `strings` where a word begins, with `behind` behind it; none for no strings.

    It begins with a letter, not with what may stand before it: `re` skips quickly to the letters that a pattern begins with.
    """
    if not strings:
        return []
    rests: dict[str, list[str]] = {}
    for s in sorted(strings):
        rests.setdefault(s[0], []).append(s[1:])
    branches = "|".join(f"(?<={re.escape(first)})(?:{either(rest)}{'|' if '' in rest else ''})" for first, rest in rests.items())
    return [re.compile(f"[{re.escape(''.join(rests))}]{_BEGAN}(?:{branches}){behind}")]
