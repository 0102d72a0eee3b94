"""Batches: what waits runs together, within the budget, in order; what is late or broken is told so, alone."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from understudy.errors import DataError
from understudy.interpretation import Interpretation
from understudy.runtime.encode import Encoded
from understudy.runtime.session import Runtime
from understudy.serving import batching
from understudy.serving.batching import NICE, Batcher
from understudy.serving.job import RUN_TOKENS, work_of
from understudy.serving.measures import Measures
from understudy.serving.protocol import Refusal

FAR = 60.0


class Held(Runtime):
    """A runtime that waits for `go` and remembers what ran together."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.path, runtime.session, runtime.tokenizer, runtime.labels, runtime.settings, hash=runtime.hash)
        self.go, self.began, self.batches = threading.Event(), threading.Event(), list[list[str]]()
        self.thread = 0

    def answer(self, encoded: Sequence[Encoded], *, ks: Sequence[int] | None = None) -> list[Interpretation]:
        self.thread = threading.get_native_id()
        self.began.set()
        assert self.go.wait(20)
        self.batches.append([one.text for one in encoded])
        if any(one.text == "poison" for one in encoded):
            raise ZeroDivisionError("poison")
        return super().answer(encoded, ks=ks)


class Slow(Held):
    """One that is also slow to make texts ready: it waits for `go` at the first one, and remembers their order."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.read = list[str]()

    def encode(self, text: str, lang: str | None = None) -> Encoded:
        self.read.append(text)
        self.began.set()
        assert self.go.wait(20)
        return super().encode(text, lang)


@pytest.fixture
def held(runtime_dir: Path) -> Held:
    return Held(Runtime.load(runtime_dir))


@pytest.fixture
def batcher() -> Iterator[Batcher]:
    made = Batcher(workers=1, budget=20, measures=Measures())
    yield made
    made.close()


async def together(batcher: Batcher, held: Held, requests: Sequence[Sequence[str]], timeout: float = FAR) -> list[object]:
    """What becomes of requests that wait while an earlier one runs."""
    first = asyncio.create_task(batcher.run("m", held, ["stop"], [None], deadline=time.monotonic() + FAR))
    await asyncio.to_thread(held.began.wait, 20)
    deadline = time.monotonic() + timeout
    rest = [asyncio.create_task(batcher.run("m", held, texts, [None] * len(texts), deadline=deadline)) for texts in requests]
    await asyncio.sleep(max(0.01, 2 * timeout if timeout < 1 else 0))
    assert batcher.waiting == len(requests) if timeout == FAR else True
    held.go.set()
    await first
    return await asyncio.gather(*rest, return_exceptions=True)


def test_what_waits_runs_together_within_the_budget(batcher: Batcher, held: Held):
    # "stop" is <s> ▁stop </s>: 3 tokens, so that 6 of them fit into 20 and the seventh waits for the next batch.
    found = asyncio.run(together(batcher, held, [["stop"]] * 8))
    assert [len(batch) for batch in held.batches] == [1, 6, 2]
    assert found == [[held("stop")]] * 8
    assert (batcher.pending, batcher.waiting) == (0, 0)


def test_a_request_beyond_the_budget_runs_alone(batcher: Batcher, held: Held):
    found = asyncio.run(together(batcher, held, [["stop"], ["stop"] * 9, ["hello"]]))
    assert [len(batch) for batch in held.batches] == [1, 1, 9, 1]
    assert [len(each) for each in found] == [1, 9, 1]  # type: ignore[arg-type]


def test_short_texts_of_a_batch_run_without_the_long_ones(held: Held):
    batcher, long = Batcher(workers=1, budget=200, measures=Measures()), "play the new album by nina simone"
    width = len(held.encode(long).ids)
    assert 11 * width > 10 * 3 + width + RUN_TOKENS, "tokens of one run with all; of two, and what a run costs"
    found = asyncio.run(together(batcher, held, [["stop"]] * 5 + [[long]] + [["stop"]] * 5))
    assert held.batches == [["stop"], ["stop"] * 10, [long]]
    assert found == [[held("stop")]] * 5 + [[held(long)]] + [[held("stop")]] * 5
    batcher.close()


def test_a_run_is_not_cut_where_that_saves_little(batcher: Batcher, held: Held):
    asyncio.run(together(batcher, held, [["stop"], ["wake me at six"]]))
    assert 2 * len(held.encode("wake me at six").ids) < 3 + len(held.encode("wake me at six").ids) + RUN_TOKENS
    assert held.batches == [["stop"], ["stop", "wake me at six"]]


def test_the_wait_is_that_of_the_texts_before_by_the_pace_of_late(held: Held):
    batcher, deadline = Batcher(workers=2, budget=1, measures=Measures()), time.monotonic() + FAR

    async def waits() -> tuple[float, ...]:
        def ask(*texts: str, beside: bool = False) -> asyncio.Task[list[Interpretation]]:
            run = batcher.run("m", held, texts, [None] * len(texts), deadline=deadline, beside=beside)
            return asyncio.create_task(run)

        idle = batcher.wait_s()
        running = [ask("stop"), ask("stop")]
        while batcher.pending - batcher.waiting < 2:
            await asyncio.sleep(0.01)
        waiting = [ask("stop", "stop", "stop"), ask("hello"), ask("stop", beside=True)]
        await asyncio.sleep(0.01)
        found = idle, batcher.wait_s(), batcher.wait_s(6), batcher.wait_s(beside=True)
        await asyncio.sleep(0.1)
        held.go.set()
        await asyncio.gather(*running, *waiting)
        return found

    # Nothing is known yet: 2 ms a text. Two workers have four texts before one that comes now, ten after six others, one beside.
    assert asyncio.run(waits()) == pytest.approx((0, 0.004, 0.010, 0.001))
    assert batcher.wait_s() == 0
    assert batcher.wait_s(2) > 0.01, "two batches of one text took a tenth of a second each"
    batcher.close()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux only")
def test_workers_stand_back_behind_the_event_loop(batcher: Batcher, held: Held):
    held.go.set()
    asyncio.run(batcher.run("m", held, ["stop"], [None], deadline=time.monotonic() + FAR))
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert os.getpriority(os.PRIO_PROCESS, held.thread) == min(19, own + NICE)


def test_answers_go_to_those_who_asked(batcher: Batcher, held: Held):
    requests = [["wake me at six"], ["stop", "hello"], ["play the new album by nina simone"]]
    assert asyncio.run(together(batcher, held, requests)) == [[held(text) for text in texts] for texts in requests]


def test_what_is_expired_is_not_computed(batcher: Batcher, held: Held):
    [late] = asyncio.run(together(batcher, held, [["hello"]], timeout=0.05))
    assert isinstance(late, Refusal)
    assert (late.status, late.code) == (504, "too_late")
    assert held.batches == [["stop"]]


MANY = ["stop"] * 256


async def outcome(batcher: Batcher, slow: Slow, meanwhile: Callable[[], object], **settings: Any) -> Refusal:
    """How a request of many texts is refused where something happens while its first text is made ready."""
    run = batcher.run("m", slow, MANY, [None] * len(MANY), **{"deadline": time.monotonic() + FAR, **settings})
    asking = asyncio.create_task(run)
    await asyncio.to_thread(slow.began.wait, 20)
    meanwhile()
    if "deadline" in settings:
        await asyncio.wait([asking])
    slow.go.set()
    with pytest.raises(Refusal) as refused:
        await asking
    await asyncio.to_thread(batcher.close)
    return refused.value


def test_a_request_whose_time_is_over_is_given_up_at_its_next_text(batcher: Batcher, held: Held):
    slow = Slow(held)
    refused = asyncio.run(outcome(batcher, slow, lambda: None, deadline=time.monotonic() + 0.2))
    assert (refused.status, slow.read, slow.batches) == (504, ["stop"], [])


def test_a_request_whose_client_has_left_is_given_up_at_its_next_text(batcher: Batcher, held: Held):
    slow, left = Slow(held), threading.Event()
    refused = asyncio.run(outcome(batcher, slow, left.set, gone=left.is_set))
    assert (refused.status, slow.read, slow.batches) == (499, ["stop"], [])


def test_a_batcher_that_closes_waits_for_the_text_it_is_at_and_no_longer(batcher: Batcher, held: Held):
    slow, closing = Slow(held), threading.Thread(target=batcher.close)

    def close() -> None:
        closing.start()
        while not batcher._closing:
            time.sleep(0.01)

    refused = asyncio.run(outcome(batcher, slow, close))
    closing.join(20)
    assert not closing.is_alive()
    assert (refused.status, slow.read, slow.batches) == (503, ["stop"], [])
    with pytest.raises(Refusal, match="The server is going"):
        asyncio.run(batcher.run("m", held, ["stop"], [None], deadline=time.monotonic() + FAR))


def test_texts_that_take_long_let_others_have_their_turn(batcher: Batcher, held: Held, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batching, "STRETCH_S", -1.0)  # as if each text took longer
    slow = Slow(held)

    async def both() -> list[list[Interpretation]]:
        def ask(*texts: str) -> asyncio.Task[list[Interpretation]]:
            return asyncio.create_task(batcher.run("m", slow, texts, [None] * len(texts), deadline=time.monotonic() + FAR))

        many = ask("hello", "stop", "hello")
        await asyncio.to_thread(slow.began.wait, 20)
        few = ask("wake me at six")
        await asyncio.sleep(0.01)
        slow.go.set()
        return await asyncio.gather(many, few)

    many, few = asyncio.run(both())
    assert slow.read == ["hello", "wake me at six", "stop", "hello"]
    assert slow.batches == [["wake me at six"], ["hello", "stop", "hello"]]
    assert (many, few) == ([slow("hello"), slow("stop"), slow("hello")], [slow("wake me at six")])
    assert (batcher.pending, batcher.queued) == (0, 0)


def test_a_long_text_counts_as_several():
    assert work_of(["stop"] * 3) == 3
    assert work_of(["stop", "x" * 99, "x" * 100, "x" * 250]) == 1 + 1 + 2 + 3


def test_a_text_that_cannot_be_read_fails_alone(batcher: Batcher, held: Held):
    good, bad, other = asyncio.run(together(batcher, held, [["stop"], ["hello", " "], ["hello"]]))
    assert (good, other) == ([held("stop")], [held("hello")])
    assert isinstance(bad, DataError)
    assert "text 1: there is nothing to understand" in str(bad)


def test_a_text_that_breaks_the_model_fails_alone(batcher: Batcher, held: Held):
    good, bad, other = asyncio.run(together(batcher, held, [["stop"], ["poison"], ["hello"]]))
    assert (good, other) == ([held("stop")], [held("hello")])
    assert isinstance(bad, ZeroDivisionError)


def test_models_run_each_for_itself_in_the_order_of_their_requests(batcher: Batcher, held: Held, runtime_dir: Path):
    other = Held(Runtime.load(runtime_dir))
    other.go.set()

    async def both() -> None:
        first = asyncio.create_task(batcher.run("a", held, ["stop"], [None], deadline=time.monotonic() + FAR))
        await asyncio.to_thread(held.began.wait, 20)
        rest = [
            asyncio.create_task(batcher.run("x", model, [text], [None], deadline=time.monotonic() + FAR))
            for model, text in ((other, "one"), (held, "two"), (other, "three"))
        ]
        await asyncio.sleep(0.01)
        held.go.set()
        await asyncio.gather(first, *rest)

    asyncio.run(both())
    assert (held.batches, other.batches) == ([["stop"], ["two"]], [["one", "three"]])


def test_each_request_gets_as_many_of_the_likeliest_intents_as_it_asks_for(batcher: Batcher, held: Held):
    async def ranked() -> list[list[Interpretation]]:
        held.go.set()
        asked = [batcher.run("m", held, ["hello"], [None], deadline=time.monotonic() + FAR, k=k) for k in (0, 2, 3)]
        return await asyncio.gather(*asked)

    found = [one[0].ranking for one in asyncio.run(ranked())]
    assert found == [(), tuple(held.rank("hello", k=2)), tuple(held.rank("hello", k=3))]


def test_what_runs_beside_comes_after_every_request(batcher: Batcher, held: Held):
    async def both() -> None:
        def ask(text: str, *, beside: bool) -> asyncio.Task[list[Interpretation]]:
            return asyncio.create_task(batcher.run("m", held, [text], [None], deadline=time.monotonic() + FAR, beside=beside))

        first = ask("stop", beside=False)
        await asyncio.to_thread(held.began.wait, 20)
        rest = [ask("one", beside=True), ask("two", beside=False), ask("three", beside=True), ask("four", beside=False)]
        await asyncio.sleep(0.01)
        assert (batcher.pending, batcher.waiting, batcher.waiting_beside) == (3, 2, 2)
        held.go.set()
        await asyncio.gather(first, *rest)

    asyncio.run(both())
    assert held.batches == [["stop"], ["two", "four"], ["one", "three"]]


def test_one_worker_is_free_of_what_runs_beside(held: Held, runtime_dir: Path):
    batcher, other = Batcher(workers=2, budget=1, measures=Measures()), Runtime.load(runtime_dir)

    async def answered() -> list[Interpretation]:
        deadline = time.monotonic() + FAR
        beside = [asyncio.create_task(batcher.run("m", held, [t], [None], deadline=deadline, beside=True)) for t in "abc"]
        await asyncio.to_thread(held.began.wait, 20)
        found = await batcher.run("m", other, ["stop"], [None], deadline=deadline)
        assert batcher.waiting_beside == 2
        held.go.set()
        await asyncio.gather(*beside)
        return found

    assert asyncio.run(answered()) == [other("stop")]
    batcher.close()


def test_no_model_is_kept_once_it_has_answered(batcher: Batcher, held: Held):
    asyncio.run(together(batcher, held, [["stop"]]))
    assert not batcher._lines
