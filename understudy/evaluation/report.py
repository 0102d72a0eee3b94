"""The report as one HTML page that needs nothing else: styles, pictures and plots stand inside it.

`render` makes the page from the contents of `report.json` alone. Everything that came from users (utterances, names) is
escaped by the template; only plots and the stylesheet, which we made, are not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from understudy.evaluation.picture import draw
from understudy.evaluation.plots import card_plot, exact_match_plot, loss_plot
from understudy.evaluation.summary import pieces

__all__ = ["card_tables", "fold", "render"]

COLOURS = 8  # slot colours of the stylesheet


def render(report: Mapping[str, Any]) -> str:
    """The page for the contents of `report.json`, as written by `evaluate.run`."""
    environment = Environment(
        loader=PackageLoader("understudy.evaluation", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    environment.filters |= {"num": _number, "count": _count, "size": _size, "duration": _duration, "signed": _signed}
    environment.filters["spread"] = _spread
    names = sorted(_slot_names(report))
    others = {stage["name"] for stage in report["stages"] if stage["seed_of"] is not None}
    colours = {name: index % COLOURS for index, name in enumerate(names)}
    return environment.get_template("template.html").render(
        report=report,
        picture=_picture(report["stages"]),
        match_plot=Markup(exact_match_plot(report["models"])),
        loss_plots={name: Markup(loss_plot(lines)) for name, lines in report["curves"].items() if name not in others},
        best=report["best_by_locale"] if len(report["models"]) > 1 else {},
        several=any(model["seeds"] > 1 for model in report["models"].values()),
        cards={name: card_tables(card) for name, card in report["cards"].items()},
        card_plots={name: Markup(card_plot(card)) for name, card in report["cards"].items()},
        pieces=pieces,
        colours=colours,
        trained=[s for s in report["stages"] if s["seconds"] is not None],
    )


def _slot_names(report: Mapping[str, Any]) -> set[str]:
    shown = [e[side] for e in report["examples"] for side in ("gold", "predicted")]
    return {slot["name"] for interpretation in shown for slot in interpretation["slots"]}


def _picture(stages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Boxes and arrows of the pipeline (see `picture.draw`), each box with the stage it stands for, all its seeds in one."""
    folded = fold(stages)
    drawn = draw([stage["parents"] for stage in folded])
    return {**drawn, "boxes": [{**box, "stage": stage} for box, stage in zip(drawn["boxes"], folded, strict=True)]}


def fold(stages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The stages with all seeds of a model as one: `seeds` says how many, size and seconds are their sums.

    Each stands after its parents, also where the seeds of a model have parents of their own, such as a teacher each.
    """
    lead = [index if stage["seed_of"] is None else stage["seed_of"] for index, stage in enumerate(stages)]
    groups = {index: [stage for stage, first in zip(stages, lead, strict=True) if first == index] for index in lead}
    above = {
        i: dict.fromkeys(lead[p] for stage in group for p in stage["parents"] if lead[p] != i) for i, group in groups.items()
    }
    place = _after_parents(above)
    folded = []
    for index in place:
        group = groups[index]
        parents = [place[parent] for parent in above[index] if place[parent] < place[index]]
        took = [stage["seconds"] for stage in group if stage["seconds"] is not None]
        sums = {"size_bytes": sum(stage["size_bytes"] for stage in group), "seconds": sum(took) if took else None}
        folded.append({**stages[index], **sums, "parents": parents, "seeds": len(group)})
    return folded


def _after_parents(above: Mapping[int, Collection[int]]) -> dict[int, int]:
    """The place of every node, given those above each: in their own order, but each after those above it."""
    place: dict[int, int] = {}
    begun: set[int] = set()

    def visit(node: int) -> None:
        if node not in begun:
            begun.add(node)
            for parent in above[node]:
                visit(parent)
            place[node] = len(place)

    for node in above:
        visit(node)
    return place


def card_tables(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tables of a corpus's data card: for each amount (rows, words, …) the languages by the steps they went through.

    Args:
        card: {"languages": {language: {step: {amount: number}, note: value}}, "all": {step: …}}.

    Returns: title, columns and rows of each table; amounts and steps in the order of their first mention.
    """
    languages = {**card.get("languages", {}), "all": card.get("all", {})}
    entries = {name: {s: e for s, e in found.items() if isinstance(e, Mapping)} for name, found in languages.items()}
    notes = {name: {k: v for k, v in found.items() if not isinstance(v, Mapping)} for name, found in languages.items()}
    tables = []
    for amount in dict.fromkeys(a for found in entries.values() for entry in found.values() for a in entry):
        chosen = {
            name: {step: entry[amount] for step, entry in found.items() if amount in entry} for name, found in entries.items()
        }
        tables.append(_table(amount, chosen))
    return [*tables, _table("", notes)] if any(notes.values()) else tables


def _table(title: str, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    cells = [[name, *(_plain(row.get(column, "")) for column in columns)] for name, row in rows.items() if row]
    return {"title": title.replace("_", " "), "columns": [c.replace("_", " ") for c in ["", *columns]], "rows": cells}


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _spread(sd: float | None) -> Markup:
    """What stands behind a figure that is a mean over seeds: its standard deviation."""
    return Markup("" if sd is None else f"<small> ± {sd:.1f}</small>")


def _signed(value: float | None) -> str:
    """A change in percent with its sign, a true minus sign where it is negative."""
    return "–" if value is None else f"{value:+.1f} %".replace("-", "−")


def _count(value: float | None) -> str:
    """A number in words' length: 950, 12.3k, 16.8M, 2.28B."""
    if value is None:
        return "–"
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            scale = 1e3 if unit == "k" else limit
            return f"{value / scale:.3g}{unit}"
    return f"{value:,.0f}"


def _size(value: float) -> str:
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= limit:
            return f"{value / limit:.1f} {unit}"
    return f"{value:.0f} B"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
