"""A runtime from disk: answers, batches, threads, damage, and a world without torch."""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx
import pytest
from helpers_tiny import SENTENCES, export, write_nlu

import understudy
from understudy import artifact
from understudy.errors import ArtifactError, DataError
from understudy.interpretation import Interpretation
from understudy.runtime.session import Runtime, start_session


@pytest.fixture(scope="module")
def runtime(runtime_dir: Path) -> Runtime:
    return Runtime.load(runtime_dir)


def meaning(found: Interpretation) -> tuple[object, ...]:
    return found.intent, [(s.name, s.start, s.end) for s in found.slots]


def test_a_call_gives_an_interpretation_of_the_text(runtime: Runtime):
    found = runtime("wake me at six")
    assert (found.text, found.intent in runtime.labels.intents) == ("wake me at six", True)
    assert found.domain == runtime.labels.domains[found.intent]
    assert 0.25 <= found.confidence <= 1


def test_the_answers_differ_between_texts(runtime: Runtime):
    # A guard for the tests below: a model that answers everything alike would pass them all.
    assert len({str(meaning(found)) for found in runtime.batch(SENTENCES)}) > len(SENTENCES) // 2


def test_a_batch_answers_in_order_and_as_single_calls_do(runtime: Runtime):
    texts = [*SENTENCES, *reversed(SENTENCES)]
    found = runtime.batch(texts)
    assert [f.text for f in found] == texts
    for one, of_batch in zip(map(runtime, texts), found, strict=True):
        assert meaning(one) == meaning(of_batch)
        assert one.confidence == pytest.approx(of_batch.confidence, abs=1e-5)


def test_an_empty_batch_is_answered(runtime: Runtime):
    assert runtime.batch([]) == []


def test_an_empty_text_is_refused_and_its_place_named(runtime: Runtime):
    with pytest.raises(DataError, match="nothing to understand"):
        runtime(" ")
    with pytest.raises(DataError, match=r"^text 1: there is nothing to understand"):
        runtime.batch(["stop", ""])


def test_texts_and_languages_must_pair(runtime: Runtime):
    with pytest.raises(DataError, match="2 texts, 1 languages"):
        runtime.batch(["stop", "hello"], ["en"])
    assert len(runtime.batch(["stop", "hello"], "en")) == len(runtime.batch(["stop", "hello"], ["en", None])) == 2


def test_text_beyond_the_maximum_length_is_read_up_to_it(runtime: Runtime):
    text = " ".join(["play the new album by nina simone"] * 20)
    assert meaning(runtime(text)) == meaning(runtime.batch([text, "stop"])[0])
    assert all(s.end <= 24 * 8 for s in runtime(text).slots)


def test_typed_text_is_read_in_spoken_form(tokenizer_dir: Path, tmp_path: Path):
    runtime = Runtime.load(
        export(write_nlu(tmp_path / "nlu", tokenizer_dir, spoken=True), tmp_path / "runtime", precision="fp32")
    )
    typed, said = runtime("Wake me at 9 AM", "en-US"), runtime("wake me at nine a. m.", "en")
    assert (typed.intent, typed.confidence) == (said.intent, said.confidence)
    assert typed.text == "Wake me at 9 AM"
    assert (typed.spoken, said.spoken) == ("wake me at nine a. m.", "")
    assert "spoken" not in said.to_dict()
    assert all(a.end <= b.start for a, b in itertools.pairwise(typed.slots))  # "nine", "a." and "m." share one span
    assert all(s.value == typed.text[s.start : s.end] for s in typed.slots)


def test_the_likeliest_intents_begin_with_the_one_that_is_said(runtime: Runtime):
    found, best = runtime("wake me at six"), runtime.rank("wake me at six")
    assert (len(best), best[0]) == (3, (found.intent, pytest.approx(found.confidence)))
    every = runtime.rank("wake me at six", k=None)
    assert every[:3] == best
    assert {name for name, _ in every} == set(runtime.labels.intents)
    assert [c for _, c in every] == sorted((c for _, c in every), reverse=True)
    assert sum(c for _, c in every) == pytest.approx(1)
    with pytest.raises(DataError, match="nothing to understand"):
        runtime.rank("")


def test_calls_from_many_threads_agree(runtime: Runtime):
    expected = [meaning(runtime(text)) for text in SENTENCES]
    with ThreadPoolExecutor(4) as pool:
        assert [meaning(f) for f in pool.map(runtime, SENTENCES * 8)] == expected * 8


def test_threads_stay_within_the_processors_there_are(runtime_dir: Path):
    for threads in (0, 1, 10_000, None):
        assert start_session(runtime_dir / "model.onnx", threads=threads).run


