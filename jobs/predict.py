"""Transcribe a folder of recordings and find the sensitive entities in them, with their times.

python -m jobs.predict --audio FOLDER --out FOLDER [--profile demo|laptop|rtx4090|reference]
"""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from jobs.command_line import InferenceSettings, check_paths, parse, run_job
from jobs.ray_cluster import connect_to_ray, share_out
from jobs.run_progress import track_run
from pipeline import inputs, models, run_folder
from pipeline.errors import UserError
from pipeline.files import absolute
from pipeline.outputs.transcriptions import write_transcriptions_json
from pipeline.settings import NONE, Settings, check, check_numbers, without_recognition
from pipeline.speech.census import Ids
from pipeline.tagging.post_processing import PostProcessor


@dataclass(frozen=True)
class Predict:
    """Transcribe a folder of recordings and find the sensitive entities in them, with their times.

    Every audio file of the folder and its subfolders is a recording; other files are counted. The out folder gets the
    submission files task1_answer.txt and task2_answer.txt, the tables recordings, transcripts, entities and failures
    (Parquet), summary.json and run.json. A recording that cannot be read is listed in failures and costs only itself.
    An interrupted run goes on when the same command is given again.
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
    audio, out = absolute(job.audio or ""), absolute(job.out)
    transcripts = job.transcripts and absolute(job.transcripts)
    begin = inputs.of_transcripts(transcripts) if transcripts else inputs.of_audio(audio, job.ids, out)
    recordings = begin.rows
    if job.overwrite and job.retry_failed:
        raise UserError("--overwrite removes what --retry-failed goes on with: give one of them.")
    check_numbers({"max_failures": job.max_failures}, {}, {"max_failures": 1})
    run_folder.run_folder(out).check(job.overwrite or job.retry_failed)
    settings = models.locate(without_recognition(job.settings) if transcripts else job.settings)
    without_adapter = models.groups_without_adapter(settings)
    PostProcessor(settings.tagger)  # malformed patterns or rules are refused before anything is replaced
    if without_adapter:
        print(f"Left out, as they have no adapter: {', '.join(without_adapter)}.")

    connect_to_ray()
    import ray

    from pipeline import flow

    placement = share_out(settings)
    done, resumed = run_folder.open_run(
        out, audio, settings, job.overwrite, recordings if job.retry_failed else None, job.ids, transcripts
    )
    if resumed:
        print(f"{resumed} {len(done)} of {len(recordings)} recordings are finished.")
    left = {recording_id: row for recording_id, row in recordings.items() if recording_id not in done}
    hashes: Any = ray.remote(num_cpus=0)(models.sha256).remote(settings.models)
    finished = flow.run(left, f"{out}/parts", settings, placement, max_failures=job.max_failures, finished=len(done))
    for _ in track_run(finished, len(left), finished.work):
        pass
    summary = run_folder.close_run(out, recordings, ray.get(hashes), time.perf_counter() - start, begin.counts)
    if job.transcriptions_json:
        write_transcriptions_json(out)

    print(
        f"{summary['transcripts']} transcripts with {summary['entities']} entities "
        f"({summary['further_mentions']} further mentions), {summary['failures']} failures, "
        f"from {summary['recordings']} recordings ({summary['audio_seconds']:.0f} s of audio) "
        f"in {summary['seconds']['total']:.0f} s: {out}"
    )
    if begin.left_out:
        print(f"Left out below --audio: {begin.left_out}.")
    if summary["with_note"]:
        print(f"{summary['with_note']} recordings have a note (incomplete, ...): see the table recordings/.")
    if summary["without_times"]:
        print(f"{summary['without_times']} entities have no times: they are in the table entities/ alone.")
    if summary["failures"]:
        print("The table failures/ has the reasons; --retry-failed tries these again.")
    confidence, expected = summary["confidence"], job.settings.whisper.expected_confidence
    if confidence is not None and confidence < expected:
        hint = " For the real models give --profile rtx4090 (see README)." * (job.profile == "demo")
        print(
            f"Whisper's mean confidence is {confidence:.2f}, below --whisper.expected-confidence {expected:g}: these "
            f"recordings do not sound like those that its model learned from.{hint}"
        )


def _given_files(settings: Settings) -> dict[str, str]:
    """Options that name a file or folder of this machine; a model may also be a hub name."""
    options = {f"--{name.replace('_', '-')}": path for name, path in asdict(settings.models).items()}
    files = {name: getattr(settings.tagger, name) for name in ("groups_file", "rules", "patterns", "patients")}
    options |= {f"--tagger.{name.replace('_', '-')}": str(path) for name, path in files.items() if path}
    return {option: path for option, path in options.items() if Path(path).exists()}


if __name__ == "__main__":
    run_job(main)
