"""By how much the dates, times, ages and amounts of one recording move."""

import hmac
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Move:
    """What is added in one recording.

    Attributes:
        days: To dates; of 46 to 319, either way, and no multiple of 7 or 31, so that a weekday, a day of the month, a
            month and a season alone move too.
        hours: To times of the clock; 1 or 2, either way.
        years: To ages; 1 or 2, either way.
        direction: Of changes of durations and of ages in tens, 1 or -1.
    """

    days: int
    hours: int
    years: int
    direction: int

    @property
    def months(self) -> int:
        """The days in months, rounded."""
        return round(self.days / 30.44)

    @property
    def seasons(self) -> int:
        """The days in seasons, rounded."""
        return round(self.days / 91.31)

    @property
    def calendar_years(self) -> int:
        """The days in years, rounded away from 0."""
        return 1 if self.days > 0 else -1


def move_of(seed: int, recording_id: str) -> Move:
    """Return how a recording moves: only who has the seed can compute it."""
    digest = hmac.new(str(seed).encode(), recording_id.encode("utf-8", "surrogatepass"), "sha256").digest()
    chance = random.Random(digest)
    days = chance.choice([days for days in range(46, 320) if days % 7 and days % 31])
    return Move(
        days=days * chance.choice([-1, 1]),
        hours=chance.choice([-2, -1, 1, 2]),
        years=chance.choice([-2, -1, 1, 2]),
        direction=chance.choice([-1, 1]),
    )
