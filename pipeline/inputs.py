"""What a run begins with: a folder of recordings, or transcripts that are there already."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline import given_transcripts
from pipeline.errors import UserError
from pipeline.fingerprints import of_files
from pipeline.ids import id_order
from pipeline.speech.census import Ids, take_census


@dataclass(frozen=True)
class Inputs:
    """The recordings of a run.

    Attributes:
        rows: Rows of ``given_transcripts.SCHEMA``, or of recording_id, path and fingerprint alone, by recording id.
        counts: What lies beside the recordings, for the run's summary.
        left_out: The same in words; empty if there is nothing.
    """

    rows: Mapping[str, dict[str, Any]]
    counts: Mapping[str, Any] = field(default_factory=dict)
    left_out: str = ""

    def first(self, count: int | None) -> "Inputs":
        """Return the first recordings by id, or all where there is no count."""
        if count is None or count >= len(self.rows):
            return self
        beyond = f"{len(self.rows) - count} recordings beyond --limit {count}"
        rows = {recording_id: self.rows[recording_id] for recording_id in sorted(self.rows, key=id_order)[:count]}
        return replace(self, rows=rows, left_out=", ".join(filter(None, [self.left_out, beyond])))


def of_audio(folder: str, ids: Ids, out: str, may_be_empty: bool = False) -> Inputs:
    """Take the recordings of a folder.

    Args:
        folder: A local path or URI.
        ids: What a recording is called.
        out: Folder for the results.
        may_be_empty: Take a folder without audio too.

    Raises:
        UserError: See ``take_census``; or the results would lie above recordings.
    """
    census = take_census(folder, ids=ids, besides=out, may_be_empty=may_be_empty)
    if any(path.startswith(f"{out}/") for path in census.recordings.values()):
        raise UserError(f"--out {out} lies above recordings: give a folder of its own.")
    counts = {"not_audio": census.not_audio, "hidden": census.hidden}
    states = of_files(folder, census.recordings.values())
    rows = {key: row | {"fingerprint": states[row["path"]]} for key, row in of_paths(census.recordings).items()}
    return Inputs(rows, counts, census.left_out)


def of_transcripts(path: str) -> Inputs:
    """Take transcripts; see ``given_transcripts.read``."""
    return Inputs(given_transcripts.read(path))


def of_paths(recordings: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the rows of recordings, from their paths or URIs by id."""
    return {recording_id: {"recording_id": recording_id, "path": path} for recording_id, path in recordings.items()}
