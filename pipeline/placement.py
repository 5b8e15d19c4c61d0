"""Which card each model's actors run on: one of each model on every card, as far as the settings allow."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.errors import UserError
from pipeline.settings import Pool

_ROUNDING = 1e-6


@dataclass(frozen=True)
class Node:
    """What a machine of the cluster has.

    Attributes:
        cpus: Number of its CPUs.
        gpus: Number of its cards.
    """

    cpus: float
    gpus: int


@dataclass(frozen=True)
class Placement:
    """Where all actors go.

    Attributes:
        bundles: What each card that is used takes, in Ray's names: the GPU, and the CPUs of its actors.
        cards: For each model, the bundle of each of its actors; None for an actor without a GPU.
    """

    bundles: Sequence[Mapping[str, float]]
    cards: Mapping[str, Sequence[int | None]]


@dataclass
class _Card:
    node: int
    gpu: float = 0.0
    cpus: float = 0.0
    models: Counter[str] = field(default_factory=Counter)


def place(pools: Mapping[str, Pool], nodes: Sequence[Node]) -> Placement:
    """Place actors: as many of each model as set, else one on each card, else one.

    Ray alone would count shares of a GPU, and could put two actors of a model on a card that has no memory for them.

    Args:
        pools: Pools by the name of the model.
        nodes: The cluster's machines.

    Raises:
        UserError: The machines lack the GPUs or CPUs; the actors would wait for ever.
    """
    cards = [_Card(number) for number, node in enumerate(nodes) for _ in range(node.gpus)]
    free = [node.cpus for node in nodes]
    found: dict[str, list[_Card | None]] = {}
    for model, pool in sorted(pools.items(), key=lambda item: -item[1].num_gpus):  # the largest shares first
        found[model] = []
        for _ in range(_actors(pool, len(cards))):
            if not pool.num_gpus:
                node = max(range(len(nodes)), key=lambda node: free[node])
                card = None
            else:
                able = [card for card in cards if card.gpu + pool.num_gpus <= 1 + _ROUNDING]
                if not able:
                    raise UserError(_too_few("GPUs", len(cards), pools, "num_gpus", "num-gpus", len(cards)))
                card = min(able, key=lambda card: (card.models[model], card.gpu, -free[card.node]))
                card.gpu += pool.num_gpus
                card.cpus += pool.num_cpus
                card.models[model] += 1
                node = card.node
            free[node] -= pool.num_cpus
            found[model].append(card)
    if min(free) < -_ROUNDING or sum(free) < 1 - _ROUNDING:
        cpus = sum(node.cpus for node in nodes)
        raise UserError(_too_few("CPUs", cpus, pools, "num_cpus", "num-cpus", len(cards), " beside one to decode"))
    used = [card for card in cards if card.gpu]
    place_of = {id(card): number for number, card in enumerate(used)}
    return Placement(
        [{"GPU": 1.0, "CPU": card.cpus} for card in used],  # Ray could put two smaller bundles on one card
        {model: [None if card is None else place_of[id(card)] for card in found[model]] for model in pools},
    )


def _actors(pool: Pool, cards: int) -> int:
    return pool.actors or (max(cards, 1) if pool.num_gpus else 1)


def _too_few(
    what: str, have: float, pools: Mapping[str, Pool], share: str, option: str, cards: int, more: str = ""
) -> str:
    asked = ", ".join(
        f"{model} {_actors(pool, cards)} x {getattr(pool, share):g}"
        for model, pool in pools.items()
        if getattr(pool, share)
    )
    return (
        f"The models ask for {what} ({asked}) that do not fit{more} on the {have:g} that Ray has: take fewer actors or "
        f"smaller shares (--whisper.pool.actors, --whisper.pool.{option}, and the same of parakeet and tagger), or "
        "--profile demo."
    )
