"""Intent and slot heads, their folders, and parsing text with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from understudy import artifact
from understudy.errors import ArtifactError, DataError
from understudy.interpretation import Interpretation, Slot
from understudy.model.encoder import Encoder, EncoderConfig, Layout, initialise
from understudy.model.folder import load_encoder
from understudy.model.heads import NLU, Pooling
from understudy.model.nlu import NLUSettings, Predictor, load_nlu, read_settings, save_nlu
from understudy.runtime.decode import Labels
from understudy.runtime.encode import encode
from understudy.text.words import words
from understudy.tokenizer import Tokenizer

CONFIG = EncoderConfig(layers=2, hidden=24, ffn=32, heads=2, vocab_size=50, max_length=16, dropout=0.0, attention_dropout=0.0)
LABELS = Labels.from_inventory(["wake", "play", "lights"], {"wake": "alarm", "play": "music"}, ["time", "genre"])
TAUGHT = [
    ("wake me at six", "wake", {3: "B-time"}),
    ("wake me at seven thirty", "wake", {3: "B-time", 4: "I-time"}),
    ("play jazz", "play", {1: "B-genre"}),
    ("play the jazz", "play", {2: "B-genre"}),
    ("the lights off", "lights", {}),
]


def nlu(*, pooling: Pooling = "mean", dropout: float = 0.1) -> NLU:
    generator = torch.Generator().manual_seed(0)
    encoder = Encoder(CONFIG)
    initialise(encoder, generator=generator)
    return NLU(encoder, 3, 5, pooling=pooling, dropout=dropout, generator=generator).eval()


def taught(tokenizer: Tokenizer) -> NLU:
    """A model that has learnt TAUGHT by heart."""
    model = nlu(dropout=0.0).train()
    encoded = [encode(text, tokenizer, max_length=16) for text, _, _ in TAUGHT]
    ids_T = torch.tensor([i for e in encoded for i in e.ids])
    layout = Layout.packed([len(e.ids) for e in encoded])
    intents_B = torch.tensor([LABELS.intents.index(intent) for _, intent, _ in TAUGHT])
    starts = [0, *torch.tensor([len(e.ids) for e in encoded]).cumsum(0).tolist()]
    at_W = torch.tensor([start + f for start, e in zip(starts, encoded, strict=False) for f in e.first])
    tags_W = torch.tensor([LABELS.tags.index(t.get(w, "O")) for text, _, t in TAUGHT for w in range(len(words(text)))])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        intent_logits_BI, slot_logits_TS, _ = model(ids_T, layout)
        loss = nn.functional.cross_entropy(intent_logits_BI, intents_B)
        loss = loss + nn.functional.cross_entropy(slot_logits_TS[at_W], tags_W)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    return model.eval()


@pytest.fixture
def folder(tmp_path: Path, fifty_pieces: Path) -> Path:
    model = taught(Tokenizer.load(fifty_pieces))
    save_nlu(model, LABELS, tmp_path / "nlu", fifty_pieces, spoken=False, max_length=16)
    return tmp_path / "nlu"


def test_outputs_have_their_shapes() -> None:
    intents_BI, slots_TS, domains_BC = nlu()(torch.randint(5, 50, (9,)), Layout.packed([4, 5]))
    assert (intents_BI.shape, slots_TS.shape, domains_BC) == ((2, 3), (9, 5), None)


def test_a_third_head_scores_domains_and_leaves_the_others_as_they_were() -> None:
    generator = torch.Generator().manual_seed(0)
    encoder = Encoder(CONFIG)
    initialise(encoder, generator=generator)
    three, two = NLU(encoder, 3, 5, domains=2, generator=generator).eval(), nlu()
    ids_T, layout = torch.randint(5, 50, (9,)), Layout.packed([4, 5])
    found, wanted = three(ids_T, layout), two(ids_T, layout)
    assert found.domains_BC is not None
    assert found.domains_BC.shape == (2, 2)
    assert torch.equal(found.intents_BI, wanted.intents_BI)
    assert torch.equal(found.slots_TS, wanted.slots_TS)


def test_the_domain_is_what_its_head_says(tmp_path: Path, fifty_pieces: Path) -> None:
    model = NLU(Encoder(CONFIG), 3, 5, domains=2).eval()
    with torch.no_grad():
        model.heads["domain"][-1].bias.copy_(torch.tensor([-50.0, 50.0]))
    save_nlu(model, LABELS, tmp_path / "nlu", fifty_pieces, spoken=False, max_length=16)
    assert LABELS.domain_names == ("alarm", "music")
    assert read_settings(tmp_path / "nlu").domains
    assert {found.domain for found in Predictor.load(tmp_path / "nlu").batch([text for text, _, _ in TAUGHT])} == {"music"}


def test_a_folder_from_before_there_were_domains_still_loads(folder: Path) -> None:
    settings = json.loads((folder / "nlu.json").read_text())
    (folder / "nlu.json").write_text(json.dumps({k: v for k, v in settings.items() if k not in ("domains", "threshold")}))
    found = Predictor.load(folder)("play jazz")
    assert (found.domain, found.out_of_domain) == ("music", False)


def test_domains_must_fit_the_labels(tmp_path: Path, fifty_pieces: Path) -> None:
    with pytest.raises(ValueError, match="3 domains, but labels for 2"):
        save_nlu(NLU(Encoder(CONFIG), 3, 5, domains=3), LABELS, tmp_path, fifty_pieces, spoken=False, max_length=16)


def test_less_sure_than_the_threshold_is_out_of_domain(folder: Path) -> None:
    predict = Predictor.load(folder)
    confidence = predict("play jazz").confidence
    for threshold, out in ((0.0, False), (confidence, False), (min(1.0, confidence + 1e-6), confidence < 1.0)):
        settings = read_settings(folder).model_copy(update={"threshold": threshold})
        found = Predictor(predict.model, predict.labels, predict.tokenizer, settings)("play jazz")
        assert (found.out_of_domain, found.intent) == (out, "play")


def test_each_head_is_two_layers_of_256_and_a_linear_one() -> None:
    for head, outputs in zip(nlu().heads.values(), (3, 5), strict=True):
        linears = [(part.in_features, part.out_features) for part in head.modules() if isinstance(part, nn.Linear)]
        assert linears == [(24, 256), (256, 256), (256, outputs)]


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_what_the_intent_head_reads(pooling: Pooling) -> None:
    model, ids_T, layout = nlu(pooling=pooling), torch.randint(5, 50, (9,)), Layout.packed([4, 5])
    h_TD = model.encoder(ids_T, layout)
    read_BD = torch.stack([h.mean(0) if pooling == "mean" else h[0] for h in h_TD.split([4, 5])])
    torch.testing.assert_close(model(ids_T, layout)[0], model.heads["intent"](read_BD))


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(ValueError, match="'mean' or 'first', got 'max'"):
        NLU(Encoder(CONFIG), 3, 5, pooling="max")  # type: ignore[arg-type]


def test_padded_logits_equal_packed_ones() -> None:
    model, ids_T = nlu(), torch.randint(5, 50, (9,))
    rows_BL = nn.utils.rnn.pad_sequence(list(ids_T.split([4, 5])), batch_first=True, padding_value=1)
    mask_BL = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])
    packed, padded = model(ids_T, Layout.packed([4, 5])), model(rows_BL.flatten(), Layout.padded(mask_BL))
    torch.testing.assert_close(padded[0], packed[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(padded[1][mask_BL.flatten().bool()], packed[1], atol=1e-5, rtol=0)


def test_what_is_saved_comes_back(folder: Path, fifty_pieces: Path) -> None:
    model, labels = load_nlu(folder)
    assert labels == LABELS
    want = taught(Tokenizer.load(fifty_pieces)).state_dict()
    assert all(model.state_dict()[name].equal(weight) for name, weight in want.items())
    assert read_settings(folder) == NLUSettings(max_length=16, spoken=False, dropout=0.0)


def test_settings_of_the_heads_come_back(tmp_path: Path, fifty_pieces: Path) -> None:
    model = NLU(Encoder(CONFIG), 3, 5, width=8, pooling="first", dropout=0.3)
    save_nlu(model, LABELS, tmp_path / "nlu", fifty_pieces, spoken=True, max_length=900, lower=True)
    loaded, _ = load_nlu(tmp_path / "nlu")
    assert (loaded.width, loaded.pooling, loaded.dropout) == (8, "first", 0.3)
    want = NLUSettings(max_length=16, spoken=True, lower=True, width=8, dropout=0.3, pooling="first")
    assert read_settings(tmp_path / "nlu") == want


def test_it_says_what_it_was_taught(folder: Path) -> None:
    predict = Predictor.load(folder)
    for text, intent, tags in TAUGHT:
        found = predict(text)
        assert (found.intent, found.domain) == (intent, LABELS.domains[intent])
        assert [s.name for s in found.slots] == [t[2:] for t in tags.values() if t.startswith("B")]
        assert 0.5 < found.confidence <= 1
    found = predict("wake me at  seven thirty")
    assert [(s.value, s.start, s.end) for s in found.slots] == [("seven thirty", 12, 24)]


def test_a_batch_keeps_the_order_and_says_what_single_calls_say(folder: Path) -> None:
    predict, texts = Predictor.load(folder), [text for text, _, _ in TAUGHT] * 3
    for budget in (1, 20, 4096):
        assert [simple(i) for i in predict.batch(texts, batch_tokens=budget)] == [simple(predict(text)) for text in texts]


def simple(found: Interpretation) -> tuple[str, str, list[tuple[str, int, int]]]:
    return found.text, found.intent, [(s.name, s.start, s.end) for s in found.slots]


def test_words_behind_the_cut_are_outside(folder: Path) -> None:
    found = Predictor.load(folder)("wake me at six " + "play jazz " * 20)
    assert all(slot.end <= 65 for slot in found.slots)


def test_bf16_decides_alike(folder: Path) -> None:
    exact, fast = Predictor.load(folder), Predictor.load(folder, bf16=True)
    for text, _, _ in TAUGHT:
        assert simple(exact(text)) == simple(fast(text))
        assert exact(text).confidence == pytest.approx(fast(text).confidence, abs=0.02)


def test_typed_text_is_heard_in_its_spoken_form(tmp_path: Path, fifty_pieces: Path) -> None:
    model = taught(Tokenizer.load(fifty_pieces))
    save_nlu(model, LABELS, tmp_path / "spoken", fifty_pieces, spoken=True, max_length=16)
    found = Predictor.load(tmp_path / "spoken").batch(["wake me at 7:30", "Play jazz"], ["en-US", "en"])
    assert [(i.intent, i.slots[0].name, i.slots[0].value) for i in found] == [("wake", "time", "7:30"), ("play", "genre", "jazz")]
    assert [i.spoken for i in found] == ["wake me at seven thirty", "play jazz"]


def test_parsing_leaves_a_model_in_training_mode_as_it_was(folder: Path) -> None:
    predict = Predictor.load(folder)
    predict.model.train()
    predict("play jazz")
    assert predict.model.training


def test_an_empty_text_is_named_by_its_place(folder: Path) -> None:
    with pytest.raises(DataError, match="text 1: there is nothing to understand"):
        Predictor.load(folder).batch(["play jazz", " "])


def test_texts_and_languages_pair(folder: Path) -> None:
    with pytest.raises(DataError, match="2 texts, 1 languages"):
        Predictor.load(folder).batch(["play jazz", "the lights off"], ["en"])


def test_no_texts_give_no_answers(folder: Path) -> None:
    assert Predictor.load(folder).batch([]) == []


def test_labels_must_fit_the_heads(tmp_path: Path, fifty_pieces: Path) -> None:
    with pytest.raises(ValueError, match="3 intents and 5 tags, but labels for 1 and 1"):
        save_nlu(nlu(), Labels.from_inventory(["a"], {}, []), tmp_path, fifty_pieces, spoken=False, max_length=16)


def missing(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def other_labels(folder: Path) -> None:
    Labels.from_inventory(["a", "b"], {}, ["time", "genre"]).save(folder / "labels.json")


def misspelt(folder: Path) -> None:
    settings = json.loads((folder / "nlu.json").read_text())
    (folder / "nlu.json").write_text(json.dumps({**settings, "poling": "mean"}))


def without_a_head(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["heads.slots.0.bias"]
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (missing("nlu.json"), r"nlu.json: this is not a fine-tuned model"),
        (missing("labels.json"), r"labels.json: the labels cannot be read"),
        (missing("tokenizer.json"), r"tokenizer.json: the tokenizer cannot be read"),
        (other_labels, r"'heads.intent.6.weight' does not fit the config. Got: shape \[3, 256\]. Wanted: shape \[2, 256\]"),
        (misspelt, r"nlu.json: the model's settings are damaged.*poling"),
        (without_a_head, r"'heads.slots.0.bias' is missing"),
    ],
)
def test_a_damaged_folder_is_refused(folder: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(folder)
    with pytest.raises(ArtifactError, match=message):
        Predictor.load(folder)


def test_an_encoder_is_not_a_fine_tuned_model_and_the_other_way_round(folder: Path) -> None:
    with pytest.raises(ArtifactError, match=r"'lm_head.bias' is missing"):
        load_encoder(folder)
    with pytest.raises(ArtifactError, match="there is no such artifact"):
        Predictor.load(folder / "nowhere")


def test_an_altered_artifact_is_refused(tmp_path: Path, folder: Path, fifty_pieces: Path) -> None:
    with artifact.writing(tmp_path / "artifact", kind="nlu", config={}, parents={}, seed=0) as draft:
        save_nlu(load_nlu(folder)[0], LABELS, draft.path, fifty_pieces, spoken=False, max_length=16)
    assert Predictor.load(tmp_path / "artifact")("play jazz").slots == (Slot("genre", "jazz", 5, 9, pytest.approx(1, abs=0.2)),)
    with (tmp_path / "artifact" / "labels.json").open("a") as file:
        file.write(" ")
    with pytest.raises(ArtifactError, match=r"labels.json"):
        Predictor.load(tmp_path / "artifact")
