"""Files from elsewhere: whatever stands in them, a reader takes it or says in one sentence which file is at fault."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import exchange, merge, score
from pipeline import given_transcripts, submission, tables
from pipeline.errors import UserError
from pipeline.outputs import label_studio_import, transcriptions
from pipeline.run_folder import read_run
from pipeline.settings import PROFILES
from pipeline.settings_file import read_settings
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.known_types import known_types
from pipeline.tagging.patients import read_patients
from tests.jobs.test_redact import write_run

pytestmark = pytest.mark.faults

HUGE = "1" + "0" * 400
DEEP = "[" * 5_000 + "]" * 5_000
JSON_VALUES = ["NaN", "Infinity", "-Infinity", "-1", "1e308", "1e999", HUGE, HUGE * 20, "2147483648", "0", "-0.0"]
JSON_VALUES += ["true", "null", '""', '"x"', '"1.5"', '"\\ud800"', '"a\\u0000b"', '"\\n"', '"../x"', f'"{HUGE}"']
JSON_VALUES += ["[]", "{}", "[[]]", '{"a": 1}', DEEP]
TSV_VALUES = ["NaN", "inf", "-inf", "-1", "1e308", "1e999", HUGE, HUGE * 20, "true", "", " ", "x", "1,5", "0x1", "１"]
TSV_VALUES += ["\ud800", "\0", "\x0b", "\r", "\u2028", "\ufeff", "../x", "DATE\t", "[]", "null"]
YAML_VALUES = [".nan", ".inf", "-.inf", "-1", "1e999", HUGE, HUGE * 20, "true", "null", "''", "x", '"\\ud800"', "1.5"]
YAML_VALUES += ["[]", "{a: 1}", "[[]]", "{[1]: 2}", "{DATE: .nan}", "{true: 1}", "2024-99-99", "!!int x", "&a [*a]"]
YAML_VALUES += ["!!timestamp x", "!!python/object:os.system x", "*a", "[" * 500]
NUMBERS = [math.nan, math.inf, -math.inf, -1.0, 1e308]


def is_one_sentence(read: Callable[[], Any], file: Path) -> bool:
    """Read; return whether a UserError names the file, and not what is in it."""
    try:
        read()
    except UserError as error:
        message = str(error)
        assert file.name in message and "\n" not in message and len(message) < 500
        message.encode()
        return True
    return False


def changed(content: Any) -> Iterator[tuple[list[Any], str]]:
    """Yield a JSON value once for each value in it, with a mark in its place, and where that is."""

    def places(value: Any, way: list[Any]) -> Iterator[list[Any]]:
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            yield [*way, key]
            yield from places(value[key], [*way, key])

    for *way, last in places(content, []):
        copy = at = json.loads(json.dumps(content))
        for key in way:
            at = at[key]
        at[last] = "@"
        yield [*way, last], json.dumps(copy)


def without(content: Any, way: list[Any]) -> str:
    copy = at = json.loads(json.dumps(content))
    for key in way[:-1]:
        at = at[key]
    del at[way[-1]]
    return json.dumps(copy)


def refusals(file: Path, content: Any, read: Callable[[], dict[str, pa.Table]]) -> set[str]:
    """Read a JSON file with each wrong value in each place; return the names of the places that were ever refused."""

    def use() -> None:
        for name, table in read().items():
            tables.write(table, str(file.parent / name))
            if name == "entities":
                submission.write_task2(table, str(file.parent / submission.TASK2))
                submission.read_task2(str(file.parent / submission.TASK2))

    file.write_text(json.dumps(content), encoding="utf-8")
    assert not is_one_sentence(use, file)
    refused = set()
    for way, marked in changed(content):
        for text in (without(content, way), *(marked.replace('"@"', value) for value in JSON_VALUES)):
            file.write_text(text, encoding="utf-8")
            if is_one_sentence(use, file):
                refused.add(str(way[-1]))
    return refused


def test_transcripts_of_the_reference_method(tmp_path):
    words = [{"word": "May", "start": 0.0, "end": 1.0}, {"word": "it", "start": 1.0, "end": 1.5}]
    content = {"1.wav": {"language": "en", "text": "May it", "words": words}}
    file = tmp_path / "transcriptions.json"
    refused = refusals(file, content, lambda: {"transcripts": transcriptions.read(str(file))})
    assert refused >= {"1.wav", "text", "words", "word", "start", "end"}
    for start in ("true", "NaN", "-1", HUGE):
        file.write_text(json.dumps(content).replace("1.0", start), encoding="utf-8")
        with pytest.raises(UserError, match=r"transcriptions\.json: the entry 1\.wav"):
            transcriptions.read(str(file))


def test_exports_of_label_studio(tmp_path):
    run, file = write_run(tmp_path), tmp_path / "tasks.json"
    exchange.main(["to-label-studio", "--run", str(run), "--out", str(file)])
    task = json.loads(file.read_text(encoding="utf-8"))[0]
    regions = task.pop("predictions")[0]["result"][:2]
    task["annotations"] = [{"result": [{key: region[key] for key in ("type", "value")} for region in regions]}]
    task["data"]["words"] = task["data"]["words"][:1]
    types = known_types()

    def read() -> dict[str, pa.Table]:
        found = label_studio_import.read(str(file), types)
        if found.faults:
            raise UserError(f"{file}: {found.faults[0]}")
        return found.tables

    refused = refusals(file, [task], read)
    assert refused >= {"recording_id", "text", "words", "duration_s", "start_s", "char_end", "start", "end", "labels"}


@pytest.mark.parametrize("field", range(5))
def test_task_2(tmp_path, field):
    file, taken = tmp_path / submission.TASK2, b""
    for value in TSV_VALUES:
        line = "\t".join(value if at == field else good for at, good in enumerate(["1", "DATE", "1.0", "2.0", "May"]))
        file.write_bytes(f"{line}\n".encode("utf-8", "surrogatepass"))
        if not is_one_sentence(lambda: submission.read_task2(str(file)), file):
            taken += file.read_bytes()
        else:
            assert field < 4 or value in ("\ud800", "\r")
    file.write_bytes(taken)
    if taken:
        score.main(["--reference", str(tmp_path), "--submission", str(tmp_path)])
    merge.main(["vote", "--run", str(tmp_path), "--votes", "1", "--out", str(tmp_path / "out")])


def test_task_1(tmp_path):
    file, taken = tmp_path / submission.TASK1, {}
    for number, value in enumerate(TSV_VALUES, start=100):
        for line in (f"{value}\tMay it be\n", f"{number}\t{value}\n"):
            file.write_bytes(line.encode("utf-8", "surrogatepass"))
            if not is_one_sentence(lambda: submission.read_task1(str(file)), file):
                taken |= dict.fromkeys(submission.read_task1(str(file)), file.read_bytes())
    file.write_bytes(b"".join(taken.values()))
    assert submission.read_task1(str(file)).keys() == taken.keys()
    score.main(["--reference", str(tmp_path), "--submission", str(tmp_path)])


def spoilt(run: Path, name: str, column: str, value: Any) -> None:
    """Put a value into the second row of a table, or into its first word."""
    rows = tables.read(str(run / name), tables.SCHEMAS[name]).to_pylist()
    (rows[1] if column in rows[1] else rows[1]["words"][0])[column] = value
    schema = pa.schema([field.with_nullable(True) for field in tables.SCHEMAS[name]])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), run / name / "part-0.parquet")


TIMES = [(name, column) for name in ("entities", "transcripts") for column in ("start_s", "end_s", "confidence")]


@pytest.mark.parametrize(("name", "column"), [*TIMES, ("recordings", "duration_s")])
def test_tables_with_times_that_are_none(tmp_path, name, column):
    run = write_run(tmp_path)
    for value in NUMBERS:
        spoilt(run, name, column, value)
        with pytest.raises(UserError, match=rf"--run .*{name}, row 2: .*{column}"):
            read_run(str(run))
        with pytest.raises(UserError, match=rf"--run: .*{name}, row 2: .*{column}"):
            submission.read_table("--run", f"{run}/{name}", tables.SCHEMAS[name])


def test_tables_with_a_start_and_no_end(tmp_path):
    run = write_run(tmp_path)
    spoilt(run, "entities", "end_s", None)
    with pytest.raises(UserError, match="entities, row 2: start_s and end_s are not times in a recording"):
        merge.main(["vote", "--run", str(run), "--votes", "1", "--out", str(tmp_path / "out")])


@pytest.mark.parametrize("name", ["recordings", "transcripts", "entities"])
def test_tables_that_are_damaged_or_of_other_types(tmp_path, name):
    run, good = write_run(tmp_path), (tmp_path / "run" / name / "part-0.parquet").read_bytes()
    file = run / name / "part-0.parquet"
    table = pq.read_table(file)

    def refused() -> None:
        with pytest.raises(UserError, match="--run"):
            read_run(str(run))
        with pytest.raises(UserError, match=f"--run: .*/{name} "):
            submission.read_table("--run", f"{run}/{name}", tables.SCHEMAS[name])
        with pytest.raises(UserError):
            merge.main(["vote", "--run", str(run), "--votes", "1", "--out", str(tmp_path / "out"), "--overwrite"])
        if name == "transcripts":
            with pytest.raises(UserError, match="--transcripts"):
                given_transcripts.read(str(run))

    for content in (b"", b"hello", good[: len(good) // 2], good[:60] + bytes(60) + good[120:]):
        file.write_bytes(content)
        refused()
    pq.write_table(table.drop_columns(["recording_id"]), file)
    refused()
    for field in tables.SCHEMAS[name]:
        if field.type not in (pa.string(), pa.bool_()):
            column = pa.array(["q"] * len(table))
            pq.write_table(table.set_column(table.column_names.index(field.name), field.name, column), file)
            refused()


@pytest.mark.parametrize(
    "key", ["tagger", "tagger.batch_size", "tagger.thresholds", "tagger.calibration.shifts", "whisper.language"]
)
def test_settings(tmp_path, key):
    file, settings = tmp_path / "settings.yaml", PROFILES["demo"]
    refused = 0
    for value in YAML_VALUES:
        lines = [f"{'  ' * depth}{name}:" for depth, name in enumerate(key.split("."))]
        file.write_text("\n".join(lines) + f" {value}\n", encoding="utf-8")
        refused += is_one_sentence(lambda: read_settings(file, settings), file)
        assert is_one_sentence(lambda: load_entity_groups(file), file)
    assert refused >= len(YAML_VALUES) - 9


def test_tables_of_patients(tmp_path):
    file = tmp_path / "patients.csv"
    for value in TSV_VALUES:
        for line in (f"{value},A", f"1,{value}"):
            file.write_bytes(f"recording_id,patient_id\n{line}\n".encode("utf-8", "surrogatepass"))
            is_one_sentence(lambda: read_patients(file), file)
    for content in (b"", b"\xff\xfe", b"recording_id,patient_id\n", b"a,b\n1,2\n", b"recording_id,patient_id\n1\n"):
        file.write_bytes(content)
        assert is_one_sentence(lambda: read_patients(file), file)
