"""Show a run as one HTML page: counts, scores, times, failures, and each recording with its entities.

python -m jobs.report --run FOLDER --out FILE.html [--reference FOLDER] [--show-text]
"""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import tyro

from jobs.command_line import check_paths, run_job
from jobs.progress import track
from pipeline.errors import UserError
from pipeline.files import absolute, check_file, schemes_of, write_text
from pipeline.outputs.report.content import SOUND_MB, make_page
from pipeline.submission import read_submission
from pipeline.tagging.known_types import known_types


@dataclass(frozen=True)
class Report:
    """Show a run as one HTML page: counts, scores, times, failures, and each recording with its entities.

    The page is one file, which any browser shows without a network. Without --show-text it is safe to send: it holds no
    transcript, no text of an entity, no sound and no path, only how loud a recording is over time and the types, times
    and confidences of its entities. Recordings go by their ids, which are the names of the audio files. With
    --show-text it holds patient text and sound, and belongs where the recordings are. A person can then review it:
    accept, reject and change entities and add missed ones, and save that, without any text, as a corrections file for
    jobs.redact and jobs.exchange.
    """

    run: str
    """Folder of a finished run of jobs.predict."""

    out: str
    """File for the page, with the suffix .html."""

    reference: str | None = None
    """Folder with the reference transcripts, entities or both, as for jobs.score. The page gets the scores, and shows
    the reference beside the prediction."""

    groups_file: Path | None = None
    """YAML file with entity groups, for a reference with types of your own."""

    show_text: bool = False
    """Put transcripts, texts of entities and sound into the page, and let it be reviewed."""

    sound_mb: float = SOUND_MB
    """With --show-text, the most megabytes of sound in the page, or 0 for none. A minute takes 0.16 MB. Recordings get
    their sound in the order of their ids, and the page says which have none."""

    schemes: tuple[str, ...] = ()
    """Schemes of addresses, such as s3, from which recordings may be read. Local files always are, and addresses of the
    scheme of --run."""

    overwrite: bool = False
    """Replace the file."""


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.report --help``."""
    job = tyro.cli(Report, prog="python -m jobs.report", args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    check_paths({"--run": job.run, "--out": job.out} | ({"--reference": job.reference} if job.reference else {}))
    if not job.out.endswith(".html"):
        raise UserError(f"--out {job.out}: give a file with the suffix .html.")
    if not (isfinite(job.sound_mb) and job.sound_mb >= 0):
        raise UserError(f"--sound-mb {job.sound_mb}: give a number of megabytes from 0.")
    check_file("--out", job.out, job.overwrite)
    reference, types = None, known_types(job.groups_file)
    if job.reference:
        reference = read_submission("--reference", job.reference, True, types)
    schemes = schemes_of(job.run) | {*job.schemes}
    recordings, html, note = make_page(job.run, reference, job.show_text, job.sound_mb, track, schemes)
    write_text(absolute(job.out), html)
    held = "WITH patient text and sound: keep it where the recordings are" if job.show_text else "without patient text"
    if note:
        print(note)
    print(f"{recordings} recordings, {len(html.encode()) / 1e6:.1f} MB, {held}: {job.out}")


if __name__ == "__main__":
    run_job(main)
