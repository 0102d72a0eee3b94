"""Tables of studies: their numbers, and how they look."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from understudy.study.tables import Correlation, Table, absolute, change, correlation, markdown, write
from understudy.study.transfer import correlations, gains
from understudy.study.validation import found, measured


def test_a_page_of_markdown() -> None:
    table = Table(
        "Exact match, %", ("locale", "n", "twin", "student", "change"),
        (("de-DE", 1200.0, 45.0, "52.30 ± 0.41", -13.272), ("mean", None, 45.0, None, -0.001)), signed=("change",),
    )  # fmt: skip
    assert markdown("Table 5", [table], ["One seed."]) == (
        "# Table 5\n\nOne seed.\n\n## Exact match, %\n\n"
        "| locale | n | twin | student | change |\n"
        "| --- | ---: | ---: | ---: | ---: |\n"
        "| de-DE | 1,200 | 45.00 | 52.30 ± 0.41 | -13.27 |\n"
        "| mean | – | 45.00 | – | +0.00 |\n"
    )


def test_figures_come_with_their_spread_over_seeds() -> None:
    model = {
        "mean": {"exact_match": 50.0},
        "locales": {"de-DE": {"exact_match": 40.0}},
        "sd": {"mean": {"exact_match": 0.5}, "locales": {"de-DE": {"exact_match": 1.25}}},
    }
    assert absolute(model, "mean", "exact_match") == "50.00 ± 0.50"
    assert absolute(model, "de-DE", "exact_match") == "40.00 ± 1.25"
    assert absolute({"mean": {"exact_match": 50.0}, "locales": {}}, "mean", "exact_match") == 50.0
    assert absolute(model, "fr-FR", "exact_match") is None


def test_a_change_of_error_is_read_where_the_report_has_one() -> None:
    report = {"relative_error_change": {"student": {"mean": {"exact_match": -12.5}}}}
    assert change(report, "student", "mean", "exact_match") == -12.5
    assert change(report, "student", "de-DE", "exact_match") is None


def test_correlation_by_hand() -> None:
    # Ranks and values are the same: r = 1 - 6 * 2 / (4 * 15) = 0.8. With two degrees of freedom p is 1 - |r|.
    one = correlation([(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 4.0), (None, 9.0)])
    assert one.n == 4
    assert (one.pearson, one.pearson_p, one.spearman, one.spearman_p) == pytest.approx((0.8, 0.2, 0.8, 0.2))


@pytest.mark.parametrize("pairs", [[(1.0, 2.0), (2.0, 3.0)], [(1.0, 2.0), (1.0, 3.0), (1.0, 5.0)]])
def test_too_little_to_correlate(pairs: list[tuple[float | None, float | None]]) -> None:
    assert correlation(pairs) == Correlation(len(pairs), None, None, None, None)


def test_the_gain_of_a_domain_and_what_it_goes_with() -> None:
    def domain(divergence: float, generic: float, task: float) -> dict[str, object]:
        models = {name: dict.fromkeys(("domain_accuracy", "intent_accuracy", "slot_f1", "exact_match"), value) for name, value in (("100:0", generic), ("0:100", task))}  # fmt: skip
        return {"divergence": divergence, "models": models}

    domains = {"alarm": domain(0.1, 50.0, 51.0), "music": domain(0.2, 40.0, 42.0), "weather": domain(0.4, 30.0, 34.0)}
    gained = gains(domains)
    assert {name: of["exact_match"] for name, of in gained.items()} == {"alarm": 1.0, "music": 2.0, "weather": 4.0}
    correlated = correlations(domains, gained)
    assert correlated["divergence"]["exact_match"].pearson == pytest.approx(1.0)
    assert correlated["perplexity"]["exact_match"].n == 0


def test_a_checkpoint_is_told_by_the_number_it_is_kept_under() -> None:
    entry = {"checkpoint": 1000, "examples": 1013, "updates": 9, "perplexity": 20.0, "perplexity_macro": 25.0, "fill": 12.5}
    assert measured(entry) == {"examples": 1000, "perplexity": 25.0, "fill": 12.5}
    assert measured({"checkpoint": 1000}) == {"examples": 1000, "perplexity": None, "fill": None}


def test_checkpoints_beside_what_comes_of_them() -> None:
    checkpoints = [{"examples": n, "perplexity": p} for n, p in ((4000, 20.0), (1000, 50.0), (2000, 30.0))]
    findings = found(checkpoints, {"1000": 10.0, "2000": 20.0, "4000": 40.0}, "exact match, %")
    assert findings.tables[0].columns == ("examples", "perplexity", "exact match, %")
    assert findings.tables[0].rows[0] == ("1,000", 50.0, 10.0)
    assert findings.tables[1].rows[0][0] == "perplexity"
    assert findings.tables[1].rows[0][4] == pytest.approx(-1.0)
    assert findings.tables[1].rows[1][0] == "log perplexity"
    # By hand: of ln 50, ln 30, ln 20 and 10, 20, 40.
    assert findings.tables[1].rows[1][2] == pytest.approx(-0.9673, abs=5e-5)
    assert set(findings.more["correlations"]) == {"perplexity", "log_perplexity"}
    assert findings.figures["figure.svg"].startswith("<svg")
    assert "var(" not in findings.figures["figure.svg"]


def test_a_measure_without_a_score_beside_it_leaves_its_panel_empty() -> None:
    checkpoints = [
        {"examples": 1000, "perplexity": 2000.0},
        {"examples": 2000, "perplexity": 20.0},
        {"examples": 4000, "fill": 1.0},
    ]
    findings = found(checkpoints, {"1000": 10.0, "2000": 20.0, "4000": None}, "exact match, %")
    assert findings.figures["figure.svg"].startswith("<svg")


def test_tables_are_written_whole(tmp_path: Path) -> None:
    write(tmp_path / "study", "# page\n", {"study": "x"}, {"figure.svg": "<svg/>"})
    assert sorted(path.name for path in (tmp_path / "study").iterdir()) == ["figure.svg", "table.json", "table.md"]
    assert json.loads((tmp_path / "study" / "table.json").read_text()) == {"study": "x"}
