"""The load that `serve.py` and `soak.py` put on a server, in a process of its own: bytes made beforehand, sockets, epoll, nothing else.

    python benchmarks/load.py --port 8080 --texts texts.json --out result.json --clients 64 --seconds 10 [--rate 5000]

Without --rate each of the clients asks again as soon as it is answered, or after the second that 429 asks it to wait. With it requests leave by the clock, in slices of a
millisecond, whatever became of those before them: on the connections of the clients, and where all of these await replies on new
ones, up to 1024. How long a reply took counts from when its request was due, not from when it was sent, so that what a slow server
keeps from being sent is not left out; `late_ms` says how much of that was so. Who asks shares the processors with who answers: what
it takes of them is said too (`own_cpu` of one, `own_cpu_us` for a request), and it must be little, or it measures itself.

Writes JSON: how many of each status, percentiles of the replies' time, and every different answer to each text.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_CONNECTIONS = 1024
SLICE_S = 0.001
RETRY_AFTER_S = 1
PATIENCE_S = 10  # for replies, once nothing more is asked


def request_of(text: str, token: str | None) -> bytes:
    """A request for one text, as it goes over the wire. Its id is fixed, so that equal answers are equal bytes."""
    body = json.dumps({"text": text, "request_id": "load"}).encode()
    secret = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST /v1/parse HTTP/1.1\r\nHost: load\r\n{secret}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(slots=True)
class Client:
    """One connection, one request at a time."""

    socket: socket.socket
    text: int = -1
    due: float = 0.0
    received: bytes = b""


class Load:
    """What is sent, and what came back.

    Args:
        port: of the server.
        requests: bytes, asked one after the other.
        closed: ask again as soon as an answer is there.
    """

    def __init__(self, port: int, requests: list[bytes], *, closed: bool) -> None:
        self.port, self.requests, self.closed = port, requests, closed
        self.poll, self.clients = select.epoll(), dict[int, Client]()
        self.idle, self.due = list[Client](), deque[float]()
        self.resting = deque[tuple[float, Client]]()  # until when
        self.sent = self.asked = self.broken = 0
        self.statuses: Counter[int] = Counter()
        self.seconds: dict[int, list[float]] = {}
        self.late: list[float] = []
        self.bodies: dict[int, set[bytes]] = {}
        self._heads: dict[bytes, tuple[int, int]] = {}  # there are few: status and length of the body

    def connect(self) -> Client:
        link = socket.create_connection(("127.0.0.1", self.port))
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setblocking(False)
        self.clients[link.fileno()] = client = Client(link)
        self.poll.register(link, select.EPOLLIN)
        return client

    def ask(self, client: Client, due: float) -> None:
        client.text, client.due = self.sent % len(self.requests), due
        self.sent += 1
        self.asked += 1
        self.late.append(time.perf_counter() - due)
        try:
            client.socket.send(self.requests[client.text])
        except OSError:
            self.drop(client)

    def ask_due(self, due: float) -> None:
        """Ask on a connection that is free, or on a new one, or as soon as there is one."""
        if self.idle:
            self.ask(self.idle.pop(), due)
        elif len(self.clients) < MOST_CONNECTIONS:
            self.ask(self.connect(), due)
        else:
            self.due.append(due)

    def drop(self, client: Client) -> None:
        """A connection has ended, with or without a request on it."""
        if client.text >= 0:
            self.broken += 1
            self.asked -= 1
        elif client in self.idle:
            self.idle.remove(client)
        del self.clients[client.socket.fileno()]
        client.socket.close()

    def listen(self, timeout: float, *, ending: bool = False) -> None:
        """Take what has come, and ask on; a slice of it at most, or requests would not leave in time."""
        for file, _ in self.poll.poll(timeout, 64):
            client = self.clients[file]
            try:
                data = client.received + client.socket.recv(65536)
            except OSError:
                data = b""
            if len(data) == len(client.received):
                self.drop(client)
                continue
            end = data.find(b"\r\n\r\n")
            status, length = self._head(data[:end]) if end >= 0 else (0, 0)
            if end < 0 or len(data) < end + 4 + length:
                client.received = data
                continue
            now = time.perf_counter()
            self.statuses[status] += 1
            self.seconds.setdefault(status, []).append(now - client.due)
            if status == 200:
                self.bodies.setdefault(client.text, set()).add(data[end + 4 :])
            self.asked -= 1
            client.text, client.received = -1, b""
            if self.closed and not ending:
                if status == 429:
                    self.resting.append((now + RETRY_AFTER_S, client))
                else:
                    self.ask(client, now)
            elif self.due:
                self.ask(client, self.due.popleft())
            else:
                self.idle.append(client)

    def _head(self, head: bytes) -> tuple[int, int]:
        if head not in self._heads:
            length = head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]
            self._heads[head] = int(head[9:12]), int(length)
        return self._heads[head]


def put(load: Load, *, clients: int, seconds: float, rate: float | None, most: int | None) -> dict[str, Any]:
    """Put the load on and say what came of it."""
    for _ in range(clients):
        load.idle.append(load.connect())
    time.sleep(0.2)  # until the server has accepted them
    clock: Callable[[], float] = time.perf_counter
    spent, started, made = time.process_time(), clock(), 0
    if load.closed:
        while load.idle:
            load.ask(load.idle.pop(), clock())
    while (now := clock()) < started + seconds and (most is None or load.sent < most):
        if rate is not None:
            while made < int((now - started) * rate):
                load.ask_due(started + made / rate)
                made += 1
        while load.resting and load.resting[0][0] <= now:
            load.ask(load.resting.popleft()[1], now)
        load.listen(SLICE_S if rate is not None else 0.05)
    lasted, own, in_time = clock() - started, time.process_time() - spent, load.statuses.copy()
    give_up = clock() + PATIENCE_S
    while (load.asked or load.due) and load.clients and clock() < give_up:
        load.listen(0.05, ending=True)
    return {
        "seconds": lasted,
        "sent": load.sent,
        "lost": load.asked + len(load.due),  # no answer ever
        "broken": load.broken,
        "per_second": sum(in_time.values()) / lasted,
        "accepted_per_second": in_time[200] / lasted,
        "statuses": {str(status): count for status, count in load.statuses.items()},
        "ms": {str(status): percentiles(found) for status, found in load.seconds.items()},
        "late_ms": percentiles(load.late),
        "connections": len(load.clients),
        "own_cpu": own / lasted,
        "own_cpu_us": 1e6 * own / max(1, load.sent),
        "answers": [sorted(body.decode() for body in load.bodies.get(i, ())) for i in range(len(load.requests))],
    }


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Milliseconds below which so many of a hundred stay."""
    ordered = sorted(seconds)
    return {f"p{p:g}": 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))] for p in (50, 90, 99, 100)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--texts", required=True, help="a JSON list")
    parser.add_argument("--clients", type=int, default=64, help="connections that are there from the start")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, help="requests per second")
    parser.add_argument("--requests", type=int, help="end after about so many")
    parser.add_argument("--token")
    parser.add_argument("--out", type=Path, required=True, help="where the JSON is to go")
    args = parser.parse_args()
    texts = json.loads(Path(args.texts).read_text(encoding="utf-8"))
    load = Load(args.port, [request_of(text, args.token) for text in texts], closed=args.rate is None)
    result = put(load, clients=args.clients, seconds=args.seconds, rate=args.rate, most=args.requests)
    args.out.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
