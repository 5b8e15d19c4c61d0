"""Data that is wrong, each with a job that meets it and what is said of it."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jobs import calibrate, exchange, finetune_asr, finetune_taggers, merge, predict, prepare, redact, report, score
from jobs import search as search_job
from pipeline import tables
from tests.canary import CHINESE, LATIN, NUMBER, SAID
from tests.made_up_run import MadeUpRun
from tuning.manifests import SPLITS


@dataclass(frozen=True)
class Clinic:
    """A folder for one case, with what is whole to begin with.

    Attributes:
        folder: Where inputs are written, beside the out folder.
        made: A run on recordings, and its reference.
        prepared: Out folder of jobs.prepare.
        models: Options that name the tiny models.
        base_model: Folder of the taggers' tiny base model.
    """

    folder: Path
    made: MadeUpRun
    prepared: Path
    models: Sequence[str]
    base_model: str

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def file(self, name: str, content: str | bytes) -> str:
        """Write an input; return its path."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(file)

    def answers(self, name: str, task1: str | bytes, task2: str) -> str:
        """Write a folder of the competition without audio."""
        self.file(f"{name}/task1_answer.txt", task1)
        self.file(f"{name}/task2_answer.txt", task2)
        return str(self.folder / name)

    def run(self, name: str = "", content: bytes | pa.Table | None = None) -> str:
        """Copy the run, with one of its tables replaced; return its folder."""
        run = self.folder / "run"
        shutil.copytree(self.made.run, run)
        if content is not None:
            for file in (run / name).glob("*.parquet"):
                file.unlink()
            write(run / name / "part-0.parquet", content)
        return str(run)

    def datasets(self, name: str, content: bytes | pa.Table) -> str:
        """Copy the prepared datasets, with one of their files replaced; return their folder."""
        folder = self.folder / "prepared"
        shutil.copytree(self.prepared, folder)
        write(folder / name, content)
        return str(folder)


def write(file: Path, content: bytes | pa.Table) -> None:
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        pq.write_table(content, file)


TASK1 = f"1\t{SAID}\n2\t{CHINESE} 來了\n"
TASK2 = f"1\tPATIENT\t0.3\t1.3\t{LATIN}\n1\tID_NUMBER\t2.7\t3.7\t{NUMBER}\n2\tPATIENT\t0\t0.3\t{CHINESE}\n"
NOT_PARQUET = f"PAR1 {SAID} PAR1".encode()
OTHER_COLUMNS = pa.table({"recording_id": [SAID], "text": [[SAID]], "start_s": [SAID], "words": [SAID]})
BROKEN_JSON = f'{{"1.wav": {{"text": "{SAID}", "words": ['
BROKEN_YAML = f"- name: x\n  pattern: a\n  examples:\n    - {LATIN}: {CHINESE}: [{NUMBER}\n  - ]\n"
GROUP = "names:\n  types:\n    PATIENT: Name of a patient.\n  examples:\n    - {}\n"
PATTERN = (
    "- {name: badge, languages: [en], type: ID_NUMBER, reads: as written, pattern: 'B [0-9]{4}', case: match, "
    "confidence: 1.0, examples: ['%s']}\n"
)
RULE = (
    "- {name: tea, languages: [en], types: [PATIENT], pattern: tea, case: match, action: drop, "
    "examples: {positive: ['%s'], negative: []}}\n"
)


Arguments = Callable[[Clinic], list[str]]


@dataclass(frozen=True)
class Case:
    """A job that meets something wrong.

    Attributes:
        job: Its module.
        what: What is wrong.
        arguments: Writes the inputs and returns the options.
        says: What is said of it, or written in the out folder.
        full: Whether the storage is full.
    """

    job: ModuleType
    what: str
    arguments: Arguments
    says: str
    full: bool = False


def train_on(task1: str | bytes, task2: str, *more: str) -> Arguments:
    return lambda c: [
        *("--train", c.answers("train", task1, task2), "--valid", c.answers("valid", "9\tx\n", "")),
        *("--out", str(c.out), *more),
    ]


