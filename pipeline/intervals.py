"""Stretches of time in whole milliseconds, in which task 2 is written, so that what is equal compares as equal."""

from collections.abc import Iterable, Sequence

import numpy as np

Interval = tuple[int, int]
"""Start and end, half open, not below 0. One that ends where it starts is empty."""


def milliseconds(seconds: float) -> int:
    """Round seconds to whole milliseconds, as task 2 does."""
    return round(round(seconds, 3) * 1000)


def iou(first: Sequence[Interval], second: Sequence[Interval]) -> np.ndarray:
    """Divide what each pair shares by what it covers together.

    Returns:
        float64, shape (first, second): 1 for equal intervals, empty ones too, and 0 for those that share nothing.
        Equal fractions are equal numbers.
    """
    one = np.array(first, np.int64).reshape(-1, 1, 2)
    other = np.array(second, np.int64).reshape(1, -1, 2)
    shared = np.minimum(one[..., 1], other[..., 1]) - np.maximum(one[..., 0], other[..., 0])
    shared = np.maximum(shared, 0)
    together = (one[..., 1] - one[..., 0]) + (other[..., 1] - other[..., 0]) - shared
    both_empty = (one == other).all(axis=-1).astype(float)
    return np.divide(shared, together, out=both_empty, where=together > 0)


def covered(intervals: Iterable[Interval]) -> int:
    """Return how much time the intervals cover together; what several cover counts once."""
    total, reached = 0, 0
    for start, end in sorted(intervals):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def shared(first: Iterable[Interval], second: Iterable[Interval]) -> int:
    """Return how much time is covered by both the first and the second intervals."""
    first, second = list(first), list(second)
    return covered(first) + covered(second) - covered([*first, *second])
