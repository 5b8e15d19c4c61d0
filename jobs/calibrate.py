"""Choose opening biases and thresholds that cover a share of the sensitive time; make confidences probabilities.

python -m jobs.calibrate --run RUN [RUN ...] --reference FOLDER --recall 0.98 --out FILE.yaml
"""

from dataclasses import dataclass

import tyro

from jobs.calibrate_tables import print_biases, print_figures, print_unreached
from jobs.command_line import check_paths, run_job
from pipeline.calibration.candidates import pair
from pipeline.calibration.cross_validation import calibrate
from pipeline.calibration.picture import draw
from pipeline.calibration.results import as_yaml, figures
from pipeline.calibration.runs import Runs, check_alike
from pipeline.errors import UserError
from pipeline.files import absolute, check_file, write_bytes, write_json, write_text
from pipeline.run_folder import read_run, read_settings
from pipeline.settings import CalibrationSettings, Settings, check_numbers
from pipeline.submission import read_submission
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.known_types import known_types


@dataclass(frozen=True)
class Calibrate:
    """Choose opening biases and thresholds that cover a share of the sensitive time; make confidences probabilities.

    Each entity group gets the opening bias of one of the runs: the least with which the share of its time can be held
    at the highest precision, or else the least that comes within 1 % of the most that any covers. So make several, of
    the same transcripts:

    python -m jobs.predict --audio FOLDER --out run0

    python -m jobs.predict --transcripts run0 --out run2 --tagger.opening-bias names 2 care 2 times 2 ...

    python -m jobs.predict --transcripts run0 --out run4 --tagger.opening-bias names 4 care 4 times 4 ...

    python -m jobs.calibrate --run run0 run2 run4 --reference FOLDER --out own.yaml

    What a run dropped by thresholds or overlaps counts as found. A type with so many reference entities that one may be
    lost gets a threshold of its own, the others share one. All is cross-validated over recordings. The settings go to a
    file that jobs.predict takes as --settings; all figures, without text, to a JSON file and recall against precision
    to a picture beside it.
    """

    run: tuple[str, ...]
    """Out folders of jobs.predict on recordings of the reference, which differ in --tagger.opening-bias alone. Of a
    single one the opening bias stays as it is; it should find more than is to be kept."""

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
    if not job.run:
        raise UserError("--run: give at least one out folder of jobs.predict.")
    for run in job.run:
        check_paths({"--run": run})
    check_paths({"--reference": job.reference, "--out": job.out})
    limits = {"recall": job.recall, "padding_s": job.padding_s, "folds": job.folds}
    check_numbers(limits, {"folds": 2, "recall": 0.5}, {"recall": 1, "folds": 100, "padding_s": 10})
    if not job.out.endswith((".yaml", ".yml")):
        raise UserError(f"--out {job.out}: give a file that ends with .yaml.")
    stem = absolute(job.out).rpartition(".")[0]
    for file in (job.out, f"{stem}.json", f"{stem}.png"):
        check_file("--out", file, over=True)
    tables = {run: read_run(run, ("transcripts", "entities")) for run in job.run}
    settings = {run: _settings(run, alone=len(tables) == 1) for run in tables}
    for run in tables:
        if settings[run].tagger.calibration != CalibrationSettings():
            raise UserError(f"--run {run} has calibrated confidences: give one without --tagger.calibration.")
    check_alike(tables, settings)
    groups_file = settings[job.run[0]].tagger.groups_file
    types = known_types(groups_file).union(*(table["entities"]["type"].to_pylist() for table in tables.values()))
    reference = read_submission("--reference", job.reference, prefer_tables=True, types=types)
    if reference.entities is None:
        raise UserError(f"--reference {job.reference} has no entities: thresholds are chosen by them.")
    recordings, missing = pair([*tables.values()], reference, job.padding_s)
    if missing:
        where = "the run" if len(tables) == 1 else "all runs"
        print(f"{missing} recordings of the reference are not in {where} and do not count.")

    biases = [of.tagger.opening_bias for of in settings.values()]
    runs = Runs(recordings, biases, {group.name: group.types for group in load_entity_groups(groups_file)})
    calibrated = calibrate(runs, job.recall, job.folds, job.seed)
    number = len(calibrated.recordings)
    found = figures(calibrated) | {"recall": job.recall, "padding_s": job.padding_s, "recordings": number}
    about = f"Settings for jobs.predict by jobs.calibrate: a recall of {job.recall:g}, from {number} recordings."
    write_text(absolute(job.out), as_yaml(calibrated, about))
    write_json(f"{stem}.json", found)
    write_bytes(f"{stem}.png", draw(calibrated, job.recall))
    print_biases(found)
    print_figures(found)
    if calibrated.dials.sharing:
        print(
            f"Too few entities for a threshold of their own, so they share one: {', '.join(calibrated.dials.sharing)}."
        )
    print_unreached(found, {group: max(runs.options(group)) for group in runs.biased}, groups_file)
    print(f"Tag with them: python -m jobs.predict --settings {job.out}")


def _settings(run: str, alone: bool) -> Settings:
    """Return the settings of a run; the defaults for tables of a single one that jobs.predict did not write."""
    try:
        return read_settings(run)
    except UserError:
        if alone:
            return Settings()
        raise


if __name__ == "__main__":
    run_job(main)
