"""How soon a recording that is put into a watched folder is finished.

    python -m tests.benchmarks.watching

The demo's clips come into the folder one by one, each when the one before is in the submission files; the second pauses
in the middle of its copy. Beside it, the demo's own time for a recording: that of the same clips in one run.
"""

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import tyro
from rich.console import Console
from rich.table import Table

from pipeline import demo, fingerprints, tables

_HALF_S = 5.0


@dataclass(frozen=True)
class Options:
    """What to measure."""

    recordings: int = 20
    """Number of recordings that come."""


def _predict(audio: Path, out: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "jobs.predict", "--audio", str(audio), "--out", str(out), *options]


def _is_finished(out: Path, recording: Path) -> bool:
    """Say whether the run is closed, with the recording as it is now."""
    if not (out / "summary.json").exists():
        return False
    read = tables.read(str(out / "recordings"), tables.RECORDINGS)
    return fingerprints.of_file(str(recording)) in read["fingerprint"].to_pylist()


def main(options: Options) -> None:
    """Measure and print; see the module."""
    clips = sorted((demo.CLIPS / "audio").iterdir())
    table = Table("recording", "seconds until it is finished", box=None)
    with TemporaryDirectory() as folder:
        audio, out = Path(folder, "audio"), Path(folder, "watched")
        audio.mkdir()
        with subprocess.Popen(_predict(audio, out, "--watch"), stderr=subprocess.PIPE, text=True) as watch:
            assert watch.stderr
            while "the tagger loaded" not in watch.stderr.readline():
                assert watch.poll() is None
            seconds = []
            for number in range(options.recordings):
                clip = clips[number % len(clips)]
                whole, there = clip.read_bytes(), audio / f"{number:03}{clip.suffix}"
                if number == 1:
                    there.write_bytes(whole[: len(whole) // 2])
                    time.sleep(_HALF_S)
                there.write_bytes(whole)
                start = time.perf_counter()
                while not _is_finished(out, there):
                    time.sleep(0.05)
                seconds.append(time.perf_counter() - start)
                table.add_row(there.stem, f"{seconds[-1]:.1f}")
            watch.send_signal(signal.SIGINT)
        at_once = Path(folder, "at_once")
        subprocess.run(_predict(audio, at_once), check=True, capture_output=True)
        same = (at_once / "task1_answer.txt").read_text() == (out / "task1_answer.txt").read_text()
        of_stages = json.loads((at_once / "summary.json").read_text())["seconds"]
    own_s = sum(each for stage, each in of_stages.items() if stage != "total") / options.recordings
    console = Console()
    console.print(table)
    console.print(f"At most {max(seconds):.1f} s; the demo's own time for a recording: {own_s:.1f} s. Same: {same}.")


if __name__ == "__main__":
    main(tyro.cli(Options))
