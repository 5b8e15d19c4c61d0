"""Choose the thresholds at which a share of the sensitive time is covered, and make confidences probabilities.

python -m jobs.calibrate --run RUN --reference FOLDER --recall 0.98 --out FILE.yaml
"""

from dataclasses import dataclass

import tyro

from jobs.calibrate_tables import print_figures, print_unreached
from jobs.command_line import check_paths, run_job
from pipeline.calibration.candidates import pair
from pipeline.calibration.cross_validation import calibrate
from pipeline.calibration.picture import draw
from pipeline.calibration.results import as_yaml, figures
from pipeline.errors import UserError
from pipeline.files import absolute, check_file, write_bytes, write_json, write_text
from pipeline.run_folder import read_run, read_settings
from pipeline.settings import CalibrationSettings, TaggerSettings, check_numbers
from pipeline.submission import read_submission
from pipeline.tagging.known_types import known_types


@dataclass(frozen=True)
class Calibrate:
    """Choose the thresholds at which a share of the sensitive time is covered, and make confidences probabilities.

    The run should have been made with an opening bias (--tagger.opening-bias names 2 ...), so that it has found more
    than is to be kept; what it dropped by thresholds or overlaps counts as found. A type with so many reference
    entities that one may be lost gets a threshold of its own, the others share one. All is cross-validated over
    recordings. The settings go to a file that jobs.predict takes as --settings; all figures, without text, to a JSON
    file and recall against precision to a picture beside it.
    """

    run: str
    """Out folder of jobs.predict on recordings of the reference."""

    reference: str
    """Folder with the reference entities, and better with the transcripts too: they say which recordings have none."""

    out: str
    """File for the settings, FILE.yaml. Beside it come FILE.json and FILE.png."""

    recall: float = 0.98
    """Share of the reference entities' time that kept entities of any type have to cover (leak_recall of jobs.score),
    for each threshold and all together."""

    padding_s: float = 0.0
    """Seconds before and after an entity that count as covered too, as jobs.redact has it with 0.1."""

    folds: int = 5
    """Parts of the recordings; each is judged by what the others give."""

    seed: int = 1126
    """Random seed of the parts."""


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.calibrate --help``."""
    job = tyro.cli(Calibrate, prog="python -m jobs.calibrate", args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    check_paths({"--run": job.run, "--reference": job.reference, "--out": job.out})
    limits = {"recall": job.recall, "padding_s": job.padding_s, "folds": job.folds}
    check_numbers(limits, {"folds": 2, "recall": 0.5}, {"recall": 1, "folds": 100, "padding_s": 10})
    if not job.out.endswith((".yaml", ".yml")):
        raise UserError(f"--out {job.out}: give a file that ends with .yaml.")
    stem = absolute(job.out).rpartition(".")[0]
    for file in (job.out, f"{stem}.json", f"{stem}.png"):
        check_file("--out", file, over=True)
    run, tagger = read_run(job.run, ("transcripts", "entities")), _tagger(job.run)
    if tagger.calibration != CalibrationSettings():
        raise UserError(f"--run {job.run} has calibrated confidences: give one without --tagger.calibration.")
    types = known_types(tagger.groups_file) | {*run["entities"]["type"].to_pylist()}
    reference = read_submission("--reference", job.reference, prefer_tables=True, types=types)
    if reference.entities is None:
        raise UserError(f"--reference {job.reference} has no entities: thresholds are chosen by them.")
    recordings, missing = pair(run, reference, job.padding_s)
    if missing:
        print(f"{missing} recordings of the reference are not in the run and do not count.")

    calibrated = calibrate(recordings, job.recall, job.folds, job.seed)
    found = figures(calibrated) | {"recall": job.recall, "padding_s": job.padding_s, "recordings": len(recordings)}
    about = (
        f"Settings for jobs.predict by jobs.calibrate: a recall of {job.recall:g}, from {len(recordings)} recordings."
    )
    write_text(absolute(job.out), as_yaml(calibrated, tagger.opening_bias, about))
    write_json(f"{stem}.json", found)
    write_bytes(f"{stem}.png", draw(calibrated, job.recall))
    print_figures(found)
    if calibrated.dials.sharing:
        print(
            f"Too few entities for a threshold of their own, so they share one: {', '.join(calibrated.dials.sharing)}."
        )
    print_unreached(found, tagger.opening_bias, tagger.groups_file)
    print(f"Tag with them: python -m jobs.predict --settings {job.out}")


def _tagger(run: str) -> TaggerSettings:
    """Return the tagger's settings of a run; the defaults for tables that jobs.predict did not write."""
    try:
        return read_settings(run).tagger
    except UserError:
        return TaggerSettings()


if __name__ == "__main__":
    run_job(main)