def scored(task1: str | bytes, task2: str) -> Arguments:
    return lambda c: [
        *("--reference", c.answers("reference", task1, task2), "--submission", c.run()),
        *("--json", str(c.out / "scores.json")),
    ]


def of_run(name: str, content: bytes | pa.Table | None = None, file: str = "", *more: str) -> Arguments:
    return lambda c: ["--run", c.run(name, content), "--out", str(c.out / file), *more]


def imported(command: str, content: str) -> Arguments:
    return lambda c: [command, "--file", c.file("export.json", content), "--out", str(c.out)]


def reviewed(recordings: Any) -> Arguments:
    content = json.dumps({"corrections_of": SAID, "recordings": recordings})
    return lambda c: [*of_run("")(c), "--corrections", c.file("corrections.json", content)]


def tagged(option: str, content: str) -> Arguments:
    return lambda c: [
        *("--transcripts", c.answers("given", TASK1, ""), "--out", str(c.out), *c.models),
        *(option, c.file("data.yaml", content)),
    ]


def trained(name: str, content: bytes | pa.Table) -> Arguments:
    return lambda c: ["--datasets", c.datasets(name, content), "--out", str(c.out), "--base-model", c.base_model]


def exported(text: str, marked: str, type_: str = "PATIENT", **data: Any) -> str:
    value = {"start": 3, "end": 9, "text": marked, "labels": [type_]}
    about = {"recording_id": "1", "text": text, "words": [], **data}
    return json.dumps([{"data": about, "annotations": [{"result": [{"type": "labels", "value": value}]}]}] * 2)


def outside(c: Clinic) -> pa.Table:
    """Entities that lie outside their transcripts."""
    rows = tables.read(str(c.made.run / "entities"), tables.ENTITIES).to_pylist()
    return tables.from_rows([row | {"char_start": 900, "char_end": 910, "text": SAID} for row in rows], tables.ENTITIES)


def with_outside(*options: str) -> Arguments:
    return lambda c: ["--run", c.run("entities", outside(c)), *(each.format(out=c.out) for each in options)]


def no_audio(c: Clinic) -> list[str]:
    run = Path(c.run())
    rows = tables.read(str(run / "recordings"), tables.RECORDINGS).to_pylist()
    for row in rows:
        row["path"] = c.file(f"recordings/{row['recording_id']}.wav", SAID)
    tables.write(tables.from_rows(rows, tables.RECORDINGS), str(run / "recordings"))
    return ["--run", str(run), "--out", str(c.out)]


def broken_summary(c: Clinic) -> list[str]:
    run = Path(c.run())
    (run / "summary.json").write_text(BROKEN_JSON, encoding="utf-8")
    return ["--run", str(run), "--out", str(c.out / "page.html")]


def manifests(lines: str) -> Arguments:
    def written(c: Clinic) -> list[str]:
        for split in SPLITS:
            c.file(f"manifests/{split}.jsonl", lines)
        parakeet = c.models[c.models.index("--parakeet") + 1]
        return ["--manifests", str(c.folder / "manifests"), "--out", str(c.out), "--parakeet", parakeet]

    return written


def replaced(second: Callable[[Clinic], str]) -> Arguments:
    return lambda c: [
        *("replace", "--base", c.answers("base", TASK1, TASK2), "--source", second(c), "--types", "PATIENT"),
        *("--out", str(c.out)),
    ]


NO_SECONDS = f"1\tPATIENT\tsoon\t2.0\t{LATIN} {CHINESE} {NUMBER}\n"
BACKWARDS = f"1\tPATIENT\t3.0\t2.0\t{LATIN} {CHINESE} {NUMBER}\n"
UNKNOWN = f"1\tNOBODY\t1.0\t2.0\t{LATIN} {CHINESE} {NUMBER}\n"
NOT_SAID = f"1\tPATIENT\t1.0\t2.0\t{NUMBER} {CHINESE} {LATIN} anderswo\n"
NO_TAB = f"{TASK1}{SAID}\n"
IN_BIG5 = f"1\t{LATIN} 王小明 {NUMBER}\n".encode("big5")

