"""Time intervals in whole numbers, which compare exactly; milliseconds are the resolution of task 2."""

from collections.abc import Iterable, Sequence

import numpy as np

Interval = tuple[int, int]
"""Start and end, half open and not negative. An interval whose start equals its end is empty."""

LONGEST_S = 1e9
"""Seconds beyond which there is no time in a recording."""


def is_span(start_s: float, end_s: float) -> bool:
    """Say whether two numbers are the start and the end of something in a recording, in seconds; NaN is none."""
    return 0 <= start_s <= end_s <= LONGEST_S


def milliseconds(seconds: float) -> int:
    """Round seconds to whole milliseconds, as task 2 does."""
    return round(round(seconds, 3) * 1000)


def iou(first: Sequence[Interval], second: Sequence[Interval]) -> np.ndarray:
    """Return the intersection over union of each pair of intervals.

    Returns:
        float64, shape (first, second): 1 for equal intervals, even empty ones, and 0 for disjoint ones. Equal
        fractions are equal numbers.
    """
    one, other = _pairs(first, second)
    shared = _intersections(one, other)
    together = (one[..., 1] - one[..., 0]) + (other[..., 1] - other[..., 0]) - shared
    both_empty = (one == other).all(axis=-1).astype(float)
    return np.divide(shared, together, out=both_empty, where=together > 0)


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Join intervals that overlap or touch; the result is sorted and has no empty ones."""
    joined: list[Interval] = []
    for start, end in sorted(intervals):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif start < end:
            joined.append((start, end))
    return joined


def covered_parts(intervals: Sequence[Interval], cover: Iterable[Interval]) -> np.ndarray:
    """Return the length that the union of others covers of each interval, int64, shape (intervals,)."""
    return _intersections(*_pairs(intervals, union(cover))).sum(axis=1)


def covered(intervals: Iterable[Interval]) -> int:
    """Return the length of the union of intervals."""
    return sum(end - start for start, end in union(intervals))


def shared(first: Iterable[Interval], second: Iterable[Interval]) -> int:
    """Return the length that is covered by both the first and the second intervals."""
    first, second = list(first), list(second)
    return covered(first) + covered(second) - covered([*first, *second])


def _pairs(first: Sequence[Interval], second: Sequence[Interval]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(first, np.int64).reshape(-1, 1, 2), np.array(second, np.int64).reshape(1, -1, 2)


def _intersections(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.maximum(np.minimum(one[..., 1], other[..., 1]) - np.maximum(one[..., 0], other[..., 0]), 0)
