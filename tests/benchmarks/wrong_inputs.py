"""What each job says to wrong inputs, with exit status and seconds, as a table.

    python -m tests.benchmarks.wrong_inputs [--only predict]

Each line of ``CASES`` is a command line; names in braces are files and folders that ``make`` puts into a temporary
folder. None may end in a traceback.
"""

import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import tyro

from pipeline import demo
from tests.competition import write_folder
from tests.jobs.test_redact import write_run

ROOT = Path(__file__).parents[2]

CASES = {
    "predict": """
        --audio {clips} --out {new} --tagger.opening-bias nomes 1
        --audio {clips} --out {new} --tagger.thresholds PATEINT 0.3
        --audio {clips} --out {new} --whisper.language klingon
        --audio {clips} --out {new} --tagger.quantization nf4
        --audio {clips} --out {new} --tagger.rules {text}
        --audio {clips} --out {new} --tagger.rules {broken}
        --audio {clips} --out {new} --decoding.min-duration-s 9 --decoding.max-duration-s 3
        --audio {clips} --out {new} --base-model {empty}
        --audio {clips} --out {new} --parakeet {text}
        --audio {clips} --out {new} --whisper {text}
        --audio {clips} --out {new} --adapters {text}
        --audio {text} --out {new}
        --audio {empty} --out {new}
        --audio nowhere --out {new}
        --audio {clips} --out {text}
        --audio {clips} --out {clips}
        --audio {clips} --out {prepared}
        --audio {clips} --out {new} --limit 0
        --audio {clips} --out {new} --profile gpu
        --audio {clips} --out {new} --settings {broken}
        --audio {clips} --out {new} --max-failures 2
        --audio {clips} --transcripts {run} --out {new}
        --audio s4://bucket/folder --out {new}
        --transcripts {big5} --out {new}
        --transcripts {utf16} --out {new}
        --out {new}
        --audio {clips}
        --audio {clips} --out {new} --overwrite --retry-failed
        --audio {clips} --out {new} --watch --limit 3
        --transcripts {run} --out {new} --watch
        --audio nowhere --out {new} --watch
        --audio {clips} --out {new} --tagger.batch-size many
        --audio {clips} --out {new} --colour red
        --config {text}
        --config {broken}
    """,
    "score": """
        --reference {nothing} --submission {run}
        --reference {labelled} --submission {others}
        --reference {labelled} --submission {empty}
        --reference nowhere --submission {run}
        --reference {text} --submission {run}
        --reference {labelled} --submission {unknown_type}
        --reference {labelled} --submission {torn}
        --reference {labelled} --submission {in_big5}
        --reference {labelled} --submission {unfinished}
        --reference {labelled} --submission {labelled} --json {empty}
        --reference {labelled} --submission {labelled} --groups-file {broken}
        --reference {labelled}
    """,
    "report": """
        --run {run} --out {new}.html --reference {nothing}
        --run {run} --out {new}.html --reference {others}
        --run {run} --out {new}
        --run {run} --out {page}
        --run {empty} --out {new}.html
        --run nowhere --out {new}.html
        --run {text} --out {new}.html
        --run {unfinished} --out {new}.html
        --run {run} --out {new}.html --sound-mb -1
        --run {run} --out {new}.html --groups-file {broken}
        --run {run} --out {new}.html --reference nowhere
    """,
    "prepare": """
        --train {nothing} --valid {nothing} --out {new}
        --train {labelled} --valid {nothing} --out {new}
        --train {labelled} --valid {labelled} --out {new}
        --train nowhere --valid {others} --out {new}
        --train {text} --valid {others} --out {new}
        --train {labelled} --valid {empty} --out {new}
        --train {in_big5} --valid {others} --out {new}
        --train {torn} --valid {others} --out {new} --strict
        --train {unknown_type} --valid {others} --out {new}
        --train {labelled} --valid {others} --out {labelled}
        --train {labelled} --valid {others} --out {new} --parakeet {text}
        --train {labelled} --valid {others} --out {new} --min-duration-s 9 --max-duration-s 3
        --train {labelled} --valid {others}
    """,
    "merge": """
        replace --base {labelled} --source {others} --types PATEINT --out {new}
        replace --base {labelled} --source {others} --types --out {new}
        replace --base nowhere --source {others} --types DATE --out {new}
        replace --base {text} --source {others} --types DATE --out {new}
        replace --base {labelled} --source {others} --types DATE --out {labelled}
        replace --base {labelled} --source {torn} --types DATE --out {new}
        vote --run {labelled} --run {labelled} --out {new}
        vote --run {labelled} --run {others} --votes 9 --out {new}
        vote --run {labelled} --run {others} --weights 1 --out {new}
        vote --run {labelled} --run {others} --iou 0 --out {new}
        vote --run {labelled} --run {in_big5} --out {new}
        mix --run {labelled} --out {new}
    """,
    "redact": """
        --run {run} --out {new} --types DOKTOR
        --run {run} --out {run}
        --run {run} --out {run}/inside
        --run {run} --out {new} --padding-s -1
        --run {run} --out {new} --padding-s nan
        --run {run} --out {new} --with music
        --run {run} --out {new} --allow nowhere
        --run {run} --out {new} --allow {nothing_in_it}
        --run {run} --out {new} --verify
        --run {run} --out {new} --corrections nowhere
        --run {run} --out {new} --corrections {text}
        --run {run} --out {new} --corrections {big5}
        --run {run} --out {new} --corrections {of_another_run}
        --run {unfinished} --out {new}
        --run {text} --out {new}
        --run {run} --out {prepared}
    """,
    "exchange": """
        to-label-studio --run {run} --out {text}
        to-label-studio --run {run} --out {new}.xml
        to-label-studio --run {empty} --out {new}.json
        from-label-studio --file {text} --out {new}
        from-label-studio --file {no_tasks} --out {new}
        from-label-studio --file {json} --out {new}
        from-label-studio --file nowhere --out {new}
        from-corrections --run {run} --file {text} --out {new}
        from-corrections --run {run} --file {json} --out {new}
        from-corrections --run {run} --file {of_another_run} --out {new}
        from-corrections --run {empty} --file {of_another_run} --out {new}
        to-transcriptions --run {unfinished}
        from-transcriptions --file {text} --out {new}
        from-transcriptions --file {no_tasks} --out {new}
        from-transcriptions --file {big5} --out {new}
        to-table --run {run} --out {new}
        to-table --run {run} --scores {json} --out {new}.csv
        to-table --run {run} --out {page}.csv --table words
        import --file {json} --out {new}
    """,
    "calibrate": """
        --run {run} --reference {nothing} --out {new}.yaml
        --run {run} --reference {others} --out {new}.yaml
        --run nowhere --reference {labelled} --out {new}.yaml
        --run {text} --reference {labelled} --out {new}.yaml
        --run {unfinished} --reference {labelled} --out {new}.yaml
        --run {run} --reference {labelled} --out {new}
        --run {run} --reference {labelled} --out {new}.yaml --recall 2
        --run {run} --reference {labelled} --out {new}.yaml --folds 1
        --run {run} --reference {labelled} --out {new}.yaml --padding-s -1
        --run {run} {run} --reference {labelled} --out {new}.yaml
        --run --reference {labelled} --out {new}.yaml
    """,
    "finetune_taggers": """
        --datasets nowhere --out {new}
        --datasets {empty} --out {new}
        --datasets {text} --out {new}
        --datasets {labelled} --out {new}
        --datasets {prepared} --out {new}
        --datasets s3://bucket/folder --out {new}
        --datasets {empty} --out memory://new
        --datasets {empty} --out {new} --profile gpu
        --datasets {empty} --out {new} --rank many
        --datasets {empty} --out {new} --speed 3
        --out {new}
    """,
    "finetune_asr": """
        --manifests nowhere --out {new}
        --manifests {empty} --out {new}
        --manifests {text} --out {new}
        --manifests {manifests} --out {new}
        --manifests {manifests} --out {new} --parakeet {text}
        --manifests s3://bucket/folder --out {new}
        --manifests {empty} --out memory://new
        --manifests {empty} --out {new} --epochs 0
        --manifests {empty} --out {new} --learning-rate -1
        --manifests {empty} --out {new} --profile gpu
        --out {new}
    """,
    "search": """
        --datasets nowhere --out {new}
        --datasets {empty} --out {new}
        --datasets {empty} --out {new} --trials 0
        --datasets {empty} --out {new} --sample 0
        --datasets {empty} --out {new} --space.rank 0
        --datasets {empty} --out {new} --space.dropout 0 2
        --datasets {empty} --out {new} --space.learning-rate 1 0.1
        --datasets {empty} --out {new} --space.few-shot
        --datasets {empty} --out {new} --objective luck
        --datasets {empty} --out {new} --profile gpu
        --datasets s3://bucket/folder --out {new}
    """,
    "demo": """
        --make-corpus {empty} --train
        --make-corpus {clips}
        --make-corpus {text}
        --make-corpus {new} --out {new}
        --make-corpus {new} --train-size 0
        --make-corpus {new} --test-size -1
        --make-corpus {new} --valid-size 9999999
        --make-corpus s3://bucket/folder
        --out {prepared}
        --out {text}
        --corpus {new}
    """,
}


