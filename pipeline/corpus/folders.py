"""Folders in the competition's layout: ``audio/``, ``task1_answer.txt`` and ``task2_answer.txt``."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import submission, tables
from pipeline.errors import UserError
from pipeline.files import filesystem, no_folder
from pipeline.ids import id_order
from pipeline.speech.census import Ids, take_census

Split = Literal["train", "valid", "test"]

OnClash = Literal["refuse", "keep-first", "keep-last", "suffix"]


@dataclass(frozen=True)
class Folder:
    """The contents of one folder.

    Attributes:
        name: Name of the folder without its parents.
        path: Path of the folder.
        split: What the folder is used for.
        transcripts: Texts by recording id.
        entities: Labels without spans, as a table.
        audio: Paths by recording id; empty if there is no ``audio/``.
        malformed: A message for each malformed line.
        dropped: Ids that were dropped because another folder has them too.
        dropped_labels: Number of labels of these ids.
    """

    name: str
    path: str
    split: Split
    transcripts: dict[str, str]
    entities: pa.Table
    audio: Mapping[str, str]
    malformed: list[str] = field(default_factory=list)
    dropped: tuple[str, ...] = ()
    dropped_labels: int = 0

    @property
    def ids(self) -> list[str]:
        """Sorted ids of all recordings with audio, a transcript or a label in this folder."""
        labelled = self.entities["recording_id"].to_pylist()
        return sorted({*self.transcripts, *self.audio, *labelled}, key=id_order)


def read_folder(
    path: str, split: Split, strict: bool, ids: Ids = "stem", types: Collection[str] | None = None
) -> Folder:
    """Read a folder. A test folder may lack the submission files, and any folder may lack the audio.

    Args:
        path: A local path or an fsspec URI.
        split: What the folder is used for.
        strict: Raise an error at the first malformed line, instead of skipping it.
        ids: What a recording is called after its audio file.
        types: The types that its labels may have. None: any.

    Raises:
        UserError: The folder does not exist or lacks a required file, a label's type is unknown, or ``strict`` is set
            and a line is malformed.
    """
    fs, root = filesystem(path)
    if not fs.isdir(root):
        raise UserError(f"--{split} {path}{no_folder(path)}")
    there = {name for name in (submission.TASK1, submission.TASK2, "audio") if fs.exists(f"{root}/{name}")}
    needed = {submission.TASK1, submission.TASK2} if split != "test" else set()
    if needed - there or not there:
        lacking = min(needed - there) if needed - there else f"both audio/ and {submission.TASK1}"
        raise UserError(
            f"--{split} {path} lacks {lacking}: a folder of the competition holds audio/, {submission.TASK1} "
            f"and {submission.TASK2}."
        )
    malformed: list[str] | None = None if strict else []
    task1, task2 = f"{path}/{submission.TASK1}", f"{path}/{submission.TASK2}"
    transcripts = submission.read_task1(task1, malformed) if submission.TASK1 in there else {}
    entities = tables.ENTITIES.empty_table()
    if submission.TASK2 in there:
        entities = submission.read_task2(task2, malformed, types)
    audio = take_census(f"{path}/audio", f"--{split}", ids).recordings if "audio" in there else {}
    return Folder(PurePosixPath(root).name, path, split, transcripts, entities, audio, malformed or [])


def refuse_empty(folders: Sequence[Folder]) -> None:
    """Raise a UserError if no folder to train on, or none to validate on, has a transcript."""
    for split in ("train", "valid"):
        of_split = [folder for folder in folders if folder.split == split]
        if not any(folder.transcripts for folder in of_split):
            malformed = sum(len(folder.malformed) for folder in of_split)
            why = f"; {malformed} lines are malformed, and --strict names the first" if malformed else ""
            paths = ", ".join(folder.path for folder in of_split)
            raise UserError(f"--{split} {paths}: {submission.TASK1} holds no transcript{why}.")


def resolve_clashes(folders: Sequence[Folder], on_clash: OnClash) -> list[Folder]:
    """Make recording ids unique across folders; audio, transcript and labels of a recording stay together.

    Args:
        folders: The folders.
        on_clash: What to do with an id that is in several folders: ``refuse`` it, keep it only in the first or last
            folder, or use a ``suffix`` to rename it to ``<id>_<folder name>`` in the later ones.

    Returns:
        The folders in the given order, without clashes.

    Raises:
        UserError: Two folders have the same name, an id clashes and is refused, or the new name clashes too.
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
    resolved: dict[str, Folder] = {}
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
        resolved[folder.name] = folder
    return [resolved[folder.name] for folder in folders]


def _where(folder: Folder, recording_id: str) -> str:
    if recording_id in folder.transcripts:
        return f"{folder.path}/{submission.TASK1}"
    return folder.audio.get(recording_id, f"{folder.path}/{submission.TASK2}")


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
