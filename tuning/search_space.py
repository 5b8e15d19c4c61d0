"""What a search over LoRA hyper-parameters tries, and by what it chooses."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from pipeline.errors import UserError
from tuning.settings import AdapterSettings, check_adapter

Objective = Literal["valid_loss", "entity_f1"]

MODES: Mapping[Objective, str] = {"valid_loss": "min", "entity_f1": "max"}
"""Which value of an objective is the best, in Tune's words."""


@dataclass(frozen=True)
class Space:
    """The values to try: all between two ends for dropout and learning rate, those listed for the others."""

    rank: tuple[int, ...] = (4, 8, 16, 32, 64)
    """Ranks of the LoRA matrices."""

    alpha: tuple[int, ...] = (8, 16, 32, 64, 128)
    """Scales of the LoRA update; it is divided by the rank."""

    dropout: tuple[float, float] = (0.0, 0.2)
    """Lowest and highest dropout."""

    learning_rate: tuple[float, float] = (1e-5, 5e-4)
    """Lowest and highest learning rate; drawn evenly over its logarithm."""

    epochs: tuple[int, ...] = (5, 10, 20)
    """Most epochs; the learning rate falls to 0 over them."""

    few_shot: tuple[int, ...] = (0, 2, 5)
    """Few-shot turns before each example."""


def check_space(space: Space) -> None:
    """Raise a UserError if a value is missing or out of its range, or two ends are in the wrong order."""
    for name, values in asdict(space).items():
        option = f"--space.{name.replace('_', '-')}"
        if not values:
            raise UserError(f"{option}: give at least one value.")
        for value in values:
            check_adapter(AdapterSettings(**{name: value}), "space.")
        if name in ("dropout", "learning_rate") and (values[0] > values[1] or (name != "dropout" and not values[0])):
            raise UserError(f"{option} {values[0]:g} {values[1]:g}: give the least, and then the most.")
