"""What task distillation adds to fine-tuning: a fine-tuned teacher that fits, and utterances without labels to ask it about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from understudy.artifact import Artifact
from understudy.corpus.utterances import read_labels
from understudy.errors import ArtifactError, RecipeError, TrainingError
from understudy.model.heads import NLU
from understudy.model.nlu import load_nlu, read_settings
from understudy.runtime.decode import Labels
from understudy.runtime.encode import encode
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.rows import read_rows
from understudy.training.batches import Labelled, LabelledBatch, LabelledSequences
from understudy.training.masked import same_vocabulary
from understudy.training.masking import Ints

__all__ = ["UNKNOWN", "UnlabelledSequences", "open_teacher"]

UNKNOWN = -1  # the intent of an utterance and the tag of a word that nobody has labelled


class UnlabelledSequences:
    """Makes batches of utterances without labels, cut into tokens when they are asked for: there may be very many.

    Args:
        texts, langs, counts: utterances, their language codes, and how often each is seen in an epoch.
        max_length, spoken, lower: as in `runtime.encode`.

    lengths: in characters, by which utterances are shared out among ranks.
    """

    def __init__(
        self,
        texts: Sequence[str],
        langs: Sequence[str],
        counts: Ints,
        tokenizer: Tokenizer,
        *,
        max_length: int,
        spoken: bool,
        lower: bool,
    ) -> None:
        self._texts, self._langs, self._tokenizer = texts, langs, tokenizer
        self._max_length, self._spoken, self._lower = max_length, spoken, lower
        self._rows = np.repeat(np.arange(len(texts)), counts)
        self._languages = {lang: index for index, lang in enumerate(sorted(set(langs)))}
        self.lengths = np.array([len(text) for text in texts], np.int64)[self._rows]

    @classmethod
    def read(cls, corpus: Path, tokenizer: Tokenizer, *, max_length: int, spoken: bool, lower: bool) -> UnlabelledSequences:
        """The training rows of a corpus, as often as they count; of a labels artifact the utterances without their labels.

        Raises TrainingError where there are none, DataError where the file cannot be read.
        """
        labelled = corpus / "train.jsonl"
        if labelled.exists():
            gold = read_labels(labelled)
            texts, langs = [one.text for one in gold], [one.locale[:2] for one in gold]
            counts = np.ones(len(gold), np.int64)
        else:
            rows = list(read_rows(corpus / "train.parquet"))
            texts, langs = [text for r in rows for text in r.texts], [lang for r in rows for lang in r.langs]
            counts = np.concatenate([np.zeros(0, np.int64), *(r.counts for r in rows)])
        if not texts:
            raise TrainingError("there are no unlabelled utterances to learn from", where=corpus, got="no rows")
        return cls(texts, langs, counts, tokenizer, max_length=max_length, spoken=spoken, lower=lower)

    def batch(self, indices: Ints, *, epoch: int) -> LabelledBatch:
        """A labelled batch that no label loss counts: its intents and tags are -1."""
        examples = [self._example(int(row)) for row in self._rows[indices]]
        made = LabelledSequences(examples).batch(np.arange(len(examples)), epoch=epoch)
        return replace(made, labelled=False)

    def _example(self, row: int) -> Labelled:
        lang = self._langs[row]
        encoded = encode(
            self._texts[row],
            self._tokenizer,
            max_length=self._max_length,
            lang=lang if self._spoken and lang else None,
            spoken=self._spoken,
            lower=self._lower,
        )
        tags = [UNKNOWN] * len(encoded.first)
        return Labelled(encoded.ids, encoded.first, tags, UNKNOWN, self._languages[lang])


def open_teacher(
    teacher: Artifact, student: Artifact, data: Artifact, labels: Labels, *, max_length: int, spoken: bool, lower: bool
) -> NLU:
    """The model of a fine-tuned teacher whose answers mean what the student's do.

    Args:
        student: what brings the student's tokenizer. labels: of `data`.
        max_length, spoken, lower: how text is made ready for the student.

    Raises ArtifactError where tokenizers or labels differ, RecipeError where the teacher reads text in another form.
    """
    same_vocabulary(student, teacher)
    model, known = load_nlu(teacher.path)
    if _meaning(known) != _meaning(labels):
        apart = sorted({*known.intents, *known.slots} ^ {*labels.intents, *labels.slots})
        named = f"only one of the two has {', '.join(apart[:5])}" if apart else "the order or the domains differ"
        raise ArtifactError(
            "this teacher was fine-tuned on other labels",
            where=teacher.path,
            got=f"{len(known.intents)} intents and {len(known.slots)} slots; {named}",
            wanted=f"the {len(labels.intents)} intents and {len(labels.slots)} slots of {data.path / 'labels.json'}",
            hint="Fine-tune teacher and student on the same labels artifact",
        )
    settings = read_settings(teacher.path)
    for key, theirs, ours in (("spoken", settings.spoken, spoken), ("lower", settings.lower, lower)):
        if theirs != ours:
            raise RecipeError(
                "the teacher reads text that is made ready in another way",
                where=key,
                got=str(ours).lower(),
                wanted=f"{str(theirs).lower()}, as {teacher.path} was fine-tuned",
                hint="Set it to the same in both stages",
            )
    if max_length > model.encoder.config.max_length:
        raise RecipeError(
            "the teacher cannot read utterances as long as the student's",
            where="max_length",
            got=max_length,
            wanted=f"at most {model.encoder.config.max_length}, what {teacher.path} reads",
            hint="Set max_length",
        )
    return model


def _meaning(labels: Labels) -> tuple[Sequence[str], ...]:
    return labels.intents, labels.slots, [labels.domains.get(intent, "") for intent in labels.intents]
