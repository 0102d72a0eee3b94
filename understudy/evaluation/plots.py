"""Plots as SVG that takes the page's colours and font, so that one picture serves light, dark and paper.

matplotlib draws with marker colours that are then replaced by CSS variables; text stays text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

__all__ = [
    "band_plot",
    "budget_plot",
    "card_plot",
    "exact_match_plot",
    "interval_plot",
    "loss_plot",
    "scatter_plot",
    "standalone",
]

# Colours that stand for CSS variables; unlikely to be drawn by chance.
INK, FAINT, SERIES = "#010203", "#040506", tuple(f"#0a0b0{i}" for i in range(1, 7))
ORDERS = 20  # a span that a plot shows in orders of magnitude
_VARIABLES = {INK: "var(--ink-2)", FAINT: "var(--rule)", **{c: f"var(--series-{i})" for i, c in enumerate(SERIES, start=1)}}
_ON_PAPER = {
    "ink-2": "#444", "rule": "#ccc", "series-1": "#a8203a", "series-2": "#23788c", "series-3": "#b9801a",
    "series-4": "#6d57a8", "series-5": "#4d8a3a", "series-6": "#6b7280",
}  # fmt: skip
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "understudy",
    "font.size": 11,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
}


def exact_match_plot(models: Mapping[str, Mapping[str, Any]]) -> str:
    """Exact match per locale with its 95 % interval, one colour per model, as an SVG element.

    `models` holds `NluReport.to_json()` by name. The rows are locales, the last one the mean.
    """
    names = list(models)
    locales = sorted({locale for model in models.values() for locale in model["locales"]})
    rows = [*locales, "mean"]
    step = min(0.2, 0.7 / len(names))
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(7.2, 0.6 + max(0.36, 0.12 * len(names)) * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(axis="y", visible=False)
        for index, name in enumerate(names):
            color, shift = SERIES[index % len(SERIES)], (index - (len(names) - 1) / 2) * step
            for at, row in enumerate(rows):
                scores = models[name]["mean"] if row == "mean" else models[name]["locales"].get(row)
                if scores is None:
                    continue
                low, high = scores.get("intervals", {}).get("exact_match", (scores["exact_match"],) * 2)
                y = at + shift + (0.35 if row == "mean" else 0)
                axes.plot([low, high], [y, y], color=color, linewidth=1.6, alpha=0.55, solid_capstyle="round")
                axes.plot([scores["exact_match"]], [y], color=color, marker="o", markersize=5.5, linestyle="none")
            axes.plot([], [], color=color, marker="o", label=_plain(name), linestyle="none")
        axes.axhline(len(locales) - 0.35, color=FAINT, linewidth=1)
        axes.set_yticks([*range(len(locales)), len(locales) + 0.35], [*map(_plain, rows)])
        axes.invert_yaxis()
        axes.set_xlabel("exact match, %")
        if len(names) > 1:
            figure.legend(loc="outside upper left", ncols=min(len(names), 5), columnspacing=1.2, handletextpad=0.1)
        return _svg(figure)


def loss_plot(curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """The loss over updates of one stage as an SVG element: one line for each of `curves`, (update, loss) points by name."""
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(4.4, 2.5), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(axis="x", visible=False)
        for color, (name, points) in zip(SERIES, curves.items(), strict=False):
            style: dict[str, Any] = {"marker": "o", "markersize": 3.5} if len(points) <= 12 else {}
            axes.plot(*zip(*points, strict=True), color=color, linewidth=1.6, label=_plain(name), **style)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.set_xlabel("update")
        axes.set_ylabel("loss")
        if len(curves) > 1:
            axes.legend(loc="upper right")
        return _svg(figure)


def scatter_plot(panels: Mapping[str, Sequence[tuple[float, float]]], score: str) -> str:
    """`score` over something else as an SVG element: a panel for each of `panels`, (x, score) points by what x is.

    What spans orders of magnitude is drawn in them.
    """
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(3.6 * len(panels), 3.0), layout="constrained")
        for number, (name, points) in enumerate(panels.items(), start=1):
            axes = figure.add_subplot(1, len(panels), number)
            axes.plot(*zip(*points, strict=True), color=SERIES[0], linewidth=1.2, marker="o", markersize=5)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
            values = [x for x, _ in points]
            if values and 0 < ORDERS * min(values) < max(values):
                axes.set_xscale("log")
                axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
                axes.xaxis.set_major_formatter("{x:,g}")
                axes.minorticks_off()
            axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
            axes.set_xlabel(_plain(name))
            axes.set_ylabel(_plain(score) if number == 1 else "")
        return _svg(figure)


def budget_plot(panels: Mapping[str, Mapping[str, Sequence[tuple[float, float, float]]]]) -> str:
    """Exact match over the share of labels as an SVG element: a panel for each of `panels`, in it a line for each model.

    A point is (percent of labels, score, half the length of its bar). Two panels stand beside one another, so that a phone shows
    them as large as paper does; the second line of a panel is dashed, so that it needs no colour to be told from the first.
    """
    rows = -(-len(panels) // 2)
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(5.6, 2.5 * rows), layout="constrained")
        for number, (title, lines) in enumerate(panels.items(), start=1):
            axes = figure.add_subplot(rows, min(2, len(panels)), number)
            for style, color, marker, (name, points) in zip(("-", "--"), SERIES, "os", lines.items(), strict=False):
                shares, scores, bars = zip(*points, strict=True)
                drawn: dict[str, Any] = {"color": color, "linestyle": style, "marker": marker, "label": _plain(name)}
                axes.errorbar(shares, scores, yerr=bars, linewidth=1.4, markersize=4.5, capsize=3, **drawn)
            axes.set_xscale("log")
            axes.set_xticks(shares, [f"{share:g}" for share in shares])
            axes.minorticks_off()
            axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
            axes.set_title(_plain(title), fontsize=11, loc="left")
            axes.legend(loc="lower right", handlelength=2.2)
            if number > len(panels) - 2:
                axes.set_xlabel("labels, %")
            if number % 2:
                axes.set_ylabel("exact match, %")
        return _svg(figure)


def interval_plot(rows: Sequence[tuple[str, float, float, float]], label: str) -> str:
    """Values with their intervals beside a line at 0, as an SVG element: (name, value, low, high), the first on top."""
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(7.2, 0.7 + 0.3 * max(len(rows), 1)), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(axis="y", visible=False)
        axes.axvline(0, color=INK, linewidth=0.9)
        for at, (_, value, low, high) in enumerate(rows):
            axes.plot([low, high], [at, at], color=SERIES[0], linewidth=1.6, alpha=0.55, solid_capstyle="round")
            axes.plot([value], [at], color=SERIES[0], marker="o", markersize=5.5, linestyle="none")
        axes.set_yticks(range(len(rows)), [_plain(name) for name, *_ in rows])
        axes.invert_yaxis()
        axes.set_xlabel(label)
        return _svg(figure)


def band_plot(points: Sequence[tuple[float, float, float, float]], x: str, y: str) -> str:
    """A value over something else, in a band, beside a line at 0, as an SVG element: (x, value, low, high)."""
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(7.2, 2.8), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(axis="x", visible=False)
        axes.axhline(0, color=INK, linewidth=0.9)
        if points:
            at, value, low, high = zip(*points, strict=True)
            axes.fill_between(at, low, high, color=SERIES[0], alpha=0.18, linewidth=0)
            axes.plot(at, value, color=SERIES[0], linewidth=1.6, marker="o", markersize=3.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        return _svg(figure)


def standalone(svg: str) -> str:
    """A plot as a file of its own: in the colours that the page has on paper, since other programs know no CSS variables."""
    for variable, colour in _ON_PAPER.items():
        svg = svg.replace(f"var(--{variable})", colour)
    return svg.replace("<svg", '<svg style="background:#fff;font-family:sans-serif"', 1) + "\n"


def card_plot(card: Mapping[str, Any]) -> str:
    """Words of each language as they were read, when they were cleaned and counted, and as written, on a logarithmic axis.

    `card` is a corpus's data card (see `report.card_tables`). An SVG element, "" for a card without words.
    """
    languages = {lang: _words(steps) for lang, steps in card.get("languages", {}).items()}
    languages = {lang: words for lang, words in languages.items() if words}
    if not languages:
        return ""
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(7.2, 0.9 + 0.22 * len(languages)), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(axis="y", visible=False)
        for color, step in zip(SERIES, ("read", "clean", "train"), strict=False):
            points = [(words[step], at) for at, words in enumerate(languages.values()) if words.get(step)]
            if points:
                axes.plot(*zip(*points, strict=True), color=color, marker="o", markersize=5, linestyle="none", label=step)
        axes.set_xscale("log")
        axes.set_yticks(range(len(languages)), [*map(_plain, languages)])
        axes.invert_yaxis()
        axes.set_xlabel("words")
        figure.legend(loc="outside upper left", ncols=3)
        return _svg(figure)


def _plain(name: str) -> str:
    """A name as it is: matplotlib reads what stands between two dollars as mathematics."""
    return name.replace("$", r"\$")


def _words(steps: Mapping[str, Any]) -> dict[str, float]:
    """Words of one language when read, at the last step before sampling, and in the end."""
    words = {step: entry["words"] for step, entry in steps.items() if isinstance(entry, Mapping) and entry.get("words")}
    clean = [words[step] for step in ("cleaned", "kept", "counted", "unique") if step in words]
    chosen = {"read": words.get("read"), "clean": clean[-1] if clean else None, "train": words.get("train")}
    return {step: n for step, n in chosen.items() if n}


def _svg(figure: Figure) -> str:
    """The figure as an `svg` element without fixed size, ids or fonts, its marker colours replaced by CSS variables."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r"<style.*?</style>", "", text, count=1, flags=re.DOTALL)  # its rule would reach the whole page
    text = re.sub(r" ?font-family: [^;\"]*;?", "", text)
    text = re.sub(r' id="(?:figure|axes|patch|line2d|text|legend|matplotlib|xtick|ytick|LineCollection)[\w.]*"', "", text)
    for marker, variable in _VARIABLES.items():
        text = text.replace(marker, variable)
    return text.replace("<svg", '<svg class="plot" role="img"', 1)
