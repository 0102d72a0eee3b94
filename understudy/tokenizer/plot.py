"""The search for a size as a picture: both measures against the size of the vocabulary, beside the baseline's."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

__all__ = ["search_plot"]

INK, FAINT, LANGUAGE, OURS, THEIRS = "#333333", "#dddddd", "#9a9a9a", "#1f5fa8", "#b3541e"
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "understudy",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


def search_plot(table: Mapping[str, Any]) -> str:
    """An SVG file of the table in `search.json`: languages thin with their codes, all together thick, the baseline dashed.

    "All together" are the compared figures: see `understudy.tokenizer.search.compared`.
    """
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(9.6, 4.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        _panel(left, table, "split_ratio", "pieces per word")
        _panel(right, table, "unk_portion", "unknown pieces, %")
        right.set_ylim(bottom=0)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _panel(axes: Axes, table: Mapping[str, Any], measure: str, label: str) -> None:
    tried, baseline = table["tried"], table["baseline"]
    x = [one["vocab_size"] for one in tried]
    ends = {}
    for lang in baseline["languages"]:
        y = [one["languages"][lang][measure] for one in tried]
        axes.plot(x, y, color=LANGUAGE, linewidth=0.9, marker="o" if len(x) == 1 else None, markersize=2.5)
        ends[lang] = y[-1]
    axes.plot(
        x,
        [one["compared"][measure] for one in tried],
        color=OURS,
        linewidth=2.2,
        marker="o",
        markersize=4.5,
        label="all together",
    )
    axes.axhline(baseline["compared"][measure], color=THEIRS, linewidth=1.6, linestyle="--", label="baseline")
    if table["met"]:
        axes.axvline(table["chosen"], color=OURS, linewidth=1, linestyle=":", label=f"chosen: {table['chosen']:,}")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(x if len(x) <= 5 else x[:: -(-len(x) // 5)])
    axes.set_xlabel("size of the vocabulary")
    axes.set_ylabel(label)
    low, high = axes.get_ylim()
    for codes, value in _together(ends, apart=(high - low) * 0.04):
        text = " ".join(codes) if len(codes) <= 3 else f"{len(codes)} languages"
        axes.annotate(text, (x[-1], value), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8, color=INK)


def _together(values: Mapping[str, float], *, apart: float) -> list[tuple[list[str], float]]:
    """Names whose values lie too close to be written one above the other, with their mean value."""
    groups: list[list[str]] = []
    for name in sorted(values, key=lambda name: (values[name], name)):
        if groups and values[name] - values[groups[-1][0]] < apart:
            groups[-1].append(name)
        else:
            groups.append([name])
    return [(group, sum(values[name] for name in group) / len(group)) for group in groups]
