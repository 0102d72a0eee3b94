"""Users into arms: the same each time, as many as are due, independent between experiments."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from understudy.errors import RecipeError
from understudy.experiment.config import ExperimentConfig, load
from understudy.experiment.splitter import Splitter, keyed
from understudy.serving.trial import Route

USERS = [f"user-{n}" for n in range(20_000)]


def splitter(**settings: Any) -> Splitter:
    return Splitter(ExperimentConfig(**{"name": "may", "salt": "a secret", "arms": {"old": 1, "new": 1}, **settings}))


def test_places_of_users_are_uniform() -> None:
    counted, _ = np.histogram([splitter().point(user) for user in USERS], bins=100, range=(0, 1))
    assert stats.chisquare(counted).pvalue > 0.01


def test_arms_get_their_share() -> None:
    one = splitter(arms={"a": 5, "b": 3, "c": 2})
    counted = np.unique([one.arm(user) for user in USERS], return_counts=True)[1]
    assert stats.chisquare(counted, [10_000, 6000, 4000]).pvalue > 0.01


def test_a_user_stays_in_an_arm() -> None:
    assert [splitter().arm(user) for user in USERS[:100]] == [splitter().arm(user) for user in USERS[:100]]


@pytest.mark.parametrize("other", [{"name": "june"}, {"salt": "another secret"}])
def test_arms_of_two_experiments_are_independent(other: dict[str, str]) -> None:
    one, two = splitter(), splitter(**other)
    pairs = np.array([(one.arm(user) == "new", two.arm(user) == "new") for user in USERS])
    table = [[np.sum((pairs == (a, b)).all(axis=1)) for b in (0, 1)] for a in (0, 1)]
    assert stats.chi2_contingency(table).pvalue > 0.01


def test_a_wider_arm_takes_users_and_gives_none() -> None:
    narrow, wide = splitter(arms={"old": 9, "new": 1}), splitter(arms={"old": 1, "new": 1})
    moved = [(narrow.arm(user), wide.arm(user)) for user in USERS[:2000]]
    assert ("old", "new") in moved
    assert ("new", "old") not in moved


def test_the_baseline_answers_before_the_start() -> None:
    starts = datetime(2026, 1, 5, tzinfo=UTC)
    one = splitter(starts=starts)
    assert {one.route(user, starts.timestamp() - 1).model for user in USERS[:50]} == {"old"}
    assert {one.route(user, starts.timestamp()).model for user in USERS[:50]} == {"old", "new"}


def test_in_the_shadow_the_baseline_answers_and_the_others_run() -> None:
    assert splitter(shadow=True, baseline="new").route("anyone", 0.0) == Route("new", ("old",))


def test_hashes_of_two_purposes_are_unrelated_and_odd_text_has_one() -> None:
    assert keyed("salt", "user", "x") != keyed("salt", "utterance", "x")
    assert len(keyed("s" * 500, "p" * 500, "half a pair \ud800")) == 16


@pytest.mark.parametrize("name", ["experiment.toml", "experiment.json"])
def test_settings_are_read_from_toml_and_json(tmp_path: Path, name: str) -> None:
    toml = 'name = "may"\nsalt = "a secret"\nstarts = 2026-01-05T00:00:00Z\n[arms]\nold = 9\nnew = 1\n'
    json = '{"name": "may", "salt": "a secret", "starts": "2026-01-05T00:00:00Z", "arms": {"old": 9, "new": 1}}'
    (tmp_path / name).write_text(toml if name.endswith("toml") else json)
    found = load(tmp_path / name)
    assert (found.baseline, found.candidates, found.shares()) == ("old", ("new",), {"old": 0.9, "new": 0.1})
    assert found.starts == datetime(2026, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "may"\nsalt = "a secret"\n[arms]\nold = 0\n', "above 0"),
        ('name = "may"\nsalt = "a secret"\nbaseline = "odl"\n[arms]\nold = 1\n', "none of the arms"),
        ('name = "may"\nsalt = "a secret"\nshadow = true\n[arms]\nold = 1\n', "second arm"),
        ('name = "may"\nsalt = "short"\n[arms]\nold = 1\n', "salt"),
        ('name = "may"\nsalt = "a secret"\nstarts = 2026-01-05T00:00:00\n[arms]\nold = 1\n', "timezone"),
        ('name = "may"\nsalt = "a secret"\nshdaow = true\n[arms]\nold = 1\n', "Did you mean 'shadow'"),
        ("name = ", "no experiment"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "experiment.toml").write_text(text)
    with pytest.raises(RecipeError, match=said):
        load(tmp_path / "experiment.toml")


def test_missing_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.toml"):
        load(tmp_path / "none.toml")
