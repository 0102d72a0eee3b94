"""Order, budgets and masks: all of them pure functions of seed and position."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.corpus.tokenset import TokenSet
from understudy.tokenizer.specials import OURS, Specials
from understudy.training.batches import (
    Labelled,
    LabelledSequences,
    MaskedSequences,
    Pieces,
    ahead,
    batches,
    one_epoch,
)
from understudy.training.masking import Masking

BOS, EOS = OURS.bos, OURS.eos


def token_set(lengths: list[int], *, vocab: int = 100) -> TokenSet:
    """Sequences <s> 5 6 7 … </s>, ids going on from one sequence to the next."""
    inner = iter(range(10**9))
    rows = [[BOS, *(5 + next(inner) % (vocab - 5) for _ in range(n - 2)), EOS] for n in lengths]
    offsets = np.cumsum([0, *lengths]).astype(np.int64)
    langs = np.arange(len(lengths), dtype=np.uint8) % 2
    return TokenSet(np.array([i for row in rows for i in row], np.uint16), offsets, langs, ("de", "en"), vocab, "")


def sequences(lengths: list[int], *, rate: float = 0.15, vocab: int = 100, seed: int = 0) -> MaskedSequences:
    return MaskedSequences(Pieces(token_set(lengths, vocab=vocab), max_length=64), Masking(rate, vocab), seed=seed)


def test_long_sequences_are_cut_into_pieces_with_their_own_ends() -> None:
    pieces = Pieces(token_set([9, 4]), max_length=5)
    assert pieces.lengths.tolist() == [5, 5, 3, 4]
    assert pieces.langs.tolist() == [0, 0, 0, 1]
    assert pieces[np.arange(4)].tolist() == [0, 5, 6, 7, 2, 0, 8, 9, 10, 2, 0, 11, 2, 0, 12, 13, 2]


@given(lengths=st.lists(st.integers(3, 40), min_size=1, max_size=20), limit=st.integers(3, 45))
@settings(max_examples=50, deadline=None)
def test_pieces_hold_every_token_once(lengths: list[int], limit: int) -> None:
    tokens = token_set(lengths)
    pieces = Pieces(tokens, max_length=limit)
    assert pieces.lengths.max() <= limit
    ids = pieces[np.arange(len(pieces))]
    assert ids[ids >= 5].tolist() == tokens.tokens[tokens.tokens >= 5].tolist()


@given(
    lengths=st.lists(st.integers(3, 40), min_size=1, max_size=60),
    budget=st.integers(10, 100),
    bucketed=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_an_epoch_holds_every_sequence_once_within_the_budget(lengths: list[int], budget: int, bucketed: bool) -> None:
    costs = np.array(lengths, np.int64)
    cut = list(one_epoch(costs, budget=budget, key="k", order_by=costs if bucketed else None))
    assert sorted(np.concatenate(cut).tolist()) == list(range(len(lengths)))
    assert all(costs[c].sum() <= budget or len(c) == 1 for c in cut)


def test_bucketed_batches_hold_sequences_of_like_length() -> None:
    lengths = np.array([4, 30] * 50, np.int64)
    cut = list(one_epoch(lengths, budget=120, key="k", order_by=lengths))
    assert sum(len(set(lengths[c].tolist())) > 1 for c in cut) <= 1


def test_epochs_and_seeds_differ_in_order() -> None:
    source = sequences([6] * 40)

    def order(seed: int, count: int) -> list[Any]:
        return [parts[0].targets_M.tolist() for parts in islice(batches(source, budget=30, seed=seed), count)]

    assert order(0, 16) == order(0, 16)
    assert order(0, 8) != order(1, 8)
    assert order(0, 16)[:8] != order(0, 16)[8:]


def test_a_stream_taken_up_later_is_the_same_stream() -> None:
    source = sequences([5, 9, 12, 7, 20, 6, 6, 31] * 5)
    whole = list(islice(batches(source, budget=50, seed=3), 40))  # several epochs
    later = list(islice(batches(source, budget=50, seed=3, start=23), 17))
    for (a,), (b,) in zip(whole[23:], later, strict=True):
        assert a.ids_T.tolist() == b.ids_T.tolist()
        assert a.masked_M.tolist() == b.masked_M.tolist()


def test_parts_hold_the_same_tokens_and_masks_as_the_whole() -> None:
    source = sequences([5, 9, 12, 7, 20, 6, 6, 31] * 5)
    for (whole,), parts in zip(
        islice(batches(source, budget=60, seed=0), 8), islice(batches(source, budget=60, seed=0, parts=3), 8), strict=True
    ):
        assert torch.cat([p.ids_T for p in parts]).tolist() == whole.ids_T.tolist()
        assert torch.cat([p.targets_M for p in parts]).tolist() == whole.targets_M.tolist()
        assert len(parts) <= 3


def test_a_sequences_masks_do_not_depend_on_its_batch() -> None:
    source = sequences([20] * 10, rate=0.3)
    together, alone = source.batch(np.arange(10), epoch=2), source.batch(np.array([7]), epoch=2)
    assert together.ids_T[140:160].tolist() == alone.ids_T.tolist()
    assert source.batch(np.array([7]), epoch=3).masked_M.tolist() != alone.masked_M.tolist()


def test_masking_statistics() -> None:
    n, length, vocab = 4000, 22, 5000
    source = sequences([length] * n, vocab=vocab)
    plain = Pieces(token_set([length] * n, vocab=vocab), max_length=64)[np.arange(n)]
    batch = source.batch(np.arange(n), epoch=0)
    shown, chosen = batch.ids_T.numpy(), batch.masked_M.numpy()
    assert np.array_equal(batch.targets_M.numpy(), plain[chosen])
    assert np.array_equal(np.delete(shown, chosen), np.delete(plain, chosen))  # the rest is untouched
    assert (plain[chosen] >= 5).all()  # never a special
    assert len(chosen) == pytest.approx(0.15 * n * (length - 2), rel=0.01)
    masked, kept = shown[chosen] == 4, shown[chosen] == plain[chosen]
    assert masked.mean() == pytest.approx(0.8, abs=0.015)
    assert kept.mean() == pytest.approx(0.1, abs=0.012)
    drawn = shown[chosen][~masked & ~kept]
    assert (drawn >= 5).all()
    assert drawn.mean() == pytest.approx((5 + vocab) / 2, rel=0.05)


def test_every_position_is_chosen_equally_often() -> None:
    n = 6000
    chosen = sequences([12] * n).batch(np.arange(n), epoch=0).masked_M.numpy()
    per_position = np.bincount(chosen % 12, minlength=12)
    assert per_position[[0, 11]].tolist() == [0, 0]
    np.testing.assert_allclose(per_position[1:-1] / n, 0.15, atol=0.02)


def test_short_utterances_are_masked_up_or_down_to_a_whole_number() -> None:
    # 10 tokens at 15 % are 1.5: one or two in each utterance, never none.
    batch = sequences([12] * 500).batch(np.arange(500), epoch=0)
    counts = np.bincount(batch.layout.sequences_T[batch.masked_M].numpy(), minlength=500)
    assert set(counts.tolist()) == {1, 2}


def test_languages_come_along() -> None:
    batch = sequences([6] * 4).batch(np.array([3, 0, 2]), epoch=0)
    assert batch.languages_B.tolist() == [1, 0, 0]
    assert batch.tokens == 18


def test_labelled_batches_point_at_first_pieces() -> None:
    examples = [Labelled([0, 9, 8, 7, 2], [1, 3], [0, 2], 1, 0), Labelled([0, 6, 2], [1], [4], 0, 1)]
    batch = LabelledSequences(examples).batch(np.array([1, 0]), epoch=0)
    assert batch.ids_T.tolist() == [0, 6, 2, 0, 9, 8, 7, 2]
    assert batch.firsts_W.tolist() == [1, 4, 6]
    assert batch.tags_W.tolist() == [4, 0, 2]
    assert batch.intents_B.tolist() == [0, 1]
    assert batch.languages_B.tolist() == [1, 0]


def test_masks_and_ends_are_those_of_the_vocabulary() -> None:
    # Ten ids, of which 1, 4, 8 and 9 are words: <s> is 7, </s> 2, <mask> 5, another control symbol 6.
    specials = Specials(bos=7, pad=0, eos=2, unk=3, mask=5, others=(6,))
    offsets = np.array([0, 7])
    tokens = TokenSet(np.array([7, 1, 4, 8, 9, 6, 2], np.uint16), offsets, np.zeros(1, np.uint8), ("de",), 10, "", specials)
    pieces = Pieces(tokens, max_length=4)
    assert pieces[np.arange(len(pieces))].tolist() == [7, 1, 4, 2, 7, 8, 9, 2, 7, 6, 2]
    shown = set()
    for index in range(200):
        ids, chosen = Masking(0.9, 10, specials).apply(
            np.array(tokens.tokens, np.int64), np.array([7]), np.array([index]), seed=0, epoch=0
        )
        assert set(chosen.tolist()) <= {1, 2, 3, 4}
        shown |= set(ids[chosen].tolist())
    assert shown == {5, 1, 4, 8, 9}


def test_whole_words_are_masked_with_all_their_pieces() -> None:
    # <s> and six words of 1, 2, 3, 1, 2 and 3 pieces </s>; ids from 10 on begin a word, 5 to 9 go on with one.
    begins_V = np.arange(30) >= 10
    ids = np.array([0, 10, 11, 5, 12, 6, 7, 13, 14, 8, 15, 9, 5, 2])
    words = [[1], [2, 3], [4, 5, 6], [7], [8, 9], [10, 11, 12]]
    masking = Masking(0.5, 30, begins_V=begins_V)
    seen = set()
    for index in range(20):
        _, chosen = masking.apply(ids, np.array([14]), np.array([index]), seed=0, epoch=0)
        wholly = [word for word in words if set(word) <= set(chosen.tolist())]
        assert sorted(at for word in wholly for at in word) == chosen.tolist()
        assert len(wholly) == 3
        seen |= {tuple(word) for word in wholly}
    assert len(seen) == 6


def test_ranks_share_an_update_and_all_have_as_many_parts() -> None:
    source = sequences([5, 9, 12, 7, 20, 6, 6, 31] * 5)
    alone = list(islice(batches(source, budget=60, seed=0), 12))
    shares = [list(islice(batches(source, budget=60, seed=0, parts=2, rank=rank, world=3), 12)) for rank in range(3)]
    for number, (whole,) in enumerate(alone):
        mine = [share[number] for share in shares]
        assert len({len(parts) for parts in mine}) == 1
        busy = [part for parts in mine for part in parts if not part.idle]
        assert torch.cat([part.ids_T for part in busy]).tolist() == whole.ids_T.tolist()


def test_batches_made_ahead_are_the_same_and_end() -> None:
    assert list(ahead(iter(range(7)))) == list(range(7))
    assert list(ahead(iter(()))) == []


def test_an_error_in_making_a_batch_comes_where_the_batch_would() -> None:
    made = ahead(1 // (2 - n) for n in range(4))
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)
