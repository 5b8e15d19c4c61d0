"""Demo of inference: transcribe and tag the shipped clips, and compare the results with the reference."""

import shutil
from pathlib import Path

from jobs import predict
from jobs.command_line import check_local
from jobs.progress import track
from jobs.score_tables import print_few
from pipeline import submission
from pipeline.demo import CLIPS
from pipeline.files import write_json, write_text
from pipeline.out_folder import OutFolder
from pipeline.outputs.report.content import make_page
from pipeline.scoring.comparison import compare
from pipeline.submission import read_submission

REFERENCE, SCORES, PAGE = "reference", "scores.json", "report.html"


def show(out: str, clips: Path = CLIPS) -> None:
    """Run the demo's models on recordings, compare the results with the reference, and write the report.

    Args:
        out: The out folder, which may hold an earlier demo.
        clips: Made-up recordings and their reference, in the competition's layout.

    Raises:
        UserError: The folder holds something other than a demo.
    """
    folder = check_local("--out", out)
    OutFolder(out, "demo.json", PAGE, [REFERENCE, SCORES]).begin({"clips": str(clips)}, overwrite=True)
    predict.main(["--audio", str(clips / "audio"), "--out", out, "--overwrite"])
    (folder / REFERENCE).mkdir()
    for name in (submission.TASK1, submission.TASK2):
        shutil.copy(clips / name, folder / REFERENCE)
    reference = read_submission("--reference", str(folder / REFERENCE))
    scores = compare(reference, read_submission("--submission", out))
    write_json(str(folder / SCORES), scores)
    _, page, _ = make_page(out, reference, show_text=True, track=track)
    write_text(str(folder / PAGE), page)
    print()
    print_few({"": scores})
    print()
    print(f"Open {out}/{PAGE} in a browser: every clip with its sound, and what was said beside what was found.")
    print(f"Beside it: {submission.TASK1}, {submission.TASK2}, the right ones in {REFERENCE}/, all scores in {SCORES}.")
