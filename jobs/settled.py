"""Which files of a watched folder are there as a whole."""

from collections.abc import Mapping
from typing import Any

from pipeline.run_parts import Rows

_SETTLED_S = 2.0


class Settled:
    """Tells which recordings are new or have changed, once their files have stayed as they are for two seconds.

    A copy that pauses for longer is taken for whole, and is a change when it goes on.

    Args:
        known: The recordings that were worked on, by id.
    """

    def __init__(self, known: Rows) -> None:
        self._known = {recording_id: row["fingerprint"] for recording_id, row in known.items()}
        self._since: dict[str, tuple[str, float]] = {}

    def __call__(self, there: Rows, now: float) -> dict[str, Mapping[str, Any]]:
        """Return those that are to be worked on; from now on they are known.

        Args:
            there: All recordings that there are, by id.
            now: Time in seconds.
        """
        settled: dict[str, Mapping[str, Any]] = {}
        waiting: dict[str, tuple[str, float]] = {}
        for recording_id, row in there.items():
            state = row["fingerprint"]
            if state is None or self._known.get(recording_id) == state:
                continue
            before, since = self._since.get(recording_id, (state, now))
            if before != state:
                since = now
            if now - since >= _SETTLED_S:
                settled[recording_id] = row
                self._known[recording_id] = state
            else:
                waiting[recording_id] = state, since
        self._since = waiting
        return settled
