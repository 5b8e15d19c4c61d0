"""A key-value cache for rows of different lengths.

The slot of a token in its row is its position. The caller keeps the number of valid slots of each row. New keys are
written after them, over those of rejected drafts, and a query attends to the slots up to its own. So the cache is
never cropped.
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
    """Keys and values of a prefix that many rows share.

    Attributes:
        keys: For each layer, shape (slots, heads, head size).
        values: Like ``keys``.
    """

    keys: list[torch.Tensor]
    values: list[torch.Tensor]


@dataclass(frozen=True)
class Plan:
    """Which slots one forward pass reads and writes.

    Attributes:
        rows: Cache row of each row of the batch, or None if the batch has all rows in order.
        places: Index of each new token among the slots of all rows, flat.
        visible: Number of slots of a row that the pass can read.
    """

    rows: torch.Tensor | None
    places: torch.Tensor
    visible: int


class RaggedCache(Cache):
    """Keys and values of all layers, in buffers that are reused for the next batch and grow in steps.

    Attributes:
        rows: Number of rows.
        slots: Number of slots of each row. The last slot is for padding, and no other token attends to it.
    """

    def __init__(self, layers: int):
        self._own = [_Layer(self) for _ in range(layers)]
        super().__init__(layers=list(self._own))
        self.rows = 0
        self.slots = 0
        self.plan: Plan | None = None

    def shape(self, rows: int, slots: int) -> None:
        """Set the shape of the cache and discard its contents.

        Args:
            rows: Number of rows.
            slots: Minimum number of slots of each row.
        """
        self.rows, self.slots = rows, _round_up(slots + 1)
        for layer in self._own:
            layer.divide()

    def grow(self, slots: int) -> None:
        """Make room for at least ``slots`` slots in each row and keep the contents."""
        if slots < self.slots:
            return
        before, self.slots = self.slots, _round_up(slots + 1)
        for layer in self._own:
            layer.extend(before)

    def aim(self, rows: Sequence[int], slots: torch.Tensor, visible: int) -> None:
        """Set where the next forward pass reads and writes.

        Args:
            rows: Cache row of each row of the batch, ascending.
            slots: Slot of each token, shape (batch, tokens).
            visible: Number of slots of a row that the pass can read.
        """
        device = slots.device
        index = torch.tensor(rows, device=device)
        places = (index[:, None] * self.slots + slots).flatten()
        self.plan = Plan(None if list(rows) == list(range(self.rows)) else index, places, visible)

    def copy(self, row: int, length: int) -> KeyValues:
        """Return a copy of the first ``length`` slots of a row."""
        return KeyValues(
            [layer.rows_of(layer.keys)[row, :length].clone() for layer in self._own],
            [layer.rows_of(layer.values)[row, :length].clone() for layer in self._own],
        )

    def paste(self, prefix: KeyValues, rows: Sequence[int]) -> None:
        """Write a prefix to the first slots of rows."""
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
        """Zero a row. Masked slots have an attention weight of 0, but 0 times NaN is NaN."""
        for layer in self._own:
            layer.rows_of(layer.keys)[row] = 0
            layer.rows_of(layer.values)[row] = 0


class _Layer(CacheLayerMixin):
    """Keys and values of one layer: a flat pool of slots that is divided into rows."""

    is_sliding = False

    def __init__(self, cache: RaggedCache):
        super().__init__()
        self.cache = cache

    def allocate(self, like: torch.Tensor) -> None:
        """Allocate buffers for tensors with the shape (..., heads, head size), zeroed as unused slots are read too."""
        if not self.is_initialized:
            size = (self.cache.rows * self.cache.slots, *like.shape[-2:])
            self.keys = torch.zeros(size, dtype=like.dtype, device=like.device)
            self.values = torch.zeros_like(self.keys)
            self.is_initialized = True

    def divide(self) -> None:
        """Drop the buffers if they are too small for the new shape of the cache."""
        if self.keys is not None and len(self.keys) < self.cache.rows * self.cache.slots:
            self.keys = self.values = None
            self.is_initialized = False

    def extend(self, before: int) -> None:
        """Move rows with ``before`` slots to larger buffers."""
        if not self.is_initialized:
            return
        for name in ("keys", "values"):
            old = getattr(self, name)
            rows = old[: self.cache.rows * before].unflatten(0, (self.cache.rows, before))
            new = old.new_zeros(self.cache.rows * self.cache.slots, *old.shape[1:])
            self.rows_of(new)[:, :before] = rows
            setattr(self, name, new)

    def rows_of(self, buffer: torch.Tensor | None) -> torch.Tensor:
        """Return a view of a buffer with shape (rows, slots, heads, head size)."""
        assert buffer is not None
        rows, slots = self.cache.rows, self.cache.slots
        return buffer[: rows * slots].unflatten(0, (rows, slots))

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.allocate(key_states.transpose(1, 2))

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write keys and values, shape (batch, heads, tokens, head size), and return all that the pass can read."""
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
