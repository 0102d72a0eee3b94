"""Two sentences as one sequence, and the loss of their relation, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers_training import World, tiny

from understudy.corpus.pairs import Pair
from understudy.model.heads import Classifier
from understudy.text.spoken import Formatter
from understudy.tokenizer import Tokenizer
from understudy.training.batches import one_epoch
from understudy.training.pairs import PairSequences, Relation, number, prepared, shares, told
from understudy.training.precision import autocast

FP32 = autocast("fp32", torch.device("cpu"))
CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("lengths", "kept"),
    [
        ((4, 6), (4, 6)),  # both fit
        ((20, 3), (7, 3)),  # the longer gives way
        ((3, 20), (3, 7)),
        ((20, 30), (5, 5)),  # both do
        ((6, 20), (5, 5)),
    ],
)
def test_the_longer_sentence_is_shortened(lengths: tuple[int, int], kept: tuple[int, int]) -> None:
    assert shares(*lengths, room=10) == kept
    if sum(lengths) > 10:
        assert sum(kept) == 10


def test_an_odd_token_is_the_premises() -> None:
    assert shares(20, 20, room=11) == (6, 5)


def ids(world: World, *words: str) -> list[int]:
    return Tokenizer.load(world.tokenizer.path).encode(words).ids[1:-1]


def test_a_pair_is_two_sentences_between_marks(world: World) -> None:
    tokenizer = Tokenizer.load(world.tokenizer.path)
    wake, me, six, play = ids(world, "wake", "me", "six", "play")
    pair = Pair("wake me six", "play me", 1)
    batch = number([pair], tokenizer, max_length=16).batch(np.array([0]), epoch=0)
    s, end = tokenizer.bos, tokenizer.eos
    assert batch.ids_T.tolist() == [s, wake, me, six, end, end, play, me, end]
    assert batch.labels_B.tolist() == [1]
    cut = number([pair], tokenizer, max_length=7).batch(np.array([0]), epoch=0)
    assert cut.ids_T.tolist() == [s, wake, me, end, end, play, end]
    with pytest.raises(ValueError, match="room for two sentences"):
        number([pair], tokenizer, max_length=5)


def test_both_sentences_are_turned_into_spoken_form(world: World) -> None:
    tokenizer = Tokenizer.load(world.tokenizer.path)
    written, spoken = Pair("Wake me, 6!", "Play: 7", 0), Pair("wake me six", "play seven", 0)
    found = number([written], tokenizer, max_length=32, formatter=Formatter("en"))
    wanted = number([spoken], tokenizer, max_length=32)
    at = np.array([0])
    assert found.batch(at, epoch=0).ids_T.tolist() == wanted.batch(at, epoch=0).ids_T.tolist()


def sequences() -> PairSequences:
    made = [np.array([0, *range(9, 9 + n), 2, 2, 8, 2], np.uint32) for n in (1, 4, 2, 3)]
    return PairSequences(made, [0, 1, 1, 2])


def test_pairs_are_laid_end_to_end_in_the_order_asked_for() -> None:
    batch = sequences().batch(np.array([2, 0]), epoch=0)
    assert batch.ids_T.tolist() == [0, 9, 10, 2, 2, 8, 2, 0, 9, 2, 2, 8, 2]
    assert batch.labels_B.tolist() == [1, 0]
    assert batch.pairs == 7**2 + 6**2
    assert batch.layout.positions_T.tolist() == [*range(7), *range(6)]


def answering(world: World, *odds: float) -> Relation:
    """A classifier that gives every pair these odds, whatever it reads."""
    classifier = Classifier(tiny(world.vocab_size).encoder, len(odds), width=8)
    with torch.no_grad():
        classifier.label[-1].weight.zero_()
        classifier.label[-1].bias.copy_(torch.tensor(odds).log())
    return Relation(classifier)


def test_the_loss_is_the_cross_entropy_of_the_labels(world: World) -> None:
    objective = answering(world, 1.0, 2.0, 1.0)
    batch = sequences().batch(np.arange(4), epoch=0)
    part = objective(batch)["label"]
    assert part.sum.item() == pytest.approx(2 * math.log(4) + 2 * math.log(2), abs=1e-5)
    assert objective.counts(batch) == {"label": 4}


def test_pairs_are_told_in_their_order_however_batches_fall(world: World) -> None:
    objective = Relation(Classifier(tiny(world.vocab_size).encoder, 3, width=8)).train()
    found_NC = told(objective, prepared(sequences(), CPU), autocast=FP32)
    assert objective.training
    alone = [objective.eval().scores(sequences().batch(np.array([row]), epoch=0))[0].tolist() for row in range(4)]
    np.testing.assert_allclose(found_NC, alone, atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_a_pair_is_scored_alike_alone_and_among_others(world: World, pooling: str) -> None:
    torch.manual_seed(1)
    objective = Relation(Classifier(tiny(world.vocab_size).encoder, 3, width=8, pooling=pooling)).eval()  # type: ignore[arg-type]
    together = objective.scores(sequences().batch(np.arange(4), epoch=0))
    alone = objective.scores(sequences().batch(np.array([1]), epoch=0))
    torch.testing.assert_close(together[1:2], alone)
    assert sum(len(cut) for cut in one_epoch(sequences().lengths, budget=9, key="x")) == 4
