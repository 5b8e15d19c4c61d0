"""What the stages of a run do and have done, as they report it themselves."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

STAGES = ("decode", "whisper", "parakeet", "tagger", "rules")
"""The stages that report, in the order in which a recording passes them."""

Event = Literal["loading", "loaded", "begun", "finished"]


class Report(Protocol):
    """How a stage says what it does, at most twice a batch. It is pickled into every worker."""

    def __call__(self, stage: str, event: Event, rows: int = 0, audio_s: float = 0.0, seconds: float = 0.0) -> None:
        """Tell of an event.

        Args:
            stage: One of ``STAGES``.
            event: The model is loading or loaded, or a batch is begun or finished.
            rows: Recordings of the batch, those included that the stage hands on untouched.
            audio_s: Seconds of audio of a finished batch, as far as they are known.
            seconds: Seconds that the loading or the batch took.
        """


def unreported(stage: str, event: Event, rows: int = 0, audio_s: float = 0.0, seconds: float = 0.0) -> None:
    """Tell nobody."""


@dataclass
class Worker:
    """A process of a stage.

    Attributes:
        is_loading: Whether it loads its model.
        load_s: Seconds that the model took to load; 0 without a model.
        in_hand: Recordings of the batch that it has begun.
        busy_s: Seconds of all its batches.
    """

    is_loading: bool = False
    load_s: float = 0.0
    in_hand: int = 0
    busy_s: float = 0.0


@dataclass
class Work:
    """What a stage does and has done.

    Attributes:
        workers: Its processes by name.
        finished: Recordings that have passed it.
        audio_s: Their seconds of audio, as far as known.
    """

    workers: dict[str, Worker] = field(default_factory=lambda: defaultdict(Worker))
    finished: int = 0
    audio_s: float = 0.0

    @property
    def in_hand(self) -> int:
        """Recordings that are being worked on."""
        return sum(worker.in_hand for worker in self.workers.values())

    @property
    def is_loading(self) -> bool:
        """Whether a process still loads its model."""
        return any(worker.is_loading for worker in self.workers.values())

    @property
    def load_s(self) -> float:
        """Seconds of the slowest loading; 0 without a model."""
        return max((worker.load_s for worker in self.workers.values()), default=0.0)


class Board:
    """Takes the reports of all workers of a run."""

    def __init__(self) -> None:
        self._work: defaultdict[str, Work] = defaultdict(Work)

    def note(self, worker: str, stage: str, event: Event, rows: int, audio_s: float, seconds: float) -> None:
        """Take a report.

        Args:
            worker: Name of the process; one that takes another's place has its name.
            stage: What ``Report`` was told, and so on.
            event: See there.
            rows: See there.
            audio_s: See there.
            seconds: See there.
        """
        of_stage = self._work[stage]
        of_worker = of_stage.workers[worker]
        # One that loads has died if it had anything in hand.
        of_worker.is_loading = event == "loading"
        of_worker.in_hand = rows if event == "begun" else 0
        if event == "loaded":
            of_worker.load_s = seconds
        elif event == "finished":
            of_worker.busy_s += seconds
            of_stage.finished += rows
            of_stage.audio_s += audio_s

    def restart(self, finished: int, audio_s: float) -> None:
        """Begin with new workers; what is finished has passed every stage, and all else has passed none.

        Args:
            finished: Recordings.
            audio_s: Their seconds of audio.
        """
        for work in self._work.values():
            work.finished, work.audio_s = finished, audio_s
            for worker in work.workers.values():
                worker.is_loading, worker.in_hand = False, 0

    def read(self) -> dict[str, Work]:
        """Return the work of each stage that has reported, in their order."""
        return {stage: self._work[stage] for stage in STAGES if stage in self._work}


def queues(work: dict[str, Work], recordings: int) -> dict[str, int]:
    """Return how many recordings wait before each stage.

    Args:
        work: See ``Board.read``.
        recordings: All that are to enter the first stage.
    """
    entered: Sequence[int] = [recordings, *(of.finished for of in work.values())]
    return {
        stage: max(0, before - of.finished - of.in_hand)
        for (stage, of), before in zip(work.items(), entered, strict=False)
    }