CASES = [
    Case(prepare, "a time is none", train_on(TASK1, NO_SECONDS, "--strict"), "not numbers of seconds"),
    Case(prepare, "malformed lines are left out", train_on(NO_TAB, NO_SECONDS + BACKWARDS), "3 malformed lines"),
    Case(prepare, "a label starts after its end", train_on(TASK1, BACKWARDS, "--strict"), "after its end"),
    Case(prepare, "a type is unknown", train_on(TASK1, UNKNOWN), "there is no type NOBODY"),
    Case(prepare, "a label is not in its transcript", train_on(TASK1, TASK2 + NOT_SAID), '"not_found": 1'),
    Case(prepare, "an id comes twice", train_on(TASK1 * 2, TASK2, "--strict"), "a second transcript for recording 1"),
    Case(prepare, "a line has no tab", train_on(NO_TAB, TASK2, "--strict"), "line 3: not an id and a transcript"),
    Case(prepare, "text is in another encoding", train_on(IN_BIG5, TASK2), "is not in UTF-8"),
    Case(prepare, "the storage is full", train_on(TASK1, TASK2), "No space left", full=True),
    Case(
        prepare,
        "groups are no YAML",
        lambda c: [*train_on(TASK1, TASK2)(c), "--groups-file", c.file("groups.yaml", BROKEN_YAML)],
        "is not valid YAML, line 4",
    ),
    Case(
        prepare,
        "an example of a group is malformed",
        lambda c: [*train_on(TASK1, TASK2)(c), "--groups-file", c.file("g.yaml", GROUP.format(f"<PATIENT>{SAID}"))],
        "tag <PATIENT> has no partner",
    ),
    Case(
        prepare,
        "recognised transcripts have other columns",
        lambda c: [*train_on(TASK1, TASK2)(c), "--transcripts", c.run("transcripts", OTHER_COLUMNS)],
        "holds no table of transcripts",
    ),
    Case(predict, "an id comes twice", lambda c: given(c, TASK1 * 2), "a second transcript for recording 1"),
    Case(predict, "a line has no tab", lambda c: given(c, NO_TAB), "line 3: not an id and a transcript"),
    Case(
        predict,
        "transcripts have other columns",
        lambda c: ["--transcripts", c.run("transcripts", OTHER_COLUMNS), "--out", str(c.out)],
        "is not the table",
    ),
    Case(predict, "settings are no YAML", tagged("--settings", BROKEN_YAML), "is not valid YAML, line 4"),
    Case(predict, "YAML has an unknown tag", tagged("--settings", f"tagger: !{LATIN} x"), "is not valid YAML, line 1"),
    Case(predict, "YAML names what is not there", tagged("--settings", f"tagger: *{LATIN}"), "is not valid YAML"),
    Case(predict, "patterns are no YAML", tagged("--tagger.patterns", BROKEN_YAML), "is not valid YAML, line 4"),
    Case(predict, "a pattern's example", tagged("--tagger.patterns", PATTERN % f"{SAID} B 1842"), "the tags say"),
    Case(predict, "a rule's example", tagged("--tagger.rules", RULE % SAID), "is not what the pattern does"),
    Case(predict, "patients are no table", tagged("--tagger.patients", f"{SAID}\n{SAID}\n"), "give a table"),
    Case(predict, "the storage is full", lambda c: given(c, TASK1), "No space left", full=True),
    Case(score, "a time is none", scored(TASK1, NO_SECONDS), "not numbers of seconds"),
    Case(score, "a type is unknown", scored(TASK1, UNKNOWN), "there is no type NOBODY"),
    Case(score, "an id comes twice", scored(TASK1 * 2, TASK2), "a second transcript for recording 1"),
    Case(score, "the storage is full", scored(TASK1, TASK2), "No space left", full=True),
    Case(
        score,
        "entities have other columns",
        lambda c: ["--reference", str(c.made.reference), "--submission", c.run("entities", OTHER_COLUMNS)],
        "is not the table",
    ),
    Case(
        score,
        "entities are outside their transcripts",
        lambda c: ["--reference", str(c.made.reference), "--submission", c.run("entities", outside(c))],
        "PATIENT",
    ),
    Case(merge, "a time is none", replaced(lambda c: c.answers("source", TASK1, NO_SECONDS)), "not numbers of seconds"),
    Case(merge, "a type is unknown", replaced(lambda c: c.answers("source", TASK1, UNKNOWN)), "no type NOBODY"),
    Case(merge, "a table is none", replaced(lambda c: c.run("entities", NOT_PARQUET)), "is not the table"),
    Case(merge, "columns are others", replaced(lambda c: c.run("transcripts", OTHER_COLUMNS)), "is not the table"),
    Case(
        merge, "the storage is full", replaced(lambda c: c.answers("source", TASK1, TASK2)), "No space left", full=True
    ),
    Case(redact, "a table is none", of_run("transcripts", NOT_PARQUET), "its tables cannot be read"),
    Case(redact, "columns are others", of_run("entities", OTHER_COLUMNS), "its tables cannot be read"),
    Case(redact, "entities are outside their transcripts", with_outside("--out", "{out}"), "has no place in the"),
    Case(redact, "recordings are no audio", no_audio, "6 withheld"),
    Case(redact, "the storage is full", of_run(""), "No space left", full=True),
    Case(redact, "a decision is text", reviewed({"1": {"checked": True, "entities": [SAID]}}), "no object in braces"),
    Case(
        redact,
        "a decision has more keys",
        reviewed({"1": {"checked": True, "entities": [{"decision": "accept", "entity": 0, SAID: 1}]}}),
        "recording 1, decision 1 has a key that does not belong there",
    ),
    Case(redact, "a review's recording is text", reviewed({SAID: {"checked": SAID}}), "its recording number 1"),
    Case(report, "a table is none", of_run("entities", NOT_PARQUET, "page.html"), "its tables cannot be read"),
    Case(report, "columns are others", of_run("transcripts", OTHER_COLUMNS, "page.html"), "its tables cannot be read"),
    Case(report, "the summary is broken", broken_summary, "its summary.json cannot be read"),
    Case(report, "entities are outside", with_outside("--out", "{out}/page.html"), "without patient text"),
    Case(
        report,
        "a reference's time is none",
        lambda c: [*of_run("", None, "page.html")(c), "--reference", c.answers("reference", TASK1, NO_SECONDS)],
        "not numbers of seconds",
    ),
    Case(report, "the storage is full", of_run("", None, "page.html"), "No space left", full=True),
    Case(exchange, "JSON is broken", imported("from-label-studio", BROKEN_JSON), "is not JSON"),
    Case(exchange, "nothing is annotated", imported("from-label-studio", f'[{{"text": "{SAID}"}}]'), "annotations"),
    Case(exchange, "a task is text", imported("from-label-studio", f'["{SAID}", "annotations"]'), "annotations"),
    Case(
        exchange,
        "another text is marked",
        imported("from-label-studio", exported(SAID, CHINESE)),
        "task 1, region 1: it has no place",
    ),
    Case(exchange, "a label is text", imported("from-label-studio", exported(SAID, SAID[3:9], SAID)), "none of a type"),
    Case(exchange, "a label is unknown", imported("from-label-studio", exported(SAID, SAID[3:9], "X")), "no type X"),
    Case(exchange, "a task comes twice", imported("from-label-studio", exported(SAID, SAID[3:9])), "a second task for"),
    Case(
        exchange,
        "words are text",
        imported("from-label-studio", exported(SAID, SAID[3:9], words=[{"text": SAID, "start_s": SAID}])),
        "task 1: it lacks",
    ),
    Case(exchange, "transcripts are broken", imported("from-transcriptions", BROKEN_JSON), "is not JSON"),
    Case(
        exchange,
        "a time is text",
        imported(
            "from-transcriptions",
            f'{{"1.wav": {{"text": "{SAID}", "words": [{{"word": "{SAID}", "start": "{SAID}"}}]}}}}',
        ),
        "lacks text, or words",
    ),
    Case(
        exchange,
        "columns are others",
        lambda c: ["to-label-studio", *of_run("transcripts", OTHER_COLUMNS, "tasks.json")(c)],
        "its tables cannot be read",
    ),
    Case(
        exchange, "the storage is full", lambda c: ["to-transcriptions", "--run", c.run()], "No space left", full=True
    ),
    Case(
        calibrate,
        "a reference's time is none",
        lambda c: [*of_run("", None, "own.yaml")(c), "--reference", c.answers("reference", TASK1, NO_SECONDS)],
        "not numbers of seconds",
    ),
    Case(
        calibrate,
        "columns are others",
        lambda c: [*of_run("entities", OTHER_COLUMNS, "own.yaml")(c), "--reference", str(c.made.reference)],
        "its tables cannot be read",
    ),
    Case(
        calibrate,
        "no entity has a time",
        lambda c: [*of_run("", None, "own.yaml")(c), "--reference", c.answers("reference", TASK1, "")],
        "nothing can be calibrated",
    ),
    Case(finetune_asr, "a line is no JSON", manifests(BROKEN_JSON), "line 1: not a line of a NeMo manifest"),
    Case(finetune_asr, "a line is text", manifests(json.dumps(SAID)), "line 1: not a line of a NeMo manifest"),
    Case(
        finetune_asr,
        "a duration is none",
        manifests(json.dumps({"audio_filepath": "1.wav", "duration": SAID, "text": SAID})),
        "line 1: not a line of a NeMo manifest",
    ),
]
CASES += [
    Case(
        prepare,
        "a recording is no audio",
        lambda c: [*train_on(TASK1, TASK2)(c), *("--test", str(Path(c.file("test/audio/7.wav", SAID)).parents[1]))],
        '"failed": 1',
    ),
    Case(
        finetune_asr,
        "the storage is full",
        lambda c: manifests(json.dumps({"audio_filepath": c.file("1.wav", SAID), "duration": 1.0, "text": SAID}))(c),
        "No space left",
        full=True,
    ),
    Case(
        calibrate,
        "the storage is full",
        lambda c: [*of_run("", None, "own.yaml", "--folds", "2")(c), "--reference", str(c.made.reference)],
        "No space left",
        full=True,
    ),
]
TRAININGS = [
    ("the report is broken", "prepare_report.json", BROKEN_JSON.encode(), "holds no datasets"),
    ("the report is a list", "prepare_report.json", json.dumps([SAID]).encode(), "holds no datasets"),
    ("a prompt is broken", "tagging/names/prompt.json", BROKEN_JSON.encode(), "its dataset cannot be read"),
    ("a prompt is a text", "tagging/names/prompt.json", json.dumps(SAID).encode(), "its dataset cannot be read"),
    ("a dataset is none", "tagging/names/train.parquet", NOT_PARQUET, "its dataset cannot be read"),
    ("columns are others", "tagging/names/valid.parquet", OTHER_COLUMNS, "its dataset cannot be read"),
]
CASES += [
    Case(job, what, trained(name, content), says)
    for job in (finetune_taggers, search_job)
    for what, name, content, says in TRAININGS
]
CASES += [
    Case(job, "the storage is full", trained("left", b""), "No space left", full=True)
    for job in (finetune_taggers, search_job)
]
CASES.append(
    Case(
        finetune_taggers,
        "settings are no YAML",
        lambda c: [
            *("--datasets", str(c.prepared), "--out", str(c.out), "--base-model", c.base_model),
            *("--settings", c.file("best.yaml", BROKEN_YAML)),
        ],
        "is not valid YAML, line 4",
    )
)


def given(c: Clinic, task1: str) -> list[str]:
    return ["--transcripts", c.answers("given", task1, ""), "--out", str(c.out), *c.models]
