"""An analysis to be read: Markdown, JSON and plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from understudy import atomic
from understudy.evaluation.plots import band_plot, interval_plot, standalone
from understudy.experiment.analysis import MISMATCH, Analysis, Row
from understudy.experiment.offline import Offline

__all__ = ["content", "markdown", "plots", "verdict", "write"]

UNKNOWN = "–"
LEVEL = 0.05
COLUMNS = ("", "users", "requests", "baseline %", "candidate %", "change %", "95 %", "p", "detectable %")


def verdict(analysis: Analysis) -> str:
    """One sentence: what the A/B says, or why it says nothing."""
    if analysis.mismatch < MISMATCH:
        return (
            f"The split is broken (p = {analysis.mismatch:.1g} of so uneven arms): users are missing or counted twice, and nothing below "
            "can be trusted until it is known why."
        )
    if analysis.experiment["shadow"]:
        return "The candidate ran in the shadow: everybody had the baseline's answer, so that both arms should be alike."
    row = analysis.rows[0]
    if row.p is None or row.difference is None or row.interval is None:
        return "Too little is known to compare the arms."
    if row.change is None or row.change_interval is None:  # the baseline may have no dissatisfied request at all
        said = "{:+.2f} points ({:+.2f} to {:+.2f})".format(row.difference, *row.interval)
    else:
        said = "{:+.2f} % ({:+.2f} to {:+.2f})".format(row.change, *row.change_interval)
    said = f"{said}, {_says_p(row.p)}"
    if row.p < LEVEL:
        return f"The candidate has {'fewer' if row.difference < 0 else 'more'} dissatisfied requests: {said}."
    floor = f" A change of {row.detectable:.1f} % would be found four times in five." if row.detectable is not None else ""
    return f"No difference was found: {said}.{floor}"


def markdown(analysis: Analysis, offline: Offline | None = None) -> str:
    """The page. Of the table of all comparisons the first rows are those of A table 6."""
    a = analysis
    parts = [f"# {a.experiment['name']}: {a.candidate} against {a.baseline}"]
    if a.simulated is not None:
        told = ", ".join(f"{key.removesuffix(' %')} {value}{' %' * key.endswith(' %')}" for key, value in a.simulated.items())
        parts.append(f"**Simulated**: no user has seen these models; {told}.")
    parts += [f"**{verdict(a)}**", "Change of the dissatisfaction rate, negative is better. Users are drawn, not requests."]
    extra = []
    if offline is not None:
        change = UNKNOWN if offline.change is None else f"{offline.change:+.2f}"
        interval = UNKNOWN if offline.interval is None else "{:+.2f} to {:+.2f}".format(*offline.interval)
        n = f"{offline.n:,}"
        extra = [
            [
                "SemER, offline",
                UNKNOWN,
                n,
                f"{offline.baseline:.2f}",
                f"{offline.candidate:.2f}",
                change,
                interval,
                UNKNOWN,
                UNKNOWN,
            ]
        ]
    parts.append(_table(COLUMNS, [*map(_cells, a.rows), *extra]))
    parts.append("\n".join(f"- {note}" for note in _notes(a)))
    if a.shadows:
        rows = [
            [s["model"], f"{s['requests']:,}", *(f"{100 * s[k] / s['requests']:.2f}" for k in ("intents", "whole"))]
            for s in a.shadows
        ]
        parts += ["## In the shadow", _table(("", "requests", "same intent %", "same intent and slots %"), rows)]
    looks = [[str(k.day + 1), _number(k.difference), _number(k.half, "±{:.2f}"), _p(k.p)] for k in a.looks]
    parts += [
        "## Day by day",
        "What was known at the end of each day; p and interval are valid however often one looks, and an experiment may be ended at the "
        "first p below 0.05.",
        _table(("day", "difference, points", "95 %, always valid", "p, always valid"), looks),
    ]
    parts += ["## Locales", _table(COLUMNS, [_cells(row) for row in a.locales])]
    covered = UNKNOWN if a.covered is None else f"{a.covered:.0f} %"
    parts += [
        "## Intents",
        f"The baseline's intent, of utterances that several users said: {covered} of the requests. Its mistakes "
        "stand under what it took them for. p-values of locales and intents are of "
        "single tests: one in twenty is below 0.05 where nothing differs.",
        _table(COLUMNS, [_cells(row) for row in a.intents]),
    ]
    return "\n\n".join(parts) + "\n"


def _notes(a: Analysis) -> list[str]:
    arms = ", ".join(f"{arm} {users:,}" for arm, users in a.assigned.items())
    notes = [
        f"users since the start: {arms}; of such a split {_says_p(a.mismatch)}",
        f"requests with an outcome: baseline {_number(a.known[0], '{:.1f} %')}, candidate {_number(a.known[1], '{:.1f} %')}",
        f"tail: outside the {a.head:,} most frequent utterances of a locale",
        "sequential: the same users before and after the start, which also tells whatever else changed; the baseline arm shows that",
    ]
    if a.repeated:
        notes.append(f"{a.repeated:,} ids of requests came again from another arm; the first request with each counts")
    kept = [f"{100 - row.kept:.0f} % of {row.name.removesuffix(', CUPED')}" for row in a.rows if row.kept is not None]
    return [*notes, f"variance that users' past explains (CUPED): {', '.join(kept)}"] if kept else notes


def plots(analysis: Analysis) -> dict[str, str]:
    """SVG files by name: the changes with their intervals, and the difference day by day."""
    named = [(r.name, r.change, r.change_interval) for r in (*analysis.rows, *analysis.locales)]
    rows = [(name, value, *interval) for name, value, interval in named if value is not None and interval is not None]
    days = [
        (k.day + 1.0, k.difference, k.difference - k.half, k.difference + k.half)
        for k in analysis.looks
        if k.difference is not None and k.half is not None
    ]
    return {
        "change.svg": standalone(interval_plot(rows, "change of the dissatisfaction rate, %")),
        "days.svg": standalone(band_plot(days, "day", "difference, points")),
    }


def content(analysis: Analysis, offline: Offline | None = None) -> dict[str, Any]:
    """What analysis.json holds: `Analysis`, the verdict, and the offline figures or None."""
    return {**analysis.to_json(), "verdict": verdict(analysis), "offline": None if offline is None else offline.to_json()}


def write(folder: Path, analysis: Analysis, offline: Offline | None = None) -> str:
    """`analysis.md`, `analysis.json` and the plots, each in place of what stood there, whole or not at all. Gives the page."""
    page = markdown(analysis, offline)
    told = json.dumps(content(analysis, offline), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    atomic.write_texts(folder, {**plots(analysis), "analysis.md": page, "analysis.json": told})
    return page


def _cells(row: Row) -> list[str]:
    return [
        row.name, " / ".join(f"{n:,}" for n in row.users), " / ".join(f"{n:,}" for n in row.requests),
        _number(row.baseline), _number(row.candidate), _number(row.change, "{:+.2f}"),
        _interval(row, "{:+.2f} to {:+.2f}") or UNKNOWN, _p(row.p), _number(row.detectable),
    ]  # fmt: skip


def _interval(row: Row, form: str) -> str:
    return "" if row.change_interval is None else form.format(*row.change_interval)


def _number(value: float | None, form: str = "{:.2f}") -> str:
    return UNKNOWN if value is None else form.format(value)


def _says_p(p: float) -> str:
    return f"p {_p(p)}" if p < 1e-4 else f"p = {_p(p)}"


def _p(p: float | None) -> str:
    return UNKNOWN if p is None else "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    marks = ["---", *["---:"] * (len(columns) - 1)]
    lines = [columns, marks, *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
