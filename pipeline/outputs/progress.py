"""The interface by which long work reports its progress; ``jobs.progress.track`` is one implementation."""

from collections.abc import Callable, Iterable
from typing import Any

Track = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""Takes an iterable of finished items, their total number and their plural noun, and yields the same items."""


def no_progress(items: Iterable[Any], total: int, what: str) -> Iterable[Any]:
    """Show nothing."""
    return items
