"""A first recipe for a folder of the user's data: the stages that make a student of what is in there."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from understudy.corpus.files import local_files
from understudy.corpus.survey import TO_FILL_IN, Found, survey
from understudy.errors import DataError, RecipeError
from understudy.text.spoken import LANGUAGES

__all__ = ["scaffold"]

VOCABULARY, WORDS = 8000, 2000  # of a recipe at least, and for each language

_MEASURED = ("dev", "test", "held")  # partitions that models may be scored on, the best for it first

_NO_LABELS = "# No labelled utterances were found. With some, take the comment signs off what follows."


def scaffold(folder: Path, out: Path, *, lang: str | None = None) -> list[Found]:
    """Write a commented recipe for the data in `folder` to `out`, and return what was found there.

    lang: of the data that does not say its language. Raises DataError where the folder holds no usable data, RecipeError where
    `out` exists or `lang` is no language.
    """
    found = _without_riddles(survey(folder, lang))
    if all(f.problem for f in found):
        raise DataError(
            "no data was recognised in this folder",
            where=folder,
            got="; ".join(str(f) for f in found[:8]) if found else "no file of a known format",
            wanted="labelled utterances (MASSIVE jsonl, JSON lines with text and intent, BIO/CoNLL, seq.in/seq.out/label, Rasa YAML) "
            "or text (txt, jsonl, csv, parquet)",
        )
    if out.exists():
        raise RecipeError("this file exists already", where=out, hint="Choose another name or move it away")
    text = _recipe(folder.absolute(), out, found)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RecipeError("the recipe could not be written", where=out, got=error.strerror) from None
    return found


def _without_riddles(found: list[Found]) -> list[Found]:
    """Text of unknown language is left out where there is other data: the recipe shall not wait for it. Labels are worth the wait."""
    if not any(f.use == "labels" or f.lang != TO_FILL_IN for f in found if not f.problem):
        return found
    problem = "Its language is not known: name the file by it, such as de.txt, or say --lang CODE"
    return [Found(f.path, f.use, f.format, problem=problem) if f.use == "text" and f.lang == TO_FILL_IN else f for f in found]


def _recipe(folder: Path, out: Path, found: list[Found]) -> str:
    labels = [f for f in found if f.use == "labels" and not f.problem]
    texts = [f for f in found if f.use == "text" and not f.problem]
    train = [f for f in labels if "train" in f.partitions]
    template = (resources.files(__package__) / "scaffold.toml").read_text(encoding="utf-8")
    template = _without_marks(template) if labels else _comment_out(template)
    nothing = ['    # { path = "…" },    # nothing found: name your text here']
    own = _sources(folder, train, "lang", partition="train") or _sources(folder, texts, "lang") or nothing
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", folder.name).strip("-") or "mine"
    measured = next((p for p in _MEASURED if any(p in f.partitions for f in labels)), "held")
    languages = sorted({lang for f in found for lang in f.languages})
    unspoken = [lang for lang in languages if lang not in LANGUAGES]
    return string.Template(template).substitute(
        folder=json.dumps(folder.as_posix(), ensure_ascii=False)[1:-1],
        recipe=out.name,
        partition=measured,
        name=name,
        found="\n".join(f"#   {f}" for f in found),
        languages=", ".join(languages) or "languages unknown",
        vocab_size=max(VOCABULARY, WORDS * len(languages)),
        words=f"{WORDS:,}",
        spoken_share="0.0" if unspoken else "0.7",
        spoken_all="0.0" if unspoken else "1.0",
        spoken_said=f"none is known for {', '.join(unspoken)}" if unspoken else "0 for typed input",
        text_sources="\n".join(_sources(folder, texts, "lang") or own),
        traffic_sources="\n".join(own),
        exclude=_exclude(folder, labels, measured),
        label_sources="\n".join(
            _sources(folder, labels, "locale") or ['    # { path = "…" },    # nothing found: name your labels here']
        ),
        held_out=_held_out(labels, measured),
    )


def _sources(root: Path, found: Sequence[Found], language: str, *, partition: str | None = None) -> list[str]:
    """Source lines. The files of a folder become one pattern where it stands for them and for no other file there.

    language: what the key is called that says the language, for those that do not say it themselves.
    """
    groups: dict[tuple[str, str, str, str | None], list[Found]] = {}
    for item in found:
        pure = Path(item.path)
        groups.setdefault((pure.parent.as_posix(), item.format, pure.suffix, item.lang), []).append(item)
    lines = []
    for (parent, format, suffix, lang), items in groups.items():
        pattern = f"{'' if parent == '.' else parent + '/'}*{suffix}"
        exact = set(local_files(str(root / pattern), ())) == {root / item.path for item in items}
        for path in [pattern] if exact and len(items) > 1 else [item.path for item in items]:
            settings = {"path": f"{{data_root}}/{path}", "format": format, language: lang, "partition": partition}
            said = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items() if value is not None)
            lines.append(f"    {{ {', '.join(said)} }},")
    return lines


def _exclude(root: Path, labels: list[Found], measured: str) -> str:
    """What follows the sources of a corpus, to keep from all encoders what they will be scored on; "" without labels."""
    if not labels:
        return ""
    unread = [f for f in labels if not f.whole]  # who knows what stands at their end
    lines = ["exclude = [    # what models are scored on: no encoder may have seen these texts"]
    for part in _MEASURED:
        lines += _sources(root, [f for f in labels if part in f.partitions or f in unread], "lang", partition=part)
    if _holds_out(labels, measured):
        lines.append('    { labels = "labels", partition = "held" },')
    return "\n".join(["", *lines, "]"])


def _holds_out(labels: list[Found], measured: str) -> bool:
    return measured == "held" and not any("held" in f.partitions for f in labels)


def _held_out(labels: list[Found], measured: str) -> str:
    if not any("train" in f.partitions or not f.whole for f in labels):
        return "held_out = 0.0   # no train data was found, and models are fine-tuned on it"
    if not _holds_out(labels, measured):
        return "held_out = 0.0   # a share of train to hold out as a partition `held`"
    said = "found" if all(f.whole for f in labels) else "seen, though not all was read"
    return f'held_out = 0.1   # no dev or test data was {said}: this share of train is held out as "held"'


def _without_marks(template: str) -> str:
    return "".join(line for line in template.splitlines(keepends=True) if not line.startswith(("#> ", "#< ")))


def _comment_out(template: str) -> str:
    """The template with its blocks on labels as comments, for a folder without labels."""
    inside, out = False, []
    for line in template.splitlines():
        if line.startswith(("#> ", "#< ")):
            inside = line.startswith("#> ")
            if inside:
                out.append(_NO_LABELS)
            continue
        out.append(f"# {line}".rstrip() if inside else line)
    return "\n".join(out) + "\n"
