"""A key-value cache for rows of different lengths.

Nothing is ever cropped. A row knows how many of its slots count; new keys are written from there on, over those of
rejected drafts, and a query sees the slots up to its own. A token's slot is its position.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import Cache
from transformers.cache_utils import CacheLayerMixin

_STEP = 256  # slots by which the cache grows


@dataclass(frozen=True)
class KeyValues:
    """Keys and values of tokens with which many rows begin.

    Attributes:
        keys: For each layer, slots × heads × head size.
        values: Likewise.
    """

    keys: list[torch.Tensor]
    values: list[torch.Tensor]


@dataclass(frozen=True)
class Plan:
    """Where one forward pass reads and writes.

    Attributes:
        rows: Index of each row of the batch in the cache; None where they are all rows in order.
        places: For each new token its place among all slots of all rows, flat.
        visible: Slots of a row that the pass sees.
    """

    rows: torch.Tensor | None
    places: torch.Tensor
    visible: int


class RaggedCache(Cache):
    """Keys and values of all layers, in buffers that are kept from batch to batch and grow in steps.

    Attributes:
        rows: How many rows there are.
        slots: How many slots each row has; the last is for padding and never seen by a token that counts.
    """

    def __init__(self, layers: int):
        self._own = [_Layer(self) for _ in range(layers)]
        super().__init__(layers=list(self._own))
        self.rows = 0
        self.slots = 0
        self.plan: Plan | None = None

    def shape(self, rows: int, slots: int) -> None:
        """Divide the buffers anew; what they held is lost.

        Args:
            rows: How many rows.
            slots: How many slots each has at least.
        """
        self.rows, self.slots = rows, _round_up(slots + 1)
        for layer in self._own:
            layer.divide()

    def grow(self, slots: int) -> None:
        """Make room for ``slots`` slots in each row and keep what is there."""
        if slots < self.slots:
            return
        before, self.slots = self.slots, _round_up(slots + 1)
        for layer in self._own:
            layer.extend(before)

    def aim(self, rows: Sequence[int], slots: torch.Tensor, visible: int) -> None:
        """Say where the next forward pass writes.

        Args:
            rows: Index of each row of the batch, ascending.
            slots: Slot of each token, batch × tokens.
            visible: One more than the last slot that a token of the batch may see.
        """
        device = slots.device
        index = torch.tensor(rows, device=device)
        places = (index[:, None] * self.slots + slots).flatten()
        self.plan = Plan(None if list(rows) == list(range(self.rows)) else index, places, visible)

    def copy(self, row: int, length: int) -> KeyValues:
        """Copy the first ``length`` slots of a row out."""
        return KeyValues(
            [layer.rows_of(layer.keys)[row, :length].clone() for layer in self._own],
            [layer.rows_of(layer.values)[row, :length].clone() for layer in self._own],
        )

    def paste(self, prefix: KeyValues, rows: Sequence[int]) -> None:
        """Write a prefix into the first slots of rows."""
        everywhere = list(rows) == list(range(self.rows))
        for layer, keys, values in zip(self._own, prefix.keys, prefix.values, strict=True):
            layer.allocate(keys)
            for buffer, new in ((layer.keys, keys), (layer.values, values)):
                place = layer.rows_of(buffer)[:, : len(new)]
                if everywhere:
                    place[:] = new
                else:
                    place[torch.tensor(rows, device=new.device)] = new

    def clear(self, row: int) -> None:
        """Zero a row: a masked slot weighs nothing, but nothing times NaN is NaN."""
        for layer in self._own:
            layer.rows_of(layer.keys)[row] = 0
            layer.rows_of(layer.values)[row] = 0


class _Layer(CacheLayerMixin):
    """Keys and values of one layer: a flat pool of slots, divided into rows."""

    is_sliding = False

    def __init__(self, cache: RaggedCache):
        super().__init__()
        self.cache = cache

    def allocate(self, like: torch.Tensor) -> None:
        """Take memory for heads like those of ``like``, ... × heads × head size; zeros, as stale slots are read."""
        if not self.is_initialized:
            size = (self.cache.rows * self.cache.slots, *like.shape[-2:])
            self.keys = torch.zeros(size, dtype=like.dtype, device=like.device)
            self.values = torch.zeros_like(self.keys)
            self.is_initialized = True

    def divide(self) -> None:
        """Drop the buffers where they are too small for the cache's new shape."""
        if self.keys is not None and len(self.keys) < self.cache.rows * self.cache.slots:
            self.keys = self.values = None
            self.is_initialized = False

    def extend(self, before: int) -> None:
        """Move the rows of ``before`` slots into larger buffers."""
        if not self.is_initialized:
            return
        for name in ("keys", "values"):
            old = getattr(self, name)
            rows = old[: self.cache.rows * before].unflatten(0, (self.cache.rows, before))
            new = old.new_zeros(self.cache.rows * self.cache.slots, *old.shape[1:])
            self.rows_of(new)[:, :before] = rows
            setattr(self, name, new)

    def rows_of(self, buffer: torch.Tensor | None) -> torch.Tensor:
        """Return a buffer as rows × slots × heads × head size."""
        assert buffer is not None
        rows, slots = self.cache.rows, self.cache.slots
        return buffer[: rows * slots].unflatten(0, (rows, slots))

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.allocate(key_states.transpose(1, 2))

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new keys and values, batch × heads × tokens × head size, and return all that the pass may see."""
        plan = self.cache.plan
        assert plan is not None
        seen = []
        keys, values = key_states.transpose(1, 2), value_states.transpose(1, 2)
        self.allocate(keys)
        for buffer, new in ((self.keys, keys), (self.values, values)):
            assert buffer is not None
            buffer.index_copy_(0, plan.places, new.flatten(0, 1))
            rows = self.rows_of(buffer)[:, : plan.visible]
            seen.append((rows if plan.rows is None else rows.index_select(0, plan.rows)).transpose(1, 2))
        return seen[0], seen[1]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return (self.cache.plan.visible if self.cache.plan else 0), 0

    def get_seq_length(self) -> int:
        return 0

    def get_max_length(self) -> int:
        return -1


def _round_up(slots: int) -> int:
    return -(-slots // _STEP) * _STEP
