"""Intervals by drawing recordings again."""

import numpy as np

from pipeline.scoring.bootstrap import interval, resample, share, shares


def test_each_draw_sums_as_many_recordings_as_there_are():
    counts = np.stack([np.ones(7), np.arange(7)], axis=1)
    totals = resample(counts, samples=50)
    assert totals.shape == (50, 2)
    assert (totals[:, 0] == 7).all()
    assert totals[:, 1].std() > 0


def test_the_same_seed_draws_the_same_recordings_whatever_is_counted():
    counts = np.random.default_rng(0).integers(0, 9, (20, 3, 2))
    assert (resample(counts)[:, 1] == resample(counts[:, 1])).all()
    assert (resample(counts, seed=1) != resample(counts, seed=2)).any()


def test_the_interval_of_a_mean_is_about_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(10, 2, 400)
    low, high = interval(resample(values) / 400)
    half = 1.96 * values.std() / 20
    assert abs(low - (values.mean() - half)) < 0.03 and abs(high - (values.mean() + half)) < 0.03


def test_draws_without_a_value_are_left_out():
    assert interval(np.array([np.nan, 1.0, 1.0])) == [1.0, 1.0]
    assert interval(np.array([np.nan])) is None


def test_shares_are_those_of_sums_over_recordings_and_none_of_nothing():
    counts = np.array([[[1, 1], [0, 0], [2, 2]], [[0, 3], [0, 0], [4, 4]]])
    values, ends = shares(counts)
    assert values == [0.25, None, 1.0]
    assert ends == [[0.0, 1.0], None, [1.0, 1.0]]
    assert share(counts[:, 0]) == {"count": 1, "total": 4, "share": 0.25, "interval": [0.0, 1.0]}
    assert share(counts[:0, 0]) == {"count": 0, "total": 0, "share": None, "interval": None}
