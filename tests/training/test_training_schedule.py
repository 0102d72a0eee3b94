"""Schedules by hand."""

from __future__ import annotations

import pytest

from understudy.training.schedule import ScheduleConfig


def test_linear_warm_up_and_decay() -> None:
    rate = ScheduleConfig(warmup=4, min_lr=0.1).of(peak=1.0, steps=10)
    assert [rate(n) for n in (1, 2, 4, 7, 10)] == pytest.approx([0.25, 0.5, 1.0, 0.55, 0.1])
    assert rate(1000) == pytest.approx(0.1)


def test_warm_up_below_one_is_a_share_of_the_run() -> None:
    rate = ScheduleConfig(warmup=0.2, decay="constant").of(peak=1.0, steps=50)
    assert [rate(n) for n in (5, 10, 50)] == pytest.approx([0.5, 1.0, 1.0])


def test_exponential_warm_up_rises_by_equal_factors_from_a_hundredth() -> None:
    rate = ScheduleConfig(warmup=10, shape="exponential", decay="constant").of(peak=1.0, steps=100)
    assert rate(5) == pytest.approx(0.1)
    assert rate(8) / rate(7) == pytest.approx(rate(2) / rate(1))
    assert rate(10) == 1.0


def test_the_700m_teachers_schedule() -> None:
    # A table 7: warm-up 1k exponential, 1e-3 to 1e-5 over 500k.
    rate = ScheduleConfig(warmup=1000, shape="exponential", decay_steps=500_000, min_lr=1e-5).of(peak=1e-3, steps=950_000)
    assert rate(1000) == pytest.approx(1e-3)
    assert rate(251_000) == pytest.approx((1e-3 + 1e-5) / 2)
    assert rate(501_000) == pytest.approx(1e-5)
    assert rate(950_000) == 1e-5


def test_noam_rises_to_its_warm_up_and_falls_with_the_root() -> None:
    rate = ScheduleConfig(warmup=3250, shape="noam").of(peak=0.5, steps=40_000, width=768)
    top = 0.5 * 768**-0.5 * 3250**-0.5
    assert rate(3250) == pytest.approx(top)
    assert rate(1625) == pytest.approx(top / 2)
    assert rate(4 * 3250) == pytest.approx(top / 2)


def test_no_warm_up_starts_at_the_peak() -> None:
    rate = ScheduleConfig(warmup=0).of(peak=2.0, steps=4)
    assert rate(0) == 2.0
    assert rate(2) == pytest.approx(1.0)


def test_the_last_update_has_the_least_rate_unless_it_is_the_only_one() -> None:
    assert [ScheduleConfig().of(peak=1.0, steps=steps)(steps) for steps in (1, 2, 3)] == [1.0, 0.0, 0.0]


def test_a_least_rate_above_the_peak_is_the_peak() -> None:
    rate = ScheduleConfig(warmup=0, decay_steps=100, min_lr=1.0).of(peak=0.1, steps=1000)
    assert [rate(n) for n in (1, 100, 1000)] == [0.1, 0.1, 0.1]


def test_a_rate_that_is_zero_for_the_rest_of_the_run_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    falls = {"warmup": 10, "decay_steps": 50}
    ScheduleConfig(**falls, min_lr=1e-5).of(peak=1.0, steps=100)
    ScheduleConfig(warmup=10).of(peak=1.0, steps=100)
    assert not caplog.records
    ScheduleConfig(**falls).of(peak=1.0, steps=100)
    assert "the learning rate is 0 after update 60 of 100" in caplog.text
