"""Finding the datasets of the adapters, checked before anything starts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline.corpus import tagging_datasets
from pipeline.corpus.preparation import REPORT
from pipeline.corpus.tagging_datasets import Dataset
from pipeline.errors import UserError

_USE = {"train": "train", "valid": "validate"}


def find_datasets(option: str, folder: Path, wanted: Sequence[str]) -> tuple[dict[Path, Dataset], dict[str, str]]:
    """Find the datasets of entity groups in the out folder of jobs.prepare.

    Args:
        option: The option that gives the folder, for messages.
        folder: The folder.
        wanted: Names of the entity groups to train; all, where there are none.

    Returns:
        The datasets by their folders, which are named like their groups; and the groups that are left out, each with
        what it has no example for. Both are in the order in which jobs.prepare had the groups.

    Raises:
        UserError: An entity group or its dataset is missing, a file cannot be read, or a wanted group has no example.
    """
    root = folder / "tagging"
    try:
        names = list(json.loads((folder / REPORT).read_text(encoding="utf-8"))["tagging_datasets"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"{option} {folder} holds no datasets of this version of jobs.prepare ({REPORT} lists them): give its out "
            "folder, or prepare anew."
        ) from None
    for name in wanted:
        if name not in names:
            raise UserError(f"--groups {name}: there is no such group; the groups are {', '.join(names)}.")
    found: dict[Path, Dataset] = {}
    empty: dict[str, str] = {}
    for name in [name for name in names if not wanted or name in wanted]:
        try:
            dataset = tagging_datasets.read(str(root / name))
        except FileNotFoundError:
            raise UserError(
                f"{option} {folder} holds no dataset of the group {name} in tagging/{name}: give the out folder of "
                "jobs.prepare."
            ) from None
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError):
            raise UserError(f"{root / name}: its dataset cannot be read: make it again with jobs.prepare.") from None
        if dataset.prompt.group != name:
            raise UserError(f"{root / name}: its dataset is of the group {dataset.prompt.group}: name the folder so.")
        lacks = [_USE[split] for split, examples in dataset.splits.items() if not len(examples)]
        if not lacks:
            found[root / name] = dataset
            continue
        empty[name] = f"no example to {' and none to '.join(lacks)} on"
        if name in wanted:
            raise UserError(f"--groups {name}: {root / name} holds {empty[name]}.")
    if not found:
        raise UserError(
            f"{option} {folder} holds no group with examples to train and to validate on ({in_words(empty)}): look at "
            "its prepare_report.html."
        )
    return found, empty


def in_words(empty: Mapping[str, str]) -> str:
    """Name the groups that are left out, and why."""
    return ", ".join(f"{name}: {why}" for name, why in empty.items())


def examples_in_words(dataset: Dataset) -> str:
    """Say how many examples a dataset has."""
    train, valid = (len(dataset.splits[split]) for split in ("train", "valid"))
    return f"{train} examples to train and {valid} to validate on"


def check_few_shot(option: str, few_shot: int | None, dataset: Dataset) -> None:
    """Raise a UserError, which names the option, if a dataset has fewer few-shot turns; None takes all it has."""
    prompt = dataset.prompt
    if few_shot is not None and few_shot > len(prompt.examples):
        raise UserError(
            f"{option} {few_shot}: the dataset of the group {prompt.group} has {len(prompt.examples)} few-shot turns."
        )
