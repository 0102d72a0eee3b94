"""The search for a size: sizes, tolerances by hand, foreign baselines, what is written and printed."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import pytest
import sentencepiece
import tokenizers
from typer.testing import CliRunner

from understudy.artifact import Artifact
from understudy.cli import app
from understudy.errors import DataError, RecipeError
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.backend import build
from understudy.tokenizer.foreign import Foreign, file_of
from understudy.tokenizer.metrics import Fit, fit
from understudy.tokenizer.plot import _together
from understudy.tokenizer.search import SearchConfig, compared, sizes, within
from understudy.tokenizer.train import TokenizerConfig

Make = Callable[..., Artifact]


SYLLABLES = ["ba", "ke", "lo", "mi", "nu", "pa", "ri", "so", "ta", "ve", "wu", "zo"]
WORDS = ["".join(three) for three in product(SYLLABLES, repeat=3)]  # 1,728


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, make_corpus: Make) -> Artifact:
    """Text with enough words for several sizes, in two languages."""
    drawn = random.Random(0)
    rows = [(" ".join(drawn.choices(WORDS[:400], k=8)), "en", 1) for _ in range(300)]
    rows += [(" ".join([*drawn.choices(WORDS[300:], k=4), "私は"]), "ja", 1) for _ in range(100)]
    return make_corpus(tmp_path_factory.mktemp("search") / "corpus", rows, rows[::10])


@pytest.fixture(scope="module")
def unigram_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SentencePiece model as its own trainer makes it, with its own NFKC and its unknown piece at 0."""
    model, drawn = io.BytesIO(), random.Random(1)
    lines = (" ".join(drawn.choices(WORDS, k=8)) for _ in range(500))
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=lines, model_writer=model, vocab_size=190, minloglevel=2)
    path = tmp_path_factory.mktemp("baseline") / "spm.model"
    path.write_bytes(model.getvalue())
    return path


def test_sizes_grow_to_the_largest() -> None:
    assert sizes(SearchConfig(baseline="x"), 20_000) == [8000, 12000, 18000, 20000]
    assert sizes(SearchConfig(baseline="x", smallest=10, growth=1.01), 12) == [10, 11, 12]
    assert sizes(SearchConfig(baseline="x", smallest=10), 10) == [10]


def test_a_search_from_above_the_largest_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"search\.smallest.*Got: 8000\. Wanted: at most 5000"):
        sizes(SearchConfig(baseline="x"), 5000)


def test_split_ratio_may_be_a_share_above_the_baseline() -> None:
    config, theirs = SearchConfig(baseline="x", tolerance=0.1, unk_tolerance=0), {"en": Fit(100, 120, 0)}
    assert within(config, {"en": Fit(100, 132, 0)}, theirs)  # 1.32 = 1.2 * 1.1
    assert not within(config, {"en": Fit(100, 133, 0)}, theirs)


def test_unk_portion_may_be_points_above_the_baseline() -> None:
    config, theirs = SearchConfig(baseline="x", unk_tolerance=0.5), {"en": Fit(100, 200, 1)}  # 0.5 %
    assert within(config, {"en": Fit(100, 200, 2)}, theirs)
    assert not within(config, {"en": Fit(100, 200, 3)}, theirs)


def test_every_language_may_be_asked_for() -> None:
    theirs = {"en": Fit(100, 120, 0), "te": Fit(100, 120, 0)}
    ours = {"en": Fit(100, 100, 0), "te": Fit(100, 140, 0)}
    assert within(SearchConfig(baseline="x"), ours, theirs)
    assert not within(SearchConfig(baseline="x", every_language=True), ours, theirs)


def test_languages_of_single_characters_count_for_unknowns_only() -> None:
    fits = {"en": Fit(100, 150, 0), "ja-JP": Fit(300, 150, 3)}
    assert compared(fits, fits) == (1.5, 1.0)
    # A Japanese baseline of half a piece per character is out of reach, and not asked for.
    assert within(SearchConfig(baseline="x", every_language=True), {"ja": Fit(10, 10)}, {"ja": Fit(10, 5)})


def test_a_sentencepiece_baseline_encodes_raw_text(unigram_model: Path) -> None:
    baseline = Foreign.load(unigram_model)
    assert (baseline.unk, baseline.size) == (0, 190)
    assert fit(baseline, ["ωω ｂａkelo"]).unknown == 1
    assert fit(baseline, ["七時に"]).words == 3


def test_a_tokenizer_json_baseline_keeps_its_own_rules(tmp_path: Path) -> None:
    theirs = tokenizers.Tokenizer(tokenizers.models.WordPiece({"[UNK]": 0, "play": 1, "##ing": 2, ",": 3}, unk_token="[UNK]"))
    theirs.normalizer = tokenizers.normalizers.Lowercase()
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    theirs.enable_truncation(2)
    theirs.save(str(tmp_path / "tokenizer.json"))
    # Playing , | play | what -> play ##ing , play [UNK]: 5 pieces of 3 words, 1 unknown
    assert fit(Foreign.load(tmp_path), ["Playing, play what"]) == Fit(3, 5, 1)


def test_a_byte_level_baseline_has_no_unknowns(tmp_path: Path) -> None:
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE({"a": 0}, []))
    theirs.save(str(tmp_path / "other.json"))
    assert fit(Foreign.load(tmp_path / "other.json"), ["a a"]) == Fit(2, 2, 0)