def test_load_stands_at_the_front_door(runtime_dir: Path):
    assert understudy.load(runtime_dir)("stop").text == "stop"
    assert understudy.__version__ == importlib.metadata.version("understudy")
    with pytest.raises(AttributeError, match="laod"):
        understudy.laod  # noqa: B018
    assert all(getattr(understudy, name) is not None for name in understudy.__all__)


def test_the_hash_is_the_artifacts(runtime: Runtime, runtime_dir: Path):
    assert runtime.hash == artifact.open(runtime_dir).hash


def test_a_model_that_was_not_exported_says_so(nlu_dir: Path):
    with pytest.raises(ArtifactError, match="has not been exported.*understudy export"):
        Runtime.load(nlu_dir)


def test_other_kinds_and_nothing_are_refused(tokenizer_dir: Path, tmp_path: Path):
    with pytest.raises(ArtifactError, match="another kind"):
        Runtime.load(tokenizer_dir)
    with pytest.raises(ArtifactError, match="no such artifact"):
        Runtime.load(tmp_path / "nowhere")


def remade(source: Path, target: Path, change: Callable[[Path], None]) -> Path:
    """A runtime artifact with honest hashes and changed contents."""
    with artifact.writing(target, kind="runtime", config={}) as draft:
        for name in ("model.onnx", "tokenizer.json", "labels.json", "runtime.json"):
            (draft.path / name).write_bytes((source / name).read_bytes())
        change(draft.path)
    return target


def other_labels(folder: Path) -> None:
    content = json.loads((folder / "labels.json").read_text())
    (folder / "labels.json").write_text(json.dumps(content | {"intents": content["intents"][1:], "domains": {}}))


def other_domains(folder: Path) -> None:
    content = json.loads((folder / "labels.json").read_text())
    (folder / "labels.json").write_text(json.dumps(content | {"domains": {}}))


def test_a_graph_with_other_domains_than_its_labels_is_refused(tokenizer_dir: Path, tmp_path: Path):
    made = export(write_nlu(tmp_path / "nlu", tokenizer_dir, domains=4), tmp_path / "runtime", precision="fp32")
    with pytest.raises(ArtifactError, match="4 intents and 9 tags and 4 domains in the graph.*4 and 9 and 0, as in labels.json"):
        Runtime.load(remade(made, tmp_path / "changed", other_domains))


def other_graph(folder: Path) -> None:
    graph = onnx.load(folder / "model.onnx")
    graph.graph.output[0].name = graph.graph.node[-1].output[0]
    del graph.graph.output[1]
    onnx.save(graph, folder / "model.onnx")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: (d / "model.onnx").write_bytes(b"no graph"), "ONNX Runtime cannot read this model"),
        (lambda d: (d / "runtime.json").write_text('{"precision": "fp32"}'), "settings cannot be read.*max_length"),
        (lambda d: (d / "runtime.json").unlink(), "settings cannot be read"),
        (lambda d: (d / "tokenizer.json").write_text("{}"), "tokenizer"),
        (lambda d: (d / "labels.json").write_text("{}"), "labels cannot be read"),
        (other_labels, "4 intents and 9 tags in the graph.*3 and 9"),
        (other_graph, "not one of ours"),
    ],
    ids=["graph", "settings", "no settings", "tokenizer", "labels", "other labels", "other graph"],
)
def test_damage_is_named(runtime_dir: Path, tmp_path: Path, change: Callable[[Path], None], says: str):
    with pytest.raises(ArtifactError, match=says):
        Runtime.load(remade(runtime_dir, tmp_path / "changed", change))


def test_an_altered_file_is_refused(runtime_dir: Path, tmp_path: Path):
    copy = remade(runtime_dir, tmp_path / "copy", lambda folder: None)
    with (copy / "model.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"\xff")
    with pytest.raises(ArtifactError, match="altered"):
        Runtime.load(copy)


def test_a_runtime_needs_no_training_package(runtime_dir: Path):
    """As after `pip install .` without extras: what training needs cannot be imported."""
    program = """
    import sys

    class Forbid:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {"torch", "sentencepiece", "daft", "transformers", "pyarrow", "safetensors", "onnx",
                                          "onnxscript", "matplotlib", "jinja2", "conllu", "yaml", "zstandard"}:
                raise ImportError(f"{name} is not installed")

    sys.meta_path.insert(0, Forbid())
    import understudy
    assert not {"numpy", "onnxruntime", "tokenizers"} & set(sys.modules), "importing the package is not cheap"
    import understudy.serving.app
    nlu = understudy.load(sys.argv[1])
    print([f.intent for f in nlu.batch(["wake me at six", "stop"], "en")])
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(runtime_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.count("'")) == (0, 4), done.stderr
