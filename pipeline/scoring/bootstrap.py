"""How far a score may lie from the truth: the spread over sets of recordings drawn from the one at hand."""

import numpy as np

SAMPLES = 1000
SEED = 1126


def resample(counts: np.ndarray, samples: int = SAMPLES, seed: int = SEED) -> np.ndarray:
    """Draw as many recordings as there are, with replacement, and sum their counts.

    Args:
        counts: Shape (recordings, ...).
        samples: How often to draw.
        seed: The same seed draws the same recordings, whatever is counted of them.

    Returns:
        float64, shape (samples, ...): the totals of each draw.
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
    """Return the 2.5th and the 97.5th percentile of a score's values; draws where it is undefined (NaN) are left out.

    Returns:
        Lower and upper end of the 95 % interval, or None where no draw defines the score.
    """
    defined = values[~np.isnan(values)]
    return [float(end) for end in np.percentile(defined, [2.5, 97.5])] if len(defined) else None
