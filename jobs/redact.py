"""Copy a run's recordings and transcripts without the entities that were found in them.

python -m jobs.redact --run FOLDER --out FOLDER [--types PATIENT DOCTOR] [--with beep] [--text surrogates]
"""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from jobs.command_line import check_paths, run_job
from jobs.progress import track
from pipeline.files import absolute, schemes_of
from pipeline.outputs.redaction import LOG, NOTICE, Redaction, redact_run


@dataclass(frozen=True)
class Redact:
    """Copy a run's recordings and transcripts without the entities that were found in them.

    The out folder gets audio/ (sample rate, channels and length as they were, and the format where it can be written,
    else FLAC), task1_answer.txt with the redacted transcripts, and the log of what was redacted and which recordings
    were withheld: redaction_log.json and the table redactions, neither with any text. A recording is withheld if it
    failed in the run, if its audio cannot be read, or if an entity has no place in the transcript or no word has a
    time. Whole words are redacted, and names and numbers in all forms in which they occur in their transcript. What was
    not found is still there: this is no certified de-identification, and people have to check it.
    """

    run: str
    """Folder of a finished run of jobs.predict."""

    out: str
    """Folder for the results."""

    seed: int | None = None
    """Seed of the surrogates: the same seed gives the same ones. Whoever has it can shift dates back: keep it secret.
    Without it, each call gives other surrogates."""

    schemes: tuple[str, ...] = ()
    """Schemes of addresses, such as s3, from which recordings may be read. Local files always are, and addresses of the
    scheme of --run."""

    overwrite: bool = False
    """Replace the results that the out folder holds."""

    redaction: Annotated[Redaction, tyro.conf.arg(name="")] = field(default_factory=Redaction)


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.redact --help``."""
    job = tyro.cli(Redact, prog="python -m jobs.redact", args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    corrections = {"--corrections": job.redaction.corrections} if job.redaction.corrections is not None else {}
    check_paths({"--run": job.run, "--out": job.out} | corrections)
    log = redact_run(
        job.run, job.out, job.redaction, job.seed, job.overwrite, track, schemes_of(job.run) | {*job.schemes}
    )
    redacted, withheld = len(log["redactions"]), len(log["withheld"])
    print(f"{redacted} entities redacted in {log['recordings']} recordings, {withheld} withheld: {absolute(job.out)}")
    if log["corrections"]:
        print(f"{log['corrections']} corrections of a review were applied first.")
    if differ := len(log["notes"]):
        print(f"{differ} copies are FLAC, or lack the pictures of a film: {LOG} says which.")
    if widened := len(log["widened"]):
        print(f"{widened} entities had words without a time: they are covered from the word before to the word behind.")
    if job.redaction.verify:
        ids = dict.fromkeys(each["recording_id"] for each in log["still_recognised"])
        print(
            f"{len(log['still_recognised'])} entities are still recognised, in {len(ids)} recordings. {', '.join(ids)}"
        )
    if log["allowed"]:
        print(f"Left in, as --allow lists them: {', '.join(f'{n} {type_}' for type_, n in log['allowed'].items())}.")
    if left := log["types_left_in"]:
        print(f"Left in, as --types asks: {', '.join(f'{count} {type_}' for type_, count in left.items())}.")
    print(NOTICE)


if __name__ == "__main__":
    run_job(main, secret=["seed"])
