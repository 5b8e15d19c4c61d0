"""What it costs that stages report: the stream over transcripts that are there, with a tagger that does nothing.

python -m tests.benchmarks.reporting [--transcripts 3000] [--pairs 3]
"""

import statistics
import tempfile
import time
from dataclasses import dataclass
from unittest import mock

import tyro

from jobs.ray_cluster import connect_to_ray


@dataclass(frozen=True)
class Reporting:
    """Time the stream with and without reports, in turn."""

    transcripts: int = 3000
    """Transcripts of a run."""

    pairs: int = 3
    """Runs of each kind."""


class Nothing:
    """Stands in for the tagger."""

    def tag(self, transcripts: list[str]) -> list[list[str]]:
        return [[] for _ in transcripts]


def main(job: Reporting) -> None:
    connect_to_ray()
    from pipeline import flow, stages
    from pipeline.settings import Settings, TaggerSettings, without_recognition
    from pipeline.speech.words import Transcript
    from pipeline.work import unreported

    loaders = stages.Loaders(tagger=lambda base_model, adapters, settings: Nothing())
    settings = without_recognition(Settings(tagger=TaggerSettings(batch_size=4)))
    about = dict.fromkeys(("path", "duration_s", "sample_rate", "channels", "note"))
    names = map(str, range(job.transcripts))
    given = {name: {"recording_id": name, **about, **Transcript("Call me", [], "given").to_row()} for name in names}

    def run() -> float:
        with tempfile.TemporaryDirectory() as parts:
            start = time.perf_counter()
            assert len(list(flow.run(given, parts, settings, loaders=loaders))) == job.transcripts
            return time.perf_counter() - start

    def run_unreported() -> float:
        watch = mock.MagicMock(return_value=mock.MagicMock(report=unreported))
        watch.return_value.__exit__.return_value = False
        with mock.patch.object(flow, "Watch", watch):
            return run()

    run()
    ratios = []
    for number in range(job.pairs):
        kinds = (run, run_unreported) if number % 2 else (run_unreported, run)
        seconds = {kind: kind() for kind in kinds}
        ratios.append(seconds[run] / seconds[run_unreported])
        print(f"{seconds[run]:.1f} s with reports, {seconds[run_unreported]:.1f} s without")
    print(f"median ratio {statistics.median(ratios):.2f} over {job.transcripts} transcripts")


if __name__ == "__main__":
    main(tyro.cli(Reporting))
