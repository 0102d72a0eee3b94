"""The engines: results in order, errors as they are, and a Ray cluster giving the rows of one machine."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from understudy.config import Config, parse
from understudy.corpus import engine
from understudy.corpus.engine import EngineConfig, each
from understudy.corpus.spool import ReadTask, read_unit
from understudy.corpus.units import Unit
from understudy.errors import DataError, RecipeError

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
import ray
from understudy import artifact
from understudy.corpus.build import CorpusConfig, run

def make(out, engine):
    sources = [{"builtin": "text", "size": 40, "languages": ["de", "hi", "ja"]}]
    config = CorpusConfig.model_validate({"sources": sources, "counts": "sqrt", "near_duplicates": 0.8, "engine": engine})
    with artifact.writing(Path(out), kind="corpus", config={}) as draft:
        run(config, {}, draft, seed=3)

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR", object_store_memory=10**8)
try:
    make(sys.argv[1], "ray")
finally:
    ray.shutdown()
make(sys.argv[2], "local")
"""


class Number(Config):
    n: int


def digest(folder: Path) -> dict[str, str]:
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.iterdir() if f.name != "artifact.json"}


def test_few_tasks_are_done_in_this_process() -> None:
    assert list(each(lambda task: task.n + 1, [Number(n=1), Number(n=5)], engine=EngineConfig(), size=10)) == [2, 6]


def test_processes_keep_the_order_and_give_errors_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "available_cpus", lambda: 2)
    (tmp_path / "de.txt").write_text("".join(f"{i}\n" for i in range(9)))
    source: dict[str, Any] = {"path": str(tmp_path / "de.txt")}
    table = {"folder": str(tmp_path), "languages": None, "excluded": False, "count": False, "near": None}
    spans = [(0, 8), (8, 10), (10, 18)]
    units = [parse(Unit, {"source": source, "path": source["path"], "span": span}, where="x") for span in spans]
    tasks = [parse(ReadTask, {"unit": unit, "name": str(at), **table}, where="x") for at, unit in enumerate(units)]
    results = list(each(read_unit, tasks, engine=EngineConfig(), size=1 << 30))
    assert [result["card"]["de"]["read"]["rows"] for result in results] == [4, 1, 4]
    (tmp_path / "de.txt").unlink()
    with pytest.raises(DataError, match=r"de\.txt: there is no such file"):
        list(each(read_unit, tasks, engine=EngineConfig(), size=1 << 30))


def test_an_address_goes_with_ray() -> None:
    with pytest.raises(RecipeError, match="`address` goes with engine"):
        parse(EngineConfig, {"address": "ray://head:10001"}, where="stage.public")


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_a_ray_cluster_gives_the_same_bytes(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "ray"), str(tmp_path / "local")]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert digest(tmp_path / "ray") == digest(tmp_path / "local")


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_ray_that_is_not_installed_is_named() -> None:
    with pytest.raises(RecipeError, match=r"Ray is not installed.*understudy\[ray\]"):
        list(each(lambda task: task.n, [Number(n=1)], engine=EngineConfig(engine="ray"), size=10))
