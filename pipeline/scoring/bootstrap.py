"""Percentile bootstrap: confidence intervals of scores, from recordings that are drawn with replacement."""

from typing import Any

import numpy as np

SAMPLES = 1000
SEED = 1126


def resample(counts: np.ndarray, samples: int = SAMPLES, seed: int = SEED) -> np.ndarray:
    """Draw as many recordings as there are, with replacement, and sum their counts.

    Args:
        counts: Shape (recordings, ...).
        samples: Number of draws.
        seed: Random seed. The same seed draws the same recordings for any counts.

    Returns:
        Totals of each draw, float64, shape (samples, ...).
    """
    recordings = len(counts)
    flat = counts.reshape(recordings, -1).astype(np.float64)
    totals = np.empty((samples, flat.shape[1]))
    generator = np.random.default_rng(seed)
    for sample in range(samples):
        times_drawn = np.bincount(generator.integers(recordings, size=recordings), minlength=recordings)
        totals[sample] = times_drawn @ flat
    return totals.reshape(samples, *counts.shape[1:])


def interval(values: np.ndarray) -> list[float] | None:
    """Return the 2.5th and 97.5th percentiles of a score over all draws, without those where it is undefined (NaN).

    Returns:
        Lower and upper end of the 95 % interval, or None if the score is undefined in all draws.
    """
    defined = values[~np.isnan(values)]
    return [float(end) for end in np.percentile(defined, [2.5, 97.5])] if len(defined) else None


def ratio(counts: np.ndarray) -> np.ndarray:
    """Divide the first number of each pair on the last axis by the second; NaN where that is 0."""
    return np.divide(counts[..., 0], counts[..., 1], out=np.full(counts.shape[:-1], np.nan), where=counts[..., 1] > 0)


def shares(counts: np.ndarray) -> tuple[list[float | None], list[list[float] | None]]:
    """Compute shares over all recordings, with their 95 % intervals.

    Args:
        counts: Part and whole of each share in each recording, shape (recordings, shares, 2).

    Returns:
        The shares and their intervals; None where a whole is 0.
    """
    drawn = ratio(resample(counts)) if len(counts) else np.empty((0, counts.shape[1]))
    return numbers(ratio(counts.sum(axis=0))), [interval(values) for values in drawn.T]


def share(counts: np.ndarray) -> dict[str, Any]:
    """Compute one share over all recordings.

    Args:
        counts: Part and whole in each recording, shape (recordings, 2).

    Returns:
        ``count`` and ``total``, the sums; ``share``; and ``interval``, its 95 % interval. The last two are None if the
        total is 0.
    """
    count, total = counts.sum(axis=0).tolist()
    (value,), (ends,) = shares(counts[:, np.newaxis])
    return {"count": count, "total": total, "share": value, "interval": ends}


def numbers(values: np.ndarray) -> list[float | None]:
    """Return an array of one axis as numbers; NaN becomes None."""
    return [None if np.isnan(value) else float(value) for value in values]
