"""How much longer a run will take."""

from collections import deque
from collections.abc import Mapping

from pipeline.work import Work

_SAMPLES = 300  # of a second each


class TimeLeft:
    """Estimates how long the slowest stage will take, from its throughput of the last minutes.

    Recordings count by their seconds of audio where those are known; what is not read yet is taken to be as long as
    the rest.

    Args:
        recordings: Number of recordings of the run.
    """

    def __init__(self, recordings: int) -> None:
        self._recordings = recordings
        self._first: dict[str, tuple[float, Work]] = {}
        self._recent: dict[str, deque[tuple[float, Work]]] = {}

    def __call__(self, now: float, work: Mapping[str, Work]) -> float | None:
        """Take up what the stages have done, once a second.

        Args:
            now: Seconds since a moment that is the same for all calls.
            work: What each stage does; these objects must not change later.

        Returns:
            The seconds left, or None while a stage has finished nothing that says how fast it is.
        """
        ahead = max(work.values(), key=lambda of: of.finished, default=Work())
        mean_s = ahead.audio_s / max(ahead.finished, 1)
        seconds: list[float] = []
        for stage, of in work.items():
            if of.finished or of.in_hand:
                self._first.setdefault(stage, (now, of))
                self._recent.setdefault(stage, deque(maxlen=_SAMPLES)).append((now, of))
            if of.finished < self._recordings:
                done, rate = _amount(of, mean_s), self._rate(stage, now, of, mean_s)
                if not rate:
                    return None
                seconds.append((self._recordings - done) / rate)
        return max(seconds, default=None)

    def _rate(self, stage: str, now: float, of: Work, mean_s: float) -> float:
        """Return what a stage finishes in a second: recently, or since it began where that is nothing."""
        if stage not in self._first:
            return 0.0
        for then, before in (self._recent[stage][0], self._first[stage]):
            if (more := _amount(of, mean_s) - _amount(before, mean_s)) > 0:
                return more / (now - then)
        return 0.0


def _amount(of: Work, mean_s: float) -> float:
    """Return how many recordings of mean length a stage has finished."""
    return of.audio_s / mean_s if mean_s else of.finished
