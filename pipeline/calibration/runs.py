"""Runs of the same recordings that differ in the opening bias alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

from pipeline.calibration.candidates import Candidate, Recording
from pipeline.errors import UserError
from pipeline.settings import Settings

_MAY_DIFFER = ("--tagger.opening-bias", "--tagger.pool")


@dataclass(frozen=True)
class Runs:
    """What runs found that differ in the opening bias alone.

    Attributes:
        recordings: Those of each run, in the same order.
        biases: The opening bias of each run, by entity group; 0 where one is missing.
        groups: The types by entity group.
    """

    recordings: Sequence[Sequence[Recording]]
    biases: Sequence[Mapping[str, float]]
    groups: Mapping[str, Iterable[str]]

    @property
    def biased(self) -> list[str]:
        """The entity groups of which a run says the opening bias."""
        return list(dict.fromkeys(group for bias in self.biases for group in bias))

    def options(self, group: str) -> dict[float, int]:
        """Return the biases of an entity group in ascending order, each with the first run that has it."""
        of_runs = [bias.get(group, 0.0) for bias in self.biases]
        return {bias: of_runs.index(bias) for bias in sorted({*of_runs})}

    def known(self, rows: Sequence[int]) -> "Runs":
        """Return the runs with some recordings alone."""
        return replace(self, recordings=[[run[row] for row in rows] for run in self.recordings])

    def mixed(self, choice: Mapping[str, float]) -> list[Recording]:
        """Return the recordings with what was found of each type, by whatever, in the run of its entity group.

        Args:
            choice: Opening bias by entity group. All types of no group in it are those of the first run.
        """
        run_of = {
            type_: self.options(group)[bias] for group, bias in choice.items() for type_ in self.groups.get(group, ())
        }
        return [
            Recording(
                each[0].reference, [one for one, number in _numbered(each) if run_of.get(one.found_as, 0) == number]
            )
            for each in zip(*self.recordings, strict=True)
        ]

    def of_group(self, group: str, bias: float) -> list[Recording]:
        """Return the recordings of the run with this bias, with the types of an entity group alone."""
        types, run = {*self.groups.get(group, ())}, self.recordings[self.options(group)[bias]]
        return [
            Recording(
                [one for one in recording.reference if one.type in types],
                [one for one in recording.candidates if one.found_as in types],
            )
            for recording in run
        ]


def check_alike(tables: Mapping[str, Mapping[str, pa.Table]], settings: Mapping[str, Settings]) -> None:
    """Raise a UserError, which names what differs, if runs differ in more than the opening bias, or not even in that.

    Args:
        tables: The tables of the runs by folder.
        settings: Their settings by folder.
    """
    first, *others = tables
    said, made = _transcripts(tables[first]), _tagging(settings[first])
    for other in others:
        differ = [option for option, value in _tagging(settings[other]).items() if value != made[option]]
        if differ:
            raise UserError(
                f"--run {other} differs from {first} in {', '.join(differ)}: give runs that differ in "
                "--tagger.opening-bias alone."
            )
        if settings[other].tagger.opening_bias == settings[first].tagger.opening_bias:
            raise UserError(f"--run {other} has the --tagger.opening-bias of {first}: give runs that differ in it.")
        written = _transcripts(tables[other])
        if number := sum(written[key] != said[key] for key in written.keys() & said.keys()):
            raise UserError(
                f"--run {other} has other transcripts of {number} recordings than {first}: make it with "
                f"jobs.predict --transcripts {first}."
            )


def _transcripts(run: Mapping[str, pa.Table]) -> dict[str, Any]:
    rows = run["transcripts"].select(["recording_id", "text", "words"]).to_pylist()
    return {row["recording_id"]: (row["text"], row["words"]) for row in rows}


def _tagging(settings: Settings) -> dict[str, Any]:
    """Return by option what decides what is found in transcripts, without the opening bias."""
    models = {f"--{name.replace('_', '-')}": getattr(settings.models, name) for name in ("base_model", "adapters")}
    tagger = {f"--tagger.{name.replace('_', '-')}": value for name, value in asdict(settings.tagger).items()}
    return {name: value for name, value in (models | tagger).items() if name not in _MAY_DIFFER}


def _numbered(runs: Sequence[Recording]) -> list[tuple[Candidate, int]]:
    return [(one, number) for number, recording in enumerate(runs) for one in recording.candidates]
