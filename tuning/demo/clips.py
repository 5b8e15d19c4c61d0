"""The clips that ship with the demo: the first of the corpus' test part, with their answers."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import answers, tables
from pipeline.speech.audio import find_recordings

COUNT = 36


def ship(test: Path, out: Path) -> None:
    """Copy the first ``COUNT`` recordings of a corpus' test part into a folder of the same layout."""
    shutil.rmtree(out / "audio", ignore_errors=True)
    (out / "audio").mkdir(parents=True)
    found = find_recordings(str(test / "audio"))
    ids = sorted(found, key=answers.id_order)[:COUNT]
    for recording_id in ids:
        shutil.copy(found[recording_id], out / "audio")
    shipped: dict[str, pa.Table] = {}
    for name, schema in (("transcripts", tables.TRANSCRIPTS), ("entities", tables.ENTITIES)):
        table = pq.read_table(test / f"{name}.parquet", schema=schema)
        shipped[name] = table.filter(pc.is_in(table["recording_id"], pa.array(ids)))
        tables.write(shipped[name], str(out), name)
    answers.write_task1(shipped["transcripts"], str(out / answers.TASK1))
    answers.write_task2(shipped["entities"], str(out / answers.TASK2))
