"""The load that `serve.py` and `soak.py` put on a server, in a process of its own: bytes made beforehand, sockets, nothing else.

    python benchmarks/load.py --port 8080 --texts texts.json --out result.json --clients 64 --seconds 10 [--rate 5000]

Without --rate each of the clients asks again as soon as it is answered. With it requests leave by the clock, whatever became of
those before them, on as many connections as that takes; how long a reply took counts from when its request was due. Writes JSON:
how many of each status, percentiles of the replies' time, and every different answer to each text.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import uvloop

MOST_CONNECTIONS = 1024


def request_of(text: str, token: str | None) -> bytes:
    """A request for one text, as it goes over the wire. Its id is fixed, so that equal answers are equal bytes."""
    body = json.dumps({"text": text, "request_id": "load"}).encode()
    secret = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST /v1/parse HTTP/1.1\r\nHost: load\r\n{secret}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: Load) -> None:
        self.load, self.received = load, bytearray()
        self.transport: asyncio.Transport | None = None
        self.text, self.due, self.wanted = -1, 0.0, -1

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.load.connected(self)

    def ask(self, text: int, due: float) -> None:
        assert self.transport is not None
        self.text, self.due = text, due
        self.transport.write(self.load.requests[text])

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.wanted < 0 and (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.received[:end]).lower()
            length = head.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]
            self.wanted = end + 4 + int(length)
        if self.wanted >= 0 and len(self.received) >= self.wanted:
            status, end = int(self.received[9:12]), self.received.find(b"\r\n\r\n") + 4
            body, text = bytes(self.received[end : self.wanted]), self.text
            del self.received[: self.wanted]
            self.text, self.wanted = -1, -1
            self.load.answered(self, status, text, body, time.perf_counter() - self.due)

    def connection_lost(self, error: Exception | None) -> None:
        self.load.lost(self, self.text >= 0)


class Load:
    """What is sent, and what came back."""

    def __init__(self, requests: list[bytes], *, closed: bool) -> None:
        self.requests, self.closed = requests, closed
        self.sent, self.dropped, self.open = 0, 0, 0
        self.statuses: Counter[int] = Counter()
        self.seconds: dict[int, list[float]] = {}
        self.bodies: dict[int, set[bytes]] = {}
        self.idle: list[Client] = []
        self.due: list[float] = []
        self.ending = False

    def next(self, client: Client, due: float) -> None:
        client.ask(self.sent % len(self.requests), due)
        self.sent += 1

    def connected(self, client: Client) -> None:
        if self.closed:
            self.next(client, time.perf_counter())
        elif self.due:
            self.next(client, self.due.pop(0))
        else:
            self.idle.append(client)

    def answered(self, client: Client, status: int, text: int, body: bytes, seconds: float) -> None:
        self.statuses[status] += 1
        self.seconds.setdefault(status, []).append(seconds)
        if status == 200:
            self.bodies.setdefault(text, set()).add(body)
        if self.closed and not self.ending:
            self.next(client, time.perf_counter())
        elif not self.closed and self.due:
            self.next(client, self.due.pop(0))
        else:
            self.idle.append(client)

    def lost(self, client: Client, asked: bool) -> None:
        self.dropped += asked
        self.open -= 1
        if client in self.idle:
            self.idle.remove(client)


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Put the load on and say what came of it."""
    texts = json.loads(Path(args.texts).read_text(encoding="utf-8"))
    load = Load([request_of(text, args.token) for text in texts], closed=args.rate is None)
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[Any]] = set()

    def connect() -> None:
        load.open += 1
        tasks.add(task := loop.create_task(loop.create_connection(lambda: Client(load), "127.0.0.1", args.port)))
        task.add_done_callback(tasks.discard)

    started = time.perf_counter()
    if args.rate is None:
        for _ in range(args.clients):
            connect()
        while time.perf_counter() < started + args.seconds and (args.requests is None or load.sent < args.requests):
            await asyncio.sleep(0.01)
    else:
        made = 0
        while (now := time.perf_counter()) < started + args.seconds:
            due = int((now - started) * args.rate)
            for n in range(made, due):
                at = started + n / args.rate
                if load.idle:
                    load.next(load.idle.pop(), at)
                else:
                    load.due.append(at)
                    if load.open < MOST_CONNECTIONS:
                        connect()
            made = due
            await asyncio.sleep(0.001)
    lasted = time.perf_counter() - started
    answered_in_time = sum(load.statuses.values())
    load.ending = True
    give_up = time.perf_counter() + 10
    while sum(load.statuses.values()) + load.dropped < load.sent + len(load.due) and time.perf_counter() < give_up:
        await asyncio.sleep(0.01)
    return {
        "seconds": lasted,
        "sent": load.sent,
        "unsent": len(load.due),
        "unanswered": load.sent - sum(load.statuses.values()),
        "per_second": answered_in_time / lasted,
        "accepted_per_second": load.statuses[200] / lasted,
        "statuses": {str(status): count for status, count in load.statuses.items()},
        "ms": {str(status): percentiles(seconds) for status, seconds in load.seconds.items()},
        "connections": load.open,
        "own_cpu_us": 1e6 * time.process_time() / max(1, load.sent),
        "answers": [sorted(body.decode() for body in load.bodies.get(i, ())) for i in range(len(texts))],
    }


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Milliseconds below which so many of a hundred stay."""
    ordered = sorted(seconds)
    return {f"p{p:g}": 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))] for p in (50, 90, 99, 100)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--texts", required=True, help="a JSON list")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, help="requests per second")
    parser.add_argument("--requests", type=int, help="end after about so many; not with --rate")
    parser.add_argument("--token")
    parser.add_argument("--out", type=Path, required=True, help="where the JSON is to go")
    args = parser.parse_args()
    args.out.write_text(json.dumps(uvloop.run(run(args))), encoding="utf-8")


if __name__ == "__main__":
    main()
