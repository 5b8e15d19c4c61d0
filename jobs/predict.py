"""Transcribe a folder of recordings and find the sensitive entities in them, with their times.

python -m jobs.predict --audio FOLDER --out FOLDER [--profile demo|laptop|rtx4090|reference]
"""

import time
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro

from jobs.command_line import InferenceSettings, check_paths, parse, run_job
from jobs.dry_run import print_plan
from jobs.progress import doing
from jobs.run_summary import print_summary
from jobs.run_work import work_through
from jobs.watched_folder import watch_folder
from pipeline import fingerprints, inputs, models, run_folder
from pipeline.errors import UserError
from pipeline.files import absolute
from pipeline.outputs.transcriptions import write_transcriptions_json
from pipeline.run_closing import close_run
from pipeline.settings import NONE, Settings, check, check_numbers, without_recognition
from pipeline.speech.census import Ids
from pipeline.tagging.post_processing import PostProcessor


@dataclass(frozen=True)
class Predict:
    """Transcribe a folder of recordings and find the sensitive entities in them, with their times.

    Every audio file of the folder and its subfolders is a recording; other files are counted. The out folder gets the
    submission files task1_answer.txt and task2_answer.txt, the tables recordings, transcripts, entities and failures
    (Parquet), summary.json and run.json. A recording that cannot be read is listed in failures and costs only itself.
    An interrupted run goes on when the same command is given again: with what is missing, and with recordings that have
    changed.
    """

    out: str
    """Folder for the results."""

    audio: str | None = None
    """Folder of recordings: wav, flac, mp3, m4a, ogg, opus, wma, amr, webm, mp4 and all else that FFmpeg reads."""

    transcripts: str | None = None
    """Transcripts to tag, in place of --audio: a task 1 file, or the out folder of an earlier run, whose word times
    then give the entities theirs."""

    ids: Ids = "stem"
    """What a recording is called: the name of its file without the suffix (stem), or with the subfolders before it,
    joined by __ (path), as in day1__001."""

    profile: str = "demo"
    """Set of values for all settings below: demo (small models of a made-up clinic), laptop (real models without a
    GPU), rtx4090 (the large ones together on a card of 24 GB) or reference (the reference method's settings). The
    defaults shown are those of the profile given."""

    settings_file: Annotated[Path | None, tyro.conf.arg(name="settings")] = None
    """YAML file with settings, as jobs.calibrate writes it: they override the profile's, and options override them."""

    limit: int | None = None
    """Work on this many recordings only, the first by their ids: to try it out."""

    watch: bool = False
    """Stay, and work on each recording that is put into --audio, until Ctrl-C. Models stay loaded; whenever nothing is
    left to do, the results are as those of a finished run. Recordings that are taken away keep theirs."""

    dry_run: bool = False
    """Check everything and print what would be done: recordings, hours, models, GPUs and free disk."""

    overwrite: bool = False
    """Replace the run that the out folder holds. To go on with an interrupted one, leave it out."""

    retry_failed: bool = False
    """Try the failures of the run that the out folder holds again, finished or not."""

    max_failures: float = 0.2
    """Share of failures, among at least 20 recordings, above which the run stops: something else than the recordings is
    at fault then. What is finished is kept. 1: never."""

    transcriptions_json: bool = False
    """Write transcriptions_corrected.json too, transcripts and word times in the reference method's form."""

    settings: Annotated[InferenceSettings, tyro.conf.arg(name="")] = field(default_factory=InferenceSettings)


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.predict --help``."""
    start = time.perf_counter()
    job = parse(Predict, arguments, "python -m jobs.predict")
    given = {option: path for option, path in (("--audio", job.audio), ("--transcripts", job.transcripts)) if path}
    if len(given) != 1:
        raise UserError("Give --audio or --transcripts, one of them.")
    if job.audio and job.settings.models.whisper == NONE:
        raise UserError(f"--whisper {NONE} leaves --audio untranscribed: give a model, or --transcripts.")
    check_paths(given | {"--out": job.out} | _given_files(job.settings))
    check(job.settings)
    check_numbers({"max_failures": job.max_failures, "limit": job.limit}, {"limit": 1}, {"max_failures": 1})
    if job.watch and (job.transcripts or job.limit):
        raise UserError("--watch takes whatever comes into --audio: leave out --transcripts and --limit.")
    if job.overwrite and job.retry_failed:
        raise UserError("--overwrite removes what --retry-failed goes on with: give one of them.")
    out = absolute(job.out)
    if job.transcripts:
        source = {"transcripts": absolute(job.transcripts)}
        begin = inputs.of_transcripts(source["transcripts"])
    else:
        source = {"audio": absolute(job.audio or ""), "ids": job.ids}
        look = partial(inputs.of_audio, source["audio"], job.ids, out, job.watch)
        begin = look()
    begin = begin.first(job.limit)
    run_folder.run_folder(job.out).check(overwrite=True)
    settings = models.locate(without_recognition(job.settings) if job.transcripts else job.settings)
    PostProcessor(settings.tagger)  # malformed patterns or rules are refused before anything is replaced
    if without_adapter := models.groups_without_adapter(settings):
        print(f"Left out, as they have no adapter: {', '.join(without_adapter)}.")
    with doing("reading models and rules"):
        asked = run_folder.asked_for(source, settings, fingerprints.of_settings(settings))
    plan = run_folder.plan(job.out, asked, begin.rows, job.overwrite, job.retry_failed, job.watch)
    if plan.going_on:
        print(plan.going_on)
    if job.dry_run:
        print_plan(plan, settings)
        return

    work_through(plan, settings, job.max_failures)
    summary: dict[str, Any] | None = None
    if plan.recordings and not plan.is_done:
        summary = close_run(out, plan.recordings, time.perf_counter() - start, begin.counts)
        print_summary(summary, out, begin.left_out, settings.whisper.expected_confidence, job.profile)
    if job.watch and (summary := watch_folder(job.out, plan.recordings, source["audio"], look, settings)):
        print_summary(summary, out, "", settings.whisper.expected_confidence, job.profile)
    if job.transcriptions_json:
        write_transcriptions_json(out)


def _given_files(settings: Settings) -> dict[str, str]:
    """Options that name a file or folder of this machine; a model may also be a hub name."""
    options = {f"--{name.replace('_', '-')}": path for name, path in asdict(settings.models).items()}
    files = {name: getattr(settings.tagger, name) for name in ("groups_file", "rules", "patterns", "patients")}
    options |= {f"--tagger.{name.replace('_', '-')}": str(path) for name, path in files.items() if path}
    return {option: path for option, path in options.items() if Path(path).exists()}


if __name__ == "__main__":
    run_job(main)
