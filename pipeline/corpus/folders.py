"""Folders in the competition's layout: ``audio/``, ``task1_answer.txt`` and ``task2_answer.txt``."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Literal

import fsspec
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import answers, tables
from pipeline.errors import UserError
from pipeline.speech.audio import find_recordings

Split = Literal["train", "valid", "test"]
_OPTION = {"train": "--phase", "valid": "--valid", "test": "--test"}

OnClash = Literal["refuse", "keep-first", "keep-last", "suffix"]


@dataclass(frozen=True)
class Folder:
    """What one folder holds.

    Attributes:
        name: The folder's own name.
        path: Where it is.
        split: What it is for.
        transcripts: Texts by recording id.
        entities: Its labels, as gold entities without spans.
        audio: Paths by recording id; empty where there is no ``audio/``.
        malformed: A sentence for each line that could not be read.
        dropped: Ids that another folder has too, and that were given up here.
        dropped_labels: How many labels went with them.
    """

    name: str
    path: str
    split: Split
    transcripts: dict[str, str]
    entities: pa.Table
    audio: dict[str, str]
    malformed: list[str] = field(default_factory=list)
    dropped: tuple[str, ...] = ()
    dropped_labels: int = 0

    @property
    def ids(self) -> list[str]:
        """All recordings that have audio, a transcript or a label here, sorted."""
        labelled = self.entities["recording_id"].to_pylist()
        return sorted({*self.transcripts, *self.audio, *labelled}, key=answers.id_order)


def read_folder(path: str, split: Split, strict: bool) -> Folder:
    """Read a folder; one for testing may lack the answers, and any may lack the audio.

    Args:
        path: A local path or an fsspec URI.
        split: What the folder is for.
        strict: Stop at the first malformed line, and do not go on without it.

    Raises:
        UserError: There is no such folder, it lacks answers that its split needs, or a line is malformed.
    """
    fs, root = fsspec.url_to_fs(path)
    if not fs.isdir(root):
        raise UserError(f"{_OPTION[split]} {path}: there is no such folder.")
    there = {name for name in (answers.TASK1, answers.TASK2, "audio") if fs.exists(f"{root}/{name}")}
    needed = {answers.TASK1, answers.TASK2} if split != "test" else set()
    if needed - there or not there:
        lacking = min(needed - there) if needed - there else f"both audio/ and {answers.TASK1}"
        raise UserError(
            f"{_OPTION[split]} {path} lacks {lacking}: a folder of the competition holds audio/, {answers.TASK1} "
            f"and {answers.TASK2}."
        )
    malformed: list[str] | None = None if strict else []
    task1, task2 = f"{path}/{answers.TASK1}", f"{path}/{answers.TASK2}"
    transcripts = answers.read_task1(task1, malformed) if answers.TASK1 in there else {}
    entities = answers.read_task2(task2, malformed) if answers.TASK2 in there else tables.ENTITIES.empty_table()
    audio = find_recordings(f"{path}/audio", _OPTION[split]) if "audio" in there else {}
    return Folder(PurePosixPath(root).name, path, split, transcripts, entities, audio, malformed or [])


def settle_clashes(folders: Sequence[Folder], on_clash: OnClash) -> list[Folder]:
    """Let each id stand for one recording; its audio, transcript and labels stay together.

    Args:
        folders: In the order given.
        on_clash: What to do with an id of several folders: ``refuse``, keep that of the first or the last folder, or
            rename it in the later ones by ``suffix``, to ``<id>_<folder name>``.

    Raises:
        UserError: Two folders have one name, an id clashes and nothing says what to do, or the new name clashes too.
    """
    by_name: dict[str, Folder] = {}
    for folder in folders:
        if folder.name in by_name:
            raise UserError(
                f"{by_name[folder.name].path} and {folder.path} are both called {folder.name}, by which the report "
                "tells them apart: rename one."
            )
        by_name[folder.name] = folder

    recorded = {i: folder for folder in folders for i in (*folder.transcripts, *folder.audio)}
    owner: dict[str, Folder] = {}
    settled: dict[str, Folder] = {}
    for folder in reversed(folders) if on_clash == "keep-last" else folders:
        here = {*folder.transcripts, *folder.audio}
        strays = [i for i in folder.ids if i in recorded and i not in here]  # labels of another folder's recording
        clashing = [i for i in folder.ids if i in owner or i in strays]
        if clashing and on_clash == "refuse":
            first = clashing[0]
            more = f", and {len(clashing) - 1} more ids with it" if len(clashing) > 1 else ""
            other = owner.get(first) or recorded[first]
            raise UserError(
                f"Recording {first} is in {_where(other, first)} and in {_where(folder, first)}{more}: rename "
                "them, or give --on-clash keep-first, keep-last or suffix."
            )
        if on_clash == "suffix":
            names = {i: f"{i}_{folder.name}" for i in clashing}
            taken = [new for new in names.values() if new in owner or new in folder.ids]
            if taken:
                raise UserError(f"--on-clash suffix: recording {taken[0]} is there too: rename the files.")
            folder = _rename(folder, names)
        else:
            folder = _drop(folder, clashing)
        owner |= dict.fromkeys(folder.ids, folder)
        settled[folder.name] = folder
    return [settled[folder.name] for folder in folders]


def _where(folder: Folder, recording_id: str) -> str:
    if recording_id in folder.transcripts:
        return f"{folder.path}/{answers.TASK1}"
    return folder.audio.get(recording_id, f"{folder.path}/{answers.TASK2}")


def _rename(folder: Folder, names: dict[str, str]) -> Folder:
    ids = pa.array([names.get(i, i) for i in folder.entities["recording_id"].to_pylist()], pa.string())
    return replace(
        folder,
        transcripts={names.get(i, i): text for i, text in folder.transcripts.items()},
        audio={names.get(i, i): path for i, path in folder.audio.items()},
        entities=folder.entities.set_column(0, tables.ENTITIES.field("recording_id"), ids),
    )


def _drop(folder: Folder, ids: Sequence[str]) -> Folder:
    gone = set(ids)
    lost = pc.is_in(folder.entities["recording_id"], pa.array(ids, pa.string()))
    kept = folder.entities.filter(pc.invert(lost))
    return replace(
        folder,
        transcripts={i: text for i, text in folder.transcripts.items() if i not in gone},
        audio={i: path for i, path in folder.audio.items() if i not in gone},
        entities=kept,
        dropped=tuple(ids),
        dropped_labels=len(folder.entities) - len(kept),
    )
