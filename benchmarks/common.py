"""What every benchmark shares: the machine's description, the data, and the JSON line at the end."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch

from understudy.corpus.tinyworld import LOCALES, utterances
from understudy.corpus.utterances import LabelSource, read_labelled
from understudy.limits import available_cpus


def machine() -> dict[str, object]:
    """Processor, cores in use, and versions."""
    model = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "cpu": model,
        "cores": available_cpus(),
        "gpu": gpu,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def texts(*, limit: int) -> tuple[str, list[str]]:
    """Where they come from, and up to `limit` utterances: MASSIVE's train partition if UNDERSTUDY_DATA has it, else built in."""
    data_root = os.environ.get("UNDERSTUDY_DATA")
    if data_root and (root := Path(data_root) / "massive").is_dir():
        source = LabelSource(path=str(root), format="massive")
        rows = [one.text for partition, one in read_labelled(source) if partition == "train"]
        return "MASSIVE train", rows[:: max(1, len(rows) // limit)][:limit]
    each = limit // len(LOCALES)
    return "built-in world", [one.text for lang in LOCALES for one in islice(utterances(lang, seed=0), each)]


def finish(benchmark: str, claims: Sequence[dict[str, object]]) -> None:
    """Print the result as one line of JSON, the last one."""
    print(json.dumps({"benchmark": benchmark, "machine": machine(), "claims": list(claims)}), flush=True)


def claim(name: str, value: float, unit: str, target: float | None = None) -> dict[str, object]:
    """A measured figure, and whether it reaches its target (at least so much)."""
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "target": target,
        "met": None if target is None else value >= target,
    }
