"""The server under load, beside a plain one on the same weights.

    python benchmarks/serve.py [--model student-17m --vocab 16000 --seconds 5] [--nlu DIR]

Ours is `understudy serve` as anybody starts it. The plain server is what one writes first: starlette (which FastAPI is made of)
with a function that has the tokenizer and encoder of transformers and our heads in torch read one utterance, in starlette's pool
of threads. Both have the same weights, random unless --nlu names a fine-tuned model: time depends on their shapes.
A second process asks (`load.py`), on the same cores.

Measured are requests per second and percentiles at 1, 16 and 64 clients that ask as soon as they are answered; then ten times the
most that was reached comes in by the clock, whatever becomes of it. A reply's time counts from when its request was due.

An int8 model rounds by what else is in its batch, so that its confidences differ in the third decimal with it, and where two intents
are equally likely the intent too: how often is said. Whether answers are right is therefore seen on an fp32 server, whose bytes must be
those of the runtime alone.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
import uvicorn
from common import claim, finish, texts
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from understudy import artifact
from understudy.export.export import ExportConfig
from understudy.export.export import run as run_export
from understudy.model.encoder import Encoder
from understudy.model.heads import NLU
from understudy.model.nlu import load_nlu, read_settings, save_nlu
from understudy.model.presets import shape
from understudy.runtime.decode import Labels
from understudy.runtime.session import Runtime
from understudy.text.words import split
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.backend import SPACE, SPECIALS, build

HERE = Path(__file__).parent
INTENTS, SLOTS = 60, 55  # MASSIVE's
CLIENTS = (1, 16, 64)
STANDING = 256  # connections that are open before a flood begins


def random_nlu(folder: Path, utterances: Sequence[str], *, model: str, vocab: int) -> Path:
    """A fine-tuned model's artifact with random weights, over a vocabulary of the utterances' words."""
    seen = dict.fromkeys(word for text in utterances for word in split(text))
    letters = [SPACE, *sorted({c for word in seen for c in word})]
    room = vocab - len(letters) - len(SPECIALS)
    pieces = [f"{SPACE}{word}" for word in seen if len(word) > 1][:room]
    pieces += [f"{SPACE}{i:x}{SPACE}" for i in range(room - len(pieces))]
    with artifact.writing(folder / "tokenizer", kind="tokenizer", config={}) as draft:
        build([*((p, -8.0 - i / vocab) for i, p in enumerate(pieces)), *((c, -14.0) for c in letters)]).save(
            str(draft.path / "tokenizer.json")
        )
        (draft.path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    tokenizer = Tokenizer.load(folder / "tokenizer")
    labels = Labels.from_inventory([f"intent_{i}" for i in range(INTENTS)], {}, [f"slot_{i}" for i in range(SLOTS)])
    nlu = NLU(Encoder(shape(model, tokenizer.size)), INTENTS, len(labels.tags), generator=torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        nlu.heads["slots"][-1].bias[0] += 0.5  # type: ignore[index]  # most words are in no slot
    parents = {"tokenizer": artifact.open(folder / "tokenizer")}
    with artifact.writing(folder / "nlu", kind="nlu", config={}, parents=parents) as draft:
        save_nlu(nlu, labels, draft.path, folder / "tokenizer", spoken=False, max_length=64)
    return folder / "nlu"


def exported(nlu: Path, folder: Path, precision: str) -> Path:
    config = ExportConfig.model_validate({"model": str(nlu), "precision": precision, "check": None})
    inputs = {str(nlu): artifact.open(nlu)}
    with artifact.writing(folder, kind="runtime", config={}, parents=inputs) as draft:
        run_export(config, inputs, draft, seed=0)
    return folder


def plain(nlu: Path, port: int) -> None:
    """Serve with starlette and transformers, one utterance at a time."""
    transformers.logging.set_verbosity_error()
    model, labels = load_nlu(nlu)
    limit = read_settings(nlu).max_length
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(nlu / "tokenizer.json"))
    encoder = transformers.RobertaPreLayerNormModel.from_pretrained(nlu, add_pooling_layer=False).eval()

    @torch.inference_mode()
    def understand(text: str) -> dict[str, Any]:
        found = tokenizer(text, return_tensors="pt", truncation=True, max_length=limit)
        h_LD = encoder(found["input_ids"], found["attention_mask"]).last_hidden_state[0]
        confidences_I = model.heads["intent"](h_LD.mean(0)).softmax(-1)
        tags = model.heads["slots"](h_LD).argmax(-1).tolist()
        best = int(confidences_I.argmax())
        return {"intent": labels.intents[best], "confidence": float(confidences_I[best]), "tags": [labels.tags[t] for t in tags]}

    async def parse(request: Request) -> JSONResponse:
        asked = await request.json()
        return JSONResponse(await run_in_threadpool(understand, asked["text"]))

    app = Starlette(routes=[Route("/v1/parse", parse, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=port, access_log=False, log_level="info"))
    server.run()


@contextmanager
def running(command: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server's process and its port, once it has said that it listens."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            port = 0
            for line in process.stderr:
                if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                    port = int(found[1])
                if port and ("startup complete" in line or "running on" in line):
                    break
            else:
                raise RuntimeError(f"{command} did not start")
            yield process, port
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def ask(port: int, file: Path, seconds: float, **options: float) -> dict[str, Any]:
    """What `load.py` says of a load on `port`."""
    words = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    out = file.with_suffix(".result")
    command = [sys.executable, str(HERE / "load.py"), "--port", str(port), "--texts", str(file), "--out", str(out)]
    subprocess.run([*command, "--seconds", str(seconds), *words], check=True)
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def bodies(directory: Path, utterances: Sequence[str]) -> list[str]:
    """What the server is to say of each utterance, byte for byte, by the runtime itself."""
    runtime, head = Runtime.load(directory), {"request_id": "load", "model": directory.name}
    said = [{**head, "model_hash": runtime.hash, "interpretations": [runtime(text).to_dict()]} for text in utterances]
    return [json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in said]


def intent(body: str) -> str:
    found: str = json.loads(body)["interpretations"][0]["intent"]
    return found


def said(what: str, result: dict[str, Any]) -> None:
    shown = ", ".join(f"{name} {value:.1f}" for name, value in result["ms"].get("200", {}).items())
    own = f"asking took {result['own_cpu']:.2f} of a processor"
    print(f"{what:32} {result['accepted_per_second']:6.0f}/s  ms: {shown}  {result['statuses']}  {own}", flush=True)


def serving(directory: Path, file: Path, *, clients: Sequence[int], seconds: float) -> tuple[dict[int, Any], dict[str, Any]]:
    """Our server with so many clients, and then with ten times the most that these reached: on connections that stand, and on
    connections that are all opened in the first moments."""
    with running([sys.executable, "-m", "understudy", "serve", "--model", str(directory), "--port", "0"]) as (_, port):
        ask(port, file, 1, clients=16)
        calm = {n: ask(port, file, seconds, clients=n) for n in clients}
        for n, result in calm.items():
            said(f"{directory.name}, {n} clients", result)
        rate = 10 * max(result["accepted_per_second"] for result in calm.values())
        floods = {
            "on open connections": ask(port, file, 2 * seconds, rate=rate, clients=STANDING),
            "on new connections": ask(port, file, 2 * seconds, rate=rate, clients=0),
        }
        for kind, result in floods.items():
            said(f"{directory.name}, {rate:.0f}/s {kind}", result)
    return calm, floods


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="student-17m")
    parser.add_argument("--vocab", type=int, default=16_000)
    parser.add_argument("--seconds", type=float, default=5, help="of a round; floods last twice as long, those of fp32 half")
    parser.add_argument("--nlu", type=Path, help="a fine-tuned model's artifact")
    parser.add_argument("--plain", nargs=2, metavar=("NLU", "PORT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.plain:
        plain(Path(args.plain[0]), int(args.plain[1]))
        return
    torch.set_num_threads(1)
    where, utterances = texts(limit=1000)
    print(f"{len(utterances)} utterances of {where}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nlu = args.nlu or random_nlu(folder, utterances, model=args.model, vocab=args.vocab)
        file = folder / "texts.json"
        file.write_text(json.dumps(utterances))
        int8, fp32 = (exported(nlu, folder / precision, precision) for precision in ("int8", "fp32"))
        print(f"int8 runs on {Runtime.load(int8).engine}", flush=True)
        ours, floods = serving(int8, file, clients=CLIENTS, seconds=args.seconds)
        exact, exact_floods = serving(fp32, file, clients=(64,), seconds=args.seconds / 4)
        # Free ports are taken by number here: uvicorn's own server says 0 where it was given 0.
        with running([sys.executable, __file__, "--plain", str(nlu), str(free_port())]) as (_, port):
            ask(port, file, 1, clients=16)
            theirs = {n: ask(port, file, args.seconds / 2, clients=n) for n in CLIENTS}
            for n, result in theirs.items():
                said(f"plain, {n} clients", result)
        others = different(int8, utterances, [*ours.values(), *floods.values()], part=intent)
        wrong = different(fp32, utterances, [*exact.values(), *exact_floods.values()], part=str)
    results = [*ours.values(), *floods.values(), *exact.values(), *exact_floods.values()]
    failed = sum(n for result in results for status, n in result["statuses"].items() if status not in ("200", "429"))
    finish(
        "serve",
        [
            *(claim(f"{n} clients: {kind}", v, unit) for n, result in ours.items() for kind, v, unit in figures(result)),
            *(claim(f"plain, {n} clients: {kind}", v, unit) for n, result in theirs.items() for kind, v, unit in figures(result)),
            *of_sixty_four(ours[64], theirs[64]),
            *(one for kind, flood in floods.items() for one in of_flood(f"ten times the capacity {kind}", flood)),
            claim("lost: no reply ever", -sum(result["lost"] for result in results), "requests, negative", 0),
            claim("failed: neither 200 nor 429", -failed, "requests, negative", 0),
            claim("failed: connection broken", -sum(result["broken"] for result in results), "requests, negative", 0),
            claim("wrong: fp32, other bytes than alone", -wrong, "different answers, negative", 0),
            claim("int8: another intent than alone", others, "different answers"),
        ],
    )


def different(directory: Path, utterances: Sequence[str], results: Sequence[Any], *, part: Callable[[str], str]) -> int:
    """Different answers, or parts of them, that are not the runtime's own."""
    wanted = [part(body) for body in bodies(directory, utterances)]
    return sum(part(body) != want for r in results for want, found in zip(wanted, r["answers"], strict=True) for body in found)


