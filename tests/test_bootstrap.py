"""Bootstrap intervals: close to the textbook's where it has one, the same on every run, and around their value."""

import numpy as np
import pytest

from colorgan.metrics.bootstrap import normal_interval, percentile_interval


def mean_of(values):
    """The interval of the mean of values (N,)."""
    return percentile_interval(lambda counts: counts @ values / len(values), len(values))


def test_the_interval_of_a_mean_is_the_textbooks():
    values = np.random.default_rng(1).exponential(3.0, 4000)
    half = 1.96 * values.std(ddof=1) / 4000**0.5
    found = mean_of(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_an_interval_covers_the_true_mean_19_times_of_20():
    rng = np.random.default_rng(2)
    found = [mean_of(rng.normal(5, 1, 60)) for _ in range(200)]
    covered = sum(low <= 5 <= high for _, low, high in found) / 200
    assert 0.90 <= covered <= 0.99


def test_an_interval_is_the_same_every_time():
    values = np.random.default_rng(3).normal(size=100)
    first = mean_of(values)
    mean_of(np.ones(7))  # another number of pictures in between
    assert mean_of(values) == first


def test_every_resample_holds_as_many_pictures():
    seen = []
    percentile_interval(lambda counts: seen.append(counts) or counts.sum(axis=1), 30)
    counts = np.concatenate(seen)
    assert counts.shape == (1001, 30) and (counts.sum(axis=1) == 30).all()


def test_a_statistic_sees_all_resamples_a_few_at_a_time():
    rows = []
    percentile_interval(lambda counts: rows.append(len(counts)) or counts[:, 0], 5000)
    assert sum(rows[:-1]) == 1000 and max(rows) * 5000 <= 2**22


@pytest.mark.parametrize("value", [0.1, 100.0, 1 / 3])
def test_values_that_are_all_the_same_have_no_width(value):
    low, mean, high = (mean_of(np.full(7, value))[i] for i in (1, 0, 2))
    assert low <= mean <= high
    assert high - low < 1e-12


def test_a_distance_of_0_lies_within_its_interval():
    apart = np.array([1.0, -1.0] * 20)  # a resample's distance is nearly never 0
    found = percentile_interval(lambda counts: np.abs(counts @ apart) / 40, 40)
    assert found.low == found.mean == 0 < found.high


def test_a_few_resamples_give_the_deviation():
    values = np.random.default_rng(4).normal(10, 2, 1000)
    found = normal_interval(lambda counts: counts @ values / 1000, 1000, least=0)
    half = 1.96 * 2 / 1000**0.5
    assert found.mean == pytest.approx(values.mean())
    assert found.high - found.mean == pytest.approx(half, rel=0.5)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_an_interval_ends_at_the_least_value_there_is():
    values = np.array([0.0, 1.0, 0.5, 0.1])
    assert normal_interval(lambda counts: counts @ values / 4, 4, least=0.3).low == 0.3
