"""The demo of inference: the shipped clips, transcribed, tagged and compared with what is said in them."""

import shutil
from pathlib import Path

from jobs import predict, report
from jobs.answer_folders import read_answers
from jobs.command_line import check_local
from jobs.demo_scores import SCORES, print_scores, score_run
from jobs.folders import open_out
from pipeline import answers
from pipeline.demo import CLIPS
from pipeline.files import write_text

REFERENCE, PAGE = "reference", "report.html"


def show(out: str, clips: Path = CLIPS) -> None:
    """Predict recordings with the demo's models, compare them with their answers, and write the report.

    Args:
        out: The folder, which may hold an earlier demo.
        clips: Recordings and answers in the competition's layout, all made up.

    Raises:
        UserError: The folder holds something else than a demo.
    """
    folder = check_local("--out", out)
    open_out(out, "demo.json", PAGE, [REFERENCE, SCORES], {"clips": str(clips)}, over=True)
    predict.main(["--audio", str(clips / "audio"), "--out", out, "--overwrite"])
    (folder / REFERENCE).mkdir()
    for name in (answers.TASK1, answers.TASK2):
        shutil.copy(clips / name, folder / REFERENCE)
    scores = score_run(folder, folder / REFERENCE)
    reference = read_answers("--reference", str(folder / REFERENCE))
    _, page = report.make_page(out, reference, show_text=True)
    write_text(str(folder / PAGE), page)
    print()
    print_scores({"": scores})
    print()
    print(f"Open {out}/{PAGE} in a browser: every clip with its sound, and what was said beside what was found.")
    print(f"Beside it: {answers.TASK1}, {answers.TASK2}, the right ones in {REFERENCE}/, and all scores in {SCORES}.")
