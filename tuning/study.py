"""The trials of a search: each is a small file that is written whole after each epoch, so a kill costs none of them.

Tune's own state of a search is several files that are copied in place: what a kill leaves of them may not fit together.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ray.tune.search.optuna import OptunaSearch

from pipeline.files import write_json

SCORE = "score"
"""Name of the objective's best value so far, in what Tune gets."""

KEPT = ("epoch", "valid_loss", "entity_f1", SCORE)


@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    Attributes:
        id: Its name, which its folder of checkpoints has too.
        config: Its settings.
        epochs: The values of each epoch, the first first: ``KEPT`` and ``seconds``, all that it took until then.
        finished: Whether it has had its epochs, or was ended as a weak one.
    """

    id: str
    config: dict[str, Any]
    epochs: tuple[dict[str, float], ...] = ()
    finished: bool = False

    def after(self, result: Mapping[str, Any], seconds_before: float) -> "Trial":
        """Return the trial with what an epoch reported; an epoch that was done before is replaced."""
        told = {name: float(result[name]) for name in KEPT if name in result}
        told["seconds"] = seconds_before + result["time_total_s"]
        earlier = tuple(epoch for epoch in self.epochs if epoch["epoch"] < told["epoch"])
        return replace(self, epochs=(*earlier, told))

    def write(self, folder: Path) -> None:
        """Write the trial's file."""
        write_json(str(folder / f"{self.id}.json"), {n: v for n, v in asdict(self).items() if n != "id"})


def read(folder: Path) -> list[Trial]:
    """Return the trials of a folder, sorted by id."""
    return [_read(file) for file in sorted(folder.glob("*.json"))]


def score_so_far(folder: Path, trial: str) -> float:
    """Return the best value of the epochs that a trial had before an interruption; 0 without any."""
    epochs = _read(folder / f"{trial}.json").epochs
    return epochs[-1][SCORE] if epochs else 0.0


class Study(OptunaSearch):
    """Proposes the trials that an interrupted call left, then new ones, and learns from all that are done.

    Args:
        folder: Where the files of the trials are, and come.
        work: Folder of the trials' checkpoints.
        seed: Seed of the proposals.
    """

    def __init__(self, folder: Path, work: Path, seed: int) -> None:
        known = read(folder)
        self._folder, self._work = folder, work
        self._done = [trial for trial in known if trial.finished]
        self._left = [trial for trial in known if not trial.finished]
        self._running: dict[str, tuple[Trial, float]] = {}
        super().__init__(points_to_evaluate=[trial.config for trial in self._left], seed=seed + len(known))

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Take the space, and tell Optuna what the trials that are done have reached."""
        taken = super().set_search_properties(metric, mode, config, **spec)
        for trial in self._done:
            self.add_evaluated_point(trial.config, trial.epochs[-1][SCORE])
        return bool(taken)

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """Return the settings of the next trial. One that was interrupted goes on from its last checkpoint."""
        config = super().suggest(trial_id)
        if config is None:
            return None
        trial = Trial(trial_id, config)
        if interrupted := next((left for left in self._left if left.config == config), None):
            self._left.remove(interrupted)
            if (self._work / interrupted.id).is_dir():
                (self._work / interrupted.id).rename(self._work / trial_id)
            (self._folder / f"{interrupted.id}.json").rename(self._folder / f"{trial_id}.json")
            trial = replace(interrupted, id=trial_id)
        trial.write(self._folder)
        self._running[trial_id] = trial, trial.epochs[-1]["seconds"] if trial.epochs else 0.0
        return config

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Keep what an epoch reported."""
        super().on_trial_result(trial_id, result)
        self._keep(trial_id, result, finished=False)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Keep the last values; a trial that failed is tried again when the search is."""
        super().on_trial_complete(trial_id, result, error)
        if result and not error:
            self._keep(trial_id, result, finished=True)

    def _keep(self, trial_id: str, result: Mapping[str, Any], finished: bool) -> None:
        trial, seconds_before = self._running[trial_id]
        trial = replace(trial.after(result, seconds_before), finished=finished)
        self._running[trial_id] = trial, seconds_before
        trial.write(self._folder)


def _read(file: Path) -> Trial:
    told = json.loads(file.read_text())
    return Trial(file.stem, told["config"], tuple(told["epochs"]), told["finished"])