def test_our_own_tokenizer_is_a_baseline_like_any(tokenizer: Tokenizer, trained: Artifact, sentences: list[str]) -> None:
    assert fit(Foreign.load(trained.path), sentences) == fit(tokenizer, sentences)


def test_a_folder_stands_for_its_tokenizer(tmp_path: Path) -> None:
    assert file_of(tmp_path / "x.model") == tmp_path / "x.model"
    (tmp_path / "spm.model").touch()
    assert file_of(tmp_path) == tmp_path / "spm.model"
    (tmp_path / "tokenizer.json").touch()
    assert file_of(tmp_path) == tmp_path / "tokenizer.json"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.json", b"{}"),
        ("t.json", b"\xff"),
        ("t.json", b""),
        ("t.model", b""),
        ("t.model", b"no model"),
        ("t.model", b"\n\x00"),
        ("t.txt", b"words"),
    ],
)
def test_a_baseline_that_is_none_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: the baseline"):
        Foreign.load(tmp_path / name)


def test_a_missing_baseline_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tokenizer\.json: the baseline tokenizer cannot be read"):
        Foreign.load(tmp_path)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, text: Artifact, unigram_model: Path, make_tokenizer: Make) -> Artifact:
    search = {"baseline": str(unigram_model), "smallest": 120, "growth": 1.1, "tolerance": 0.3, "unk_tolerance": 100}
    return make_tokenizer(
        tmp_path_factory.mktemp("search") / "t", {"c": text}, corpus="c", vocab_size=600, kanji=False, search=search
    )


def test_the_first_size_within_the_tolerances_is_kept(searched: Artifact) -> None:
    table = json.loads((searched.path / "search.json").read_text())
    assert [one["within"] for one in table["tried"]] == [False] * (len(table["tried"]) - 1) + [True]
    assert len(table["tried"]) > 1
    assert table["chosen"] == table["tried"][-1]["vocab_size"] == Tokenizer.load(searched.path).size < 600
    limit = table["baseline"]["compared"]["split_ratio"] * 1.3
    ratios = [one["compared"]["split_ratio"] for one in table["tried"]]
    assert ratios[-1] <= limit < ratios[-2]
    assert searched.metrics["search"]["met"] is True
    assert searched.metrics["wanted"] == table["tried"][-1]["wanted"]


def test_the_picture_is_svg_with_every_language(searched: Artifact) -> None:
    picture = (searched.path / "search.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(picture)
    assert all(
        f">{lang}<" in picture for lang in json.loads((searched.path / "search.json").read_text())["baseline"]["languages"]
    )


def test_codes_too_close_to_tell_apart_stand_together() -> None:
    found = _together({"de": 1.5, "en": 1.0, "fr": 1.52, "ta": 3.0}, apart=0.1)
    assert found == [(["en"], 1.0), (["de", "fr"], pytest.approx(1.51)), (["ta"], 3.0)]


def test_a_search_is_deterministic(searched: Artifact, text: Artifact, tmp_path: Path, make_tokenizer: Make) -> None:
    settings = {key: value for key, value in searched.manifest.config.items() if key != "sources_seen"}
    again = make_tokenizer(tmp_path / "t", {"c": text}, **settings)
    for name in ("tokenizer.json", "sentencepiece.model", "search.svg"):
        assert (again.path / name).read_bytes() == (searched.path / name).read_bytes(), name


def test_the_largest_is_kept_and_said_to_fall_short(
    text: Artifact, tmp_path: Path, make_tokenizer: Make, unigram_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    search = {"baseline": str(unigram_model), "smallest": 120, "tolerance": 0}
    made = make_tokenizer(tmp_path / "t", {"c": text}, corpus="c", vocab_size=125, kanji=False, search=search)
    assert made.metrics["search"] == {"met": False, "sizes": [120, 125], "baseline_size": 190}
    assert "no size up to 125 comes within the tolerances" in caplog.text


def test_a_change_of_the_baseline_is_a_change_of_the_stage(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").touch()
    config = TokenizerConfig(corpus="c", vocab_size=300, search=SearchConfig(baseline=str(tmp_path)))  # type: ignore[arg-type]
    assert config.reads() == [tmp_path / "tokenizer.json"]


def test_without_held_out_text_there_is_nothing_to_compare(tmp_path: Path, make_corpus: Make, make_tokenizer: Make) -> None:
    (tmp_path / "tokenizer.json").write_text(build([("▁", -1.0)]).to_str())
    empty = make_corpus(tmp_path / "c", [("play", "en", 1)])
    with pytest.raises(DataError, match="no held-out text"):
        make_tokenizer(tmp_path / "t", {"c": empty}, corpus="c", vocab_size=9000, search={"baseline": str(tmp_path)})
    assert not (tmp_path / "t").exists()


def test_the_verb_prints_sizes_and_languages(text: Artifact, unigram_model: Path, tmp_path: Path) -> None:
    arguments = ["tokenizer", "search", str(tmp_path / "t"), "--baseline", str(unigram_model), f"corpus={text.path}"]
    settings = ["vocab_size=300", "kanji=false", "search.smallest=120", "search.tolerance=9", "search.unk_tolerance=100"]
    done = CliRunner().invoke(app, [*arguments, *settings])
    assert done.exit_code == 0, done.output
    assert "120 ids are enough" in done.output
    assert "baseline" in done.output
    assert "language" in done.output
    assert (tmp_path / "t" / "search.svg").exists()
