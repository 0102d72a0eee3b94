"""Processes that run stages together over gloo on this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

WORKER = Path(__file__).parent / "worker.py"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Workers:
    """Started as they are needed, and kept: importing torch takes longer than the stages do."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[str]] = []

    def begin(self, world: int, **job: Any) -> list[subprocess.Popen[str]]:
        """Give `job` (kind, settings, target, inputs) to `world` processes."""
        while len(self.processes) < world:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, str(WORKER)],
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(world)}
        for rank, process in enumerate(self.processes[:world]):
            assert process.stdin is not None
            env = {**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            process.stdin.write(json.dumps({"env": env, **job}) + "\n")
            process.stdin.flush()
        return self.processes[:world]

    def run(self, world: int, **job: Any) -> None:
        """As `begin`, to the end. Fails with what a process said where it failed."""
        for process in self.begin(world, **job):
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if line.strip() in ("done", "failed"):
                    break
            assert said, "a process ended"
            assert said[-1].strip() == "done", "".join(said)[-3000:]

    def close(self) -> None:
        """End them all."""
        for process in self.processes:
            process.kill()
            process.communicate()
        self.processes.clear()
