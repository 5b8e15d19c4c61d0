"""The corrections of a review as a labelled folder."""

from jobs.command_line import check_paths
from jobs.exchange_folder import write_folder
from pipeline import submission
from pipeline.errors import UserError
from pipeline.files import absolute
from pipeline.outputs import review, review_import
from pipeline.run_folder import read_run


def from_corrections(run: str, file: str, out: str, overwrite: bool = False) -> None:
    """Turn the corrections that the page of jobs.report --show-text saved into a labelled folder for jobs.prepare.

    The folder gets task1_answer.txt, task2_answer.txt and the tables recordings, transcripts and entities, of the
    recordings that were marked as checked. Entities that nobody decided on are accepted as they are, and transcripts
    are those of the run.

    Args:
        run: Folder of the run that the page shows.
        file: The corrections file.
        out: Folder for the results.
        overwrite: Replace the results that the out folder holds.
    """
    check_paths({"--run": run, "--file": file, "--out": out})
    read = read_run(run)
    corrections = review_import.read(absolute(file), read)
    made = review.labelled(read, corrections)
    if not len(made["transcripts"]):
        raise UserError(f"{file}: no recording is marked as checked: mark those whose entities are all right.")
    write_folder(made, {"run": absolute(run), "file": absolute(file)}, out, overwrite)
    print(f"{len(made['transcripts'])} transcripts with {len(made['entities'])} entities: {absolute(out)}")
    if unchecked := sum(not reviewed.checked for reviewed in corrections.recordings.values()):
        print(f"{unchecked} recordings with corrections are not marked as checked, and were left out.")
    if untimed := made["entities"]["start_s"].null_count:
        print(f"{untimed} entities have no times, and are not in {submission.TASK2}.")
