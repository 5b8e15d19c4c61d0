"""Finding the datasets of the adapters, checked before anything starts."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from pipeline.corpus import tagging_datasets
from pipeline.corpus.tagging_datasets import Dataset
from pipeline.errors import UserError


def find_datasets(option: str, folder: Path, wanted: Sequence[str]) -> tuple[dict[Path, Dataset], list[str]]:
    """Find the datasets of entity groups in the out folder of jobs.prepare.

    Args:
        option: The option that gives the folder, for messages.
        folder: The folder.
        wanted: Names of the entity groups to train; all, where there are none.

    Returns:
        The datasets by their folders, which are named like their groups and sorted; and the names of the groups that
        are left out because the data has none of their types.

    Raises:
        UserError: An entity group or its dataset is missing, a file cannot be read, or a wanted group has no example.
    """
    root = folder / "tagging"
    names = sorted(each.name for each in root.glob("*") if each.is_dir())
    if not names:
        raise UserError(f"{option} {folder} holds no datasets in tagging/: give the out folder of jobs.prepare.")
    for name in wanted:
        if name not in names:
            raise UserError(f"--groups {name}: there is no such group; the groups are {', '.join(names)}.")
    found: dict[Path, Dataset] = {}
    empty: list[str] = []
    for name in [name for name in names if not wanted or name in wanted]:
        try:
            dataset = tagging_datasets.read(str(root / name))
        except FileNotFoundError:
            raise UserError(
                f"{option} {folder} holds no dataset of the group {name} in tagging/{name}: give the out folder of "
                "jobs.prepare."
            ) from None
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
            raise UserError(f"{root / name}: its dataset cannot be read: make it again with jobs.prepare.") from None
        if dataset.prompt.group != name:
            raise UserError(f"{root / name}: its dataset is of the group {dataset.prompt.group}: name the folder so.")
        if all(map(len, dataset.splits.values())):
            found[root / name] = dataset
        elif name in wanted:
            raise UserError(f"--groups {name}: {root / name} holds no examples to train and to validate on.")
        else:
            empty.append(name)
    if not found:
        raise UserError(f"{option} {folder} holds no examples of any group: look at its prepare_report.html.")
    return found, empty


def check_few_shot(option: str, few_shot: int | None, dataset: Dataset) -> None:
    """Refuse more few-shot turns than a dataset has.

    Args:
        option: The option that gives the number, for messages.
        few_shot: The number; None takes all.
        dataset: The dataset.

    Raises:
        UserError: The dataset has fewer.
    """
    prompt = dataset.prompt
    if few_shot is not None and few_shot > len(prompt.examples):
        raise UserError(
            f"{option} {few_shot}: the dataset of the group {prompt.group} has {len(prompt.examples)} few-shot turns."
        )