def of_sixty_four(ours: dict[str, Any], plain: dict[str, Any]) -> list[dict[str, object]]:
    return [
        claim("64 clients: requests per second, wanted", ours["accepted_per_second"], "1/s", 800),
        claim("64 clients: p99, below 100 ms", 100 - ours["ms"]["200"]["p99"], "ms to spare", 0),
        claim("64 clients: refused", -ours["statuses"].get("429", 0), "requests, negative", 0),
        claim("64 clients: times the plain server", ours["accepted_per_second"] / plain["accepted_per_second"], "x", 10),
    ]


def of_flood(what: str, flood: dict[str, Any]) -> list[dict[str, object]]:
    return [
        claim(f"{what}: sent", flood["sent"] / flood["seconds"], "1/s"),
        claim(f"{what}: accepted", flood["accepted_per_second"], "1/s"),
        claim(f"{what}: refused", flood["statuses"].get("429", 0) / flood["seconds"], "1/s"),
        claim(f"{what}: p50 of accepted", flood["ms"]["200"]["p50"], "ms"),
        claim(f"{what}: p99 of refused", flood["ms"].get("429", {}).get("p99", 0), "ms"),
        claim(f"{what}: asking took", flood["own_cpu"], "processors"),
        claim(f"{what}: p99 of accepted, below 200 ms", 200 - flood["ms"]["200"]["p99"], "ms to spare", 0),
    ]


def figures(result: dict[str, Any]) -> list[tuple[str, float, str]]:
    ms = result["ms"]["200"]
    return [("requests", result["accepted_per_second"], "1/s"), ("p50", ms["p50"], "ms"), ("p99", ms["p99"], "ms")]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
