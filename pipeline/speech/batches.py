"""Batches of segments by the seconds that a model computes, so that short ones share what a long one takes."""

from collections.abc import Iterator, Sequence


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
