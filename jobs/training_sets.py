"""The prepared sets that training jobs take, checked before anything starts."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from jobs.command_line import check_local
from pipeline.corpus.tagging_sets import SCHEMA
from pipeline.errors import UserError
from pipeline.tagging.groups import Group
from tuning.campaign import read_sets


def find_sets(option: str, path: str, groups: Sequence[Group], wanted: Sequence[str]) -> tuple[dict[str, Path], list]:
    """Find the sets of groups in the out folder of jobs.prepare.

    Args:
        option: The option that gives the folder, for messages.
        path: The folder.
        groups: All groups that there are.
        wanted: Names of those to train; all, where there are none.

    Returns:
        The folder of each group's sets, and the groups that are left out as none of their types is in the data.

    Raises:
        UserError: A group or its sets are not there, its files cannot be read, or a wanted group has no example.
    """
    root = check_local(option, path) / "tagging"
    names = [group.name for group in groups]
    for name in wanted:
        if name not in names:
            raise UserError(f"--groups {name}: there is no such group; the groups are {', '.join(names)}.")
    found: dict[str, Path] = {}
    empty: list[str] = []
    for name in [name for name in names if not wanted or name in wanted]:
        try:
            sets = read_sets(root / name)
        except FileNotFoundError:
            raise UserError(
                f"{option} {path} holds no sets of the group {name} in tagging/{name}: give the out folder of "
                "jobs.prepare."
            ) from None
        except (pa.ArrowException, OSError):
            raise UserError(f"{root / name}: its sets cannot be read: make them again with jobs.prepare.") from None
        if any(table.schema.names != SCHEMA.names for table in sets.values()):
            raise UserError(f"{root / name}: these are not the sets of jobs.prepare: make them again with it.")
        if min(map(len, sets.values())):
            found[name] = root / name
        elif name in wanted:
            raise UserError(f"--groups {name}: {root / name} holds no examples to train and to validate on.")
        else:
            empty.append(name)
    if not found:
        raise UserError(f"{option} {path} holds no examples of any group: look at its prepare_report.html.")
    return found, empty
