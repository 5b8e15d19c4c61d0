"""The cards of a cluster: reserved for a run, and noticed where they are lost in it."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray
from ray.data import DataContext
from ray.data._internal.execution.execution_callback import ExecutionCallback
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from pipeline.errors import UserError
from pipeline.placement import Node, Placement
from pipeline.settings import Pool

REPLACED_S = 120.0  # for a node in the place of one that is lost
_FREE_S = 120.0  # for cards that other work of the cluster holds
_LOOK_S = 1.0

OnCards = Callable[[str], tuple[int, dict[str, Any]]]
"""Gives a model's number of actors, and Ray Data's options that put each on its card."""


class CardsLost(Exception):
    """Cards of the run are gone with their node, and no other node took its place."""


def nodes() -> list[Node]:
    """Return the machines of the cluster that are alive."""
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Node(resources.get("CPU", 0.0), int(resources.get("GPU", 0))) for resources in alive]


def node_ids() -> set[str]:
    """Return the ids of the machines that are alive, as far as Ray knows: it notices a death within seconds."""
    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


@contextmanager
def reserved(placement: Placement, pools: Mapping[str, Pool]) -> Iterator[OnCards]:
    """Reserve the cards of a placement. Datasets that run meanwhile end with ``CardsLost`` where these are lost.

    Ray restarts an actor that died where it was; where its node is gone, on a node that took its place.

    Args:
        placement: Where the actors go.
        pools: The actors of each model.

    Raises:
        CardsLost: They are gone.
        UserError: They are not free.
    """
    if not placement.bundles:
        yield lambda model: (len(placement.cards[model]), {})
        return
    group = placement_group(list(map(dict, placement.bundles)))

    def on_cards(model: str) -> tuple[int, dict[str, Any]]:
        cards = [card for card in placement.cards[model] if card is not None]
        if not cards:
            return len(placement.cards[model]), {}
        turn, share = itertools.cycle(cards), pools[model].num_gpus

        # Ray Data asks for each actor. Beside a share of a GPU in its own options it wants a batch size too, which here
        # is that of the block where None stands.
        def next_card() -> dict[str, Any]:
            return {"num_gpus": share, "scheduling_strategy": PlacementGroupSchedulingStrategy(group, next(turn))}

        return len(cards), {"ray_remote_args_fn": next_card}

    context = DataContext.get_current()
    before = context.custom_execution_callback_classes
    try:
        if not group.wait(_FREE_S):
            if sum(node.gpus for node in nodes()) < len(placement.bundles):
                raise CardsLost
            raise UserError(
                f"The models need {len(placement.bundles)} GPUs with {placement.bundles[0]['CPU']:g} CPUs each, which "
                f"were not free for {_FREE_S:g} s: wait for other jobs of the cluster, or take fewer actors "
                "(--whisper.pool.actors, and the same of parakeet and tagger)."
            )
        context.custom_execution_callback_classes = [*before, _watch(group)]
        yield on_cards
    finally:
        context.custom_execution_callback_classes = before
        remove_placement_group(group)


def _watch(group: PlacementGroup) -> type[ExecutionCallback]:
    """Make the class of which Ray Data calls an instance again and again while a dataset runs."""

    class Watch(ExecutionCallback):
        def __init__(self) -> None:
            self._looked = self._whole = time.monotonic()

        def on_execution_step(self, executor: Any) -> None:
            now = time.monotonic()
            if now - self._looked < _LOOK_S:
                return
            self._looked = now
            if placement_group_table(group)["state"] == "CREATED":
                self._whole = now
            elif now - self._whole > REPLACED_S:
                raise CardsLost

    return Watch
