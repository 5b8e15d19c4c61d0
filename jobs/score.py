"""Compare a submission with a reference: error rates of the transcripts, and how well entities were found.

python -m jobs.score --reference FOLDER --submission FOLDER [--json FILE]
"""

from dataclasses import dataclass
from pathlib import Path

import tyro

from jobs.command_line import check_paths, run_job
from jobs.score_tables import print_all
from pipeline.files import absolute, check_file, write_bytes, write_json
from pipeline.scoring.comparable import comparable, ids_of
from pipeline.scoring.comparison import compare
from pipeline.scoring.coverage_picture import draw
from pipeline.submission import read_submission
from pipeline.tagging.known_types import known_types


@dataclass(frozen=True)
class Score:
    """Compare a submission with a reference: error rates of the transcripts, and how well entities were found.

    Both folders hold task1_answer.txt, task2_answer.txt or both, or the tables of a run; what both have is compared.
    The recordings of the reference count: one that the submission lacks is taken to be empty, and what the submission
    has of others is not scored. A reference without transcripts has only the recordings with an entity. The scores go
    to the terminal, and all of them with their 95 % bootstrap intervals to a JSON file, which never holds a text. The
    curves of what redacting all entities would cover go to a picture beside it. If the submission is a run, its tables
    say where in a transcript an entity is redacted; else it is redacted wherever its text occurs.
    """

    reference: str
    """Folder with the reference transcripts and entities."""

    submission: str
    """Folder with the transcripts and entities to judge."""

    groups_file: Path | None = None
    """YAML file with entity groups, for types of your own."""

    json: str | None = None
    """File for all scores. Beside SCORES.json, the picture of the curves is SCORES.coverage.png."""

    show_text: bool = False
    """Show the texts of the worst recordings on the terminal. Without it, they are shown by id alone."""


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.score --help``."""
    job = tyro.cli(Score, prog="python -m jobs.score", args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    paths = {"--reference": job.reference, "--submission": job.submission, "--json": job.json}
    check_paths({option: path for option, path in paths.items() if path})
    picture = ""
    if job.json:
        picture = f"{absolute(job.json).removesuffix('.json')}.coverage.png"
        check_file("--json", job.json, over=True)
        check_file("--json", picture, over=True)
    types = known_types(job.groups_file)
    reference = read_submission("--reference", job.reference, types=types)
    judged = read_submission("--submission", job.submission, types=types)
    run = read_submission("--submission", job.submission, prefer_tables=True, types=types)
    reference, note = comparable(reference, f"--submission {job.submission}", ids_of(judged))
    scores = compare(reference, judged, run)
    print_all(scores, reference, judged, job.show_text)
    if note:
        print(note)
    if job.json:
        write_json(absolute(job.json), scores)
        print(f"All scores: {job.json}")
        if "redaction" in scores:
            write_bytes(picture, draw(scores["redaction"]["coverage"]))
            print(f"Curves: {picture}")


if __name__ == "__main__":
    run_job(main)
