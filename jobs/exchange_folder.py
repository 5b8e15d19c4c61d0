"""The folder that an import leaves: tables, and the submission files of them."""

from collections.abc import Mapping

import pyarrow as pa

from pipeline import submission, tables
from pipeline.files import absolute
from pipeline.out_folder import OutFolder

_MADE_HERE = ["recordings", "transcripts", "entities", submission.TASK2]


def write_folder(made: Mapping[str, pa.Table], asked: Mapping[str, str], out: str, overwrite: bool) -> None:
    """Write tables that were made of a file, and the submission files of them.

    Args:
        made: The tables by name.
        asked: What they were made of, for ``exchange.json``.
        out: The folder.
        overwrite: Replace the results that it holds.

    Raises:
        UserError: The folder cannot be used.
    """
    OutFolder(out, "exchange.json", submission.TASK1, _MADE_HERE).begin(asked, overwrite)
    for name, table in made.items():
        tables.write(table, f"{absolute(out)}/{name}")
    if "entities" in made:
        submission.write_task2(made["entities"], f"{absolute(out)}/{submission.TASK2}")
    submission.write_task1(made["transcripts"], f"{absolute(out)}/{submission.TASK1}")
