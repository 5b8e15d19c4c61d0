"""Percentile bootstrap: confidence intervals of scores, from recordings that are drawn with replacement."""

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
