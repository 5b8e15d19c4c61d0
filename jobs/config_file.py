"""The options of a job as a YAML file: read by ``--config``, and written beside the results.

Options have the names that they have on the command line: ``tagger.batch-size: 8``. A flag is true, several values are
a list, and an option that is given several times is a list of lists. A command, such as ``merge``'s, is ``command``.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import UserError
from pipeline.files import absolute, filesystem, write_text

COMMAND = "command"
NAME = "config.yaml"
_OUT = "out", "json"  # options that name the results
_MARK = b"# Written by "
_NOT_REPEATED = {"overwrite", "dry-run", "retry-failed"}


def read_config(path: Path) -> dict[str, Any]:
    """Read a file of options.

    Raises:
        UserError: It cannot be read, or is no mapping of options to values.
    """
    from pipeline.tagging.entity_groups import read_yaml

    content = read_yaml(path)
    if not isinstance(content, Mapping):
        raise UserError(f"--config {path}: give options by name, such as `out: runs/first`.")
    for name, value in content.items():
        if not isinstance(name, str) or not all(isinstance(each, str | int | float) for each in _single(value)):
            raise UserError(f"--config {path}: {name} is no option with a text, a number, true, or a list of them.")
    return {name.removeprefix("--").replace("_", "-"): value for name, value in content.items()}


def _single(value: Any) -> Iterator[Any]:
    for one in value if isinstance(value, list) else [value]:
        yield from one if isinstance(one, list) else [one]


def options_of(arguments: Sequence[str]) -> dict[str, Any]:
    """Return the options of a command line, by name."""
    given: dict[str, list[list[str]]] = {}
    command: list[str] = []
    values = command
    for argument in arguments:
        if argument.startswith("--"):
            name, has_value, value = argument[2:].partition("=")
            values = [value] if has_value else []
            given.setdefault(name.replace("_", "-"), []).append(values)
        else:
            values.append(argument)
    found: dict[str, Any] = {COMMAND: command[0]} if command else {}
    for name, times in given.items():
        found[name] = times if len(times) > 1 else times[0][0] if len(times[0]) == 1 else times[0] or True
    return found


def arguments_of(options: Mapping[str, Any]) -> list[str]:
    """Return a command line with these options; see ``options_of``."""
    arguments = [str(options[COMMAND])] if COMMAND in options else []
    for name, value in options.items():
        if name == COMMAND or value is False:
            continue
        times = value if isinstance(value, list) and value and isinstance(value[0], list) else [value]
        for one in times:
            values = [] if one is True else one if isinstance(one, list) else [one]
            arguments += [f"--{name}", *map(str, values)]
    return arguments


def write_config(arguments: Sequence[str], job: str, version: str, secret: Sequence[str] = ()) -> None:
    """Write the options of a job beside its results, if it has made any; a file that no job wrote stays as it is.

    Args:
        arguments: Its command line.
        job: Name of the job.
        version: The program and its version.
        secret: Names of options that are not written.
    """
    options = {name: value for name, value in options_of(arguments).items() if name not in {*_NOT_REPEATED, *secret}}
    out = next((str(options[name]) for name in _OUT if isinstance(options.get(name), str)), None)
    if out is None or "--dry-run" in arguments:
        return
    fs, target = filesystem(absolute(out))
    if fs.isdir(target):
        file = f"{absolute(out)}/{NAME}"
    elif fs.exists(target):
        file = f"{absolute(out)}.{NAME}"
    else:
        return
    if fs.exists(filesystem(file)[1]) and not fs.cat_file(filesystem(file)[1]).startswith(_MARK):
        return  # somebody else's
    head = f"{_MARK.decode()}{version}: python -m {job} --config {NAME}\n"
    write_text(file, head + yaml.safe_dump(options, sort_keys=False, allow_unicode=True))
