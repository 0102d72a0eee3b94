"""Tables of a study: as Markdown, as JSON, and the numbers in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy import stats

from understudy import atomic

__all__ = [
    "UNKNOWN", "Correlation", "Table", "absolute", "change", "correlated", "correlation", "locales", "markdown", "plain", "write",
]  # fmt: skip

Cell = str | float | None
UNKNOWN = "–"
LEAST = 3  # points that a correlation can be tested with


@dataclass(frozen=True)
class Table:
    """Rows of names and numbers under a title. `digits`: after the point. `signed`: columns that tell changes."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    digits: int = 2
    signed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"title": self.title, "columns": list(self.columns), "rows": [list(row) for row in self.rows]}


@dataclass(frozen=True)
class Correlation:
    """Pearson's and Spearman's coefficients of `n` pairs with their two-sided p-values; None where they cannot be told."""

    n: int
    pearson: float | None
    pearson_p: float | None
    spearman: float | None
    spearman_p: float | None

    def cells(self) -> tuple[Cell, ...]:
        return (float(self.n), self.pearson, self.pearson_p, self.spearman, self.spearman_p)


def correlation(pairs: Sequence[tuple[float | None, float | None]]) -> Correlation:
    """Of the pairs that are whole. The p-values hold for pairs drawn independently, Pearson's for normal ones; few pairs, and one
    side all alike, tell nothing."""
    whole = [(x, y) for x, y in pairs if x is not None and y is not None]
    xs, ys = [x for x, _ in whole], [y for _, y in whole]
    if len(whole) < LEAST or len(set(xs)) == 1 or len(set(ys)) == 1:
        return Correlation(len(whole), None, None, None, None)
    linear, ranked = stats.pearsonr(xs, ys), stats.spearmanr(xs, ys)
    return Correlation(len(whole), *(float(v) for v in (linear.statistic, linear.pvalue, ranked.statistic, ranked.pvalue)))


def correlated(title: str, found: Mapping[str, Correlation]) -> Table:
    """Correlations by what they are of."""
    columns = ("of", "n", "Pearson's r", "p", "Spearman's rho", "p ")
    rows = tuple((of, *one.cells()) for of, one in found.items())
    return Table(title, columns, rows, digits=3, signed=("Pearson's r", "Spearman's rho"))


def locales(report: Mapping[str, Any]) -> list[str]:
    """All locales of a report's models, and "mean"."""
    return [*dict.fromkeys(locale for model in report["models"].values() for locale in model["locales"]), "mean"]


def plain(model: Mapping[str, Any], locale: str, figure: str) -> float | None:
    """A figure of a model in a report, of a locale or "mean"."""
    value: float | None = _of(model, locale).get(figure)
    return value


def absolute(model: Mapping[str, Any], locale: str, figure: str) -> Cell:
    """The same with its standard deviation where there are several seeds."""
    value = plain(model, locale, figure)
    spread = _of(model["sd"], locale).get(figure) if model.get("sd") else None
    return value if value is None or spread is None else f"{value:.2f} ± {spread:.2f}"


def _of(model: Mapping[str, Any], locale: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = model.get("mean", {}) if locale == "mean" else model.get("locales", {}).get(locale, {})
    return found


def change(report: Mapping[str, Any], model: str, locale: str, figure: str) -> float | None:
    """Change of a model's error against the report's baseline in percent, negative is better."""
    found: float | None = report["relative_error_change"].get(model, {}).get(locale, {}).get(figure)
    return found


def markdown(title: str, tables: Sequence[Table], notes: Sequence[str] = ()) -> str:
    """A page of tables; numbers stand right."""
    parts = [f"# {title}", *notes, *(part for table in tables for part in (f"## {table.title}", _markdown(table)))]
    return "\n\n".join(parts) + "\n"


def _markdown(table: Table) -> str:
    text = [[_cell(cell, table, column) for cell, column in zip(row, table.columns, strict=True)] for row in table.rows]
    marks = ["---", *["---:"] * (len(table.columns) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [list(table.columns), marks, *text])


def _cell(cell: Cell, table: Table, column: str) -> str:
    if cell is None:
        return UNKNOWN
    if isinstance(cell, str):
        return cell.replace("|", "\\|")
    if column == "n":
        return f"{cell:,.0f}"
    # Rounding leaves no "-0.00".
    return f"{round(cell, table.digits) + 0.0:{'+' if column in table.signed else ''}.{table.digits}f}"


def write(folder: Path, page: str, content: Mapping[str, Any], figures: Mapping[str, str] | None = None) -> None:
    """`table.md`, `table.json` and figures by file name, each in place of what stood there, whole or not at all."""
    files = {"table.md": page, "table.json": json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"}
    atomic.write_texts(folder, {**(figures or {}), **files})
