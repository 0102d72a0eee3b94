"""Confusions and the fate of slots, worked by hand."""

from __future__ import annotations

from dataclasses import replace

from understudy.evaluation.mistakes import confusions, slot_mistakes
from understudy.interpretation import Interpretation, parse_annotation


def said(annotated: str, intent: str = "i") -> Interpretation:
    text, slots = parse_annotation(annotated)
    return Interpretation(text, intent, slots, locale="en-US")


def test_confusions_are_counted_and_ranked() -> None:
    gold = [said("a", "x"), said("b", "x"), said("c", "x"), said("d", "y")]
    predicted = [replace(gold[0], intent="y"), replace(gold[1], intent="y"), gold[2], replace(gold[3], intent="z")]
    assert confusions(gold, predicted) == [
        {"gold": "x", "predicted": "y", "count": 2, "share": 66.7, "example": "a", "locale": "en-US"},
        {"gold": "y", "predicted": "z", "count": 1, "share": 100.0, "example": "d", "locale": "en-US"},
    ]
    assert len(confusions(gold, predicted, top=1)) == 1


def test_every_slot_has_one_fate() -> None:
    gold = [
        said("at [time : six]"),  # right
        said("at [time : six pm]"),  # boundary
        said("at [time : seven]"),  # name
        said("at [time : eight] now"),  # missed
        said("play jazz"),  # an artist is invented
    ]
    predicted = [
        gold[0],
        said("at [time : six] pm"),
        said("at [place : seven]"),
        said("at eight now"),
        said("play [artist : jazz]"),
    ]
    time, artist = slot_mistakes(gold, predicted)
    counted = {k: v for k, v in time.items() if k not in ("example", "worst")}
    assert counted == {"slot": "time", "wanted": 4, "right": 1, "boundary": 1, "name": 1, "missed": 1, "invented": 0}
    assert time["example"] == {
        "text": "at six pm", "locale": "en-US",
        "wanted": {"name": "time", "value": "six pm"}, "found": {"name": "time", "value": "six"},
    }  # fmt: skip
    assert (artist["slot"], artist["wanted"], artist["invented"], artist["worst"]) == ("artist", 0, 1, "invented")


def test_no_mistakes_give_no_example() -> None:
    gold = [said("at [time : six]")]
    assert slot_mistakes(gold, gold)[0]["worst"] is None
    assert slot_mistakes(gold, gold)[0]["example"] is None
    assert confusions(gold, gold) == []
