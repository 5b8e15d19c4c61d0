"""Whether the results in a folder are those of a run that has not ended."""

from pipeline.errors import UserError
from pipeline.files import absolute, filesystem

STATE, FINISHED, PARTS = "run.json", "summary.json", "parts"
"""What a run writes first, what it writes last, and the folder of its results in between."""


def refuse_unfinished(option: str, path: str) -> None:
    """Refuse the out folder of a run that has not ended: its files may be half of them, or from before.

    Args:
        option: Command-line option that gave the folder, for error messages.
        path: A local path or an fsspec URI.

    Raises:
        UserError: It is one.
    """
    fs, root = filesystem(absolute(path))
    if any(fs.exists(f"{root}/{name}") for name in (STATE, PARTS)) and not fs.exists(f"{root}/{FINISHED}"):
        raise UserError(
            f"{option} {path} holds no finished run: the command of jobs.predict that began it goes on with it."
        )
