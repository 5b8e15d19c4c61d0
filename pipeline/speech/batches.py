"""Batches by seconds: of recordings, for the memory that they take, and of segments, for what a model computes."""

from collections.abc import Iterator, Sequence

SECONDS_AT_ONCE = 1800.0
"""Seconds of sound that are held at once, 115 MB; a longer recording is held alone."""


def in_batches(durations_s: Sequence[float], batch_seconds: float, window_s: float = 0.0) -> Iterator[list[int]]:
    """Put segments of like length together, the longest first.

    Args:
        durations_s: Duration of each segment in seconds.
        batch_seconds: The most seconds of a batch, counting each segment as long as the longest; a batch holds at
            least one segment.
        window_s: What a model pads segments to, at least, in seconds.

    Yields:
        Places of the segments of each batch; each place once.
    """
    batch: list[int] = []
    for place in sorted(range(len(durations_s)), key=lambda place: -durations_s[place]):
        longest = max(durations_s[batch[0] if batch else place], window_s)
        if batch and (len(batch) + 1) * longest > batch_seconds:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def in_order(durations_s: Sequence[float], most: int) -> Iterator[range]:
    """Put recordings together as they come.

    Args:
        durations_s: Duration of each in seconds.
        most: The most recordings of a batch.

    Yields:
        Places of the recordings of each batch: so many and ``SECONDS_AT_ONCE`` at most, or a single one.
    """
    first, seconds = 0, 0.0
    for place, duration_s in enumerate(durations_s):
        if place - first == most or (place > first and seconds + duration_s > SECONDS_AT_ONCE):
            yield range(first, place)
            first, seconds = place, 0.0
        seconds += duration_s
    if first < len(durations_s):
        yield range(first, len(durations_s))
