"""The listen stage: what a teacher says at masked tokens is written down once, for any number of students (A 2.6).

A distillation asks its teacher again at every update, though masks are a pure function of seed, epoch and place and a teacher
does not change. Kept are the likeliest words of each masked token and samples of all others (`kept`, `teachings`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from understudy.artifact import Artifact, Draft
from understudy.config import EncoderRef
from understudy.corpus.tokenset import Split, TokenSet
from understudy.model.foreign import Teacher, load_teacher
from understudy.progress import progress
from understudy.training.batches import WINDOW_BATCHES, MaskedBatch, Source, one_epoch
from understudy.training.kept import keep
from understudy.training.losses import Decoder, at_once
from understudy.training.masked import Corpus, MaskingConfig, same_vocabulary, vocabulary
from understudy.training.masking import Draws, Ints
from understudy.training.precision import autocast, compile_blocks, default_device, resolve
from understudy.training.ranks import barrier, ranks
from understudy.training.tally import Autocast
from understudy.training.teachings import INDEX, Heard, Parts, Teachings

__all__ = ["ListenConfig", "Listener", "Windows", "hear", "run", "write_down"]

STREAM = 4  # of draws; those before it are the masks'


class ListenConfig(MaskingConfig):
    """Settings of a listen stage. A distill stage that learns from it must have the same data, tokenizer, mask_rate,
    whole_words and temperature; its masks are those of this stage's seed, its pieces of this stage's max_length.

    teacher: the encoder to listen to. batch_tokens: of one forward pass; they may be more than the student's.
    k: words kept at each masked token, the likeliest. samples: of all others, by their probabilities; they carry the others' mass.
    epochs: different masks of the same sequences; a distillation that goes over the data more often begins again with the first.
    temperature: what logits are divided by. Masses and samples of words that were not kept are of one temperature for good.
    """

    kind: Literal["listen"] = "listen"
    teacher: EncoderRef
    k: int = Field(default=64, ge=1)
    samples: int = Field(default=16, ge=1)
    epochs: int = Field(default=1, ge=1)
    temperature: float = Field(default=1.0, gt=0)


class Windows(NamedTuple):
    """Runs of pieces that are heard and written together. starts, ends: of each, counted through all epochs."""

    starts: Ints
    ends: Ints

    @classmethod
    def of(cls, lengths: Ints, *, epochs: int, budget: int) -> Windows:
        """About 64 batches of `budget` tokens each, so that like lengths can come together; none reaches over an epoch's end."""
        size = max(1, int(WINDOW_BATCHES * budget // max(1.0, float(lengths.mean())))) if len(lengths) else 1
        starts = np.concatenate([np.arange(0, len(lengths), size) + epoch * len(lengths) for epoch in range(epochs)])
        ends = np.minimum(starts + size, (starts // max(1, len(lengths)) + 1) * len(lengths))
        return cls(starts.astype(np.int64), ends.astype(np.int64))

    def share(self, rank: int, world: int) -> Windows:
        """Every so-manieth of them."""
        return Windows(self.starts[rank::world], self.ends[rank::world])


@dataclass(frozen=True)
class Listener:
    """A teacher, what is kept of it (`heard`), and how many tokens it is asked about at a time."""

    teacher: Teacher
    heard: Heard
    budget: int
    autocast: Autocast
    device: torch.device

    def rows(
        self, source: Source[MaskedBatch], indices: Ints, *, epoch: int
    ) -> tuple[Ints, npt.NDArray[Any], npt.NDArray[np.float32]]:
        """Masked tokens of each piece, then words (M, K) and log-probabilities (M, P) of the pieces in order, however batches fell."""
        lengths, draws = source.lengths[indices], Draws(self.heard.seed, epoch)
        of, ids, logp = [], [], []
        for part in one_epoch(lengths, budget=self.budget, key="listen", order_by=lengths):
            batch = source.batch(indices[part], epoch=epoch).to(self.device)
            of.append(part[batch.layout.sequences_T[batch.masked_M].cpu().numpy()])
            draws_M = draws(STREAM, indices[of[-1]], batch.layout.positions_T[batch.masked_M].cpu().numpy())
            with self.autocast():
                ids_MK, logp_MP = hear(self.teacher, batch, torch.from_numpy(draws_M).to(self.device), self.heard)
            ids.append(ids_MK.cpu().numpy())
            logp.append(logp_MP.float().cpu().numpy())
        piece_M = np.concatenate(of)
        order_M = np.argsort(piece_M, kind="stable")
        return np.bincount(piece_M, minlength=len(indices)), np.concatenate(ids)[order_M], np.concatenate(logp)[order_M]


def run(config: ListenConfig, inputs: Mapping[str, Artifact], draft: Draft, *, seed: int) -> None:
    """Write down what a teacher says of the train and valid splits. Ranks share the windows; a killed run goes on with those that
    are missing, on any number of ranks, and the same bits come out.

    Metrics: for each split masked tokens and `tail`, the mean mass outside of the k likeliest words; bytes of a masked token; k,
    samples.

    Raises ArtifactError where tokenizers differ, TrainingError where there is no data.
    """
    shards, tokenizer = inputs[config.data], inputs[config.tokenizer]
    same_vocabulary(tokenizer, inputs[config.teacher], shards)
    device = default_device()
    number = resolve(config.precision, device)
    model = load_teacher(inputs[config.teacher].path).eval().requires_grad_(False).to(device)
    compile_blocks(model.encoder.blocks, config.compile, device)
    heard = _heard(config, inputs, model, seed)
    corpus = Corpus.open(shards, tokenizer, config, max_length=heard.max_length, seed=seed, device=device)
    listener = Listener(model, heard, config.batch_tokens, autocast(number, device), device)
    parts: tuple[tuple[Split, Source[MaskedBatch], int], ...] = ("train", corpus.train, config.epochs), ("valid", corpus.valid, 1)
    for split, source, epochs in parts:
        written = Parts(draft.scratch, split, vocab_size=heard.vocab_size)
        windows = Windows.of(source.lengths, epochs=epochs, budget=config.batch_tokens)
        share = windows.share(ranks().rank, ranks().world)
        with progress(f"listen, {split}", len(share.starts)) as advance:
            for _ in write_down(listener, source, written, share):
                advance(1)
        barrier()  # all parts are there
        if ranks().leads:
            written.join(windows.starts.tolist(), draft.path)
            found = Teachings.open(draft.path, split, heard, epochs=epochs)
            draft.metrics[split] = {"masked": len(found), "tail": round(found.tail(), 6)}
    if ranks().leads:
        (draft.path / INDEX).write_text(heard.model_dump_json(indent=2), encoding="utf-8")
    draft.metrics |= {
        "k": heard.k,
        "samples": heard.samples,
        "bytes_per_masked_token": heard.row_bytes,
        "precision": number,
        "device": device.type,
    }
    draft.tokenizer = vocabulary(tokenizer)


def _heard(config: ListenConfig, inputs: Mapping[str, Artifact], teacher: Teacher, seed: int) -> Heard:
    size = TokenSet.open(inputs[config.data].path, "train").vocab_size
    return Heard(
        teacher=inputs[config.teacher].hash,
        data=inputs[config.data].hash,
        tokenizer=str(vocabulary(inputs[config.tokenizer])),
        vocab_size=size,
        seed=seed,
        mask_rate=config.mask_rate,
        whole_words=config.whole_words,
        max_length=min(config.max_length or teacher.config.max_length, teacher.config.max_length),
        temperature=config.temperature,
        k=min(config.k, size),
        samples=config.samples,
        epochs=config.epochs,
    )


def write_down(listener: Listener, source: Source[MaskedBatch], written: Parts, windows: Windows) -> Iterator[None]:
    """Hear the windows that are not `written` yet; yields at each."""
    pieces = len(source.lengths)
    for start, end in zip(windows.starts.tolist(), windows.ends.tolist(), strict=True):
        if not written.path(start).exists():
            written.write(start, *listener.rows(source, np.arange(start, end) % pieces, epoch=start // pieces))
        yield


@torch.no_grad()
def hear(teacher: Teacher, batch: MaskedBatch, draws_M: Tensor, heard: Heard) -> tuple[Tensor, Tensor]:
    """Ids (M, K) and log-probabilities (M, P) of what is kept at the masked tokens, see `kept.keep`.

    As many logits live at once as in the loss, never all.
    """
    h_TE = teacher.encoder(batch.ids_T, batch.layout)
    features_ME = teacher.head.features(h_TE.index_select(0, batch.masked_M))
    decoder = Decoder(features_ME, teacher.decoder_weight_VD, teacher.decoder_bias_V)
    found, chunk = [], at_once(decoder)
    for chunk_CE, draws_C in zip(torch.split(features_ME, chunk), torch.split(draws_M, chunk), strict=True):
        logits_CV = torch.addmm(decoder.bias_V, chunk_CE, decoder.weight_VD.T)
        scaled_CV = logits_CV.to(torch.promote_types(logits_CV.dtype, torch.float32)) / heard.temperature
        found.append(keep(scaled_CV, draws_C, k=heard.k, samples=heard.samples))
    ids, logp = zip(*found, strict=True)
    return torch.cat(ids), torch.cat(logp)
