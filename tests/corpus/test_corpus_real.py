"""Real data, where it is there: all of MASSIVE parses exactly, and public text reads."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from understudy.corpus.sources import Source
from understudy.corpus.units import rows
from understudy.corpus.utterances import LabelSource, read_labelled

LOCALES = ("ar-SA", "de-DE", "en-US", "es-ES", "fr-FR", "hi-IN", "it-IT", "ja-JP", "pt-PT", "ta-IN", "te-IN")


@pytest.mark.parametrize("locale", LOCALES)
def test_massive_parses_exactly(data_root: Path, locale: str) -> None:
    found = list(read_labelled(LabelSource(path=str(data_root / "massive" / f"{locale}.jsonl"))))
    partitions = [partition for partition, _ in found]
    assert (partitions.count("train"), partitions.count("dev")) == (11_514, 2_033)
    assert len({row.intent for _, row in found}) == 60
    assert len({row.domain for _, row in found}) == 18
    for _, row in found:
        assert row.locale == locale
        for slot in row.slots:
            assert slot.value == row.text[slot.start : slot.end] == slot.value.strip() != ""


def test_public_text_reads_by_language(data_root: Path) -> None:
    source = Source(path=str(data_root / "public"), languages=("mr", "te"), limit=50)
    found = list(rows(source))
    assert [lang for lang, _ in itertools.groupby(r.lang for r in found)] == ["mr", "te"]
    assert len(found) == 100


def test_treebanks_give_sentences(data_root: Path) -> None:
    found = list(itertools.islice(rows(Source(path=str(data_root / "ud" / "de_gsd-dev.conllu"), lang="de")), 5))
    assert all(len(r.text.split()) > 1 for r in found)
