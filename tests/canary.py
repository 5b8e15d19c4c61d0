"""Markers that stand for the words of patients, and the search for them."""

import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq

LATIN, CHINESE, NUMBER = "Zorblaxine", "龘靐齉", "8675309421"
MARKERS = (LATIN, CHINESE, NUMBER)
SAID = f"Mr {LATIN} came on May 5 with {NUMBER} , {CHINESE}"

_FORMS = {form for marker in MARKERS for form in (marker, ascii(marker)[1:-1], quote(marker))}
_FORMS |= {"".join(f"&#{ord(letter)};" for letter in CHINESE)}
_TRACES = [form.encode() for form in _FORMS] + [form.encode("utf-16-le") for form in MARKERS]

HOLD_TEXT = (
    "task1_answer.txt",
    "task2_answer.txt",
    "transcriptions_corrected.json",
    "tasks.json",
    "transcripts",
    "entities",
    "manifests",
    "tagging",
    "parts",
)
"""Files and folders of the jobs that are there to hold text."""


def traces(content: bytes) -> list[bytes]:
    """Return which markers are in some bytes, in any encoding."""
    return [trace for trace in _TRACES if trace.lower() in content.lower()]


def left_behind(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of all files that are not there to hold text; tables are read first."""
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            within = file.relative_to(folder)
            yield str(within), str(within).encode("utf-8", "replace")
            if file.is_file() and not {*within.parts} & {*HOLD_TEXT}:
                content = file.read_bytes()
                if file.suffix == ".parquet":
                    content = repr(pq.read_table(file).to_pylist()).encode("utf-8", "replace")
                yield str(within), content


def assert_without_text(said: str, *folders: Path) -> None:
    assert not traces(said.encode("utf-8", "replace"))
    assert not {name: found for name, content in left_behind(*folders) if (found := traces(content))}


def everything_of(error: BaseException) -> str:
    """Return all that can be seen of an exception: also those behind it, where a traceback shows them."""
    return "\n".join([str(error), repr(error), *traceback.format_exception(error)])
