"""Recordings that come while the stream runs."""

import threading
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pyarrow as pa
import ray
from ray.data import DataContext, Dataset
from ray.util.queue import Queue

from pipeline.run_parts import RESULT

Row = dict[str, Any]


class Arrivals:
    """Recordings on their way to the stream; they may come at any time, from any thread.

    Attributes:
        left: Rows of recording_id, path and fingerprint of those that have not left the stream, by id.
    """

    def __init__(self) -> None:
        self.left: dict[str, Row] = {}
        self._lock = threading.Lock()
        self._queue: Queue | None = None

    def put(self, recordings: Mapping[str, Row]) -> None:
        """Send recordings to the stream."""
        with self._lock:
            self.left |= recordings
            if self._queue is not None:  # an empty one is false
                self._queue.put_nowait_batch(list(recordings.values()))

    def dataset(self) -> Dataset:
        """Return a dataset of what is left and of what comes: it has no end, and one recording in a block.

        Only the one that was made last gets what comes. Ray Data's current context is changed.
        """
        DataContext.get_current().target_max_block_size = 1  # a block of fewer bytes waits for further rows
        with self._lock:
            self._queue = Queue(actor_options={"num_cpus": 0})
            self._queue.put_nowait_batch(list(self.left.values()))
        # A task that died would begin anew behind what it has handed on, and lose what it had taken besides.
        take: dict[str, Any] = {"batch_size": None, "batch_format": "pyarrow", "num_cpus": 0, "max_retries": 0}
        return ray.data.from_arrow(pa.table({"start": [0]})).map_batches(partial(_take, queue=self._queue), **take)


def _take(_: pa.Table, queue: Queue) -> Iterator[pa.Table]:
    while True:
        row = queue.get()
        yield pa.Table.from_pylist([row], pa.schema([RESULT.field(name) for name in row]))