@dataclass(frozen=True)
class Options:
    """What to try."""

    only: tuple[str, ...] = ()
    """Jobs to try; all, where none is given."""


def make(root: Path) -> dict[str, str]:
    """Make the files and folders that the cases name; return their paths."""
    run = write_run(root / "made")
    there = {"run": run, "clips": demo.CLIPS / "audio", "new": root / "new", "empty": root / "empty"}
    there["empty"].mkdir()
    there["labelled"] = write_folder(root / "labelled", 1, range(6))
    there["others"] = write_folder(root / "others", 901, range(6))
    for name in ("torn", "unknown_type", "in_big5", "nothing"):
        there[name] = write_folder(root / name, 1, range(3))
    with (root / "torn" / "task2_answer.txt").open("a") as file:
        file.write("1\tDATE\tsoon\n")
    with (root / "unknown_type" / "task2_answer.txt").open("a") as file:
        file.write("1\tDOKTOR\t0.0\t1.0\tLee\n")
    (root / "in_big5" / "task1_answer.txt").write_bytes("1\t王先生\n".encode("big5"))
    for name in ("task1_answer.txt", "task2_answer.txt"):
        (root / "nothing" / name).write_text("")
    contents = {"text": "just text", "broken": "names: [", "json": '[{"annotations": [{"result": []}]}]', "page": "x"}
    contents |= {"no_tasks": "[]", "nothing_in_it": "# nobody\n"}
    contents |= {"of_another_run": '{"corrections_of": "", "recordings": {}}'}
    for name, content in contents.items():
        there[name] = root / name
        there[name].write_text(content)
    for name, encoding in (("big5", "big5"), ("utf16", "utf-16")):
        there[name] = root / name
        there[name].write_bytes("1\t王先生說頭痛\n".encode(encoding))
    for name, files in (
        ("prepared", {"prepare.json": "{}", "manifests/train.jsonl": "{}", "transcripts/0.parquet": ""}),
        ("unfinished", {"run.json": "{}", "parts/0.parquet": ""}),
        ("manifests", {"train.jsonl": "{}\n", "valid.jsonl": "{}\n"}),
    ):
        for file, content in files.items():
            (root / name / file).parent.mkdir(parents=True, exist_ok=True)
            (root / name / file).write_text(content)
        there[name] = root / name
    return {name: str(path) for name, path in there.items()}


def main(options: Options) -> None:
    """Try, and print a table in Markdown; exit with 1 if there was a traceback or no refusal."""
    wrong = 0
    with TemporaryDirectory() as folder:
        names = make(Path(folder))
        print("| job | given | printed | status | s |\n|---|---|---|---|---|")
        for job in options.only or CASES:
            for line in filter(None, map(str.strip, CASES[job].splitlines())):
                command = [sys.executable, "-m", f"jobs.{job}", *shlex.split(line.format(**names))]
                start = time.perf_counter()
                done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
                seconds = time.perf_counter() - start
                said = " ".join(re.sub("[╭╮╰╯│─]+", " ", done.stderr).split())
                said = said.replace(folder, "").replace(str(ROOT), "").replace("|", "\\|")
                failed = "Traceback" in done.stderr or "fault of the program" in done.stderr or done.returncode == 0
                wrong += failed
                mark = "**" if failed else ""
                print(
                    f"| {job} | `{line}` | {said[:200]} | {mark}{done.returncode}{mark} | {seconds:.1f} |", flush=True
                )
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main(tyro.cli(Options))
