"""The report on a terminal: scores per language, size and latency, utterances with their slots.

Everything is readable without colour, at 80 columns and at 120.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich import box
from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.measure import Measurement, measure_renderables
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

__all__ = ["annotated", "marked", "masked_lm_table", "nlu_table", "pieces", "search_table", "summary", "xnli_table"]

COLUMNS = (("intent_accuracy", "intent"), ("slot_f1", "slot F1"), ("exact_match", "exact"), ("semer", "SemER"))
STYLES = ("black on cyan", "black on yellow", "black on green", "black on magenta", "white on blue", "white on red")
EXACT = 2  # the place of exact match among them
BAR = 30
SHORT_BAR = 18  # where spreads want its room


def summary(report: Mapping[str, Any]) -> RenderableType:
    """What `report.json` says, as something rich can print.

    Args:
        report: the contents of `report.json` as `evaluate.run`, `xnli.run` or `masked_lm.run` writes it.
    """
    if report.get("kind") == "xnli":
        return xnli_table(report)
    if report.get("kind") == "masked-lm":
        return masked_lm_table(report)
    parts: list[RenderableType] = [
        _heading(f"Understanding, % of {report['utterances']:,} {report['partition']} utterances{_noise(report.get('noise'))}"),
        nlu_table(report["models"], best=report.get("best_by_locale", {}) if len(report["models"]) > 1 else {}),
        _means(report),
        *_best(report),
    ]
    if report["runtime"]:
        parts += [_heading("Size and latency of one utterance on one core"), _deployed(report["runtime"])]
    if report["examples"]:
        parts += [_heading(f"Parsed by {report['examples_by']}"), _examples(report["examples"])]
    return Group(Text(), *parts)


def nlu_table(models: Mapping[str, Mapping[str, Any]], *, best: Mapping[str, str] | None = None) -> RenderableType:
    """A table per model, side by side where there is room, of the scores of every locale and their mean.

    Args:
        models: `NluReport.to_json()`, or `several.to_json` with its spread over seeds, of each model by its name, which may
            be empty.
        best: the model that is best in exact match, by locale; it stands in bold there.
    """
    tables = [_scores(name, model, {locale for locale, b in (best or {}).items() if b == name}) for name, model in models.items()]
    return _SideBySide([Padding(table, (0, 0, 1, 0)) for table in tables], padding=(0, 2))


class _SideBySide(Columns):
    """Tables that ask for the room of the widest, and take what more there is."""

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return measure_renderables(console, options, self.renderables)


def search_table(search: Mapping[str, Any]) -> RenderableType:
    """How a vocabulary grew beside its baseline, and how the chosen size fits each language.

    Args:
        search: the contents of `search.json` as a tokenizer stage writes it.
    """
    baseline, chosen = search["baseline"], search["tried"][-1]
    growth = _columns("size", "pieces per word", "unknown %", "", "seconds")
    growth.add_row(*_fit_cells(f"{baseline['vocab_size']:,}", baseline["compared"]), "baseline", "", style="dim")
    for one in search["tried"]:
        verdict = "within tolerance" if one["within"] else ""
        style = "bold" if one is chosen else None
        growth.add_row(*_fit_cells(f"{one['vocab_size']:,}", one["compared"]), verdict, f"{one['seconds']:.0f}", style=style)
    languages = _columns("language", "pieces per word", "baseline", "unknown %", "baseline")
    for lang, theirs in baseline["languages"].items():
        ours = chosen["languages"][lang]
        ratio, unknown = ((f"{ours[key]:.3f}", f"{theirs[key]:.3f}") for key in ("split_ratio", "unk_portion"))
        languages.add_row(lang, *ratio, *unknown)
    verdict = "enough" if search["met"] else "not enough, but the largest tried"
    return Group(
        _heading(f"{search['chosen']:,} ids are {verdict}"), growth, _heading(f"{search['chosen']:,} ids, by language"), languages
    )


def xnli_table(report: Mapping[str, Any]) -> RenderableType:
    """Accuracy in every language and both means, each with its interval.

    Args:
        report: the contents of `report.json` as `xnli.run` writes it.
    """
    trained = report["trained_on"]
    table = _columns("language", "accuracy", "95 %", "pairs")
    for lang, found in report["languages"].items():
        style = "dim" if lang == trained["language"] else None
        table.add_row(lang, _number(found["accuracy"]), _span(found["interval"]), f"{found['pairs']:,}", style=style)
    table.add_section()
    table.add_row("mean", _number(report["mean"]), _span(report.get("mean_interval")))
    zero_shot = (_number(report["zero_shot"]), _span(report.get("zero_shot_interval")))
    table.add_row(f"mean without {trained['language']}", *zero_shot, style="bold")
    heading = f"{report['encoder']} on pairs of sentences, fine-tuned on {trained['pairs']:,} in {trained['language']}"
    return Group(Text(), _heading(heading), table)


def masked_lm_table(report: Mapping[str, Any]) -> RenderableType:
    """Perplexity and noun filling of each encoder, over languages and in each.

    Args:
        report: the contents of `report.json` as `masked_lm.run` writes it.
    """
    encoders = report["encoders"]
    groups: list[RenderableType] = [Text()]
    for key, mean, heading in (("perplexity", "perplexity_macro", "Perplexity"), ("fill", "fill", "Nouns filled, %")):
        if not any(key in found for found in encoders.values()):
            continue
        table = _columns("language", *encoders)
        each = [found.get(f"{key}_by_language", {}) for found in encoders.values()]
        for lang in sorted({lang for by in each for lang in by}):
            table.add_row(lang, *(_number(by.get(lang)) for by in each))
        table.add_section()
        table.add_row("mean", *(_number(found.get(mean)) for found in encoders.values()), style="bold")
        groups += [_heading(heading), table]
    return Group(*groups)


def _span(interval: Sequence[float] | None) -> str:
    return "" if interval is None else "–".join(_number(bound) for bound in interval)


def _columns(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="")
    table.add_column(first)
    for title in others:
        table.add_column(title, justify="right" if title else "left")
    return table


def _fit_cells(size: str, fit: Mapping[str, float]) -> tuple[str, str, str]:
    return size, f"{fit['split_ratio']:.3f}", f"{fit['unk_portion']:.3f}"


def _heading(text: str) -> Text:
    return Text(f"\n{text}\n", style="bold")


def _scores(name: str, model: Mapping[str, Any], best: Collection[str]) -> Table:
    seeds = f", mean ± sd of {model['seeds']} seeds" if "sd" in model else ""
    sd = model.get("sd", {"locales": {}, "mean": {}})
    table = Table(
        title=Text.assemble((name, "bold"), seeds, overflow="fold") if name else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, 0, 0, 1),
    )
    table.add_column("")
    for _, title in COLUMNS:
        table.add_column(title, justify="right", min_width=5)
    for locale, scores in model["locales"].items():
        cells = [Text(_number(scores[key], sd["locales"].get(locale, {}).get(key))) for key, _ in COLUMNS]
        if locale in best:
            cells[EXACT].stylize("bold")
        table.add_row(locale, *cells)
    table.add_section()
    table.add_row("mean", *(_number(model["mean"][key], sd["mean"].get(key)) for key, _ in COLUMNS), style="bold")
    return table


def _means(report: Mapping[str, Any]) -> Table:
    """Mean exact match of every model as a bar, with its interval and the change of error against the baseline."""
    change = f"error against {report['baseline']}" if report["baseline"] else ""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title=None)
    for title, right in (("mean exact match", False), ("", True), ("95 %", False), ("", False), (change, True)):
        table.add_column(title, justify="right" if right else "left", header_style="")
    width = SHORT_BAR if any("sd" in model for model in report["models"].values()) else BAR
    for name, model in report["models"].items():
        value = model["mean"]["exact_match"]
        low, high = model["mean"].get("intervals", {}).get("exact_match", (value, value))
        relative = report["relative_error_change"].get(name, {}).get("mean", {}).get("exact_match")
        spread = report.get("relative_error_change_sd", {}).get(name, {}).get("mean", {}).get("exact_match")
        table.add_row(
            name,
            Text(_number(value, model.get("sd", {}).get("mean", {}).get("exact_match")), style="bold"),
            f"{_number(low)}–{_number(high)}",
            Text("█" * round(width * (value or 0) / 100), style="cyan"),
            "" if relative is None or name == report["baseline"] else f"{relative:+.1f}{_over_seeds(spread)} %",
        )
    return table


def _noise(noise: Mapping[str, Any] | None) -> str:
    return "" if noise is None else f", noised (asr {noise['asr']:g}, switch {noise['switch']:g})"


def _best(report: Mapping[str, Any]) -> list[RenderableType]:
    """In which locales each model is best in exact match, in words: bold type is not seen everywhere."""
    where = {name: [at for at, best in report.get("best_by_locale", {}).items() if best == name] for name in report["models"]}
    said = "; ".join(f"{name} in {', '.join(locales)}" for name, locales in where.items() if locales)
    return [Text(f"\nBest in exact match: {said}.")] if said and len(where) > 1 else []


def _deployed(runtime: Mapping[str, Any]) -> Table:
    speed = runtime["latency"]
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    cells = [
        ("model", runtime["name"]),
        ("precision", runtime["precision"] or "–"),
        ("size", f"{runtime['size_bytes'] / 1e6:.1f} MB"),
        ("p50", f"{speed['p50_ms']:.2f} ms"),
        ("p99", f"{speed['p99_ms']:.2f} ms"),
        ("calls", f"{speed['n']:,}"),
    ]
    for title, _ in cells:
        table.add_column(title, justify="left" if title in ("model", "precision") else "right", header_style="")
    table.add_row(*(Text(value) for _, value in cells))
    return table


def _examples(examples: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    colours: dict[str, str] = {}
    for example in examples:
        mark = Text("✓ " if example["right"] else "✗ ", style="green" if example["right"] else "red")
        table.add_row(Text(example["locale"], style="dim"), Group(mark + marked(example["predicted"], colours), Text("")))
    return table


def marked(found: Mapping[str, Any], colours: dict[str, str] | None = None) -> Text:
    """An interpretation in two lines: intent and confidence, then the utterance with its slots.

    Args:
        found: `Interpretation.to_dict()`.
        colours: remembers the style of each slot name from one utterance to the next.
    """
    doubt = "  out of domain" if found.get("out_of_domain") else ""
    head = Text.assemble((found["intent"], "bold"), (f"  {100 * found['confidence']:.0f} %", "dim"), (doubt, "yellow"), "\n")
    return head + annotated(found, {} if colours is None else colours)


def annotated(found: Mapping[str, Any], colours: dict[str, str]) -> Text:
    """An utterance with its slots in brackets and colour: `wake me at [nine am: time]`.

    `colours` remembers the style of each slot name from one utterance to the next.
    """
    text = Text()
    for piece, name in pieces(found["text"], found["slots"]):
        if name is None:
            text.append(piece)
        else:
            text.append("[", "dim")
            text.append(piece, colours.setdefault(name, STYLES[len(colours) % len(STYLES)]))
            text.append(f": {name}]", "dim")
    return text


def pieces(text: str, slots: Sequence[Mapping[str, Any]]) -> list[tuple[str, str | None]]:
    """`text` cut at its slots: (characters, slot name or None), which joined give `text` again.

    Slots are {"name", "start", "end"}; one that overlaps an earlier one is left out.
    """
    cut: list[tuple[str, str | None]] = []
    at = 0
    for slot in sorted(slots, key=lambda s: (s["start"], s["end"])):
        if slot["start"] < at or slot["end"] <= slot["start"]:
            continue
        cut += [(text[at : slot["start"]], None), (text[slot["start"] : slot["end"]], slot["name"])]
        at = slot["end"]
    return [(piece, name) for piece, name in [*cut, (text[at:], None)] if piece]


def _number(value: float | None, sd: float | None = None) -> str:
    return "–" if value is None else f"{value:.1f}{_over_seeds(sd)}"


def _over_seeds(sd: float | None) -> str:
    return "" if sd is None else f" ± {sd:.1f}"
